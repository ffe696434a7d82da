"""Owns the values that a decision is made of, from the first look at an attempt to the proof or the doubt."""

from collections.abc import Callable
from dataclasses import dataclass, field

from radius2fa.login.attempt import Attempt
from radius2fa.login.lockout import LockoutRules, PlaceRules
from radius2fa.login.place import place_of
from radius2fa.login.policy import Rule, Rules
from radius2fa.login.ports import Burn, Directory, Entry, Held, Ledger, OutOfStep, Standing
from radius2fa.login.reason import Reason
from radius2fa.otp.verify import Windows


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a code was found to be, for whoever listens: its token, if known, and the reason against it, if any."""

    token: str | None
    reason: Reason | None


def unheard(fact: Rule | Judgement) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class House:
    """What every login shares: the two ports, the rules, and a source of random octets.

    `tell` hears what is found out on the way: the Rule that holds, and each Judgement on a code.
    """

    directory: Directory
    ledger: Ledger
    random: Callable[[int], bytes]
    windows: Windows
    lockout: LockoutRules
    places: PlaceRules
    policies: Rules
    challenge_seconds: int = 120
    tell: Callable[[Rule | Judgement], None] = unheard


@dataclass(frozen=True, slots=True)
class Case:
    """What every step looks at. `held` is the first leg of this login, if it was answered by a challenge.

    `alone` says that no password belongs to it: somebody who has logged in already is asked for a code once more.
    """

    attempt: Attempt
    held: Held | None
    house: House
    alone: bool = False

    @property
    def whole(self) -> bool:
        """Whether all that was typed is one code, with nothing in front of it."""
        return self.alone or self.held is not None

    @property
    def place(self) -> str:
        """The place that the attempt comes from."""
        return place_of(self.attempt.client.name, self.attempt.source, self.attempt.address)


@dataclass(frozen=True, slots=True)
class Visit:
    """Who wants to come in, what is known of them, and the rule that holds for them here."""

    entry: Entry
    standing: Standing
    rule: Rule


@dataclass(frozen=True, slots=True)
class Proof:
    """A password to be checked, and the code that came with it: right and unused, or not asked for.

    `factor` is as in `ports.Record`. `reply` is what the client is going to be told.
    """

    visit: Visit
    password: bytes = field(repr=False)
    burn: Burn | None
    factor: str
    reply: tuple[object, ...] = ()

    @property
    def token(self) -> str | None:
        """The token that answers."""
        return None if self.burn is None else self.burn.token


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why there is no proof; `counts` says that somebody may have guessed."""

    reason: Reason
    visit: Visit | None = None
    token: str | None = None
    counts: bool = False
    out_of_step: OutOfStep | None = None
