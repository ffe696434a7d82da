"""Owns the verdict on a code: which token it belongs to, at which counter, and whether it may still be used.

Pure: the caller burns a Match by moving the token's counter to `counter + 1`, and remembers a Stray. Every step of the
window of every token is computed and compared in constant time, without an early exit, so that the time of an answer
does not tell how near a guess was.
"""

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from radius2fa.otp.oath import code_at, step
from radius2fa.otp.token import Kind, Token


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

    `counter` is what the code stands for: burning it moves the token's counter to `counter + 1`. `drift` is the
    token's clock less ours, in steps, to be learned with it (0 for HOTP).
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


def check(tokens: Sequence[Token], code: bytes, when: float, windows: Windows, *, resync: bool) -> Verdict:
    """Judge a code that was typed at `when` (Unix seconds) against a person's active tokens.

    The best verdict wins: a Match by any token, then Used, then (looked for only when `resync` is true) Stray.
    A code is the ASCII digits of a token, octet for octet: nothing is stripped or converted.
    """
    able = [token for token in tokens if token.digits == len(code)]
    verdicts: list[Verdict] = [_near(token, code, when, windows) for token in able]
    if resync and not any(isinstance(verdict, Match) for verdict in verdicts):
        # The wide look costs ten times the near one. Who is let in shows by that alone that it was not needed.
        verdicts += [_far(token, code, when, windows) for token in able]
    return min(verdicts, key=lambda verdict: _ORDER.index(type(verdict)), default=WRONG)


_ORDER = (Match, Used, Stray, Wrong)


def resync(token: Token, first: bytes, second: bytes, when: float, look: int) -> Match | None:
    """Find two codes in sequence within `look` steps of the clock (TOTP) or `look` codes ahead (HOTP).

    Returns the Match that burns the second one and so brings the token back into step, or None. Neither code may lie
    below the token's counter.
    """
    centre = step(token, when) if token.kind is Kind.TOTP else token.counter
    starts = _hits(token, first, range(max(centre - look, token.counter), centre + look + 1))
    pairs = [start for start in starts if _hits(token, second, [start + 1])]
    return _match(token, max(pairs) + 1, when) if pairs else None


def _near(token: Token, code: bytes, when: float, windows: Windows) -> Match | Used | Wrong:
    """Judge by the window, and by the place right behind a remembered code."""
    hits = _hits(token, code, [*_around(token, when, windows.totp, windows.hotp), *_follower(token, when, windows)])
    if not hits:
        return WRONG
    # Where a window holds the same digits twice, the highest counter is burned, so that they cannot come back.
    return _match(token, max(hits), when) if max(hits) >= token.counter else Used(token.id)


def _far(token: Token, code: bytes, when: float, windows: Windows) -> Stray | Wrong:
    """Judge by the resync window."""
    hits = _hits(token, code, _around(token, when, windows.totp_resync, windows.hotp_resync))
    return Stray(token.id, max(hits)) if hits and max(hits) >= token.counter else WRONG


def _around(token: Token, when: float, steps: int, presses: int) -> range:
    """Return the counters within `steps` of the token's clock, or within `presses` of its counter."""
    if token.kind is Kind.TOTP:
        centre, reach = step(token, when) + token.drift, steps
    else:
        centre, reach = token.counter, presses
    return range(max(centre - reach, 0), centre + reach + 1)


def _follower(token: Token, when: float, windows: Windows) -> list[int]:
    """Return the counter that confirms a remembered code, while it is good."""
    if token.remembered is None or token.remembered < token.counter:
        return []
    return [token.remembered + 1] if when - token.remembered_at <= windows.resync_seconds else []


def _hits(token: Token, code: bytes, counters: Iterable[int]) -> list[int]:
    """Return those of the counters whose code this is. Each one is tried."""
    return [counter for counter in counters if hmac.compare_digest(code_at(token, counter), code)]


def _match(token: Token, counter: int, when: float) -> Match:
    return Match(token.id, counter, counter - step(token, when) if token.kind is Kind.TOTP else 0)
