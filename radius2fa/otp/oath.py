"""Owns the arithmetic of OATH codes: which code belongs to which counter (RFC 4226, RFC 6238)."""

import hashlib
from collections.abc import Iterable

from radius2fa.otp.token import Algorithm, Token

# RFC 2104 section 2: what a key of one block is mixed with, octet by octet.
_INNER = bytes(octet ^ 0x36 for octet in range(256))
_OUTER = bytes(octet ^ 0x5C for octet in range(256))
_HASHES = {
    Algorithm.SHA1: hashlib.sha1,
    Algorithm.SHA256: hashlib.sha256,
    Algorithm.SHA512: hashlib.sha512,
}


def codes(token: Token, counters: Iterable[int]) -> list[bytes]:
    """Return the token's codes at counters (HOTP) or time steps (TOTP), as ASCII digits of the token's length."""
    # The key is worked in once, and each HMAC starts from copies of that: half of what `hmac` takes for three of them.
    new = _HASHES[token.algorithm]
    block = new().block_size
    key = token.key if len(token.key) <= block else new(token.key).digest()
    key = key.ljust(block, b"\0")
    inner, outer = new(key.translate(_INNER)), new(key.translate(_OUTER))
    found = []
    for counter in counters:
        message, mac = inner.copy(), outer.copy()
        message.update(counter.to_bytes(8, "big"))
        mac.update(message.digest())
        found.append(_truncated(mac.digest(), token.digits))
    return found


def code_at(token: Token, counter: int) -> bytes:
    """Return the one code at a counter or time step."""
    return codes(token, (counter,))[0]


def _truncated(mac: bytes, digits: int) -> bytes:
    # RFC 4226 section 5.3: the low four bits of the last octet choose 31 bits of the MAC.
    offset = mac[-1] & 0x0F
    number = int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFFFFFF
    return b"%0*d" % (digits, number % 10**digits)


def step(token: Token, when: float) -> int:
    """Return the number of whole periods since the Unix epoch at `when` (Unix seconds): T of RFC 6238 section 4.2."""
    return int(when // token.period)
