"""Owns what the helpdesk sees of one person: what they answer with, what keeps them out, what happened last."""

import math
from dataclasses import dataclass

from radius2fa.login.lockout import Failures
from radius2fa.login.ports import Record
from radius2fa.portal.devices import State, state
from radius2fa.portal.helpdesk.whom import Person
from radius2fa.portal.world import world
from radius2fa.store.acts import Act
from radius2fa.store.codes import Issued
from radius2fa.store.tokens import TokenRow

LAST = 10  # logins, and acts of administration


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a person at `when` (Unix seconds). `bypass_until` is None where no bypass is in force."""

    when: float
    failures: Failures
    bypass_until: float | None
    tokens: tuple[TokenRow, ...]
    codes: Issued
    sessions: int
    logins: tuple[Record, ...]
    acts: tuple[Act, ...]

    @property
    def locked(self) -> bool:
        """Whether only an unlock lets them in again."""
        return self.failures.blocked_until == math.inf

    @property
    def refused_until(self) -> float | None:
        """Until when every attempt is refused (Unix seconds); None if none is, or all are."""
        return self.failures.blocked_until if self.failures.blocked(self.when) and not self.locked else None

    def state(self, row: TokenRow) -> State:
        """Return the state of one of the tokens."""
        return state(row, self.when)


def facts_of(person: Person) -> Facts:
    """Return what the store knows of a person now."""
    store, when, account = world().store, world().clock.now(), person.account
    return Facts(
        when,
        account.failures if account else Failures(),
        account.bypass_until if account and when < account.bypass_until else None,
        store.tokens.list(person.subject),
        store.codes.of(person.subject, when),
        len(store.sessions.of(person.subject, when)),
        store.accounts.recent(person.subject, LAST),
        store.acts.recent(person.subject, LAST),
    )
