"""Owns the rehearsal of a login: the real decision over a ledger that is read and never written to."""

from collections.abc import Collection

from radius2fa.login.ports import Failure, Held, Ledger, Miss, Record, Standing, Success
from radius2fa.login.reason import Reason
from radius2fa.otp.token import YubiKey


class Rehearsal:
    """A `ports.Ledger` that reads another one, burns no code, counts no failure and writes no record.

    Logins that wait for their code wait in memory.
    """

    def __init__(self, ledger: Ledger) -> None:
        """Take the ledger that is read."""
        self._ledger = ledger
        self._waiting: dict[bytes, Held] = {}

    def standing(self, subject: str, place: str, when: float) -> Standing:
        """Return what the ledger knows."""
        return self._ledger.standing(subject, place, when)

    def stock(self, public_ids: Collection[str], when: float) -> tuple[YubiKey, ...]:
        """Return what the ledger knows."""
        return self._ledger.stock(public_ids, when)

    def repeated(self, failure: Failure, client: str, when: float) -> bool:
        """Return what the ledger knows."""
        return self._ledger.repeated(failure, client, when)

    def held(self, state: bytes, client: str, name: str, when: float) -> Held | None:
        """Return the login that waits under `state`, as a ledger would."""
        held = self._waiting.get(state)
        mine = held is not None and (held.client, held.name) == (client, name) and when < held.expires
        return held if mine else None

    def ask(self, held: Held, record: Record, failure: Failure | Miss | None) -> None:  # noqa: ARG002 - not written
        """Keep a login that waits for its code, here only."""
        self._waiting[held.state] = held

    def refuse(self, record: Record, failure: Failure | Miss | None, answered: bytes | None) -> None:
        """Do nothing."""

    def accept(self, success: Success, record: Record, answered: bytes | None) -> Reason | None:  # noqa: ARG002 - as above
        """Do nothing, and be content: what could be found out without writing has been."""
        return None
