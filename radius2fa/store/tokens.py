"""Owns the tokens' rows: who has which, how many at most, and what people may see of them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Insert, Row, Select, bindparam, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from radius2fa.otp.token import Algorithm, Kind, Token
from radius2fa.store import accounts
from radius2fa.store.burn import SEALED, swap, unsealed
from radius2fa.store.database import Database
from radius2fa.store.schema import account, token
from radius2fa.store.seal import KeyRing, Random

MOST_ACTIVE = 8  # tokens of one person: every one of them is tried at every login
_ADDED_AT_ONCE = 500


class TooManyTokens(Exception):  # noqa: N818 - named by what is wrong
    """The person has as many active tokens as one may have."""

    def __init__(self, subject: str) -> None:
        """Name the person."""
        super().__init__(f"{subject} would have more than {MOST_ACTIVE} active tokens")
        self.subject = subject


class Taken(Exception):  # noqa: N818 - as above
    """A token with this id or serial number exists. `field` is "id" or "serial", `value` the one that is taken."""

    def __init__(self, field: str, value: str) -> None:
        """Name the field and the value."""
        super().__init__(f"a token with the {field} {value} exists already")
        self.field = field
        self.value = value


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token to be added. `subject` and `name` are its owner's, as the directory has them."""

    token: Token
    subject: str
    name: str
    label: str = ""
    serial: str | None = None


@dataclass(frozen=True, slots=True)
class TokenRow:
    """What people may see of a token. `name` is its owner's. Times are Unix seconds."""

    id: str
    subject: str
    name: str
    kind: Kind
    algorithm: Algorithm
    digits: int
    period: int
    counter: int
    drift: int
    label: str
    serial: str | None
    active: bool
    created: float
    last_used: float | None


_ROW = select(
    token.c.id,
    token.c.subject,
    account.c.name,
    token.c.kind,
    token.c.algorithm,
    token.c.digits,
    token.c.period,
    token.c.counter,
    token.c.drift,
    token.c.label,
    token.c.serial,
    token.c.active,
    token.c.created,
    token.c.last_used,
).join_from(token, account)
_ALL = _ROW.order_by(account.c.name, token.c.created, token.c.id)
_OF = _ROW.where(token.c.subject == bindparam("owner")).order_by(token.c.created, token.c.id)
_ONE = _ROW.where(token.c.id == bindparam("token"))

_SECRET = select(*SEALED).where(token.c.id == bindparam("token"))
_OWNER = select(token.c.subject).where(token.c.id == bindparam("token"))
_SET_ACTIVE = update(token).where(token.c.id == bindparam("token")).values(active=bindparam("now_active"))
_REMOVE = delete(token).where(token.c.id == bindparam("token"))
_INSERT = insert(token)
_IDS = select(token.c.id).where(token.c.id.in_(bindparam("values", expanding=True)))
_SERIALS = select(token.c.serial).where(token.c.serial.in_(bindparam("values", expanding=True)))
_ACTIVE = (
    select(token.c.subject, func.count())
    .where(token.c.active, token.c.subject.in_(bindparam("subjects", expanding=True)))
    .group_by(token.c.subject)
)


def _seen(statement: sqlite.Insert | postgresql.Insert) -> Insert:
    fresh = statement.values(failures=0, blocked_until=0.0)
    return fresh.on_conflict_do_update(index_elements=["subject"], set_={"name": fresh.excluded.name})


_SEEN = {"sqlite": _seen(sqlite.insert(account)), "postgresql": _seen(postgresql.insert(account))}


class Tokens:
    """The tokens, as enrolment and the helpdesk see them. Every method may raise Unavailable."""

    def __init__(self, database: Database, keys: KeyRing, random: Random) -> None:
        """Take the database, the keys that seal the seeds, and a source of random octets."""
        self._database = database
        self._keys = keys
        self._random = random

    def add(  # noqa: PLR0917 - as PLR0913
        self, token: Token, subject: str, name: str, label: str, serial: str | None, when: float
    ) -> None:
        """Add an active token, enrolled at `when` (Unix seconds).

        Raises:
            TooManyTokens: the person has 8 active tokens.
            Taken: the id or the serial number is that of another token.

        """
        self.add_many([NewToken(token, subject, name, label, serial)], when)

    def add_many(self, new: Iterable[NewToken], when: float) -> None:
        """Add active tokens, enrolled at `when` (Unix seconds): all of them, or none.

        Raises:
            TooManyTokens: a person would have more than 8 active tokens.
            Taken: an id or a serial number is that of another token.

        """
        # In one order of people, so that two imports do not wait for each other.
        ordered = sorted(new, key=lambda one: one.subject)
        self._database.write(lambda connection: self._add(connection, ordered, when))

    def list(self, subject: str | None = None) -> tuple[TokenRow, ...]:
        """Return the tokens of a person, or of all, by name and age."""
        if subject is None:
            return self._rows(_ALL, {})
        return self._rows(_OF, {"owner": subject})

    def get(self, token_id: str) -> TokenRow | None:
        """Return a token, None if there is none of this id."""
        rows = self._rows(_ONE, {"token": token_id})
        return rows[0] if rows else None

    def secret(self, token_id: str) -> Token | None:
        """Return a token with its seed, active or not, None if there is none of this id.

        Raises:
            SealBroken: the seed does not open.

        """
        row = self._database.read(lambda connection: connection.execute(_SECRET, {"token": token_id}).first())
        return None if row is None else unsealed(self._keys, tuple(row))

    def set_active(self, token_id: str, active: bool) -> bool:  # noqa: FBT001 - the value that is set
        """Let a token answer, or not. False if there is none of this id.

        Raises:
            TooManyTokens: the person has 8 other active tokens.

        """
        return self._database.write(lambda connection: _set_active(connection, token_id, active=active))

    def remove(self, token_id: str) -> bool:
        """Delete a token. False if there is none of this id."""
        return self._database.write(lambda connection: connection.execute(_REMOVE, {"token": token_id}).rowcount == 1)

    def advance(self, token_id: str, counter: int, drift: int, when: float) -> bool:
        """Use up everything to `counter`, at `when` (Unix seconds). False if it was used already, or is not active."""
        return self._database.write(lambda connection: swap(connection, token_id, counter, drift, when))

    def _rows(self, statement: Select[*tuple[Any, ...]], values: dict[str, str]) -> tuple[TokenRow, ...]:
        rows = self._database.read(lambda connection: connection.execute(statement, values).all())
        return tuple(map(_token_row, rows))

    def _add(self, connection: Connection, new: Sequence[NewToken], when: float) -> None:
        for some in _chunks(new):
            subjects = Counter(one.subject for one in some)
            names = {one.subject: one.name for one in some}
            # An upsert locks its row, as accounts.lock() does.
            connection.execute(
                _SEEN[connection.dialect.name], [{"subject": subject, "name": name} for subject, name in names.items()]
            )
            _require_free(connection, some)
            _require_room(connection, subjects)
            connection.execute(_INSERT, [self._row(one, when) for one in some])

    def _row(self, new: NewToken, when: float) -> dict[str, object]:
        token = new.token
        return {
            "id": token.id,
            "subject": new.subject,
            "kind": token.kind.value,
            "algorithm": token.algorithm.value,
            "digits": token.digits,
            "period": token.period,
            "seed": self._keys.seal_seed(token.id, token.kind, token.key, self._random),
            "counter": token.counter,
            "drift": token.drift,
            "label": new.label,
            "serial": new.serial,
            "active": True,
            "created": when,
        }


def _token_row(row: Row[*tuple[Any, ...]]) -> TokenRow:
    values = row._asdict()
    return TokenRow(**values | {"kind": Kind(row.kind), "algorithm": Algorithm(row.algorithm)})


def _set_active(connection: Connection, token_id: str, *, active: bool) -> bool:
    owner = connection.execute(_OWNER, {"token": token_id}).scalar()
    if owner is None:
        return False
    accounts.lock(connection, owner)
    connection.execute(_SET_ACTIVE, {"token": token_id, "now_active": active})
    if active:
        _require_room(connection, Counter({owner: 0}))  # this one has been counted
    return True


def _chunks(new: Sequence[NewToken]) -> Iterator[list[NewToken]]:
    rest = iter(new)
    while some := list(islice(rest, _ADDED_AT_ONCE)):
        yield some


def _require_free(connection: Connection, new: Sequence[NewToken]) -> None:
    """Raise Taken if an id or serial number exists, in the database or twice among the new."""
    _require_new(connection, _IDS, "id", [one.token.id for one in new])
    _require_new(connection, _SERIALS, "serial", [one.serial for one in new if one.serial is not None])


def _require_new(connection: Connection, which: Select[str], field: str, values: list[str]) -> None:
    taken = set(connection.execute(which, {"values": values}).scalars())
    for value in values:
        if value in taken:
            raise Taken(field, value)
        taken.add(value)


def _require_room(connection: Connection, more: Counter[str]) -> None:
    """Raise TooManyTokens if a person, with so many more, has too many active ones."""
    total = more.copy()
    for subject, active in connection.execute(_ACTIVE, {"subjects": list(more)}):
        total[subject] += active
    for subject, number in total.items():
        if number > MOST_ACTIVE:
            raise TooManyTokens(subject)
