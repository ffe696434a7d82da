"""Owns the view of all people at once, for whoever keeps watch: codes that are out, blocked places, how logins end."""

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, func, select

from radius2fa.login.lockout import Failures
from radius2fa.login.ports import Result
from radius2fa.login.reason import Reason
from radius2fa.otp.token import Kind
from radius2fa.store import places
from radius2fa.store.acts import Acts, Deed
from radius2fa.store.codes import Temporary
from radius2fa.store.database import Database
from radius2fa.store.journal import storable
from radius2fa.store.schema import account, journal, place, token

_TEMPORARY = (
    select(
        account.c.subject,
        account.c.name,
        token.c.id,
        token.c.uses,
        token.c.counter,
        token.c.valid_until,
        token.c.created,
    )
    .join_from(token, account)
    .where(
        token.c.kind == Kind.TEMPORARY.value,
        token.c.active,
        token.c.counter < token.c.uses,
        token.c.valid_until > bindparam("when"),
    )
    .order_by(account.c.name, token.c.valid_until, token.c.id)
)
_BLOCKED = (
    select(place.c.place, place.c.failures, place.c.blocked_until)
    .where(place.c.blocked_until > bindparam("when"))
    .order_by(place.c.place)
)
_ENDS = (
    select(journal.c.result, journal.c.reason, func.count())
    .where(journal.c.at > bindparam("since"))
    .group_by(journal.c.result, journal.c.reason)
    .order_by(journal.c.result, journal.c.reason)
)


@dataclass(frozen=True, slots=True)
class OnLoan:
    """Somebody's temporary code that can still be used."""

    subject: str
    name: str
    code: Temporary


@dataclass(frozen=True, slots=True)
class Blocked:
    """A place that too many names were tried from which do not exist (`place.place_of`)."""

    place: str
    failures: Failures


@dataclass(frozen=True, slots=True)
class Ends:
    """How many logins ended so. `reason` is None for those that nothing is to be said against."""

    result: Result
    reason: Reason | None
    count: int


class Watch:
    """Looks at the whole, and ends the block of a place. Times are Unix seconds. Every method may raise Unavailable."""

    def __init__(self, database: Database, acts: Acts) -> None:
        """Take the database, and the book of acts."""
        self._database = database
        self._acts = acts

    def temporary(self, when: float) -> tuple[OnLoan, ...]:
        """Return the temporary codes that are in force at `when`, by name and end."""
        rows = self._database.read(lambda connection: connection.execute(_TEMPORARY, {"when": when}).all())
        return tuple(OnLoan(subject, name, Temporary(*code)) for subject, name, *code in rows)

    def blocked(self, when: float) -> tuple[Blocked, ...]:
        """Return the places that are blocked at `when`, by name."""
        rows = self._database.read(lambda connection: connection.execute(_BLOCKED, {"when": when}).all())
        return tuple(Blocked(where, Failures(count, until)) for where, count, until in rows)

    def unblock(self, where: str, when: float) -> Failures | None:
        """Forget the failures of a place if it is blocked at `when`.

        Returns those that it had, blocked or not; None if there is no such place.
        """
        where = storable(where)

        def job(connection: Connection) -> Failures | None:
            past = places.lock(connection, where)
            if past is not None and past.blocked(when):
                places.forget(connection, where)
                self._acts.write(connection, Deed.UNBLOCKED, when, detail=where)
            return past

        return self._database.write(job)

    def ends(self, since: float) -> tuple[Ends, ...]:
        """Return how the logins after `since` ended."""
        return self._database.read(lambda connection: _ends(connection, since))


def _ends(connection: Connection, since: float) -> tuple[Ends, ...]:
    rows = connection.execute(_ENDS, {"since": since})
    return tuple(
        Ends(Result(result), None if reason is None else Reason(reason), count) for result, reason, count in rows
    )
