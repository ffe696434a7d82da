"""Owns the parting of a string into a password and the one-time code typed behind it."""

from collections.abc import Sequence

from radius2fa.otp.forms import fits, lengths, unlike
from radius2fa.otp.token import Factor


def splits(password: bytes, tokens: Sequence[Factor], delimiter: bytes | None) -> tuple[tuple[bytes, bytes], ...]:
    """Return every way to read the string as (password, code), the longest code first.

    A code is a tail that has the form of one of the tokens'. With a delimiter, the delimiter must stand in front of it.
    It may also stand inside of the code, as a hyphen does in a recovery code, and in the password.
    Each split keeps every octet in front of its code: a password may end in digits, and may be empty, which is for the
    caller to refuse.
    """
    mark = delimiter or b""
    makers = unlike(tokens)
    possible = {length for token in makers for length in lengths(token) if length <= len(password)}
    found = []
    for length in sorted(possible, reverse=True):
        before, code = password[:-length], password[-length:]
        if before.endswith(mark) and any(fits(token, code) for token in makers):
            found.append((before.removesuffix(mark), code))
    return tuple(found)
