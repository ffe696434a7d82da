"""Owns the octets below LDAP: BER with definite lengths, as RFC 4511 section 5.1 restricts it."""

from collections.abc import Iterator

INTEGER = 0x02
OCTET_STRING = 0x04
ENUMERATED = 0x0A
SEQUENCE = 0x30
SET = 0x31

# The longest answer to what we ask (two attributes of one entry) is far below; a server may not fill our memory.
LONGEST_MESSAGE = 1 << 20


class Malformed(ValueError):  # noqa: N818 - named by what it says of the octets
    """The octets are no BER that LDAP allows."""


def tlv(tag: int, *parts: bytes) -> bytes:
    """Return one element: tag, length, and the parts as its value."""
    value = b"".join(parts)
    size = len(value)
    if size < 0x80:  # noqa: PLR2004 - the short form ends here (X.690 section 8.1.3.4)
        return bytes((tag, size)) + value
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + value


def integer(value: int, tag: int = INTEGER) -> bytes:
    """Return a non-negative number as an INTEGER, or as an ENUMERATED."""
    return tlv(tag, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def number(octets: bytes) -> int:
    """Return the number that an INTEGER or ENUMERATED holds.

    Raises:
        Malformed: when it is empty, or longer than any that LDAP uses.

    """
    if not 1 <= len(octets) <= 4:  # noqa: PLR2004 - maxInt is 2**31 - 1 (RFC 4511 section 4.1.1)
        raise Malformed("a number of an impossible length")
    return int.from_bytes(octets, "big", signed=True)


def elements(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and value of each element; together they fill the octets exactly.

    Raises:
        Malformed: when they do not.

    """
    at = 0
    while at < len(octets):
        size, start = _length(octets, at)
        if size is None or start + size > len(octets):
            raise Malformed("an element that runs over the end")
        yield octets[at], octets[start : start + size]
        at = start + size


def message_size(received: bytes) -> int | None:
    """Return how many octets the message at the start takes, or None while too few have come to tell.

    Raises:
        Malformed: when it is no LDAPMessage, or longer than LONGEST_MESSAGE.

    """
    if received and received[0] != SEQUENCE:
        raise Malformed("no LDAP message")
    size, start = _length(received, 0)
    if size is None:
        return None
    if size > LONGEST_MESSAGE:
        raise Malformed("a message of an impossible length")
    return start + size


def _length(octets: bytes, at: int) -> tuple[int | None, int]:
    """Return the length of the element at `at`, None if it is cut off, and where its value starts.

    The long form may be longer than it need be: Active Directory always sends four octets of it.
    """
    if at + 2 > len(octets):
        return None, at
    if octets[at] & 0x1F == 0x1F:  # noqa: PLR2004 - LDAP has no tag above 30
        raise Malformed("a tag of several octets")
    first = octets[at + 1]
    start = at + 2
    if first < 0x80:  # noqa: PLR2004 - as in tlv
        return first, start
    count = first & 0x7F
    if not 1 <= count <= 4:  # noqa: PLR2004 - 0 is the indefinite form, which LDAP forbids
        raise Malformed("a length that LDAP does not allow")
    if start + count > len(octets):
        return None, start
    return int.from_bytes(octets[start : start + count], "big"), start + count
