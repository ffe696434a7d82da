"""Owns what the URLs of a directory name: a server, or a service whose servers DNS tells."""

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

LDAPI_SOCKET = "/var/run/slapd/ldapi"  # OpenLDAP's in Debian, and the one that ldapi:/// means
LONGEST_PATH = 107  # octets of a socket's path; Linux has room for 108 with the NUL (unix(7))

_PORTS = {"ldap": 389, "ldaps": 636}
_SERVICES = {"ldap+srv": False, "ldaps+srv": True}  # whether the servers begin with TLS
# RFC 1123 section 2.1, and the underscore of RFC 2782 in front.
_LABEL = re.compile(r"_?[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_LONGEST_NAME = 253  # octets of a name as text (RFC 1035 section 2.3.4)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One server. `tls` tells that TLS comes before everything else (ldaps).

    With a `path` it is reached by the socket of that absolute path on this machine (ldapi), where there is no TLS to
    begin: nothing crosses a network, and the kernel tells each side who the other one is.
    """

    url: str
    host: str
    port: int
    tls: bool
    path: str = ""


@dataclass(frozen=True, slots=True)
class Service:
    """A service whose servers DNS tells (RFC 2782).

    The first of `names` that has records is believed, as far as their targets are `domain` or within it. `tls` tells
    that the servers begin with TLS.
    """

    url: str
    names: tuple[str, ...]
    domain: str
    tls: bool


def parse_source(url: str) -> Endpoint | Service:
    """Return what a URL names: a server as `parse_url` does, or the service of `ldap+srv://` or `ldaps+srv://`.

    Raises:
        ValueError: saying what is wrong with it.

    """
    parts = _split(url)
    return _service(url.strip(), parts) if parts.scheme in _SERVICES else parse_url(url)


def parse_url(url: str) -> Endpoint:
    """Return the server that a URL names: `ldap://host`, `ldaps://host:port`, `ldap://[2001:db8::1]`, `ldapi:///`.

    Raises:
        ValueError: saying what is wrong with it.

    """
    parts = _split(url)
    if parts.scheme == "ldapi":
        return _local(url.strip(), parts)
    if parts.scheme not in _PORTS:
        raise ValueError(f"{url}: begins with none of ldap://, ldaps://, ldapi://, ldap+srv:// and ldaps+srv://")
    port = _port(url, parts)
    if not parts.hostname or port == 0:
        raise ValueError(f"{url}: has no host name, or port 0")
    _holds_no_more(url, parts)
    return Endpoint(url.strip(), parts.hostname, port or _PORTS[parts.scheme], parts.scheme == "ldaps")


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url.strip())
    except ValueError as fault:
        raise ValueError(f"{url}: {fault}") from fault


def _port(url: str, parts: SplitResult) -> int | None:
    try:
        return parts.port
    except ValueError as fault:
        raise ValueError(f"{url}: {fault}") from fault


def _holds_no_more(url: str, parts: SplitResult) -> None:
    if "@" in parts.netloc or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError(f"{url}: holds more than a host name and a port; the base and the filter have their own keys")


def _local(url: str, parts: SplitResult) -> Endpoint:
    """Return the server behind a socket of this machine, whose path stands where other URLs have the host."""
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError(f"{url}: write the slashes of the socket's path as %2F: ldapi://%2Frun%2Fslapd%2Fldapi")
    path = unquote(parts.netloc) or LDAPI_SOCKET
    if not path.startswith("/") or "\0" in path or len(path.encode()) > LONGEST_PATH:
        raise ValueError(f"{url}: holds no absolute path of at most {LONGEST_PATH} octets")
    return Endpoint(url, "localhost", 0, tls=False, path=path)


def _service(url: str, parts: SplitResult) -> Service:
    """Return the service. A host that begins with an underscore is the name to ask for, any other a domain."""
    if _port(url, parts) is not None:
        raise ValueError(f"{url}: has a port, but that is what DNS tells")
    _holds_no_more(url, parts)
    name, tls = parts.hostname or "", _SERVICES[parts.scheme]
    labels = name.split(".")
    if len(name) > _LONGEST_NAME or not all(map(_LABEL.fullmatch, labels)) or labels[-1].isdecimal():
        raise ValueError(f"{url}: has no domain that DNS could be asked for")
    domain = _domain(labels)
    if not domain:
        raise ValueError(f"{url}: has no domain behind the labels that begin with an underscore")
    if labels[0] == "_ldaps" and not tls:
        raise ValueError(f"{url}: asks for servers that begin with TLS; write ldaps+srv://")
    if name.startswith("_"):
        return Service(url, (name,), domain, tls)
    return Service(url, (f"_ldaps._tcp.{name}", f"_ldap._tcp.{name}") if tls else (f"_ldap._tcp.{name}",), domain, tls)


def _domain(labels: list[str]) -> str:
    """Return what stands behind the last label that begins with an underscore: all of it, where none does.

    For `_ldap._tcp.berlin._sites.dc._msdcs.ad.example.org` that is `ad.example.org`.
    """
    behind = [place + 1 for place, label in enumerate(labels) if label.startswith("_")]
    return ".".join(labels[max(behind, default=0) :])
