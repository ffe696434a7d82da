"""Owns a YubiKey of the tests: it types what a real one would, by a CRC bit by bit and by nothing of the product's."""

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from radius2fa.otp.token import YubiKey

LETTERS = "cbdefghijklnrtuv"  # Yubico's digits 0 to 15


def touched(key: YubiKey, use: int, session: int, *, time: int = 0, noise: int = 0) -> bytes:
    """Return the code of one touch. `use` has 16 bits, the highest for the caps lock; `time` 24; `noise` 16."""
    fields = (use.to_bytes(2, "little"), time.to_bytes(3, "little"), bytes([session]), noise.to_bytes(2, "little"))
    inside = key.private_id + b"".join(fields)
    block = inside + (crc16(inside) ^ 0xFFFF).to_bytes(2, "little")
    sealed = Cipher(algorithms.AES(key.key), modes.ECB()).encryptor().update(block)  # noqa: S305 - Yubico's format
    typed = "".join(LETTERS[octet >> 4] + LETTERS[octet & 15] for octet in sealed)
    return key.public_id.encode() + typed.encode()


def crc16(octets: bytes) -> int:
    """Return the CRC of ISO 13239 before its last step, the complement."""
    remainder = 0xFFFF
    for octet in octets:
        remainder ^= octet
        for _ in range(8):
            remainder = (remainder >> 1) ^ (0x8408 if remainder & 1 else 0)
    return remainder
