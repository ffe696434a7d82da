"""Owns the counters at which an OATH token's code is looked for, and the search itself.

Every counter is computed and compared in constant time, without an early exit, so that the time of an answer does not
tell how near a guess was.
"""

import hmac
from collections.abc import Sequence

from radius2fa.otp.oath import codes, step
from radius2fa.otp.token import Kind, Token


def near(token: Token, when: float, steps: int, presses: int) -> range:
    """Return the counters within `steps` of the token's clock (TOTP), or within `presses` of its counter (HOTP).

    Those of HOTP codes that are used up are among them, to tell a code that was used from one that is wrong.
    """
    if token.kind is Kind.TOTP:
        centre, reach = step(token, when) + token.drift, steps
    else:
        centre, reach = token.counter, presses
    return range(max(centre - reach, 0), centre + reach + 1)


def far(token: Token, when: float, steps: int, presses: int) -> range:
    """Return those of the counters of `near` that are not used up."""
    around = near(token, when, steps, presses)
    return range(max(around.start, token.counter), around.stop)


def follower(token: Token, when: float, seconds: float) -> tuple[int, ...]:
    """Return the counter that confirms a remembered code, while that is good: for so many seconds."""
    if token.remembered is None or token.remembered < token.counter:
        return ()
    return (token.remembered + 1,) if when - token.remembered_at <= seconds else ()


def hits(token: Token, code: bytes, counters: Sequence[int]) -> list[int]:
    """Return those of the counters whose code this is. Each one is tried."""
    tried = zip(counters, codes(token, counters), strict=True)
    return [counter for counter, right in tried if hmac.compare_digest(right, code)]
