"""Owns the arithmetic of OATH codes: which code belongs to which counter (RFC 4226, RFC 6238)."""

import hashlib
import hmac

from radius2fa.otp.token import Algorithm, Token

# The constructors, not their names: hmac.digest then spares itself a search by name.
_HASHES = {
    Algorithm.SHA1: hashlib.sha1,
    Algorithm.SHA256: hashlib.sha256,
    Algorithm.SHA512: hashlib.sha512,
}


def code_at(token: Token, counter: int) -> bytes:
    """Return the token's code at a counter (HOTP) or time step (TOTP), as ASCII digits of the token's length."""
    mac = hmac.digest(token.key, counter.to_bytes(8, "big"), _HASHES[token.algorithm])
    # RFC 4226 section 5.3: the low four bits of the last octet choose 31 bits of the MAC.
    offset = mac[-1] & 0x0F
    number = int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFFFFFF
    return b"%0*d" % (token.digits, number % 10**token.digits)


def step(token: Token, when: float) -> int:
    """Return the number of whole periods since the Unix epoch at `when` (Unix seconds): T of RFC 6238 section 4.2."""
    return int(when // token.period)
