"""Owns the audit keys of master keys that are taken out of use, and the seals of the chains' ends when that happens.

A row stays proven by the key that it was written under, so the key that made its hash is kept, sealed. Both ends of
every chain are sealed anew: a master key that is out of use may have become known, and with the end sealed by another
one nobody who has it can change a row before that end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection, LargeBinary, Row, bindparam, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from radius2fa.store.database import Database
from radius2fa.store.links import Book, anchor_holds, chain_of, head_holds, seal_anchor, seal_head
from radius2fa.store.schema import audit_key, chain
from radius2fa.store.seal import KeyRing, Random, SealBroken

_ALL = select(audit_key.c.name, audit_key.c.sealed).order_by(audit_key.c.name)


def _putting(fresh: sqlite.Insert | postgresql.Insert) -> sqlite.Insert | postgresql.Insert:
    return fresh.on_conflict_do_update(index_elements=["name"], set_={"sealed": fresh.excluded.sealed})


_PUT = {"sqlite": _putting(sqlite.insert(audit_key)), "postgresql": _putting(postgresql.insert(audit_key))}

_KEY = bindparam("key", type_=LargeBinary)
_ENDS = (
    select(chain.c.number)
    .where(
        chain.c.book.in_([*Book]),  # one of another table is none of ours, as `verify` tells
        or_(*(func.substr(seal, 2, 4, type_=LargeBinary) != _KEY for seal in (chain.c.seal, chain.c.anchor_seal))),
    )
    .order_by(chain.c.number)
)
_CHAIN = select(chain).where(chain.c.number == bindparam("which")).with_for_update()
_RESEAL = (
    update(chain)
    .where(chain.c.number == bindparam("which"))
    .values(seal=bindparam("new_seal"), anchor_seal=bindparam("new_anchor_seal"))
)


@dataclass(frozen=True, slots=True)
class Broken:
    """A row of the table that does not open: whose audit key it claims to be, and why.

    `missing`: the key that sealed it is not there. Else it was altered.
    """

    name: str
    why: str
    missing: bool


@dataclass(frozen=True, slots=True)
class AuditKeys:
    """What the table holds: audit keys by the names of their master keys, and the rows that do not open."""

    sealed: Mapping[str, bytes]
    broken: tuple[Broken, ...]
    proving: KeyRing


def read(database: Database, keys: KeyRing) -> AuditKeys:
    """Return the audit keys of the table, and the ring with them. Unavailable, if the database does not answer."""
    return database.read(partial(_read, keys))


def _read(keys: KeyRing, connection: Connection) -> AuditKeys:
    return _opened(keys, connection.execute(_ALL).all())


def _opened(keys: KeyRing, rows: Sequence[Row[*tuple[Any, ...]]]) -> AuditKeys:
    sealed, opened, broken = dict[str, bytes](), dict[str, bytes](), list[Broken]()
    for name, blob in rows:
        if not isinstance(name, str) or not isinstance(blob, bytes):  # SQLite takes any type in any column
            broken.append(Broken(str(name), "it is none", missing=False))
            continue
        try:
            opened[name] = keys.open_audit_key(name, blob)
        except SealBroken as wrong:
            broken.append(Broken(name, str(wrong), missing=len(blob) > 5 and not keys.knows(blob)))  # noqa: PLR2004 - version, key id
        else:
            sealed[name] = blob
    return AuditKeys(sealed, tuple(broken), keys.proving(opened))


def retire(database: Database, keys: KeyRing, random: Random) -> tuple[Broken, ...]:
    """Keep the audit key of every key but the first, and seal what is kept, and both ends of all chains, with that.

    Whoever does it again, after it was broken off at any moment, does what is left. Returns what does not open, and is
    of no key of the ring.
    """
    database.write(partial(_keep, keys, random))
    numbers = database.read(
        lambda connection: connection.execute(_ENDS, {"key": bytes.fromhex(keys.names[0])}).scalars().all()
    )
    for number in numbers:  # each by itself: a writer locks one chain of each table, in no order of ours
        database.write(partial(_reseal_ends, keys, number))
    return read(database, keys).broken


def _keep(keys: KeyRing, random: Random, connection: Connection) -> None:
    found = _read(keys, connection)
    current, *older = keys.names
    for name in older:
        if name not in found.sealed or keys.name_of(found.sealed[name]) != current:
            _put(connection, name, keys.seal_audit_key(name, random))
    for name, blob in found.sealed.items():
        if name not in keys.names and keys.name_of(blob) != current:
            _put(connection, name, found.proving.seal_audit_key(name, random))


def _put(connection: Connection, name: str, blob: bytes) -> None:
    connection.execute(_PUT[connection.dialect.name], {"name": name, "sealed": blob})


def _reseal_ends(keys: KeyRing, number: int, connection: Connection) -> None:
    """Seal both ends of a chain with the first key, where they hold. What was tampered with stays, for `verify`."""
    row = connection.execute(_CHAIN, {"which": number}).first()
    if row is None:
        return
    mine = chain_of(row)
    try:
        whole = head_holds(keys, mine) and anchor_holds(keys, mine)
    except SealBroken:
        return
    if whole:
        seals = {
            "new_seal": seal_head(keys, number, mine.writer, mine.book, mine.head),
            "new_anchor_seal": seal_anchor(keys, number, mine.writer, mine.book, mine.anchor),
        }
        connection.execute(_RESEAL, {"which": number, **seals})
