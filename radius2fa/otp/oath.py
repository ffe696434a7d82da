"""Owns the arithmetic of OATH codes: which code belongs to which counter (RFC 4226, RFC 6238)."""

import hashlib
import hmac
from collections.abc import Iterable, Iterator

from radius2fa.otp.token import Algorithm, Token

_HASHES = {
    Algorithm.SHA1: hashlib.sha1,
    Algorithm.SHA256: hashlib.sha256,
    Algorithm.SHA512: hashlib.sha512,
}


def codes(token: Token, counters: Iterable[int]) -> Iterator[bytes]:
    """Return the token's codes at counters (HOTP) or time steps (TOTP), as ASCII digits of the token's length."""
    # The key is worked in once, and each code starts from a copy of that: a quarter less to do in a window of 21.
    keyed = hmac.new(token.key, digestmod=_HASHES[token.algorithm])
    for counter in counters:
        mac = keyed.copy()
        mac.update(counter.to_bytes(8, "big"))
        yield _truncated(mac.digest(), token.digits)


def code_at(token: Token, counter: int) -> bytes:
    """Return the one code at a counter or time step."""
    return next(codes(token, (counter,)))


def _truncated(mac: bytes, digits: int) -> bytes:
    # RFC 4226 section 5.3: the low four bits of the last octet choose 31 bits of the MAC.
    offset = mac[-1] & 0x0F
    number = int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFFFFFF
    return b"%0*d" % (digits, number % 10**digits)


def step(token: Token, when: float) -> int:
    """Return the number of whole periods since the Unix epoch at `when` (Unix seconds): T of RFC 6238 section 4.2."""
    return int(when // token.period)
