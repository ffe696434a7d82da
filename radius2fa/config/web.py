"""Owns the rules of single values that come with web pages and mail: origins, hosts, mail addresses, AAGUIDs."""

import re
from uuid import UUID

from radius2fa.config.rules import address, listen_on, refused, split

PORTAL_PORT = 8443
SUBMISSION_PORT = 587  # RFC 6409 section 3.1

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")  # RFC 1123 section 2.1
_LONGEST_HOST = 253  # octets as text, RFC 1035 section 2.3.4
_LONGEST_LINE = 200
_DEFAULT_PORTS = {"http": 80, "https": 443}
# An addr-spec (RFC 5322 section 3.4.1) without quoted parts and comments, which nobody has as a sender.
_MAIL_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?P<host>[^@]+)")
_PORTAL = 'Write it like "https://portal.example.org".'


def listen(value: object) -> object:
    """Turn "192.0.2.1:443" or "[::]:8443" (8443 may be left out) into host and port."""
    return listen_on(value, PORTAL_PORT)


def origin(value: str) -> str:
    """Return the origin of web pages as browsers write it: in small letters, and without the port that is usual.

    Browsers give passkeys, and take the cookies of the portal, over https only, or from this very machine.
    """
    url = split(value)
    if url is None or url.scheme not in _DEFAULT_PORTS or not url.hostname or url.port == 0:
        raise refused("is not the address of a web page", _PORTAL)
    if url.username is not None or url.path not in {"", "/"} or url.query or url.fragment or not value.isprintable():
        raise refused("holds more than scheme, host and port", _PORTAL)
    name = host(url.hostname)
    if url.scheme == "http" and name != "localhost":
        raise refused("is not encrypted: passwords would be read on their way", _PORTAL)
    shown = f"[{name}]" if ":" in name else name
    port = "" if url.port in {None, _DEFAULT_PORTS[url.scheme]} else f":{url.port}"
    return f"{url.scheme}://{shown}{port}"


def host(value: str) -> str:
    """Return the name or address of a host, in small letters."""
    name = value.lower()
    if found := address(name):
        return str(found)
    if not value.isascii():
        raise refused(f"{value!r} has letters beyond ASCII", 'Write it as DNS has it: "xn--…".')
    labels = name.split(".")
    if len(name) > _LONGEST_HOST or not all(map(_LABEL.fullmatch, labels)) or labels[-1].isdecimal():
        raise refused(f"{value!r} is no name of a host", 'Write it like "host.example.org".')
    return name


def mail_address(value: str) -> str:
    """Return an address that mail may come from."""
    match = _MAIL_ADDRESS.fullmatch(value)
    if match is None:
        raise refused(f"{value!r} is no mail address", 'Write it like "radius2fa@example.org".')
    host(match["host"])
    return value


def aaguid(value: str) -> str:
    """Return the number of a model of authenticators (AAGUID, WebAuthn section 6.5.1), in the usual form."""
    try:
        return str(UUID(value))
    except ValueError:
        remedy = 'Write it like "cb69481e-8ff7-4039-93ec-0a2729a154a8".'
        raise refused(f"{value!r} is no AAGUID", remedy) from None


def line(value: str) -> str:
    """Return a text that fits on one line of a page."""
    if not value.isprintable():
        raise refused("holds a character that prints nothing", "Write it on one line.")
    if len(value) > _LONGEST_LINE:
        raise refused(f"is longer than {_LONGEST_LINE} characters", "Shorten it.")
    return value
