"""Owns what a login needs from a request: who, with which password or answer, from where."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from radius2fa.printable import printable
from radius2fa.radius.attributes import (
    CALLING_STATION_ID,
    CHAP_PASSWORD,
    EAP_MESSAGE,
    FRAMED_IP_ADDRESS,
    MICROSOFT,
    MS_CHAP_CREDENTIALS,
    STATE,
    USER_NAME,
    USER_PASSWORD,
    VENDOR_SPECIFIC,
)
from radius2fa.radius.packet import Request
from radius2fa.radius.password import reveal

_CONTROL: Final = re.compile("[\0-\x1f\x7f-\x9f]")  # C0, DEL and C1
_PASSWORD_MOST: Final = 128  # RFC 2865 section 5.2
_ADDRESS_LENGTH: Final = 4
_FOR_THE_NAS_TO_CHOOSE: Final = (b"\xff\xff\xff\xff", b"\xff\xff\xff\xfe")  # RFC 2865 section 5.8: no addresses
# As clients write them: bare, or with a port behind a colon (RFC 3986 section 3.2.2) or in brackets (strongSwan).
_ADDRESS: Final = re.compile(
    r"\[(?P<six>[^\[\]]+)\](?::[0-9]{1,5})?|(?P<four>[0-9.]+):[0-9]{1,5}|(?P<bare>[^\[\]]+)(?:\[[0-9]{1,5}\])?"
)

Address = IPv4Address | IPv6Address


class Fault(Enum):
    """Why a request cannot be a login. The value is for logs."""

    BAD_NAME = "the user name is missing, empty, not UTF-8 or holds control characters"
    NUL_IN_PASSWORD = "the password holds a NUL"  # noqa: S105 - words for a log
    CHARSET = "wrong shared secret or charset: the password is no text"
    UNSUPPORTED = "CHAP, MS-CHAP and EAP cannot be checked against a directory: let the client use PAP"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a login is decided on. `password` is UTF-8, and empty where none was sent; `source` may be "".

    `address` is the user's, None where the client tells none.
    """

    name: str
    password: bytes = field(repr=False)
    state: bytes | None = field(repr=False)
    source: str
    address: Address | None


def read(request: Request) -> Credentials | Fault:
    """Return what an Access-Request asks to log in with, or what makes that impossible."""
    if _other_method(request):
        return Fault.UNSUPPORTED
    name = _name(request)
    if name is None:
        return Fault.BAD_NAME
    password = _password(request)
    if isinstance(password, Fault):
        return password
    return Credentials(name, password, request.first(STATE), source_of(request), address_of(request))


def name_of(request: Request) -> str:
    r"""Return the user name for a log: printable whatever was sent (`\x00`), "" where none was."""
    return text_of(request.first(USER_NAME) or b"")


def text_of(octets: bytes) -> str:
    """Return a text of the client's for people: printable whatever was sent."""
    return printable(octets.decode(errors="backslashreplace"))


def source_of(request: Request) -> str:
    """Return where the user sits, as the client tells it, printable: Calling-Station-Id, else Framed-IP-Address."""
    station = request.first(CALLING_STATION_ID)
    if station:
        return text_of(station)
    address = request.first(FRAMED_IP_ADDRESS)
    if address is None or len(address) != _ADDRESS_LENGTH:
        return ""
    return str(IPv4Address(address))


def address_of(request: Request) -> Address | None:
    """Return the user's address: that in Calling-Station-Id, else Framed-IP-Address; None where neither holds one.

    A Calling-Station-Id may be the address of a network card, or a telephone number.
    """
    called = address_in((request.first(CALLING_STATION_ID) or b"").decode(errors="replace"))
    framed = request.first(FRAMED_IP_ADDRESS) or b""
    if called is not None or len(framed) != _ADDRESS_LENGTH or framed in _FOR_THE_NAS_TO_CHOOSE:
        return called
    return IPv4Address(framed)


def address_in(text: str) -> Address | None:
    """Return the address that a text consists of, perhaps with a port; None if it is no address.

    An IPv4 address in the clothes of IPv6 (RFC 4291 section 2.5.5.2) is an IPv4 address.
    """
    match = _ADDRESS.fullmatch(text.strip())
    if match is None:
        return None
    try:
        found = ip_address(match["six"] or match["four"] or match["bare"])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def _name(request: Request) -> str | None:
    try:
        name = (request.first(USER_NAME) or b"").decode()
    except UnicodeDecodeError:
        return None
    return None if not name or _CONTROL.search(name) else name


def _password(request: Request) -> bytes | Fault:
    """Return the password as UTF-8.

    Under a wrong secret it is noise, which mostly is no text: so that is looked at before an embedded NUL.
    """
    hidden = request.first(USER_PASSWORD) or b""
    if len(hidden) % 16 or len(hidden) > _PASSWORD_MOST:
        return b""  # a value of a wrong length is ignored; no attribute, or an empty one, is an empty password too
    password = reveal(hidden, request.client.secret, request.authenticator)
    try:
        password = password.decode(request.client.charset).encode()
    except UnicodeError:
        return Fault.CHARSET
    return Fault.NUL_IN_PASSWORD if b"\0" in password else password


def _other_method(request: Request) -> bool:
    for type_, value in request.attributes:
        if type_ in {CHAP_PASSWORD, EAP_MESSAGE}:
            return True
        if type_ == VENDOR_SPECIFIC and any(each in MS_CHAP_CREDENTIALS for each in _microsoft_types(value)):
            return True
    return False


def _microsoft_types(value: bytes) -> Iterator[int]:
    """Yield the vendor types in a Vendor-Specific of Microsoft's; one that runs over the end still counts."""
    if int.from_bytes(value[:4]) != MICROSOFT:
        return
    at = 4
    while at + 2 <= len(value):
        yield value[at]
        at += max(value[at + 1], 2)
