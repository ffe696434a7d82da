"""Owns the reading of single values of a file: numbers, serial numbers, names of algorithms. No error quotes them."""

import re

from radius2fa.otp.token import DIGITS, PERIODS, Algorithm, Kind, Token

MOST_COUNTER = 2**62  # far below what a column of 64 bits holds
_LONGEST_SERIAL = 100
_LONGEST_LABEL = 200
_SPREADSHEET = re.compile(r"\d([.,]\d+)?[Ee]\+\d+", re.ASCII)
_ALGORITHMS = {"": Algorithm.SHA1} | {
    f"{prefix}{algorithm.value}": algorithm for algorithm in Algorithm for prefix in ("", "HMAC")
}


def whole(text: str, what: str, default: int | None = None) -> int:
    """Return a whole number that is not below 0, the default for none.

    Raises:
        ValueError: it is none, or too large.

    """
    if not text and default is not None:
        return default
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(MOST_COUNTER)) or int(text) > MOST_COUNTER:
        raise ValueError(f"the {what} is not a whole number")
    return int(text)


def serial(text: str) -> str | None:
    """Return a serial number, None if there is none.

    Raises:
        ValueError: it is too long or holds what cannot be printed, or a spreadsheet has rounded it.

    """
    if len(text) > _LONGEST_SERIAL or not text.isprintable():
        raise ValueError(f"the serial number is not made of up to {_LONGEST_SERIAL} printable characters")
    if _SPREADSHEET.fullmatch(text):
        raise ValueError("a spreadsheet has rounded the serial number: make its column text, and enter it again")
    return text or None


def needed_serial(text: str) -> str:
    """Return a serial number that has to be there.

    Raises:
        ValueError: it is not, or as of `serial`.

    """
    found = serial(text)
    if found is None:
        raise ValueError("the serial number is missing")
    return found


def algorithm(text: str) -> Algorithm:
    """Return the hash that a name such as `sha256`, `SHA-256` or `HMAC-SHA256` means; no name is SHA-1.

    Raises:
        ValueError: it means none of the three.

    """
    found = _ALGORITHMS.get("".join(letter for letter in text.upper() if letter.isalnum()))
    if found is None:
        raise ValueError("the hash is not SHA1, SHA256 or SHA512")
    return found


def label(*words: str) -> str:
    """Return what a token is called, from its maker and model."""
    return " ".join(word for word in words if word)[:_LONGEST_LABEL]


def oath(  # noqa: PLR0917 - what an OATH token is made of
    token_id: str, kind: Kind, key: bytes, hashed_by: Algorithm, digits: int, period: int, counter: int, drift: int = 0
) -> Token:
    """Return an OATH token.

    Raises:
        ValueError: codes cannot be of this length, or time steps of this period.

    """
    if digits not in DIGITS:
        raise ValueError("the length of the codes is not 6 or 8 digits")
    if kind is Kind.TOTP and period not in PERIODS:
        raise ValueError("the time interval is not 30 or 60 seconds")
    return Token(token_id, kind, key, hashed_by, digits, period, counter, drift)
