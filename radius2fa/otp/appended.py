"""Owns the parting of a string into a password and the one-time code typed behind it."""

from collections.abc import Iterable


def splits(password: bytes, lengths: Iterable[int], delimiter: bytes | None) -> tuple[tuple[bytes, bytes], ...]:
    """Return every way to read the string as (password, code), the longest code first.

    `lengths` are the lengths that the user's tokens can produce. The code is that many ASCII digits at the end; with a
    delimiter it is all that stands behind the last one. Each split keeps every octet in front of its code: a password
    may end in digits, and may be empty, which is for the caller to refuse.
    """
    if delimiter is not None:
        before, found, code = password.rpartition(delimiter)
        return ((before, code),) if found and code.isdigit() and len(code) in set(lengths) else ()
    candidates = [
        (password[:-length], password[-length:])
        for length in sorted(set(lengths), reverse=True)
        if length <= len(password)
    ]
    return tuple((before, code) for before, code in candidates if code.isdigit())
