"""Owns the beginning of a token's life: a new key, the forms in which its owner gets it, and the first code."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field

from pyotp.utils import build_uri

from radius2fa.otp.token import Algorithm, Kind, Token
from radius2fa.otp.verify import Match, Windows, check

# As long as the hash's output (RFC 4226 section 4 R6 asks for 20 octets; RFC 6238 section 5.1 for the hash's length).
_KEY_OCTETS = {Algorithm.SHA1: 20, Algorithm.SHA256: 32, Algorithm.SHA512: 64}

_ID_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # without i, l and 1, o and 0
_ID_LENGTH = 8


@dataclass(frozen=True, slots=True)
class Form:
    """What kind of token is wanted. The defaults are what every authenticator app understands."""

    kind: Kind = Kind.TOTP
    algorithm: Algorithm = Algorithm.SHA1
    digits: int = 6
    period: int = 30


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A token and the two forms in which an authenticator app takes it in. Both hold the key.

    `uri` is the `otpauth:` URI for the QR code; `secret` is the key in base32, in groups of four, for typing.
    """

    token: Token
    uri: str = field(repr=False)
    secret: str = field(repr=False)


def begin(form: Form, issuer: str, account: str, random: Callable[[int], bytes], key: bytes | None = None) -> Enrolment:
    """Make a token with a name and key of random octets, or with the key that it has been given.

    Raises:
        ValueError: the form is none that codes can be computed for; the text begins with the field's name.

    """
    key = random(_KEY_OCTETS[form.algorithm]) if key is None else key
    token = Token(_new_id(random), form.kind, key, form.algorithm, form.digits, form.period)
    return present(token, issuer, account)


def present(token: Token, issuer: str, account: str) -> Enrolment:
    """Write an existing token in the forms that an app takes in, an HOTP token from its present counter on.

    `issuer` and `account` are what the app shows.
    """
    secret = base64.b32encode(token.key).decode().rstrip("=")
    # Not by way of pyotp's classes, which refuse the keys of 80 bits that many people already own.
    uri = build_uri(
        secret,
        account,
        initial_count=token.counter if token.kind is Kind.HOTP else None,
        issuer=issuer,
        algorithm=token.algorithm.lower(),  # the letters that build_uri knows its default by
        digits=token.digits,
        period=token.period if token.kind is Kind.TOTP else None,
    )
    groups = [secret[start : start + 4] for start in range(0, len(secret), 4)]
    return Enrolment(token, uri, " ".join(groups))


def confirm(token: Token, code: bytes, when: float, windows: Windows) -> Match | None:
    """Check the first code that the owner types at `when` (Unix seconds). Returns the Match to be burned, or None."""
    verdict = check([token], code, when, windows, resync=False)
    return verdict if isinstance(verdict, Match) else None


def _new_id(random: Callable[[int], bytes]) -> str:
    number = int.from_bytes(random(16), "big")
    letters = []
    for _ in range(_ID_LENGTH):
        number, letter = divmod(number, len(_ID_LETTERS))
        letters.append(_ID_LETTERS[letter])
    return "".join(letters)
