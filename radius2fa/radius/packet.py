"""Owns the way from octets to a request: framing, and proof that a client sent it."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from struct import Struct
from typing import Final, NamedTuple, NoReturn

from radius2fa.radius.attributes import (
    CHAP_PASSWORD,
    EAP_MESSAGE,
    MESSAGE_AUTHENTICATOR,
    PROXY_STATE,
    STATE,
    USER_PASSWORD,
)
from radius2fa.radius.clients import Client

HEADER_LENGTH: Final = 20  # RFC 2865 section 3: Code, Identifier, Length, Authenticator
PACKET_MOST: Final = 4096  # RFC 2865 section 3
ATTRIBUTES_MOST: Final = 200  # FreeRADIUS's default `max_attributes`; real requests hold about twenty
MESSAGE_AUTHENTICATOR_LENGTH: Final = 18  # RFC 2869 section 5.14
# Every Proxy-State goes into the reply, unmodified, and nothing of it may give way. Beside them must fit what a reply
# cannot do without: the header, the Message-Authenticator and, in a challenge, one State.
PROXY_STATE_MOST: Final = PACKET_MOST - HEADER_LENGTH - MESSAGE_AUTHENTICATOR_LENGTH - 255

_header = Struct("!BBH16s").unpack_from
ZEROS: Final = bytes(16)


class Code(IntEnum):
    """The packet types of both ports (RFC 2865 section 3, RFC 2866 section 3, RFC 5997 section 3)."""

    ACCESS_REQUEST = 1
    ACCESS_ACCEPT = 2
    ACCESS_REJECT = 3
    ACCOUNTING_REQUEST = 4
    ACCOUNTING_RESPONSE = 5
    ACCESS_CHALLENGE = 11
    STATUS_SERVER = 12


_REQUESTS: Final = {code.value: code for code in (Code.ACCESS_REQUEST, Code.STATUS_SERVER)}


class Drop(StrEnum):
    """Why a datagram gets no answer. The value is the word in logs and metrics; `remedy` says what to do."""

    TOO_SHORT = "too-short"
    WRONG_CODE = "wrong-code"
    BAD_LENGTH = "bad-length"
    BAD_ATTRIBUTE = "bad-attribute"
    TOO_MANY_ATTRIBUTES = "too-many-attributes"
    BAD_MESSAGE_AUTHENTICATOR = "bad-message-authenticator"
    NO_MESSAGE_AUTHENTICATOR = "no-message-authenticator"
    WRONG_MESSAGE_AUTHENTICATOR = "wrong-message-authenticator"
    WRONG_REQUEST_AUTHENTICATOR = "wrong-request-authenticator"
    UNSIGNED_PROXY_STATE = "unsigned-proxy-state"
    TWO_STATES = "two-states"
    TWO_CREDENTIALS = "two-credentials"
    TOO_MUCH_PROXY_STATE = "too-much-proxy-state"
    NO_STATUS_TYPE = "no-acct-status-type"

    @property
    def remedy(self) -> str:
        """One sentence: what the administrator can do about it."""
        return _REMEDIES.get(self, "This is no valid request: look at what runs at the sender's address.")


_REMEDIES: Final = {
    Drop.WRONG_CODE: "Access-Request belongs to a port of `server.listen`, Accounting-Request to one of "
    "`server.accounting_listen`, Status-Server to either; send dynamic authorisation elsewhere.",
    Drop.NO_MESSAGE_AUTHENTICATOR: "Let the client send Message-Authenticator; if it cannot, set "
    "`require_message_authenticator = false` for it, which leaves it open to forged replies (CVE-2024-3596).",
    Drop.WRONG_MESSAGE_AUTHENTICATOR: "Compare the shared secret on both sides.",
    Drop.WRONG_REQUEST_AUTHENTICATOR: "Compare the shared secret on both sides; that of accounting may stand "
    "elsewhere in the client.",
    Drop.NO_STATUS_TYPE: "Only Start, Stop, Interim-Update, Accounting-On and Accounting-Off are recorded: let the "
    "client send no accounting of tunnels and links here.",
    Drop.UNSIGNED_PROXY_STATE: "Let the proxy send Message-Authenticator: an unsigned request with Proxy-State is how "
    "replies are forged (CVE-2024-3596), and stays dropped while `limit_proxy_state` is on.",
}


class BadDatagram(Exception):  # noqa: N818 - it says what came, as the field does
    """A datagram that must not be answered. `cause` is for counting, `detail` for the log; neither holds a secret."""

    def __init__(self, cause: Drop, detail: str) -> None:
        """Take the cause and a few words about this one datagram."""
        super().__init__(cause, detail)
        self.cause: Final = cause
        self.detail: Final = detail


@dataclass(frozen=True, slots=True)
class Request:
    """A well-framed request of a known client. `signed` says that it held a Message-Authenticator, which was right.

    Without one, nothing in it is proven to come from the client.
    """

    code: Code
    identifier: int
    authenticator: bytes
    attributes: tuple[tuple[int, bytes], ...] = field(repr=False)  # the password and the State are among them
    client: Client
    signed: bool

    def first(self, type_: int) -> bytes | None:
        """Return the value of the first attribute of a type, or None."""
        for each, value in self.attributes:
            if each == type_:
                return value
        return None

    def all(self, type_: int) -> tuple[bytes, ...]:
        """Return the values of all attributes of a type, in order."""
        return tuple(value for each, value in self.attributes if each == type_)


def decode(octets: bytes, client: Client) -> Request:
    """Return the request in a datagram from `client`.

    Raises:
        BadDatagram: it must not be answered. Nothing else is ever raised, whatever the octets.

    """
    frame = framed(octets, _REQUESTS)
    code, identifier, attributes, types = frame.code, frame.identifier, frame.attributes, frame.types
    # CVE-2024-3596 lives on unsigned requests: so proof comes before every other rule about attributes.
    signed = MESSAGE_AUTHENTICATOR in types
    if signed:
        verify(octets[: frame.length], frame, client.secret)
    else:
        _check_unsigned(code, identifier, types, client)
    _check_combination(identifier, types)
    check_proxy_state(frame)
    return Request(code, identifier, frame.authenticator, tuple(attributes), client, signed)


class Frame(NamedTuple):
    """A datagram whose framing is right; nothing in it is proven yet. `types` are those of the attributes, in order."""

    code: Code
    identifier: int
    length: int
    authenticator: bytes
    attributes: list[tuple[int, bytes]]
    types: list[int]


def framed(octets: bytes, codes: Mapping[int, Code]) -> Frame:
    """Return the parts of a datagram whose code is one of these.

    Raises:
        BadDatagram: its framing is wrong. Nothing else is ever raised, whatever the octets.

    """
    if len(octets) < HEADER_LENGTH:
        raise BadDatagram(Drop.TOO_SHORT, f"{len(octets)} octets")
    number, identifier, length, authenticator = _header(octets)
    code = codes.get(number)
    if code is None:
        raise BadDatagram(Drop.WRONG_CODE, f"code={number} id={identifier}")
    if not HEADER_LENGTH <= length <= min(PACKET_MOST, len(octets)):
        drop(Drop.BAD_LENGTH, identifier, f"Length {length} in a datagram of {len(octets)} octets")
    attributes = _attributes(octets, length, identifier)
    return Frame(code, identifier, length, authenticator, attributes, [type_ for type_, _ in attributes])


def drop(cause: Drop, identifier: int, why: str) -> NoReturn:
    """Raise the BadDatagram that says this of a packet."""
    raise BadDatagram(cause, f"id={identifier}: {why}")


def _attributes(octets: bytes, length: int, identifier: int) -> list[tuple[int, bytes]]:
    """Return the attributes, which must fill the packet exactly (RFC 2865 section 5); a tail is ignored (section 3)."""
    attributes: list[tuple[int, bytes]] = []
    at = HEADER_LENGTH
    while at < length:
        # The length octet of a last attribute of one octet lies beyond the packet, and counts as missing.
        size = octets[at + 1] if at + 1 < length else 0
        end = at + size
        if size < 2 or end > length or not octets[at]:  # noqa: PLR2004 - its own two octets
            drop(Drop.BAD_ATTRIBUTE, identifier, f"type {octets[at]} with length {size} at octet {at} of {length}")
        attributes.append((octets[at], octets[at + 2 : end]))
        at = end
    if len(attributes) > ATTRIBUTES_MOST:
        drop(Drop.TOO_MANY_ATTRIBUTES, identifier, f"{len(attributes)} attributes")
    return attributes


def verify(packet: bytes, frame: Frame, secret: bytes) -> None:
    """Check the Message-Authenticator: HMAC-MD5 over the packet with its own value zeroed (RFC 2869 section 5.14).

    The packet holds the one that `frame` is of; in its header stands the authenticator that was signed.

    Raises:
        BadDatagram: it is wrong, or not one of 18 octets.

    """
    place = frame.types.index(MESSAGE_AUTHENTICATOR)
    given = frame.attributes[place][1]
    if frame.types.count(MESSAGE_AUTHENTICATOR) > 1 or len(given) != MESSAGE_AUTHENTICATOR_LENGTH - 2:
        drop(Drop.BAD_MESSAGE_AUTHENTICATOR, frame.identifier, "not one Message-Authenticator of 18 octets")
    at = HEADER_LENGTH + sum([len(value) + 2 for _, value in frame.attributes[:place]]) + 2
    right = hmac.digest(secret, packet[:at] + ZEROS + packet[at + 16 :], "md5")
    if not hmac.compare_digest(right, given):
        drop(Drop.WRONG_MESSAGE_AUTHENTICATOR, frame.identifier, "wrong Message-Authenticator")


def _check_unsigned(code: Code, identifier: int, types: list[int], client: Client) -> None:
    """Drop what must be signed, and is not (RFC 5997 section 3 for Status-Server, RFC 3579 section 3.1 for EAP)."""
    if client.require_message_authenticator or code is Code.STATUS_SERVER or EAP_MESSAGE in types:
        drop(Drop.NO_MESSAGE_AUTHENTICATOR, identifier, f"{code.name} without Message-Authenticator")
    if client.limit_proxy_state and PROXY_STATE in types:
        drop(Drop.UNSIGNED_PROXY_STATE, identifier, "Proxy-State without Message-Authenticator")


def _check_combination(identifier: int, types: list[int]) -> None:
    """Drop what no client may send together."""
    if types.count(STATE) > 1:  # RFC 2865 section 5.44
        drop(Drop.TWO_STATES, identifier, "more than one State")
    # RFC 2865 section 4.1, RFC 3579 section 3.3
    if USER_PASSWORD in types and (CHAP_PASSWORD in types or EAP_MESSAGE in types):
        drop(Drop.TWO_CREDENTIALS, identifier, "User-Password beside CHAP-Password or EAP-Message")


def check_proxy_state(frame: Frame) -> None:
    """Drop more Proxy-State than a reply could carry back.

    Raises:
        BadDatagram: it is more.

    """
    if PROXY_STATE in frame.types:
        size = sum([len(value) + 2 for type_, value in frame.attributes if type_ == PROXY_STATE])
        if size > PROXY_STATE_MOST:
            drop(Drop.TOO_MUCH_PROXY_STATE, frame.identifier, f"{size} octets of Proxy-State")
