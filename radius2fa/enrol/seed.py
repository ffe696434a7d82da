"""Owns the reading of a seed that a token already has, as its maker wrote it down."""

import base64

SHORTEST = 10  # octets: the 80 bits of the classic 16-character secret


def read(text: str) -> bytes:
    """Return the octets of a seed in hex or base32, in either case; spaces, hyphens, colons and padding are ignored.

    Text of hexadecimal digits alone is read as hex: in base32 so many of them in a row are no accident.

    Raises:
        ValueError: it is neither, or shorter than 80 bits. The text does not hold any of the seed.

    """
    plain = text.translate(_SEPARATORS).upper().strip("=")
    try:
        seed = bytes.fromhex(plain) if set(plain) <= set("0123456789ABCDEF") else _base32(plain)
    except ValueError:  # binascii.Error is one, too
        raise ValueError("the seed is neither hexadecimal nor base32") from None
    if len(seed) < SHORTEST:
        raise ValueError(f"the seed has {len(seed)} octets; it needs at least {SHORTEST}")
    return seed


_SEPARATORS = dict.fromkeys(map(ord, " \t\r\n-:"))


def _base32(plain: str) -> bytes:
    return base64.b32decode(plain + "=" * (-len(plain) % 8))
