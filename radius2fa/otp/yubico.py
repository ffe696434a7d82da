"""Owns the Yubico OTP: modhex, and what a YubiKey's AES block says.

Source: "OTPs Explained" in Yubico's documentation for developers, and Yubico's own reader of it, libyubikey.
"""

import hmac
from binascii import crc_hqx

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from radius2fa.otp.forms import BLOCK_CHARACTERS, MODHEX_LETTERS, fits
from radius2fa.otp.token import MODHEX_DIGITS, PRIVATE_ID_OCTETS, PUBLIC_ID_MOST, YubiKey

_FROM_HEX = str.maketrans("0123456789abcdef", MODHEX_DIGITS)
_TO_HEX = str.maketrans(MODHEX_LETTERS.decode(), "0123456789abcdef" * 2)

_USE = slice(PRIVATE_ID_OCTETS, PRIVATE_ID_OCTETS + 2)  # power-ups, little-endian
_SESSION = 11  # touches since then; before it 3 octets of time, behind it 2 random ones and the CRC
# The use counter is 15 bits wide and ends at 0x7FFF. The bit above it, libyubikey's "capslock", is no part of it: if it
# were, one touch with a caps lock on would put all later ones below it.
_USE_BITS = 0x7FFF

# The CRC of ISO 13239 goes through each octet from its low bit on; crc_hqx has the same polynomial, but starts at the
# high bit. With the bits of each octet mirrored it does the same, and its remainder is the mirror of 0xF0B8.
_MIRRORED = bytes(int(f"{octet:08b}"[::-1], 2) for octet in range(256))
_RESIDUE = int(f"{0xF0B8:016b}"[::-1], 2)


def to_modhex(octets: bytes) -> str:
    """Return octets in lower-case modhex, two characters for each."""
    return octets.hex().translate(_FROM_HEX)


def from_modhex(text: str) -> bytes:
    """Return the octets that modhex, in either case, stands for.

    Raises:
        ValueError: it is not an even number of modhex characters.

    """
    if len(text) % 2 or text.encode().translate(None, MODHEX_LETTERS):
        raise ValueError(f"not an even number of modhex letters, which are {MODHEX_DIGITS}")
    return bytes.fromhex(text.translate(_TO_HEX))


def read(key: YubiKey, code: bytes) -> int | None:
    """Return 256 times the use counter plus the session counter of the key's code, None if it is not the key's.

    It is if its public id stands in front, and the rest decrypts to a block with a good CRC and the private id.
    """
    if not fits(key, code):
        return None
    block = _decrypted(key.key, from_modhex(code[-BLOCK_CHARACTERS:].decode()))
    intact = crc_hqx(block.translate(_MIRRORED), 0xFFFF) == _RESIDUE
    theirs = hmac.compare_digest(block[:PRIVATE_ID_OCTETS], key.private_id)
    use = int.from_bytes(block[_USE], "little") & _USE_BITS
    return use << 8 | block[_SESSION] if intact & theirs else None


def public_ids(typed: bytes) -> tuple[str, ...]:
    """Return each public id, in lower case, whose YubiKey may have typed the end of the string.

    How long a public id is, the string does not tell: letters in front of it may be the password's. So each even length
    gives one, from two characters on. A YubiKey without a public id is not to be recognised.
    """
    if typed[-BLOCK_CHARACTERS:].translate(None, MODHEX_LETTERS):
        return ()
    found = []
    for length in range(2, PUBLIC_ID_MOST + 1, 2):
        tail = typed[-BLOCK_CHARACTERS - length : -BLOCK_CHARACTERS]
        if len(tail) < length or tail.translate(None, MODHEX_LETTERS):
            break
        found.append(tail.lower().decode())
    return tuple(found)


def _decrypted(key: bytes, block: bytes) -> bytes:
    # One block, so there is nothing to chain: Yubico's format is the bare cipher.
    decryptor = Cipher(algorithms.AES(key), modes.ECB()).decryptor()  # noqa: S305 - as said
    return decryptor.update(block) + decryptor.finalize()
