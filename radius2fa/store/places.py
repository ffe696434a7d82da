"""Owns the places that names are tried from which do not exist: how many in a row, and how long these keep it out."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningInsert

from radius2fa.login.lockout import Failures, after_failure
from radius2fa.login.ports import Miss
from radius2fa.store.accounts import repeats
from radius2fa.store.journal import storable
from radius2fa.store.prepared import Prepared
from radius2fa.store.schema import place


def _hold(statement: sqlite.Insert | postgresql.Insert) -> ReturningInsert[*tuple[Any, ...]]:
    """Make the row, or lock it: a mere look could find it swept away."""
    fresh = statement.values(failures=0, blocked_until=0.0)
    held = fresh.on_conflict_do_update(index_elements=["place"], set_={"place": fresh.excluded.place})
    return held.returning(place.c.failures, place.c.blocked_until, place.c.failure_digest, place.c.failure_at)


_HOLD = {"sqlite": _hold(sqlite.insert(place)), "postgresql": _hold(postgresql.insert(place))}
_LOCK = select(place.c.failures, place.c.blocked_until).where(place.c.place == bindparam("where")).with_for_update()
_THIS = update(place).where(place.c.place == bindparam("where"))
_COUNT = _THIS.values(
    {name: bindparam(f"new_{name}") for name in ("failures", "blocked_until", "failure_digest", "failure_at")}
)
_FORGET = Prepared(_THIS.values(failures=0, blocked_until=0.0, failure_digest=None))


def count(connection: Connection, miss: Miss, digest: bytes, when: float) -> None:
    """Count a name that does not exist, tried at `when` (Unix seconds). Its texts are storable.

    Not if it repeats the last one, whose digest is the same; and not while the place is blocked, since nothing that is
    tried meanwhile has been looked at.
    """
    held = connection.execute(_HOLD[connection.dialect.name], {"place": miss.place, "failure_at": when})
    ((failures, blocked_until, last, last_at),) = held.all()
    past = Failures(failures, blocked_until)
    if past.blocked(when) or repeats(last, last_at, digest, when - miss.rules.repeat_seconds):
        return
    now = after_failure(past, when, miss.rules)
    connection.execute(
        _COUNT,
        {
            "where": miss.place,
            "new_failures": now.count,
            "new_blocked_until": now.blocked_until,
            "new_failure_digest": digest,
            "new_failure_at": when,
        },
    )


def lock(connection: Connection, where: str) -> Failures | None:
    """Hold the place's row until the end of the transaction, and return its failures; None if there is no such place.

    Its name is storable.
    """
    row = connection.execute(_LOCK, {"where": where}).first()
    return None if row is None else Failures(*row)


def forget(connection: Connection, where: str) -> None:
    """Set the place's failures to none."""
    _FORGET.changed(connection, {"where": storable(where)})


def over(limit: float, when: float) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions for a place to be forgotten: nothing since `limit`, and not blocked at `when`."""
    return (place.c.failure_at <= limit, place.c.blocked_until <= when)
