"""Owns replies: what goes into an Accept, a Reject, a Challenge, and their way to octets."""

import hmac
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import md5
from struct import Struct
from typing import Final

from radius2fa.radius.attributes import (
    CLASS,
    MESSAGE_AUTHENTICATOR,
    PROMPT,
    PROXY_STATE,
    REPLY_MESSAGE,
    SESSION_TIMEOUT,
    STATE,
    ReplyAttribute,
)
from radius2fa.radius.packet import HEADER_LENGTH, MESSAGE_AUTHENTICATOR_LENGTH, PACKET_MOST, Code, Request
from radius2fa.radius.password import salted

_header = Struct("!BBH").pack
_number = Struct("!I").pack
_TEXT_MOST: Final = 253  # octets in one attribute (RFC 2865 section 5)
_SIGNATURE_HEADER: Final = bytes((MESSAGE_AUTHENTICATOR, MESSAGE_AUTHENTICATOR_LENGTH))

# What may stand in a reply that lets nobody in (RFC 2865 section 5.44, RFC 2869 section 5.19): no authorisation, since
# whoever turns such a reply into an Accept (CVE-2024-3596) would keep its attributes.
_ADMITTED: Final = {
    Code.ACCESS_REJECT: {REPLY_MESSAGE},
    Code.ACCESS_CHALLENGE: {REPLY_MESSAGE, STATE, SESSION_TIMEOUT, PROMPT},
}
_NEVER_IN_AN_ACCEPT: Final = {STATE, PROXY_STATE, PROMPT, MESSAGE_AUTHENTICATOR}  # `encode` adds what belongs there

# Prompt (RFC 2869 section 5.10): No-Echo is 0, Echo is 1. A one-time code could be shown, being useless once it is
# used; but the answer may also be a temporary code that is good for several logins, or a password typed by mistake.
_NO_ECHO: Final = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply, before it is made for one request. Where room is short, its last attributes give way first."""

    code: Code
    attributes: tuple[ReplyAttribute, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a reply that no server may send.

        Raises:
            ValueError: naming the attribute that has no place in it.

        """
        for attribute in self.attributes:
            if not _admitted(attribute, self.code):
                raise ValueError(f"{attribute.name} has no place in an {self.code.name}")
        if STATE in (attribute.type for attribute in self.attributes[1:] if attribute.vendor is None):
            raise ValueError("a challenge has one State, which comes first so that it never gives way")


def _admitted(attribute: ReplyAttribute, code: Code) -> bool:
    admitted = _ADMITTED.get(code)
    if admitted is None:
        return attribute.vendor is not None or attribute.type not in _NEVER_IN_AN_ACCEPT
    return attribute.vendor is None and attribute.type in admitted


def accept(attributes: tuple[ReplyAttribute, ...] = (), class_: bytes | None = None) -> Reply:
    """Let the user in, with what the policy grants. `class_` comes back in the client's accounting."""
    ours = () if class_ is None else (ReplyAttribute("Class", CLASS, class_),)
    return Reply(Code.ACCESS_ACCEPT, ours + attributes)


def reject(message: str) -> Reply:
    """Keep the user out, with a text that says nothing about the reason."""
    return Reply(Code.ACCESS_REJECT, tuple(_message(message)))


def challenge(message: str, state: bytes, seconds: int) -> Reply:
    """Ask the user for a code. `state` comes back with the answer; the client waits for it for `seconds`."""
    return Reply(
        Code.ACCESS_CHALLENGE,
        (
            ReplyAttribute("State", STATE, state),
            ReplyAttribute("Session-Timeout", SESSION_TIMEOUT, _number(seconds)),  # RFC 2865 section 5.27
            ReplyAttribute("Prompt", PROMPT, _number(_NO_ECHO)),
            *_message(message),
        ),
    )


def status() -> Reply:
    """Say that the server is alive: an Access-Accept that holds nothing (RFC 5997 section 4.2)."""
    return Reply(Code.ACCESS_ACCEPT)


def _message(text: str) -> Iterator[ReplyAttribute]:
    """Yield the Reply-Messages that hold a text: UTF-8, split between characters; none for an empty text."""
    octets = text.encode()
    while octets:
        end = min(_TEXT_MOST, len(octets))
        while end < len(octets) and octets[end] & 0xC0 == 0x80:  # noqa: PLR2004 - RFC 3629: 10xxxxxx continues a character
            end -= 1
        yield ReplyAttribute("Reply-Message", REPLY_MESSAGE, octets[:end])
        octets = octets[end:]


@dataclass(frozen=True, slots=True)
class Encoded:
    """A reply as octets, and the names of the attributes for which there was no room."""

    octets: bytes = field(repr=False)
    left_out: tuple[str, ...]


def encode(reply: Reply, request: Request, salts: Callable[[int], bytes]) -> Encoded:
    """Return the reply to one request, in at most 4096 octets: Message-Authenticator, attributes, Proxy-State.

    `salts` returns that many random octets.
    """
    proxy_state = proxy_state_of(request)
    room = PACKET_MOST - HEADER_LENGTH - MESSAGE_AUTHENTICATOR_LENGTH - len(proxy_state)
    kept = _fitting(reply.attributes, room)
    body = b"".join(_octets(reply.attributes[:kept], request, salts)) + proxy_state
    length = HEADER_LENGTH + MESSAGE_AUTHENTICATOR_LENGTH + len(body)
    left_out = tuple(attribute.name for attribute in reply.attributes[kept:])
    return Encoded(_sign(_header(reply.code, request.identifier, length), body, request), left_out)


def proxy_state_of(request: Request) -> bytes:
    """Return every Proxy-State of a request as it goes back: unmodified and in order (RFC 2865 section 5.33)."""
    return b"".join(bytes((PROXY_STATE, len(each) + 2)) + each for each in request.all(PROXY_STATE))


def _fitting(attributes: tuple[ReplyAttribute, ...], room: int) -> int:
    """Return how many attributes there is room for; all after the first that does not fit give way too.

    Half a text or half a tunnel is worse than none.
    """
    for index, attribute in enumerate(attributes):
        room -= attribute.size
        if room < 0:
            return index
    return len(attributes)


def _octets(attributes: tuple[ReplyAttribute, ...], request: Request, salts: Callable[[int], bytes]) -> Iterator[bytes]:
    """Yield the attributes as they go on the wire, each salted one under a salt of its own.

    RFC 2868 section 3.5: the first bit of a salt is set, and salts are unique within the packet. So they count up.
    """
    salt = int.from_bytes(salts(2)) if any(attribute.salted for attribute in attributes) else 0
    for attribute in attributes:
        value = attribute.value
        if attribute.salted:
            salt = salt + 1 & 0x7FFF | 0x8000
            value = salted(value, request.client.secret, request.authenticator, salt.to_bytes(2))
        yield attribute.octets(value)


def _sign(header: bytes, body: bytes, request: Request) -> bytes:
    """Return the packet, signed twice.

    Message-Authenticator comes first, so that nobody can choose what precedes it in the MD5 of the Response
    Authenticator (CVE-2024-3596). Both are made with the Request Authenticator in the header (RFC 2869 section 5.14,
    RFC 2865 section 3).
    """
    secret = request.client.secret
    asked = header + request.authenticator
    signature = hmac.digest(secret, asked + _SIGNATURE_HEADER + bytes(16) + body, "md5")
    body = _SIGNATURE_HEADER + signature + body
    return header + md5(asked + body + secret, usedforsecurity=False).digest() + body
