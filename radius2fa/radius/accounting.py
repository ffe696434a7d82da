"""Owns accounting (RFC 2866): the proof that a client sent a request, what it reports, and its acknowledgement.

Status-Server, which asks whether there is a server (RFC 5997), comes to its port too.
"""

import hmac
from dataclasses import dataclass
from enum import IntEnum
from hashlib import md5
from ipaddress import IPv4Address
from struct import Struct
from typing import Final

from radius2fa.radius.attributes import (
    ACCT_DELAY_TIME,
    ACCT_INPUT_GIGAWORDS,
    ACCT_INPUT_OCTETS,
    ACCT_OUTPUT_GIGAWORDS,
    ACCT_OUTPUT_OCTETS,
    ACCT_SESSION_ID,
    ACCT_SESSION_TIME,
    ACCT_STATUS_TYPE,
    ACCT_TERMINATE_CAUSE,
    CALLING_STATION_ID,
    CLASS,
    FRAMED_IP_ADDRESS,
    MESSAGE_AUTHENTICATOR,
)
from radius2fa.radius.clients import Client
from radius2fa.radius.credentials import name_of, text_of
from radius2fa.radius.packet import (
    HEADER_LENGTH,
    MESSAGE_AUTHENTICATOR_LENGTH,
    ZEROS,
    Code,
    Drop,
    Request,
    check_proxy_state,
    drop,
    framed,
    verify,
)
from radius2fa.radius.reply import proxy_state_of

_header = Struct("!BBH").pack
_REQUESTS: Final = {code.value: code for code in (Code.ACCOUNTING_REQUEST, Code.STATUS_SERVER)}
_NUMBER_OCTETS: Final = 4
_ADDRESS_OCTETS: Final = 4
_SIGNATURE_HEADER: Final = bytes((MESSAGE_AUTHENTICATOR, MESSAGE_AUTHENTICATOR_LENGTH))
_DELAY_MOST: Final = 86400  # seconds; what claims more would be taken for a record that is too old to be kept
_OCTETS_MOST: Final = (1 << 63) - 1  # what a database holds; no session carries so much


class Status(IntEnum):
    """What a request reports (RFC 2866 section 5.1), of those that are recorded."""

    START = 1
    STOP = 2
    INTERIM_UPDATE = 3
    ACCOUNTING_ON = 7
    ACCOUNTING_OFF = 8

    @property
    def word(self) -> str:
        """The word in the log and in the database."""
        return self.name.lower().replace("_", "-")


_STATUSES: Final = {status.value: status for status in Status}

# RFC 2866 section 5.10, from 1 on.
_CAUSES: Final = (
    *("user-request", "lost-carrier", "lost-service", "idle-timeout", "session-timeout", "admin-reset", "admin-reboot"),
    *("port-error", "nas-error", "nas-request", "nas-reboot", "port-unneeded", "port-preempted", "port-suspended"),
    *("service-unavailable", "callback", "user-error", "host-request"),
)


@dataclass(frozen=True, slots=True)
class AccountingRecord:
    """What a client reports of a session at `when` (Unix seconds). Texts are printable, and "" where none was sent.

    `login` is the first Class: the login's id, where the Accept named it. `input_octets` came from the user,
    `output_octets` went there. Numbers and the address are None where the client tells none.
    """

    when: float
    client: str
    name: str
    status: Status
    session: str
    login: str = ""
    input_octets: int | None = None
    output_octets: int | None = None
    seconds: int | None = None
    cause: str = ""
    address: IPv4Address | None = None
    source: str = ""


def decode(octets: bytes, client: Client) -> Request:
    """Return the Accounting-Request or Status-Server in a datagram from `client`. It is proven to come from there.

    The authenticator of an Accounting-Request is made with the secret (RFC 2866 section 3), so no Message-Authenticator
    is asked for; one that is there has to be right all the same. While they are made, the authenticator counts as
    zeros: no RFC says so of the second one here, but RFC 5176 says it of requests that are alike, and clients do it.
    Status-Server has both as on the other port: a random authenticator, and a Message-Authenticator over it (RFC 5997
    section 3).

    Raises:
        BadDatagram: it must not be answered. Nothing else is ever raised, whatever the octets.

    """
    frame = framed(octets, _REQUESTS)
    status_server = frame.code is Code.STATUS_SERVER
    as_signed = octets[: frame.length]
    if not status_server:
        as_signed = octets[:4] + ZEROS + octets[HEADER_LENGTH : frame.length]
        right = md5(as_signed + client.secret, usedforsecurity=False).digest()
        if not hmac.compare_digest(right, frame.authenticator):
            drop(Drop.WRONG_REQUEST_AUTHENTICATOR, frame.identifier, "wrong Request Authenticator")
    signed = MESSAGE_AUTHENTICATOR in frame.types
    if signed:
        verify(as_signed, frame, client.secret)
    elif status_server:
        drop(Drop.NO_MESSAGE_AUTHENTICATOR, frame.identifier, "STATUS_SERVER without Message-Authenticator")
    check_proxy_state(frame)
    request = Request(frame.code, frame.identifier, frame.authenticator, tuple(frame.attributes), client, signed)
    if not status_server and _number(request, ACCT_STATUS_TYPE) not in _STATUSES:
        drop(Drop.NO_STATUS_TYPE, frame.identifier, f"Acct-Status-Type {_number(request, ACCT_STATUS_TYPE)}")
    return request


def record_of(request: Request, when: float) -> AccountingRecord:
    """Return what a decoded Accounting-Request reports that came at `when` (Unix seconds).

    It happened earlier by the delay that the client tells (RFC 2866 section 5.2), which may be a day. Values of a wrong
    length count as not sent.
    """
    session, login = session_of(request)
    delay = _number(request, ACCT_DELAY_TIME) or 0
    return AccountingRecord(
        when=when - delay if delay <= _DELAY_MOST else when,
        client=request.client.name,
        name=name_of(request),
        status=_STATUSES[_number(request, ACCT_STATUS_TYPE) or 0],
        session=session,
        login=login,
        input_octets=_octets(request, ACCT_INPUT_OCTETS, ACCT_INPUT_GIGAWORDS),
        output_octets=_octets(request, ACCT_OUTPUT_OCTETS, ACCT_OUTPUT_GIGAWORDS),
        seconds=_number(request, ACCT_SESSION_TIME),
        cause=_cause(_number(request, ACCT_TERMINATE_CAUSE)),
        address=_address(request.first(FRAMED_IP_ADDRESS)),
        source=_text(request, CALLING_STATION_ID),
    )


def session_of(request: Request) -> tuple[str, str]:
    """Return the session that a request reports of, and the id of its login, as in a record: "" where none was sent."""
    return _text(request, ACCT_SESSION_ID), _text(request, CLASS)


def acknowledge(request: Request) -> bytes:
    """Return the Accounting-Response (RFC 2866 section 4.2): every Proxy-State, and a signature where one came.

    A client that signed its request may want the answer signed. No RFC says over which authenticator: over zeros, as
    FreeRADIUS and its clients have it, who take the Request Authenticator for a wrong signature. The answer to
    Status-Server is signed over just that by them, as on the other port.
    """
    body, signature = proxy_state_of(request), b""
    length = HEADER_LENGTH + len(body) + (MESSAGE_AUTHENTICATOR_LENGTH if request.signed else 0)
    header = _header(Code.ACCOUNTING_RESPONSE, request.identifier, length)
    secret = request.client.secret
    if request.signed:
        authenticator = request.authenticator if request.code is Code.STATUS_SERVER else ZEROS
        blank = header + authenticator + _SIGNATURE_HEADER + ZEROS + body
        signature = _SIGNATURE_HEADER + hmac.digest(secret, blank, "md5")
    body = signature + body
    return header + md5(header + request.authenticator + body + secret, usedforsecurity=False).digest() + body


def _number(request: Request, type_: int) -> int | None:
    octets = request.first(type_) or b""
    return int.from_bytes(octets) if len(octets) == _NUMBER_OCTETS else None


def _octets(request: Request, low: int, gigawords: int) -> int | None:
    """Return a count of octets, with how often 32 bits were not enough for it (RFC 2869 section 5.1)."""
    octets = _number(request, low)
    if octets is None:
        return None
    return min(((_number(request, gigawords) or 0) << 32) + octets, _OCTETS_MOST)


def _text(request: Request, type_: int) -> str:
    return text_of(request.first(type_) or b"")


def _cause(number: int | None) -> str:
    if number is None:
        return ""
    return _CAUSES[number - 1] if 1 <= number <= len(_CAUSES) else str(number)


def _address(octets: bytes | None) -> IPv4Address | None:
    return IPv4Address(octets) if octets is not None and len(octets) == _ADDRESS_OCTETS else None
