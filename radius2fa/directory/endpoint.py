"""Owns the addresses of the directory's servers, as their URLs name them."""

from dataclasses import dataclass
from urllib.parse import urlsplit

_PORTS = {"ldap": 389, "ldaps": 636}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One server. `tls` tells that TLS comes before everything else (ldaps)."""

    url: str
    host: str
    port: int
    tls: bool


def parse_url(url: str) -> Endpoint:
    """Return the server that a URL names: `ldap://host`, `ldaps://host:port`, `ldap://[2001:db8::1]`.

    Raises:
        ValueError: saying what is wrong with it.

    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as fault:
        raise ValueError(f"{url}: {fault}") from fault
    if parts.scheme not in _PORTS:
        raise ValueError(f"{url}: begins neither with ldap:// nor with ldaps://")
    if not parts.hostname or port == 0:
        raise ValueError(f"{url}: has no host name, or port 0")
    if "@" in parts.netloc or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError(f"{url}: holds more than a host name and a port; the base and the filter have their own keys")
    return Endpoint(url.strip(), parts.hostname, port or _PORTS[parts.scheme], parts.scheme == "ldaps")
