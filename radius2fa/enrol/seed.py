"""Owns the reading of a seed that a token already has, as its maker wrote it down."""

import base64

SHORTEST = 10  # octets: the 80 bits of the classic 16-character secret
LONGEST = 128  # octets: the block of SHA-512, beyond which HMAC only hashes the key


def read(text: str) -> bytes:
    """Return the octets of a seed in hex or base32, in either case; spaces, hyphens, colons and padding are ignored.

    Text of hexadecimal digits alone is read as hex: in base32 so many of them in a row are no accident.

    Raises:
        ValueError: it is neither, or of a wrong length. The text does not hold any of the seed.

    """
    plain = _plain(text)
    try:
        octets = bytes.fromhex(plain) if set(plain) <= set("0123456789ABCDEF") else _base32(plain)
    except ValueError:  # binascii.Error is one, too
        raise ValueError("the seed is neither hexadecimal nor base32") from None
    return checked(octets)


def read_base32(text: str) -> bytes:
    """Return the octets of a seed that is known to be in base32, as `read` does.

    Raises:
        ValueError: it is not, or of a wrong length. The text does not hold any of the seed.

    """
    try:
        octets = _base32(_plain(text))
    except ValueError:
        raise ValueError("the seed is not base32 (the letters A to Z and the digits 2 to 7)") from None
    return checked(octets)


def checked(octets: bytes) -> bytes:
    """Return a seed that is as long as a seed may be.

    Raises:
        ValueError: it is shorter than 80 bits, or longer than 1024.

    """
    if len(octets) < SHORTEST:
        raise ValueError(f"the seed has {len(octets)} octets; it needs at least {SHORTEST}")
    if len(octets) > LONGEST:
        raise ValueError(f"the seed has {len(octets)} octets; it may have {LONGEST} at most")
    return octets


_SEPARATORS = dict.fromkeys(map(ord, " \t\r\n-:"))


def _plain(text: str) -> str:
    return text.translate(_SEPARATORS).upper().strip("=")


def _base32(plain: str) -> bytes:
    return base64.b32decode(plain + "=" * (-len(plain) % 8))
