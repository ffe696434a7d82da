"""Owns the asking for codes of a token: those that prove that it is at hand and in step."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from radius2fa.otp.token import Kind, Token, YubiKey

if TYPE_CHECKING:  # imported where they are needed: each of them is heavy
    from radius2fa.config.model import Codes
    from radius2fa.otp.verify import Match

TRIES = 3
LOOK = 1000  # codes ahead, or time steps to each side, where two codes in sequence are asked for

Seen = tuple["Match", float]  # what to burn, and when it was typed


def ask_code(prompt: str) -> bytes:
    """Return what was typed, without the spaces that apps show between the digits."""
    return "".join(typer.prompt(prompt).split()).encode(errors="replace")


def confirmed(token: Token | YubiKey, codes: "Codes") -> Token | YubiKey | None:
    """Ask for the first code of a new token, and return it with that used up. None if no right one is typed."""
    seen = _first_code(token, codes)
    if seen is None:
        return None
    match, _ = seen
    if isinstance(token, YubiKey):
        return replace(token, counter=match.counter + 1)
    return replace(token, counter=match.counter + 1, drift=match.drift)


def _first_code(token: Token | YubiKey, codes: "Codes") -> Seen | None:
    """Ask for the code that the token shows; None after three wrong ones, or if whoever types breaks off.

    It may be as far from our clock as a code that needs a second one at a login: whoever runs the command guesses
    nothing, and the clock of a token that lay in a drawer has drifted.
    """
    from radius2fa.enrol.enrolment import confirm  # noqa: PLC0415 - heavy
    from radius2fa.otp.verify import Windows  # noqa: PLC0415 - heavy

    windows = Windows(totp=max(codes.totp_window, codes.totp_resync), hotp=codes.hotp_window)
    prompt, wrong = _WORDS[token.kind]

    def ask() -> Seen | None:
        code, when = ask_code(prompt), time.time()
        match = confirm(token, code, when, windows)
        return None if match is None else (match, when)

    return _in_three_tries(ask, wrong)


_WORDS = {
    Kind.TOTP: ("The code that the token shows", "This is not a code of the token at this time."),
    Kind.HOTP: ("The code that the token shows", "This is not one of the token's next codes."),
    Kind.YUBIKEY: ("Touch the YubiKey", "This is no code of this YubiKey, or has been used before."),
}


def two_codes(token: Token, look: int = LOOK) -> Seen | None:
    """Ask for two codes that the token shows one after the other, which need not be near; None if they are not."""
    from radius2fa.otp.verify import resync  # noqa: PLC0415 - heavy

    first, second = ask_code("A code of the token"), ask_code("Its next code")
    when = time.time()
    match = resync(token, first, second, when, look)
    return None if match is None else (match, when)


def proof_of(token: Token | YubiKey, codes: "Codes") -> Seen | None:
    """Ask for what proves that a token of the stock is at hand.

    That is a code, or two of a button, which may have been pressed any number of times. None after three times that it
    was wrong, or if whoever types breaks off.
    """
    if isinstance(token, Token) and token.kind is Kind.HOTP:
        return _in_three_tries(lambda: two_codes(token), "These are not two codes of the token in sequence.")
    return _first_code(token, codes)


def _in_three_tries(ask: Callable[[], Seen | None], wrong: str) -> Seen | None:
    try:
        for _ in range(TRIES):
            seen = ask()
            if seen is not None:
                return seen
            typer.echo(wrong, err=True)
    except typer.Abort:
        typer.echo(err=True)  # the cursor stands behind the prompt
    return None
