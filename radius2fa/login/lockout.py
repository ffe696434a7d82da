"""Owns the rule that makes guessing slow: a growing delay after consecutive failures, then a lock."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LockoutRules:
    """`failures` in a row start a delay of `delay` seconds, doubled by each further one up to `longest_delay`.

    After `lock_after` failures in a row only an unlock helps. The same wrong credentials again from the same client
    within `repeat_seconds` count once, since clients retry a saved password by themselves.
    """

    failures: int = 5
    delay: float = 30.0
    longest_delay: float = 3600.0
    lock_after: int = 50
    repeat_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Failures:
    """A person's consecutive failures, and until when (Unix seconds) every attempt is refused unseen."""

    count: int = 0
    blocked_until: float = 0.0

    def blocked(self, when: float) -> bool:
        """Tell whether an attempt at `when` (Unix seconds) is refused without a look at its code."""
        return when < self.blocked_until


def after_failure(past: Failures, when: float, rules: LockoutRules) -> Failures:
    """Return the figures after one more failure at `when` (Unix seconds)."""
    count = past.count + 1
    if count >= rules.lock_after:
        return Failures(count, math.inf)
    if count < rules.failures:
        return Failures(count, past.blocked_until)
    doublings = min(count - rules.failures, 64)  # 2**64 seconds are long enough; a larger float would overflow
    return Failures(count, max(past.blocked_until, when + min(rules.delay * 2**doublings, rules.longest_delay)))
