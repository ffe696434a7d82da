"""Owns who really asks, where reverse proxies stand in between: only those in the settings are believed.

The headers are those that every proxy has: X-Forwarded-For, to which each adds the address that it was asked from, at
the right; X-Forwarded-Proto and X-Forwarded-Host, as the proxy was asked itself. Whoever is no such proxy could write
into them what they like.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from radius2fa.login.place import Address

Network = IPv4Network | IPv6Network

ALIVE = "/health"  # what a monitor may ask for without encryption
_PORT = re.compile(r"(?:\[(?P<six>[^\]]+)\]|(?P<four>[0-9.]+)):\d{1,5}")
_HOST = re.compile(r"(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?")
_NOT_ENCRYPTED = (
    b"This page comes by HTTPS only. If there is a proxy in front of it, it has to be named in trusted_proxies, and to "
    b"set X-Forwarded-Proto.\n"
)


@dataclass(frozen=True, slots=True)
class Told:
    """What a request says of itself in the three headers; "" for a header that it does not have."""

    forwarded_for: str = ""
    proto: str = ""
    host: str = ""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: their address, whether they are connected by TLS, and the host that they ask for.

    `host` is None where nobody tells more of it than the request itself.
    """

    address: str
    https: bool
    host: str | None = None


def asker(peer: str, told: Told, trusted: Sequence[Network], *, https: bool) -> Asker:
    """Return who asks by a connection from `peer`, which has TLS or not.

    From the right the list is followed as far as proxies are trusted: whoever the last of them names is who asks. What
    is no address ends the list.
    """
    nearest = _address(peer)
    if nearest is None or not _is_trusted(nearest, trusted):
        return Asker(peer if nearest is None else str(nearest), https)
    found, proxies = nearest, 1
    for written in reversed(_items(told.forwarded_for)):
        address = _address(written)
        if address is None:
            break
        found = address
        if not _is_trusted(address, trusted):
            break
        proxies += 1
    return Asker(str(found), _https(_of(proxies, told.proto), otherwise=https), _host(_of(proxies, told.host)))


def behind(page: WSGIApplication, trusted: Sequence[Network], *, https_only: bool) -> WSGIApplication:
    """Return the application as it is asked by whoever really asks.

    With `https_only` whoever comes without TLS gets nothing, so that a proxy that is set up wrongly is noticed by the
    administrator and not by whoever reads passwords on their way.
    """

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        who = asker_of(environ, trusted)
        environ["REMOTE_ADDR"] = who.address
        environ["wsgi.url_scheme"] = "https" if who.https else "http"
        if who.host is not None:
            environ["HTTP_HOST"] = who.host
        if https_only and not who.https and environ.get("PATH_INFO") != ALIVE:
            length = str(len(_NOT_ENCRYPTED))
            start_response("403 Forbidden", [("Content-Type", "text/plain"), ("Content-Length", length)])
            return [_NOT_ENCRYPTED]
        return page(environ, start_response)

    return application


def is_proxy(host: str, trusted: Sequence[Network]) -> bool:
    """Tell whether this is the address of a proxy that is believed."""
    address = _address(host)
    return address is not None and _is_trusted(address, trusted)


def asker_of(environ: WSGIEnvironment, trusted: Sequence[Network]) -> Asker:
    """Return who asks, by what WSGI tells of the request (PEP 3333)."""
    told = Told(*(str(environ.get(f"HTTP_X_FORWARDED_{name}", "")) for name in ("FOR", "PROTO", "HOST")))
    peer = str(environ.get("REMOTE_ADDR", ""))
    return asker(peer, told, trusted, https=environ.get("wsgi.url_scheme") == "https")


def _items(header: str) -> list[str]:
    return [item.strip() for item in header.split(",")] if header else []


def _of(proxies: int, header: str) -> str:
    """Return what the outermost of so many proxies told, counted from the right; where fewer told it, the first."""
    items = _items(header)
    return items[-min(proxies, len(items))] if items else ""


def _address(written: str) -> Address | None:
    """Return the address, without a port behind it; an IPv4 address in IPv6 clothes as what it is."""
    match = _PORT.fullmatch(written)
    text = (match["six"] or match["four"]) if match else written.removeprefix("[").removesuffix("]")
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _is_trusted(address: Address, trusted: Sequence[Network]) -> bool:
    return any(address in network for network in trusted)


def _https(proto: str, *, otherwise: bool) -> bool:
    return {"https": True, "http": False}.get(proto.lower(), otherwise)


def _host(told: str) -> str | None:
    return told if _HOST.fullmatch(told) else None
