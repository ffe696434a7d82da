"""Owns the forms of codes: whether a string looks like one of a token's, before anything is computed."""

from collections.abc import Iterable

from radius2fa.otp import issued
from radius2fa.otp.token import MODHEX_DIGITS, Factor, Token, YubiKey

BLOCK_CHARACTERS = 32  # the 16 octets of a Yubico OTP, in modhex
MODHEX_LETTERS = (MODHEX_DIGITS + MODHEX_DIGITS.upper()).encode()  # a caps lock may be on


def fits(token: Factor, code: bytes) -> bool:
    """Tell whether a code has the form of the token's, octet for octet: nothing is stripped.

    That is its number of ASCII digits (TOTP, HOTP); its public id and 32 characters of modhex, in either case
    (YubiKey); or what `issued.normal` can read.
    """
    match token:
        case Token():
            return len(code) == token.digits and code.isdigit()
        case YubiKey():
            return (
                len(code) == len(token.public_id) + BLOCK_CHARACTERS
                and not code.translate(None, MODHEX_LETTERS)
                and code.lower().startswith(token.public_id.encode())
            )
        case _:
            return issued.normal(token.kind, code) is not None


def lengths(token: Factor) -> tuple[int, ...]:
    """Return how many octets a code of the token's may have."""
    match token:
        case Token():
            return (token.digits,)
        case YubiKey():
            return (len(token.public_id) + BLOCK_CHARACTERS,)
        case _:
            if issued.of_letters(token.kind):
                return (issued.RECOVERY_SYMBOLS, issued.RECOVERY_SYMBOLS + 1)  # without the hyphen and with it
            return (issued.TEMPORARY_DIGITS,)


def unlike(tokens: Iterable[Factor]) -> list[Factor]:
    """Return one token for each form that codes of these tokens have: somebody's ten recovery codes are alike."""
    return list({_form(token): token for token in tokens}.values())


def _form(token: Factor) -> int | str:
    match token:
        case Token():
            return token.digits
        case YubiKey():
            return token.public_id
        case _:
            return "symbols" if issued.of_letters(token.kind) else "digits"  # neither is a public id
