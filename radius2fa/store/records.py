"""Owns what is read for the helpdesk, for an audit and for charts: people, logins, acts and figures, a page at a time.

Each is one statement, the same on both databases, and gives no more rows than were asked for.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Double,
    Row,
    Select,
    Table,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    select,
)

from radius2fa.login.lockout import Failures
from radius2fa.login.ports import Record, Result
from radius2fa.login.reason import Reason
from radius2fa.otp.token import Algorithm, Kind
from radius2fa.store import acts, journal
from radius2fa.store.accounts import Account
from radius2fa.store.acts import Act, Deed
from radius2fa.store.burn import IS_DEVICE
from radius2fa.store.database import Database
from radius2fa.store.journal import storable
from radius2fa.store.schema import account, act, token
from radius2fa.store.schema import journal as logins
from radius2fa.store.tokens import TokenRow

MOST = 1000  # rows of one answer
LONGEST = 31 * 86400.0  # seconds that are counted by the hour at once
_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class LoginFilter:
    """Which logins are meant: those for which all of this holds. None, or an empty text, holds for every login.

    `name` is a part of the name, as typed or as the directory has it, in capitals or not; `source` is how the user's
    address begins; the others are equal. They arrived from `since` on and before `until` (Unix seconds).
    """

    subject: str | None = None
    name: str | None = None
    client: str | None = None
    result: Result | None = None
    reason: Reason | None = None
    source: str | None = None
    since: float | None = None
    until: float | None = None


@dataclass(frozen=True, slots=True)
class ActFilter:
    """Which acts are meant: those for which all of this holds. None, or an empty text, holds for every act.

    `who` did it, `what` was done, to the person of this `subject`, or whose name holds `name`, or with the token of
    this id, from `since` on and before `until` (Unix seconds).
    """

    subject: str | None = None
    who: str | None = None
    what: Deed | None = None
    token: str | None = None
    since: float | None = None
    until: float | None = None
    name: str | None = None


class Hour(NamedTuple):
    """How many logins of one client ended so within the hour that began at `start` (Unix seconds)."""

    start: float
    client: str
    result: Result
    number: int


@dataclass(frozen=True, slots=True)
class Figures:
    """How many people have an active device (`enrolled`), and how many devices people and the stock have by kind."""

    enrolled: int
    tokens: Mapping[Kind, int]
    stock: Mapping[Kind, int]


_ENROLLED = select(func.count(token.c.subject.distinct())).where(IS_DEVICE, token.c.active).scalar_subquery()
_IN_STOCK = token.c.subject.is_(None)
_SPARE = (
    select(*(token.c[each.name] for each in fields(TokenRow) if each.name != "name"))
    .where(IS_DEVICE, token.c.subject.is_(None))
    .order_by(token.c.serial.nulls_last(), token.c.created, token.c.id)
)
_OWNERS = select(token.c.subject).where(IS_DEVICE, token.c.active, token.c.subject.is_not(None)).distinct()
_FIGURES = (
    select(token.c.kind, _IN_STOCK.label("in_stock"), func.count().label("number"), _ENROLLED.label("enrolled"))
    .where(IS_DEVICE)
    .group_by(token.c.kind, _IN_STOCK)
)

# One of the databases rounds where the other cuts off, and not every SQLite knows floor().
_HOURS = logins.c.at / literal_column("3600.0", Double)
_WHOLE = cast(_HOURS, BigInteger)
_HOURLY = (
    select(
        case((_WHOLE > _HOURS, _WHOLE - 1), else_=_WHOLE).label("hour"),
        logins.c.client,
        logins.c.result,
        func.count().label("number"),
    )
    .where(logins.c.at >= bindparam("since"), logins.c.at < bindparam("until"))
    .group_by("hour", logins.c.client, logins.c.result)
    .order_by("hour", logins.c.client, logins.c.result)
)


class Records:
    """Reads, and changes nothing. Times are Unix seconds. Every method may raise Unavailable."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database

    def people(self, text: str, limit: int) -> tuple[Account, ...]:
        """Return accounts whose names hold a text, in capitals or not: first those that begin with it, by name.

        On SQLite, letters beyond ASCII are found only as they are written.
        """
        text = storable(text)
        statement = (
            select(
                account.c.subject, account.c.name, account.c.failures, account.c.blocked_until, account.c.bypass_until
            )
            .where(_holds(account.c.name, text))
            .order_by(case((_begins(account.c.name, text), 0), else_=1), account.c.name, account.c.subject)
            .limit(_bounded(limit))
        )
        return tuple(
            Account(subject, name, Failures(count, until), bypass_until or 0.0)
            for subject, name, count, until, bypass_until in self._rows(statement)
        )

    def logins(self, which: LoginFilter, before: int | None, limit: int) -> tuple[tuple[int, Record], ...]:
        """Return the last logins that are meant, each with its number, the newest first.

        `before` is the number of the last one that was seen already, None to begin.
        """
        statement = _page(logins, _of_logins(which), before, limit)
        return tuple((row.number, journal.read(row)) for row in self._rows(statement))

    def acts(self, which: ActFilter, before: int | None, limit: int) -> tuple[tuple[int, Act], ...]:
        """Return the last acts that are meant, in the same way."""
        statement = _page(act, _of_acts(which), before, limit)
        return tuple((row.number, acts.read(row)) for row in self._rows(statement))

    def logins_after(self, which: LoginFilter, after: int, limit: int) -> tuple[tuple[int, Record], ...]:
        """Return the first logins that are meant and have a higher number than `after`, each with its own."""
        statement = _next(logins, _of_logins(which), after, limit)
        return tuple((row.number, journal.read(row)) for row in self._rows(statement))

    def acts_after(self, which: ActFilter, after: int, limit: int) -> tuple[tuple[int, Act], ...]:
        """Return the first acts in the same way."""
        statement = _next(act, _of_acts(which), after, limit)
        return tuple((row.number, acts.read(row)) for row in self._rows(statement))

    def hourly(self, since: float, until: float) -> tuple[Hour, ...]:
        """Return how the logins from `since` on and before `until` ended, hour by hour; of the last 31 days at most."""
        values = {"since": max(since, until - LONGEST), "until": until}
        rows = self._database.read(lambda connection: connection.execute(_HOURLY, values).all())
        return tuple(Hour(row.hour * _HOUR, row.client, Result(row.result), row.number) for row in rows)

    def figures(self) -> Figures:
        """Return how many people are enrolled, and how many devices of each kind there are."""
        rows = self._rows(_FIGURES)
        return Figures(
            rows[0].enrolled if rows else 0,
            {Kind(row.kind): row.number for row in rows if not row.in_stock},
            {Kind(row.kind): row.number for row in rows if row.in_stock},
        )

    def stock(self, text: str, skip: int, limit: int) -> tuple[TokenRow, ...]:
        """Return devices of the stock whose serial number or public id holds a text, by serial number.

        So many as `skip` says are passed over.
        """
        statement = _SPARE.offset(max(0, skip)).limit(_bounded(limit))
        if text:
            text = storable(text)
            statement = statement.where(_holds(token.c.serial, text) | _holds(token.c.public_id, text))
        return tuple(
            TokenRow(**row._asdict() | {"name": None, "kind": Kind(row.kind), "algorithm": Algorithm(row.algorithm)})
            for row in self._rows(statement)
        )

    def enrolled(self) -> frozenset[str]:
        """Return the ids of all people who have an active device."""
        return frozenset(row.subject for row in self._rows(_OWNERS))

    def _rows(self, statement: Select[*tuple[Any, ...]]) -> Sequence[Row[*tuple[Any, ...]]]:
        return self._database.read(lambda connection: connection.execute(statement).all())


def _page(
    table: Table, conditions: Iterator[ColumnElement[bool]], before: int | None, limit: int
) -> Select[*tuple[Any, ...]]:
    statement = select(table).where(*conditions).order_by(table.c.number.desc()).limit(_bounded(limit))
    return statement if before is None else statement.where(table.c.number < before)


def _next(table: Table, conditions: Iterator[ColumnElement[bool]], after: int, limit: int) -> Select[*tuple[Any, ...]]:
    return select(table).where(*conditions, table.c.number > after).order_by(table.c.number).limit(_bounded(limit))


def _of_logins(which: LoginFilter) -> Iterator[ColumnElement[bool]]:
    yield from _equal(logins, subject=which.subject, client=which.client, result=which.result, reason=which.reason)
    if which.name:
        yield _holds(logins.c.name, storable(which.name)) | _holds(logins.c.person, storable(which.name))
    if which.source:
        yield _begins(logins.c.source, storable(which.source))
    yield from _within(logins, which.since, which.until)


def _of_acts(which: ActFilter) -> Iterator[ColumnElement[bool]]:
    yield from _equal(act, subject=which.subject, who=which.who, what=which.what, token=which.token)
    if which.name:
        yield _holds(act.c.name, storable(which.name))
    yield from _within(act, which.since, which.until)


def _equal(table: Table, **wanted: str | None) -> Iterator[ColumnElement[bool]]:
    for name, value in wanted.items():
        if value:
            yield table.c[name] == storable(value)


def _within(table: Table, since: float | None, until: float | None) -> Iterator[ColumnElement[bool]]:
    if since is not None:
        yield table.c.at >= since
    if until is not None:
        yield table.c.at < until


def _holds(column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    return column.icontains(text, autoescape=True)


def _begins(column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    return column.istartswith(text, autoescape=True)


def _bounded(limit: int) -> int:
    return max(0, min(limit, MOST))
