"""Owns the names that tokens get: short, random, without letters that look like others."""

from collections.abc import Callable

_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # without i, l and 1, o and 0
# Among the 31**8 names of enrolment, two of 100,000 tokens are alike in one import out of 170; among 31**10, in one out
# of 160,000.
IMPORTED_LENGTH = 10


def new_id(random: Callable[[int], bytes], length: int = IMPORTED_LENGTH) -> str:
    """Return a new name of so many letters, from a source of random octets."""
    number = int.from_bytes(random(16), "big")
    letters = []
    for _ in range(length):
        number, letter = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[letter])
    return "".join(letters)
