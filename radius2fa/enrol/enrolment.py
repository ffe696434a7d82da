"""Owns the beginning of a token's life: a new key, the forms in which its owner gets it, and the first code."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field

from pyotp.utils import build_uri

from radius2fa.enrol.naming import new_id
from radius2fa.otp.token import Algorithm, Kind, Token, YubiKey
from radius2fa.otp.verify import Match, Windows, check

# As long as the hash's output (RFC 4226 section 4 R6 asks for 20 octets; RFC 6238 section 5.1 for the hash's length).
_KEY_OCTETS = {Algorithm.SHA1: 20, Algorithm.SHA256: 32, Algorithm.SHA512: 64}

ID_LENGTH = 8  # letters


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


def begin(form: Form, random: Callable[[int], bytes], key: bytes | None = None) -> Token:
    """Make a token with a name and key of random octets, or with the key that it has been given.

    Raises:
        ValueError: the form is none that codes can be computed for; the text begins with the field's name.

    """
    key = random(_KEY_OCTETS[form.algorithm]) if key is None else key
    return Token(new_id(random, ID_LENGTH), form.kind, key, form.algorithm, form.digits, form.period)


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


def confirm(token: Token | YubiKey, code: bytes, when: float, windows: Windows) -> Match | None:
    """Check the first code that the owner types at `when` (Unix seconds). Returns the Match to be burned, or None."""
    verdict = check([token], code, when, windows, resync=False)
    return verdict if isinstance(verdict, Match) else None
