"""Owns the removal of old logins: the oldest rows of a chain, and the anchor that takes their place, at once.

Only what is proven goes: a row that was tampered with stays where it is, and all behind it, until somebody has looked.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, select, update

from radius2fa.store import auditkeys
from radius2fa.store.database import Database
from radius2fa.store.links import (
    BEFORE,
    CONTENTS,
    TABLES,
    Book,
    Chain,
    Place,
    anchor_holds,
    chain_of,
    head_holds,
    line_of,
    seal_anchor,
)
from radius2fa.store.schema import chain
from radius2fa.store.seal import KeyRing, SealBroken

AT_ONCE = 500  # rows in one transaction, so that no login waits long for the writer

_CHAINS = select(chain.c.number).where(chain.c.writer != BEFORE, chain.c.book == bindparam("which"))
_CHAIN = select(chain).where(chain.c.number == bindparam("which")).with_for_update()
_MOVE = update(chain).where(chain.c.number == bindparam("which"))


def remove_older(database: Database, keys: KeyRing, book: Book, cutoff: float) -> None:
    """Remove rows of a book from up to `cutoff` (Unix seconds), as far as the chains are whole.

    A row that is younger keeps those behind it.

    Raises:
        Unavailable: the database does not answer.

    """
    keys = auditkeys.read(database, keys).proving
    numbers = database.read(lambda connection: connection.execute(_CHAINS, {"which": book.value}).scalars().all())
    for number in numbers:
        while database.write(lambda connection, number=number: _some(connection, keys, number, cutoff)) == AT_ONCE:  # type: ignore[misc] # the default is the loop's number
            pass


def _some(connection: Connection, keys: KeyRing, number: int, cutoff: float) -> int:
    """Remove some rows of a chain, and return how many."""
    row = connection.execute(_CHAIN, {"which": number}).first()
    if row is None:
        return 0
    mine = chain_of(row)
    try:
        last = _last(keys, mine, _oldest(connection, mine), cutoff)
    except SealBroken:
        return 0
    if last.sequence == mine.anchor.sequence:
        return 0
    table = TABLES[mine.book]
    connection.execute(
        delete(table).where(
            table.c.chain == number, table.c.sequence > mine.anchor.sequence, table.c.sequence <= last.sequence
        )
    )
    seal = seal_anchor(keys, number, mine.writer, mine.book, last)
    anchor = {"anchor_sequence": last.sequence, "anchor_hash": last.hash, "anchor_seal": seal}
    connection.execute(_MOVE.values(anchor), {"which": number})
    return last.sequence - mine.anchor.sequence


def _oldest(connection: Connection, mine: Chain) -> Sequence[Row[*tuple[Any, ...]]]:
    table = TABLES[mine.book]
    statement = (
        select(table.c.sequence, table.c.hash, *(table.c[name] for name in CONTENTS[mine.book]))
        .where(table.c.chain == mine.number, table.c.sequence > mine.anchor.sequence)
        .order_by(table.c.sequence, table.c.number)
        .limit(AT_ONCE)
    )
    return connection.execute(statement).all()


def _last(keys: KeyRing, mine: Chain, rows: Sequence[Row[*tuple[Any, ...]]], cutoff: float) -> Place:
    """Return the last row that may go; the anchor itself, if none may. SealBroken, if a key is missing."""
    last = mine.anchor
    if not (head_holds(keys, mine) and anchor_holds(keys, mine)):
        return last
    for sequence, found, *values in rows:
        contents = dict(zip(CONTENTS[mine.book], values, strict=True))
        line = line_of(mine.book, mine.writer, last.sequence + 1, contents)
        if sequence != last.sequence + 1 or not isinstance(found, bytes) or not keys.links(last.hash, line, found):
            break
        if contents["at"] > cutoff or (sequence == mine.head.sequence and found != mine.head.hash):
            break
        last = Place(sequence, found)
    return last
