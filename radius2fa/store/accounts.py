"""Owns people's accounts: their failures in a row, how long these keep them out, and who needs no second factor."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Insert, Select, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite

from radius2fa.login.lockout import Failures, after_failure
from radius2fa.login.ports import NO_FAILURES, Failure, Record
from radius2fa.store import journal
from radius2fa.store.acts import Acts, Deed, written
from radius2fa.store.database import Database
from radius2fa.store.prepared import Prepared
from radius2fa.store.schema import account

# The account's row is what parallel logins of one person queue at. It is the first that any transaction locks, so that
# no two wait for each other. SQLite has no row locks and needs none: its transactions run one after another.
_LOCK = Prepared(
    select(
        account.c.failures,
        account.c.blocked_until,
        account.c.failure_digest,
        account.c.failure_at,
        account.c.code_failures,
    )
    .where(account.c.subject == bindparam("who"))
    .with_for_update()
)
_LAST = select(account.c.failure_digest, account.c.failure_at).where(account.c.subject == bindparam("who"))
_COUNT = (
    update(account)
    .where(account.c.subject == bindparam("who"))
    .values(
        {
            name: bindparam(f"new_{name}")
            for name in ("name", "failures", "code_failures", "blocked_until", "failure_digest", "failure_at")
        }
    )
)
_FORGET = (
    update(account)
    .where(account.c.subject == bindparam("who"))
    .values(failures=0, code_failures=0, blocked_until=0.0, failure_digest=None, failure_at=None)
)
_FORGET_PASSWORDS = (
    update(account).where(account.c.subject == bindparam("who")).values(failures=account.c.code_failures)
)
_FORGET_CODES = (
    update(account)
    .where(account.c.subject == bindparam("who"))
    .values(failures=account.c.failures - account.c.code_failures, code_failures=0)
)
_FRESH = {"failures": 0, "blocked_until": 0.0}
_NEW = {
    "sqlite": sqlite.insert(account).values(_FRESH).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(account).values(_FRESH).on_conflict_do_nothing(),
}
_NAME = select(account.c.name).where(account.c.subject == bindparam("who"))
_BYPASS = update(account).where(account.c.subject == bindparam("who")).values(bypass_until=bindparam("until"))
_END_BYPASS = (
    update(account)
    .where(account.c.subject == bindparam("who"), account.c.bypass_until > bindparam("when"))
    .values(bypass_until=None)
)
_ACCOUNT = select(
    account.c.subject, account.c.name, account.c.failures, account.c.blocked_until, account.c.bypass_until
)
_BY_SUBJECT = _ACCOUNT.where(account.c.subject == bindparam("who"))
_BY_NAME = _ACCOUNT.where(account.c.name == bindparam("name")).order_by(account.c.subject)
_BYPASSES = _ACCOUNT.where(account.c.bypass_until > bindparam("when")).order_by(account.c.name, account.c.subject)
_LOCKED = _ACCOUNT.where(account.c.blocked_until > bindparam("when")).order_by(account.c.name, account.c.subject)


def _seen(statement: sqlite.Insert | postgresql.Insert) -> Insert:
    fresh = statement.values(_FRESH)
    return fresh.on_conflict_do_update(index_elements=["subject"], set_={"name": fresh.excluded.name})


_SEEN = {"sqlite": _seen(sqlite.insert(account)), "postgresql": _seen(postgresql.insert(account))}


@dataclass(frozen=True, slots=True)
class Account:
    """A person who has a token or a code, a failure or a bypass. `name` is the directory's spelling when last seen.

    No second factor is asked for before `bypass_until` (Unix seconds).
    """

    subject: str
    name: str
    failures: Failures
    bypass_until: float = 0.0


class Accounts:
    """What the helpdesk sees of people, and does for them. Times are Unix seconds.

    Every method may raise Unavailable.
    """

    def __init__(self, database: Database, acts: Acts) -> None:
        """Take the database, and the book of acts."""
        self._database = database
        self._acts = acts

    def get(self, subject: str) -> Account | None:
        """Return a person's account, None for somebody who never had any of what an account holds."""
        found = self._find(_BY_SUBJECT, {"who": subject})
        return found[0] if found else None

    def by_name(self, name: str) -> tuple[Account, ...]:
        """Return the accounts that the directory last spelled so."""
        return self._find(_BY_NAME, {"name": name})

    def unlock(self, subject: str) -> bool:
        """Forget a person's failures. False for somebody without an account."""

        def job(connection: Connection) -> bool:
            if not forget(connection, subject):
                return False
            self._acts.write(connection, Deed.UNLOCKED, None, subject=subject, name=name_of(connection, subject))
            return True

        return self._database.write(job)

    def locked(self, when: float) -> tuple[Account, ...]:
        """Return everybody who is kept out by failures at `when`, by name."""
        return self._find(_LOCKED, {"when": when})

    def bypass(self, subject: str, name: str, until: float, when: float) -> None:
        """Ask this person for no second factor before `until`. An earlier bypass is replaced."""

        def job(connection: Connection) -> None:
            see(connection, {subject: name})
            connection.execute(_BYPASS, {"who": subject, "until": until})
            self._acts.write(
                connection, Deed.BYPASS_GIVEN, when, subject=subject, name=name, detail=f"until {written(until)}"
            )

        self._database.write(job)

    def end_bypass(self, subject: str, when: float) -> bool:
        """Ask this person for a second factor again. False if no bypass is in force at `when`."""

        def job(connection: Connection) -> bool:
            if connection.execute(_END_BYPASS, {"who": subject, "when": when}).rowcount == 0:
                return False
            self._acts.write(connection, Deed.BYPASS_ENDED, when, subject=subject, name=name_of(connection, subject))
            return True

        return self._database.write(job)

    def bypasses(self, when: float) -> tuple[Account, ...]:
        """Return everybody whose bypass is in force at `when`, by name."""
        return self._find(_BYPASSES, {"when": when})

    def recent(self, subject: str, limit: int) -> tuple[Record, ...]:
        """Return the last records of a person's logins, the newest first."""
        return self._database.read(lambda connection: journal.recent(connection, subject, limit))

    def _find(self, statement: Select[*tuple[Any, ...]], values: Mapping[str, object]) -> tuple[Account, ...]:
        rows = self._database.read(lambda connection: connection.execute(statement, values).all())
        return tuple(
            Account(subject, name, Failures(count, until), bypass_until or 0.0)
            for subject, name, count, until, bypass_until in rows
        )


def see(connection: Connection, people: Mapping[str, str]) -> None:
    """Make or lock the accounts of people, whose names by subject these are. The order is the caller's."""
    if people:
        rows = [{"subject": subject, "name": journal.storable(name)} for subject, name in people.items()]
        connection.execute(_SEEN[connection.dialect.name], rows)


def name_of(connection: Connection, subject: str) -> str | None:
    """Return the name of a person, None for somebody without an account."""
    return connection.execute(_NAME, {"who": subject}).scalar()


def lock(connection: Connection, subject: str) -> Failures:
    """Hold the person's account until the end of the transaction, and return their failures."""
    rows = _LOCK.rows(connection, {"who": subject})
    return Failures(rows[0][0], rows[0][1]) if rows else NO_FAILURES


def count(connection: Connection, failure: Failure, digest: bytes, when: float) -> None:
    """Count a failure at `when` (Unix seconds), unless it repeats the last one, whose digest is the same.

    A repeat leaves the time of the first, so that a client that goes on retrying counts once per `repeat_seconds`.
    """
    name = journal.storable(failure.name)
    rows = _LOCK.rows(connection, {"who": failure.subject})
    if not rows:
        connection.execute(_NEW[connection.dialect.name], {"subject": failure.subject, "name": name})
        rows = _LOCK.rows(connection, {"who": failure.subject})  # another node may have been first
    ((failures, blocked_until, last, last_at, of_codes),) = rows
    if repeats(last, last_at, digest, when - failure.rules.repeat_seconds):
        return
    now = after_failure(Failures(failures, blocked_until), when, failure.rules)
    connection.execute(
        _COUNT,
        {
            "who": failure.subject,
            "new_name": name,
            "new_failures": now.count,
            "new_code_failures": of_codes + failure.of_code,
            "new_blocked_until": now.blocked_until,
            "new_failure_digest": digest,
            "new_failure_at": when,
        },
    )


def repeated(connection: Connection, failure: Failure, digest: bytes, when: float) -> bool:
    """Tell whether the person's last failure was this one, less than its `repeat_seconds` before `when`."""
    row = connection.execute(_LAST, {"who": failure.subject}).first()
    return row is not None and repeats(row.failure_digest, row.failure_at, digest, when - failure.rules.repeat_seconds)


def repeats(last: bytes | None, last_at: float, digest: bytes, since: float) -> bool:
    """Tell whether a failure is the last one again, after `since` (Unix seconds)."""
    return last is not None and last_at > since and hmac.compare_digest(last, digest)


def forget(connection: Connection, subject: str) -> bool:
    """Set the person's failures to none. False for somebody without an account."""
    return connection.execute(_FORGET, {"who": subject}).rowcount == 1


def forget_passwords(connection: Connection, subject: str) -> None:
    """Forget those of the person's failures in which no code was wrong."""
    connection.execute(_FORGET_PASSWORDS, {"who": subject})


def forget_codes(connection: Connection, subject: str) -> None:
    """Forget those of the person's failures in which a code was wrong."""
    connection.execute(_FORGET_CODES, {"who": subject})
