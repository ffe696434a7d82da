"""Owns the tags and lengths of BER, as far as LDAP uses them (RFC 4511 section 5.1): no indefinite lengths."""

_MESSAGE = 0x30  # the tag of a SEQUENCE, which every LDAPMessage is
_INTEGER = 0x02
_MOST_OCTETS_OF_A_LENGTH = 4
_INDEFINITE = 0x80  # a length that is told by an end (X.690 section 8.1.3.6)


def element(tag: int, value: bytes) -> bytes:
    """Return an element, whose length takes no more octets than it needs."""
    size = len(value)
    if size < 0x80:  # noqa: PLR2004 - the short form (X.690 section 8.1.3.4)
        return bytes((tag, size)) + value
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length + value


def size_of(octets: bytes) -> int:
    """Return how many octets the message has that begins with these, 0 where they do not tell yet.

    Raises:
        ValueError: when no message begins with them.

    """
    if len(octets) < 2:  # noqa: PLR2004 - a tag and a length
        return 0
    tag, size = octets[0], octets[1]
    if tag != _MESSAGE:
        raise ValueError
    if size < 0x80:  # noqa: PLR2004 - as above
        return 2 + size
    start = 2 + (size & 0x7F)
    if not 2 < start <= 2 + _MOST_OCTETS_OF_A_LENGTH:  # noqa: PLR2004 - as above
        raise ValueError
    return start + int.from_bytes(octets[2:start]) if len(octets) >= start else 0


def operation_of(octets: bytes) -> tuple[int, int]:
    """Return the number of a whole message, and the tag of its operation (RFC 4511 section 4.2 and following).

    Raises:
        ValueError: when they are not where they should be.
        IndexError: when it is cut off before.

    """
    size = octets[1]
    start = 2 if size < 0x80 else 2 + (size & 0x7F)  # noqa: PLR2004 - as above
    end = start + 2 + octets[start + 1]
    if octets[start] != _INTEGER or octets[start + 1] >= 0x80:  # noqa: PLR2004 - as above
        raise ValueError
    return int.from_bytes(octets[start + 2 : end]), octets[end]


def elements(octets: bytes) -> list[tuple[int, bytes]]:
    """Return the tag and value of each of these elements.

    Raises:
        ValueError: when one is cut off in its value, or is of indefinite length.
        IndexError: when one is cut off before.

    """
    found = []
    while octets:
        tag, size, start = octets[0], octets[1], 2
        if size & 0x80:
            start += size & 0x7F
            size = int.from_bytes(octets[2:start])
        if octets[1] == _INDEFINITE or len(octets) < start + size:
            raise ValueError
        found.append((tag, octets[start : start + size]))
        octets = octets[start + size :]
    return found
