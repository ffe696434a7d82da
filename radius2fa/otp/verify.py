"""Owns the verdict on a code: which token it belongs to, at which counter, and whether it may still be used.

Pure: the caller burns a Match by moving the token's counter to `counter + 1`, and remembers a Stray. Every token that
makes codes of this form is asked, and every step of its window, without an early exit.

Two rows may hold one device, which was imported under two serial numbers. Such rows share the highest counter of
theirs, and all codes are burned in the first of them: each code works once, also where two logins come at once.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from hmac import compare_digest

from radius2fa.otp import window, yubico
from radius2fa.otp.forms import fits
from radius2fa.otp.issued import digest_of, normal
from radius2fa.otp.oath import step
from radius2fa.otp.token import Factor, IssuedCode, Kind, Token, YubiKey


@dataclass(frozen=True, slots=True)
class Windows:
    """How far a code may be from where it should be.

    In time steps to each side (TOTP) or in codes ahead (HOTP): `totp` and `hotp` for a code that is accepted at once,
    `totp_resync` and `hotp_resync` for one that is remembered until the next in sequence confirms it, which must come
    within `resync_seconds`.
    """

    totp: int = 1
    totp_resync: int = 20
    hotp: int = 10
    hotp_resync: int = 100
    resync_seconds: float = 300.0


@dataclass(frozen=True, slots=True)
class Match:
    """The code is the token's and unused.

    Of several tokens that make the same codes it is always the one with the least id that is named, and burned.
    `counter` is what the code stands for: burning it moves the token's counter to `counter + 1`. `drift` is the
    token's clock less ours, in steps, to be learned with it (0 for all but TOTP).
    """

    token: str
    counter: int
    drift: int


@dataclass(frozen=True, slots=True)
class Used:
    """The code is the token's, but lies below the lowest counter that is still good."""

    token: str


@dataclass(frozen=True, slots=True)
class Stray:
    """The code is the token's, but far from where it should be: to be remembered for a resync by the next one."""

    token: str
    counter: int


@dataclass(frozen=True, slots=True)
class Wrong:
    """The code belongs to none of the tokens."""


WRONG = Wrong()

Verdict = Match | Used | Stray | Wrong


def check(tokens: Sequence[Factor], code: bytes, when: float, windows: Windows, *, resync: bool) -> Verdict:
    """Judge a code that was typed at `when` (Unix seconds) against what a person may answer with.

    The best verdict wins: a Match by any token, then Used, then (looked for only when `resync` is true) Stray.
    A code must have the form of a token's, octet for octet: nothing is stripped. The order of the tokens makes no
    difference; of those that make the same codes, a code that is Used for one is for all.
    """
    able = [(_abreast(token, device), device) for token, device in _with_devices(tokens) if fits(token, code)]
    verdicts = [_in_first(_judge(token, code, when, windows), device) for token, device in able]
    if resync and not any(isinstance(verdict, Match) for verdict in verdicts):
        # The wide look costs ten times the near one. Who is let in shows by that alone that it was not needed.
        verdicts += [_far(token, code, when, windows) for token, _ in able if isinstance(token, Token)]
    return min(verdicts, key=_rank, default=WRONG)


@dataclass(frozen=True, slots=True)
class _Device:
    """What the rows of one device have together: the least id, and the lowest counter that is good for all of them."""

    first: str
    counter: int


def _with_devices(tokens: Sequence[Factor]) -> list[tuple[Factor, _Device]]:
    """Return each token with its device."""
    if len(tokens) == 1:  # as most people's
        (token,) = tokens
        return [(token, _Device(token.id, token.counter))]
    keys = [_device(token) for token in tokens]
    found: dict[Hashable, _Device] = {}
    for token, key in zip(tokens, keys, strict=True):
        other = found.get(key)
        if other is None:
            found[key] = _Device(token.id, token.counter)
        else:
            found[key] = _Device(min(other.first, token.id), max(other.counter, token.counter))
    return [(token, found[key]) for token, key in zip(tokens, keys, strict=True)]


def _device(token: Factor) -> Hashable:
    """Return what tokens have in common that make the same codes.

    The number of digits is left out, since six digits are the end of eight. These keys are compared with each other
    only, never with anything typed, so that the time which that takes tells nothing.
    """
    match token:
        case Token():
            return token.kind, token.key, token.algorithm, token.period if token.kind is Kind.TOTP else None
        case YubiKey():
            return token.kind, token.key, token.private_id
        case _:
            return token.kind, token.id


def _abreast(token: Factor, device: _Device) -> Factor:
    """Return a token with the counter of its device: itself, where no other row of the device is ahead."""
    return token if token.counter == device.counter else replace(token, counter=device.counter)


def _in_first(verdict: Verdict, device: _Device) -> Verdict:
    """Return a verdict whose code is burned in the first row of the device, whichever of them knew the code.

    The windows of the rows may differ by what each has learned of the clock, and move on between two logins.
    """
    if not isinstance(verdict, Match) or verdict.token == device.first:
        return verdict
    return replace(verdict, token=device.first)


def _rank(verdict: Verdict) -> tuple[int, str, int]:
    """Return what is lowest for the best verdict, and of equal ones for the first token and the highest counter."""
    match verdict:
        case Match(token, counter):
            return 0, token, -counter
        case Used(token):
            return 1, token, 0
        case Stray(token, counter):
            return 2, token, -counter
        case _:
            return 3, "", 0


def resync(token: Token, first: bytes, second: bytes, when: float, look: int) -> Match | None:
    """Find two codes in sequence within `look` steps of the clock (TOTP) or `look` codes ahead (HOTP).

    Returns the Match that burns the second one and so brings the token back into step, or None. Neither code may lie
    below the token's counter.
    """
    centre = step(token, when) if token.kind is Kind.TOTP else token.counter
    starts = window.hits(token, first, range(max(centre - look, token.counter), centre + look + 1))
    pairs = [start for start in starts if window.hits(token, second, [start + 1])]
    return _match(token, max(pairs) + 1, when) if pairs else None


def _judge(token: Factor, code: bytes, when: float, windows: Windows) -> Verdict:
    match token:
        case Token():
            return _near(token, code, when, windows)
        case YubiKey():
            return _touch(token, code)
        case _:
            return _handed_out(token, code)


def _near(token: Token, code: bytes, when: float, windows: Windows) -> Match | Used | Wrong:
    """Judge by the window, and by the place right behind a remembered code."""
    around = window.near(token, when, windows.totp, windows.hotp)
    hits = window.hits(token, code, [*around, *window.follower(token, when, windows.resync_seconds)])
    if not hits:
        return WRONG
    # Where a window holds the same digits twice, the highest counter is burned, so that they cannot come back.
    return _match(token, max(hits), when) if max(hits) >= token.counter else Used(token.id)


def _far(token: Token, code: bytes, when: float, windows: Windows) -> Stray | Wrong:
    """Judge by the resync window."""
    hits = window.hits(token, code, window.far(token, when, windows.totp_resync, windows.hotp_resync))
    return Stray(token.id, max(hits)) if hits else WRONG


def _touch(key: YubiKey, code: bytes) -> Match | Used | Wrong:
    """Judge by what the YubiKey counts: each touch stands above all before it."""
    counter = yubico.read(key, code)
    if counter is None:
        return WRONG
    return Match(key.id, counter, 0) if counter >= key.counter else Used(key.id)


def _handed_out(issued: IssuedCode, code: bytes) -> Match | Used | Wrong:
    """Judge by the digest, and by how often the code may be used."""
    plain = normal(issued.kind, code)
    if plain is None or not compare_digest(digest_of(issued.key, issued.id, plain), issued.digest):
        return WRONG
    return Match(issued.id, issued.counter, 0) if issued.counter < issued.uses else Used(issued.id)


def _match(token: Token, counter: int, when: float) -> Match:
    return Match(token.id, counter, counter - step(token, when) if token.kind is Kind.TOTP else 0)
