"""Owns the rules that make guessing slow: a growing delay after consecutive failures, then a lock.

They hold for people, and for the places that names are tried from which do not exist.
"""

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class LockoutRules:
    """`failures` in a row start a delay of `delay` seconds, doubled by each further one up to `longest_delay`.

    After `lock_after` failures in a row only an unlock helps. The same wrong credentials again from the same client
    within `repeat_seconds` count once, since clients retry a saved password by themselves. With `starts_anew`, a delay
    that has passed is forgotten with all that led to it.
    """

    failures: int = 5
    delay: float = 30.0
    longest_delay: float = 3600.0
    lock_after: int = 50
    repeat_seconds: float = 60.0
    starts_anew: bool = False


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
    if rules.starts_anew and 0 < past.blocked_until <= when:
        past = Failures()
    count = past.count + 1
    if count >= rules.lock_after:
        return Failures(count, math.inf)
    if count < rules.failures:
        return Failures(count, past.blocked_until)
    doublings = min(count - rules.failures, 64)  # 2**64 seconds are long enough; a larger float would overflow
    return Failures(count, max(past.blocked_until, when + min(rules.delay * 2**doublings, rules.longest_delay)))


@dataclass(frozen=True, slots=True)
class PlaceRules:
    """How many unknown names in a row block a place: an address of users, or a client that tells no address.

    An address is blocked like a person, with a growing delay. A client, which many users share, is blocked for the
    first delay only, and then has all its tries again: or one unknown name now and then would keep everybody out.
    Neither is ever locked for good.
    """

    address: LockoutRules
    client: LockoutRules


def place_rules(people: LockoutRules, address: int, client: int) -> PlaceRules:
    """Return the rules of places that begin at so many unknown names in a row, with the delays of people."""
    endless = 1 << 62
    by_address = replace(people, failures=address, lock_after=endless)
    return PlaceRules(by_address, replace(by_address, failures=client, starts_anew=True))
