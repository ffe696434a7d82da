"""Owns the few LDAP messages that a login needs (RFC 4511): bind, search and StartTLS, and their answers.

ldap3 would build them from pyasn1 objects, at 140 us of CPU for a bind and 540 us for a search; these take a few.
The tests hold them against ldap3's octets.
"""

from dataclasses import dataclass, field

from ldap3.core.results import RESULT_CODES

from radius2fa.directory.ber import ENUMERATED, OCTET_STRING, SEQUENCE, SET, Malformed, elements, integer, number, tlv

BIND_RESPONSE = 0x61
SEARCH_ENTRY = 0x64
SEARCH_DONE = 0x65
SEARCH_REFERENCE = 0x73
EXTENDED_RESPONSE = 0x78

BASE_SCOPE = 0
SUBTREE = 2
NO_ATTRIBUTES = ("1.1",)  # RFC 4511 section 4.5.1.8

_START_TLS = tlv(0x77, tlv(0x80, b"1.3.6.1.4.1.1466.20037"))  # RFC 4511 section 4.14
_UNBIND = tlv(0x42)


@dataclass(frozen=True, slots=True)
class Result:
    """The LDAPResult that ends an operation (RFC 4511 section 4.1.9): its code, and what the server said to it."""

    code: int
    diagnosis: str

    def __str__(self) -> str:
        """Return both for a log line: one line of bounded length, whatever the server sent."""
        name = RESULT_CODES.get(self.code, "result")
        said = "".join(c if c.isprintable() else " " for c in self.diagnosis[:200]).strip()
        return f"{name} ({self.code})" + (f": {said}" if said else "")


@dataclass(frozen=True, slots=True)
class Found:
    """An entry that a search found. The attributes' names are in lower case."""

    dn: str
    attributes: dict[str, tuple[bytes, ...]]


@dataclass(frozen=True, slots=True)
class Message:
    """An answer of the server, of which only the envelope has been read."""

    id: int
    tag: int
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Search:
    """What to search. `filter` is in BER; limits are entries and seconds, 0 for none."""

    base: str
    scope: int
    filter: bytes
    attributes: tuple[str, ...]
    size_limit: int
    time_limit: int


def bind_request(message_id: int, dn: str, password: bytes) -> bytes:
    """Return a simple bind. The password goes as it is: SASLprep would alter passwords that directories hold."""
    authentication = tlv(0x80, password)
    return _message(message_id, tlv(0x60, integer(3), tlv(OCTET_STRING, dn.encode()), authentication))


def search_request(message_id: int, search: Search) -> bytes:
    """Return a search that never dereferences aliases: what is found is what the bind is made with."""
    operation = tlv(
        0x63,
        tlv(OCTET_STRING, search.base.encode()),
        integer(search.scope, ENUMERATED),
        integer(0, ENUMERATED),
        integer(search.size_limit),
        integer(search.time_limit),
        b"\x01\x01\x00",  # typesOnly: FALSE
        search.filter,
        tlv(SEQUENCE, *(tlv(OCTET_STRING, attribute.encode()) for attribute in search.attributes)),
    )
    return _message(message_id, operation)


def start_tls_request(message_id: int) -> bytes:
    """Return the request to go on under TLS."""
    return _message(message_id, _START_TLS)


def unbind_request(message_id: int) -> bytes:
    """Return the farewell, to which there is no answer."""
    return _message(message_id, _UNBIND)


def read_message(octets: bytes) -> Message:
    """Read the envelope of one message.

    Raises:
        Malformed: when it is none.

    """
    try:
        ((_, envelope),) = elements(octets)
        (_, message_id), (tag, body), *_controls = elements(envelope)
    except ValueError as fault:
        raise Malformed("no LDAP message") from fault
    return Message(number(message_id), tag, body)


def read_result(body: bytes) -> Result:
    """Read the LDAPResult of a bind, of a search's end, or of an extended operation.

    Raises:
        Malformed: when it is none.

    """
    try:
        (code_tag, code), (_, _matched_dn), (_, diagnosis), *_referral = elements(body)
    except ValueError as fault:
        raise Malformed("no LDAP result") from fault
    if code_tag != ENUMERATED:
        raise Malformed("a result without a code")
    return Result(number(code), diagnosis.decode(errors="replace"))


def read_entry(body: bytes) -> Found:
    """Read an entry.

    Raises:
        Malformed: when it is none, or its DN is not UTF-8.

    """
    try:
        (_, dn), (_, attributes) = elements(body)
        values = dict(_attribute(attribute) for _, attribute in elements(attributes))
        return Found(dn.decode(), values)
    except ValueError as fault:
        raise Malformed("no LDAP entry") from fault


def _attribute(octets: bytes) -> tuple[str, tuple[bytes, ...]]:
    (_, description), (tag, values) = elements(octets)
    if tag != SET:
        raise Malformed("an attribute without values")
    return description.decode().lower(), tuple(value for _, value in elements(values))


def _message(message_id: int, operation: bytes) -> bytes:
    return tlv(SEQUENCE, integer(message_id), operation)
