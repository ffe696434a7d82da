"""Owns codes that are handed out: how they are made, read, and kept as a digest.

They have two forms. Recovery codes and invitations are kept on paper or in a mail: ten letters and digits. Temporary
codes and login codes are typed at once: eight digits, which every application has a field for.

A recovery code has 50 random bits. A person has ten of them, and is locked after fifty guesses in a row
(`login/lockout.py`): one time in two million million will one of those guesses be right. A temporary code is read out
by telephone and lives for hours; its 26.6 bits leave fifty guesses one chance in two million. A login code lives for
two minutes only.
Neither withstands whoever can try without limit, so a stolen database must not be enough to try: what is kept is
a digest under a key that comes from the master key.
"""

import hmac
from collections.abc import Callable
from hashlib import sha256

from radius2fa.otp.token import Kind

Random = Callable[[int], bytes]

RECOVERY_SYMBOLS = 10
TEMPORARY_DIGITS = 8

_OF_LETTERS = frozenset({Kind.RECOVERY, Kind.INVITATION})

# Crockford's base32 leaves out the letter u, and reads letters that look like a digit as that digit.
_SYMBOLS = b"0123456789abcdefghjkmnpqrstvwxyz"
_AS_READ = bytes.maketrans(b"ABCDEFGHJKMNPQRSTVWXYZ" + b"OoIiLl", b"abcdefghjkmnpqrstvwxyz" + b"001111")
_HALF = RECOVERY_SYMBOLS // 2
_DRAWS = 42 * 10**TEMPORARY_DIGITS  # the most whole rounds of all temporary codes that four octets can count


def recovery_code(random: Random) -> str:
    """Return a new recovery code as it is shown: `xxxxx-xxxxx`. `random` gives as many random octets as it is told."""
    symbols = bytes(_SYMBOLS[octet % len(_SYMBOLS)] for octet in random(RECOVERY_SYMBOLS)).decode()
    return f"{symbols[:_HALF]}-{symbols[_HALF:]}"


def temporary_code(random: Random) -> str:
    """Return a new temporary code: eight digits. `random` gives as many random octets as it is told."""
    number = _DRAWS
    while number >= _DRAWS:  # a number from the unfinished last round would favour low codes: draw again
        number = int.from_bytes(random(4), "big")
    return f"{number % 10**TEMPORARY_DIGITS:0{TEMPORARY_DIGITS}}"


def invitation(random: Random) -> str:
    """Return a new invitation: in the form of a recovery code."""
    return recovery_code(random)


def login_code(random: Random) -> str:
    """Return a new login code: in the form of a temporary code."""
    return temporary_code(random)


def of_letters(kind: Kind) -> bool:
    """Tell whether codes of a kind have the form of a recovery code; if not, they have that of a temporary one."""
    return kind in _OF_LETTERS


def normal(kind: Kind, code: bytes) -> bytes | None:
    """Return the octets that stand for a code however it is written, None if this is no code of that kind.

    A temporary code is its eight digits. A recovery code may be typed with its hyphen or without, in capitals or not,
    and with o for 0, i or l for 1, as Crockford's base32 has it.
    """
    if not of_letters(kind):
        return code if len(code) == TEMPORARY_DIGITS and code.isdigit() else None
    symbols = code[:_HALF] + code[_HALF:].removeprefix(b"-")
    symbols = symbols.translate(_AS_READ)
    return symbols if len(symbols) == RECOVERY_SYMBOLS and not symbols.translate(None, _SYMBOLS) else None


def digest_of(key: bytes, id: str, code: bytes) -> bytes:  # noqa: A002 - the field's name
    """Return what is kept of a code in its `normal` form: HMAC-SHA256 over the id of its row and the code.

    The id makes the digest worthless in any other row, and equal codes of two people look different. Its length stands
    in front, so that no other pair of id and code gives the same octets.
    """
    row = id.encode()
    return hmac.digest(key, len(row).to_bytes(4, "big") + row + code, sha256)
