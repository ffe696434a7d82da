"""Owns the writing of the audit record: each transaction's rows, linked to the writer's chain just before it commits.

A writer is a node, a role and a connection, so that no two connections wait for each other. Its head is remembered, and
moved by compare-and-swap: where another process of the same name has moved it, it is read again, under a lock.
"""

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, text, update

from radius2fa.login.ports import Unavailable
from radius2fa.store.database import BACKEND
from radius2fa.store.links import (
    BEFORE,
    START,
    TABLES,
    Book,
    Chain,
    Place,
    chain_of,
    head_holds,
    line_of,
    seal_anchor,
    seal_head,
)
from radius2fa.store.prepared import Prepared
from radius2fa.store.schema import chain
from radius2fa.store.seal import KeyRing, SealBroken

SLOT = "slot"  # in a connection's `info`: which of several it is
_LINES = "lines"  # there too: what this transaction writes
_CHAINS = "chains"  # there too: the chains as this connection has left them

_ADVISORY_LOCK = 0x7261646975733267  # as another one in store.upgrade

_MOVE = Prepared(
    update(chain)
    .where(
        chain.c.number == bindparam("chain"),
        chain.c.sequence == bindparam("old_sequence"),
        chain.c.hash == bindparam("old_hash"),
    )
    .values(sequence=bindparam("new_sequence"), hash=bindparam("new_hash"), seal=bindparam("new_seal"))
)
_WRITE = {book: Prepared(insert(table).inline()) for book, table in TABLES.items()}
_CHAIN = select(chain).where(chain.c.writer == bindparam("who"), chain.c.book == bindparam("which")).with_for_update()
_LAST = select(func.max(chain.c.number))

Line = tuple[Book, Mapping[str, Any]]


class Pen:
    """Writes rows of the journal and acts, as one node in one role."""

    def __init__(self, keys: KeyRing, node: str = "", role: str = "server") -> None:
        """Take the keys that make the hashes, and who writes."""
        self.node = node
        self._keys = keys
        self._writer = f"{node}/{role}"

    def renew(self, keys: KeyRing) -> None:
        """Make the hashes of what is written from now on with the first of these keys."""
        self._keys = keys

    def begin(self, connection: Connection) -> None:
        """Begin a transaction with an empty sheet."""
        connection.info[_LINES] = list[Line]()

    def put(self, connection: Connection, book: Book, contents: Mapping[str, Any]) -> None:
        """Have a row written when the transaction ends."""
        connection.info[_LINES].append((book, contents))

    def settle(self, connection: Connection) -> None:
        """Write the rows. The chain is the last that a transaction locks, so no two wait for each other."""
        lines: list[Line] = connection.info[_LINES]
        if not lines:
            return
        connection.info[_LINES] = list[Line]()
        for book in Book:
            rows = [contents for where, contents in lines if where is book]
            if rows:
                self._append(connection, book, rows)

    def _append(self, connection: Connection, book: Book, rows: list[Mapping[str, Any]]) -> None:
        known: dict[Book, Chain] = connection.info.setdefault(_CHAINS, {})
        mine = known.get(book)
        head = None if mine is None else self._written(connection, mine, known[book].head, rows)
        if mine is None or head is None:
            mine = self._read(connection, book)
            head = self._written(connection, mine, mine.head, rows)
            if head is None:
                raise Unavailable(BACKEND, "the head of a chain moved under its lock")
        known[book] = Chain(mine.number, mine.writer, book, head, mine.anchor, b"", b"")

    def _written(self, connection: Connection, mine: Chain, head: Place, rows: list[Mapping[str, Any]]) -> Place | None:
        """Write rows behind a head, and return the new one; do nothing and return None if the chain's is another."""
        sequence, last, linked = head.sequence, head.hash, []
        for contents in rows:
            sequence += 1
            last = self._keys.link(last, line_of(mine.book, mine.writer, sequence, contents))
            linked.append({**contents, "chain": mine.number, "sequence": sequence, "hash": last})
        after = Place(sequence, last)
        values = {
            "chain": mine.number,
            "old_sequence": head.sequence,
            "old_hash": head.hash,
            "new_sequence": sequence,
            "new_hash": last,
            "new_seal": seal_head(self._keys, mine.number, mine.writer, mine.book, after),
        }
        if not _MOVE.changed(connection, values):
            return None
        for row in linked:
            _WRITE[mine.book].changed(connection, row)
        return after

    def _read(self, connection: Connection, book: Book) -> Chain:
        """Return the chain to go on with, locked; a new one, where there is none yet or its head was tampered with.

        Going on behind a head that is not ours would hide what was cut off. So it is left as it is, for `verify`.
        """
        for writer in self._names(connection):
            found = _found(connection, writer, book)
            if found is None:
                return self._begun(connection, writer, book)
            if self._is_ours(found):
                return found
        raise AssertionError  # there is no last name

    def _names(self, connection: Connection) -> Iterator[str]:
        name = f"{self._writer}/{connection.info.get(SLOT, 0)}"
        yield name
        yield from (f"{name}.{number}" for number in count(1))

    def _is_ours(self, found: Chain) -> bool:
        try:
            return head_holds(self._keys, found)
        except SealBroken:
            return False

    def _begun(self, connection: Connection, writer: str, book: Book) -> Chain:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})
        found = _found(connection, writer, book)  # once more: another connection may have begun it meanwhile
        if found is not None and self._is_ours(found):
            return found
        last = connection.execute(_LAST).scalar() or self._note_what_is_older(connection)
        return self._add(connection, last + 1, writer, book, START, START)

    def _note_what_is_older(self, connection: Connection) -> int:
        """Write down which rows belong to no chain: whatever else claims to, was put there later."""
        for number, (book, table) in enumerate(TABLES.items(), 1):
            older = select(func.coalesce(func.max(table.c.number), 0), func.count()).where(table.c.chain.is_(None))
            highest, rows = connection.execute(older).one()
            self._add(connection, number, BEFORE, book, Place(highest, b""), Place(rows, b""))
        return len(TABLES)

    def _add(  # noqa: PLR0917 - what a chain is made of
        self, connection: Connection, number: int, writer: str, book: Book, head: Place, anchor: Place
    ) -> Chain:
        seal = seal_head(self._keys, number, writer, book, head)
        anchor_seal = seal_anchor(self._keys, number, writer, book, anchor)
        row = {
            "number": number,
            "writer": writer,
            "book": book.value,
            "sequence": head.sequence,
            "hash": head.hash,
            "seal": seal,
            "anchor_sequence": anchor.sequence,
            "anchor_hash": anchor.hash,
            "anchor_seal": anchor_seal,
        }
        connection.execute(insert(chain), row)
        return Chain(number, writer, book, head, anchor, seal, anchor_seal)


def _found(connection: Connection, writer: str, book: Book) -> Chain | None:
    row = connection.execute(_CHAIN, {"who": writer, "which": book.value}).first()
    return None if row is None else chain_of(row)
