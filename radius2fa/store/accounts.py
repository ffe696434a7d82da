"""Owns people's accounts: their failures in a row, and how long these keep them out."""

import hmac
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite

from radius2fa.login.lockout import Failures, after_failure
from radius2fa.login.ports import NO_FAILURES, Failure, Record
from radius2fa.store import journal
from radius2fa.store.database import Database
from radius2fa.store.prepared import Prepared
from radius2fa.store.schema import account

# The account's row is what parallel logins of one person queue at. It is the first that any transaction locks, so that
# no two wait for each other. SQLite has no row locks and needs none: its transactions run one after another.
_LOCK = Prepared(
    select(account.c.failures, account.c.blocked_until, account.c.failure_digest, account.c.failure_at)
    .where(account.c.subject == bindparam("who"))
    .with_for_update()
)
_COUNT = (
    update(account)
    .where(account.c.subject == bindparam("who"))
    .values(
        {
            name: bindparam(f"new_{name}")
            for name in ("name", "failures", "blocked_until", "failure_digest", "failure_at")
        }
    )
)
_FORGET = (
    update(account)
    .where(account.c.subject == bindparam("who"))
    .values(failures=0, blocked_until=0.0, failure_digest=None, failure_at=None)
)
_FRESH = {"failures": 0, "blocked_until": 0.0}
_NEW = {
    "sqlite": sqlite.insert(account).values(_FRESH).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(account).values(_FRESH).on_conflict_do_nothing(),
}
_ACCOUNT = select(account.c.subject, account.c.name, account.c.failures, account.c.blocked_until)
_BY_SUBJECT = _ACCOUNT.where(account.c.subject == bindparam("who"))
_BY_NAME = _ACCOUNT.where(account.c.name == bindparam("name")).order_by(account.c.subject)


@dataclass(frozen=True, slots=True)
class Account:
    """A person who has a token or a failure. `name` is the directory's spelling when last seen."""

    subject: str
    name: str
    failures: Failures


class Accounts:
    """What the helpdesk sees of people, and does for them. Every method may raise Unavailable."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database

    def get(self, subject: str) -> Account | None:
        """Return a person's account, None for somebody who never had a token nor a failure."""
        found = self._find(_BY_SUBJECT, {"who": subject})
        return found[0] if found else None

    def by_name(self, name: str) -> tuple[Account, ...]:
        """Return the accounts that the directory last spelled so."""
        return self._find(_BY_NAME, {"name": name})

    def unlock(self, subject: str) -> bool:
        """Forget a person's failures. False for somebody without an account."""
        return self._database.write(lambda connection: forget(connection, subject))

    def recent(self, subject: str, limit: int) -> tuple[Record, ...]:
        """Return the last records of a person's logins, the newest first."""
        return self._database.read(lambda connection: journal.recent(connection, subject, limit))

    def _find(self, statement: Select[*tuple[Any, ...]], values: dict[str, str]) -> tuple[Account, ...]:
        rows = self._database.read(lambda connection: connection.execute(statement, values).all())
        return tuple(Account(subject, name, Failures(count, until)) for subject, name, count, until in rows)


def lock(connection: Connection, subject: str) -> Failures:
    """Hold the person's account until the end of the transaction, and return their failures."""
    rows = _LOCK.rows(connection, {"who": subject})
    return Failures(rows[0][0], rows[0][1]) if rows else NO_FAILURES


def count(connection: Connection, failure: Failure, digest: bytes, when: float) -> None:
    """Count a failure at `when` (Unix seconds), unless it repeats the last one, whose digest is the same.

    A repeat leaves the time of the first, so that a client that goes on retrying counts once per `repeat_seconds`.
    """
    rows = _LOCK.rows(connection, {"who": failure.subject})
    if not rows:
        connection.execute(_NEW[connection.dialect.name], {"subject": failure.subject, "name": failure.name})
        rows = _LOCK.rows(connection, {"who": failure.subject})  # another node may have been first
    ((failures, blocked_until, last, last_at),) = rows
    if _repeats(last, last_at, digest, when - failure.rules.repeat_seconds):
        return
    now = after_failure(Failures(failures, blocked_until), when, failure.rules)
    connection.execute(
        _COUNT,
        {
            "who": failure.subject,
            "new_name": failure.name,
            "new_failures": now.count,
            "new_blocked_until": now.blocked_until,
            "new_failure_digest": digest,
            "new_failure_at": when,
        },
    )


def _repeats(last: bytes | None, last_at: float, digest: bytes, since: float) -> bool:
    return last is not None and last_at > since and hmac.compare_digest(last, digest)


def forget(connection: Connection, subject: str) -> bool:
    """Set the person's failures to none. False for somebody without an account."""
    return connection.execute(_FORGET, {"who": subject}).rowcount == 1
