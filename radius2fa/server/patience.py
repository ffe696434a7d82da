"""Owns how long answers wait."""

import secrets
from dataclasses import dataclass

from radius2fa.login.attempt import Accept, Challenge, Outcome, Reject


@dataclass(frozen=True, slots=True)
class Patience:
    """How long everybody waits, in seconds: a client for any answer, and a Reject and a Challenge for their hour.

    A Reject leaves between `delay` and `delay + jitter` after its request came, so that its time tells no reason. A
    Challenge leaves `challenge` after it: where the password alone is enough for some, theirs has been tried before.
    """

    patience: float
    delay: float
    jitter: float
    challenge: float = 0.0

    def waits(self, outcome: Outcome) -> float:
        """Return how long after its request an answer leaves at the earliest."""
        match outcome:
            case Accept():
                return 0.0
            case Challenge():
                return self.challenge
            case Reject():
                return self.delay + self.jitter * secrets.randbelow(1000) / 1000
