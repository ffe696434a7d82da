"""Owns what administrators did, and people for themselves: a row for each change, in the transaction that makes it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, literal_column, select

from radius2fa.store.database import Database
from radius2fa.store.journal import storable
from radius2fa.store.links import Book
from radius2fa.store.pen import Pen
from radius2fa.store.schema import act


class Deed(StrEnum):
    """What was done, as the table says it."""

    ADDED = "token-added"
    IMPORTED = "tokens-imported"
    ASSIGNED = "token-assigned"
    ADOPTED = "token-adopted"  # by a login
    UNASSIGNED = "token-unassigned"
    ENABLED = "token-enabled"
    DISABLED = "token-disabled"
    VALIDITY = "token-validity-set"
    RENAMED = "token-renamed"
    REMOVED = "token-removed"
    UNLOCKED = "user-unlocked"
    UNBLOCKED = "place-unblocked"
    BYPASS_GIVEN = "bypass-given"
    BYPASS_ENDED = "bypass-ended"
    RECOVERY_CODES_MADE = "recovery-codes-made"
    TEMPORARY_CODE_MADE = "temporary-code-made"
    TEMPORARY_CODES_REVOKED = "temporary-codes-revoked"
    INVITED = "invitation-made"
    INVITATION_REVOKED = "invitation-revoked"
    LOGIN_CODE = "login-code-made"
    SESSIONS_ENDED = "sessions-ended"
    BACKED_UP = "backup-made"
    RESTORED = "backup-restored"
    KEY_ADDED = "key-added"
    KEY_ROTATED = "key-rotated"
    KEY_REMOVED = "key-removed"


@dataclass(frozen=True, slots=True)
class Act:
    """One act of administration.

    `at` is when (Unix seconds), `who` did it, `what` says what. `subject` and `name` are those of the person that it
    was done to, `token` is the id of the token or code; None where there is none. `detail` says more, for people. `why`
    is the reason that whoever did it gave. `node` is where it was done, "" where that was not written down.
    """

    at: float
    who: str
    what: Deed
    subject: str | None = None
    name: str | None = None
    token: str | None = None
    detail: str = ""
    why: str = ""
    node: str = ""


# Where the caller says no time, the database does: it is one for all nodes, and not that of whoever acts.
_NOW = {
    "sqlite": literal_column("(julianday('now') - 2440587.5) * 86400.0"),  # 2440587.5: 1970-01-01 as a Julian day
    "postgresql": func.extract("epoch", func.clock_timestamp()),
}
_CLOCK = {name: select(now) for name, now in _NOW.items()}
_RECENT = select(act).order_by(act.c.number.desc()).limit(bindparam("limit"))
_RECENT_OF = _RECENT.where(act.c.subject == bindparam("subject"))


class Acts:
    """The book of acts, and the pen of one actor."""

    def __init__(self, database: Database, pen: Pen, actor: str, why: str = "") -> None:
        """Take the database, the record's pen, the name of who acts from now on, and the reason that they give."""
        self._database = database
        self._pen = pen
        self._actor = storable(actor)
        self._why = storable(why)

    def recent(self, subject: str | None, limit: int) -> tuple[Act, ...]:
        """Return the last acts, or those done to a person, the newest first. Raises Unavailable."""
        statement = _RECENT if subject is None else _RECENT_OF
        values = {"limit": limit} if subject is None else {"limit": limit, "subject": subject}
        return self._database.read(lambda connection: tuple(map(read, connection.execute(statement, values))))

    def write(
        self,
        connection: Connection,
        what: Deed,
        when: float | None,
        *,
        subject: str | None = None,
        name: str | None = None,
        token: str | None = None,
        detail: str = "",
    ) -> None:
        """Write an act down when the transaction ends, as done at `when` (Unix seconds) or, where that is None, now."""
        at = connection.execute(_CLOCK[connection.dialect.name]).scalar_one() if when is None else when
        values = {
            "at": float(at),
            "who": self._actor,
            "what": what.value,
            "subject": subject,
            "name": None if name is None else storable(name),
            "token": token,
            "detail": storable(detail),
            "why": self._why,
            "node": self._pen.node,
        }
        self._pen.put(connection, Book.ACTS, values)


_YEAR_10000 = 253402300800.0  # no date of four digits


def written(when: float | None) -> str:
    """Return a time (Unix seconds) as people read it, in UTC."""
    if when is None:
        return "-"
    if not 0.0 <= when < _YEAR_10000:
        return f"{when:g}"
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read(row: Row[*tuple[Any, ...]]) -> Act:
    """Return the act of a row of the whole table."""
    return Act(row.at, row.who, Deed(row.what), row.subject, row.name, row.token, row.detail, row.why, row.node or "")
