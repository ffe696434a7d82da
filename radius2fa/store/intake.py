"""Owns the import of tokens: what is new comes in, what is known stays as it is, and nothing bad stops the rest."""

import hmac
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum

from sqlalchemy import Connection, bindparam, or_, select

from radius2fa.otp.token import Factor, Kind, Token, YubiKey
from radius2fa.store import accounts, adding
from radius2fa.store.adding import MOST_ACTIVE, NewToken, Sealer
from radius2fa.store.burn import SEALED, unsealed
from radius2fa.store.schema import token
from radius2fa.store.seal import KeyRing, SealBroken


class Intake(Enum):
    """What became of a token that was brought in."""

    ADDED = "added"
    KNOWN = "known already: nothing changed"
    CONFLICT = "its id, serial number or public id is that of another token"
    TOO_MANY = "its owner has as many active tokens as one may have"


_NAMESAKES = select(*SEALED, token.c.serial).where(
    or_(
        token.c.id.in_(bindparam("ids", expanding=True)),
        token.c.serial.in_(bindparam("serials", expanding=True)),
        token.c.public_id.in_(bindparam("public_ids", expanding=True)),
    )
)


def take_in(
    connection: Connection, keys: KeyRing, new: Sequence[NewToken], when: float, seal: Sealer
) -> tuple[Intake, ...]:
    """Add what is new, enrolled at `when` (Unix seconds), and return what became of each token, in the order given."""
    there = _there(connection, keys, new)
    accounts.see(connection, adding.owners_of([one for one in new if not there.namesakes(one)]))
    fates = _fates(connection, there, new)
    added = [one for one, fate in zip(new, fates, strict=True) if fate is Intake.ADDED]
    if added:
        adding.put(connection, added, when, seal)
    return fates


def foretell(connection: Connection, keys: KeyRing, new: Sequence[NewToken]) -> tuple[Intake, ...]:
    """Return what `take_in` would, and change nothing."""
    return _fates(connection, _there(connection, keys, new), new)


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """A token that is there: in the database, or further up in the same batch.

    None if its seed does not open, or it makes no codes.
    """

    token: Factor | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class _There:
    """The tokens that are there, by each of their names."""

    by_name: dict[tuple[str, str | None], _Known] = field(default_factory=dict)

    def add(self, known: _Known, *names: tuple[str, str | None]) -> None:
        """Put a token in, under such of its names as it has."""
        self.by_name.update({name: known for name in names if name[1]})

    def namesakes(self, new: NewToken) -> set[_Known]:
        """Return the tokens that have a name in common with a new one."""
        return {self.by_name[name] for name in _names(new) if name in self.by_name}


def _names(new: NewToken) -> tuple[tuple[str, str | None], ...]:
    return ("id", new.token.id), ("serial", new.serial), ("public id", new.public_id)


def _there(connection: Connection, keys: KeyRing, new: Sequence[NewToken]) -> _There:
    rows = connection.execute(
        _NAMESAKES,
        {
            "ids": [one.token.id for one in new],
            "serials": [one.serial for one in new if one.serial is not None],
            "public_ids": [one.public_id for one in new if one.public_id is not None],
        },
    )
    there = _There()
    for *sealed, serial in rows:
        row = dict(zip(_COLUMNS, sealed, strict=True))
        try:
            known = _Known(None if row["kind"] == Kind.WEBAUTHN else unsealed(keys, sealed))
        except SealBroken:
            known = _Known(None)
        there.add(known, ("id", row["id"]), ("serial", serial), ("public id", row["public_id"]))
    return there


_COLUMNS = [column.name for column in SEALED]


def _fates(connection: Connection, there: _There, new: Sequence[NewToken]) -> tuple[Intake, ...]:
    active = adding.active_in(connection, {one.subject for one in new if one.subject is not None})
    return tuple(_judged(new, there, active))


def _judged(new: Sequence[NewToken], there: _There, active: Counter[str]) -> Iterator[Intake]:
    for one in new:
        fate = _fate(one, there.namesakes(one), active)
        if fate is Intake.ADDED:
            there.add(_Known(one.token), *_names(one))
            active += adding.active_of([one])
        yield fate


def _fate(new: NewToken, namesakes: set[_Known], active: Counter[str]) -> Intake:
    if namesakes:
        (*others, one) = namesakes
        return Intake.KNOWN if not others and _same(new.token, one.token) else Intake.CONFLICT
    full = new.active and new.subject is not None and active[new.subject] >= MOST_ACTIVE
    return Intake.TOO_MANY if full else Intake.ADDED


def _same(new: Token | YubiKey, known: Factor | None) -> bool:
    """Tell whether the two make the same codes."""
    match new, known:
        case Token(), Token():
            alike = _form(new) == _form(known)
        case YubiKey(), YubiKey():
            alike = new.public_id == known.public_id
        case _:
            return False
    return alike and hmac.compare_digest(adding.seed_of(new), adding.seed_of(known))


def _form(token: Token) -> tuple[object, ...]:
    return token.kind, token.algorithm, token.digits, token.period if token.kind is Kind.TOTP else None
