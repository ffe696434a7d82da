"""Owns the proof of the audit record: every chain walked from its anchor to its head, and what is wrong with it.

What it cannot see: a whole database that was put back to an earlier state, and the newest chains removed with all their
rows. For these there are heads, exported and kept elsewhere.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeGuard

from sqlalchemy import ColumnElement, Row, and_, bindparam, func, or_, select

from radius2fa.store import auditkeys
from radius2fa.store.auditkeys import Broken
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
)
from radius2fa.store.schema import chain
from radius2fa.store.seal import KeyRing, SealBroken

AT_ONCE = 2000  # rows of one read, which has a deadline

Progress = Callable[[int], None]


def _unheard(_: int) -> None:
    """Tell nobody."""


class Finding(StrEnum):
    """What is wrong with a row, or with a chain as a whole."""

    CHANGED = "changed"  # or put there from elsewhere
    REMOVED = "removed"
    INSERTED = "inserted"
    REORDERED = "reordered"
    TRUNCATED = "cut off"  # the last rows
    HEAD = "head changed"  # what the chain says of its own ends
    CHAIN = "chain removed"
    KEY = "key missing"
    AUDIT_KEY = "audit key changed"  # what is kept of a master key that is out of use


@dataclass(frozen=True, slots=True)
class Fault:
    """The first thing that is wrong with a chain.

    `writer` and `book` name the chain, `sequence` the place in it, `number` the row in the table, and `at` its time
    (Unix seconds): that of a row beside it, where it is gone. None where it is not known. `detail` says more.
    """

    finding: Finding
    book: Book | None
    writer: str | None
    sequence: int | None = None
    number: int | None = None
    at: float | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Head:
    """A chain's last row when it was exported: what is kept elsewhere, and compared later."""

    writer: str
    book: Book
    sequence: int
    hash: bytes


class Kept(StrEnum):
    """What became of an exported head."""

    THERE = "there"
    AGED = "removed for its age"
    GONE = "not there"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a walk found. `rows` were proven in `chains`; `before` rows were written before there were chains.

    `heads` tells of each head that was given what became of it.
    """

    rows: int
    chains: int
    before: int
    faults: tuple[Fault, ...]
    heads: tuple[tuple[Head, Kept], ...] = ()

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults and all(kept is not Kept.GONE for _, kept in self.heads)


@dataclass(slots=True)
class _Walk:
    """How far one chain has been walked."""

    chain: Chain
    keys: KeyRing
    last: Place
    numbered: int = 0
    at: float | None = None
    rows: int = field(default=0)

    def fault(self, finding: Finding, sequence: object, number: int | None, at: object, detail: str = "") -> Fault:
        return Fault(
            finding,
            self.chain.book,
            self.chain.writer,
            sequence if isinstance(sequence, int) else None,
            number,
            at if isinstance(at, float) else None,
            detail,
        )


# One that claims to be of another table is none: it is missing from the numbers.
_CHAINS = select(chain).where(chain.c.book.in_(bindparam("books", expanding=True))).order_by(chain.c.number)
_CHAIN = select(chain).where(chain.c.number == bindparam("which"))


class Audit:
    """Proves the audit record, and changes nothing. Every method may raise Unavailable."""

    def __init__(self, database: Database, keys: KeyRing) -> None:
        """Take the database, and the keys that made the hashes."""
        self._database = database
        self._keys = keys

    def heads(self) -> tuple[Head, ...]:
        """Return the last row of each chain, as the chains tell it."""
        chains = self._chains()
        return tuple(
            Head(one.writer, one.book, one.head.sequence, one.head.hash) for one in chains if not one.of_before
        )

    def length(self) -> int:
        """Return how many rows there are to walk."""
        return sum(one.head.sequence - one.anchor.sequence for one in self._chains() if not one.of_before)

    def verify(self, heads: Iterable[Head] = (), progress: Progress = _unheard) -> Verdict:
        """Walk all chains, and look for heads that were exported earlier. `progress` hears of rows that were walked.

        Servers may write meanwhile: what was there at the beginning is proven.
        """
        kept_keys = auditkeys.read(self._database, self._keys)
        keys = kept_keys.proving
        chains = self._chains()
        faults, rows = [*self._missing(chains), *map(_of_audit_key, kept_keys.broken)], 0
        for one in chains:
            walked, fault = (0, self._of_before(one, keys)) if one.of_before else self._chain(one, keys, progress)
            rows += walked
            faults += [fault] if fault else []
        faults += self._strays(chains)
        faults.sort(key=lambda fault: (fault.at is None, fault.at))
        real = sum(not one.of_before for one in chains)
        kept = tuple((head, self._kept(chains, head)) for head in heads)
        return Verdict(rows, real, sum(map(self._unchained, Book)), tuple(faults), kept)

    # one chain

    def _chain(self, one: Chain, keys: KeyRing, progress: Progress) -> tuple[int, Fault | None]:
        """Walk a chain; again, where old rows were removed meanwhile."""
        while True:
            rows, fault = self._walk(one, keys, progress)
            if fault is None:
                return rows, None
            row = self._one(_CHAIN, {"which": one.number})
            fresh = None if row is None else chain_of(row)
            if fresh is None or fresh.anchor == one.anchor:
                return rows, fault
            one = fresh

    def _walk(self, one: Chain, keys: KeyRing, progress: Progress) -> tuple[int, Fault | None]:
        walk = _Walk(one, keys, one.anchor)
        fault = self._ends(walk)
        if fault is not None:
            return 0, fault
        for page in self._pages(one):
            before = walk.rows
            for row in page:
                fault = self._row(walk, row)
                if fault is not None:
                    return walk.rows, fault
            progress(walk.rows - before)
        if walk.last.sequence < one.head.sequence:
            missing = one.head.sequence - walk.last.sequence
            sequence, detail = walk.last.sequence + 1, f"{missing} rows are gone from the end"
            return walk.rows, walk.fault(Finding.TRUNCATED, sequence, None, walk.at, detail)
        return walk.rows, None

    def _ends(self, walk: _Walk) -> Fault | None:
        one, detail = walk.chain, "what the chain says of its own ends was changed"
        for holds, seal in ((head_holds, one.seal), (anchor_holds, one.anchor_seal)):
            try:
                if holds(walk.keys, one):
                    continue
            except SealBroken as broken:
                if _is_missing(walk.keys, seal):
                    return walk.fault(Finding.KEY, None, None, None, str(broken))
                if _is_hash(seal) and not walk.keys.knows(seal):
                    detail = f"an end of it was sealed with key {walk.keys.name_of(seal)}, which is out of use"
            return walk.fault(Finding.HEAD, None, None, None, detail)
        return walk.fault(Finding.HEAD, None, None, None, detail) if one.is_torn else None

    def _pages(self, one: Chain) -> Iterator[Sequence[Row[*tuple[Any, ...]]]]:
        """Yield the rows behind the anchor, in their order, some at a time."""
        table = TABLES[one.book]
        columns = (table.c.number, table.c.sequence, table.c.hash, *(table.c[name] for name in CONTENTS[one.book]))
        statement = (
            select(*columns)
            .where(
                table.c.chain == one.number,
                table.c.sequence >= bindparam("sequence"),
                or_(table.c.sequence > bindparam("sequence"), table.c.number > bindparam("row")),
            )
            .order_by(table.c.sequence, table.c.number)
            .limit(AT_ONCE)
        )
        values: dict[str, object] = {"sequence": one.anchor.sequence + 1, "row": -1}
        while page := self._all(statement, values):
            yield page
            values = {"sequence": page[-1].sequence, "row": page[-1].number}

    def _row(self, walk: _Walk, row: Row[*tuple[Any, ...]]) -> Fault | None:
        number, sequence, found, *values = row
        expected = walk.last.sequence + 1
        contents = dict(zip(CONTENTS[walk.chain.book], values, strict=True))
        at = contents["at"]
        if not isinstance(sequence, int) or sequence < expected:
            return walk.fault(Finding.INSERTED, sequence, number, at, "its place in the chain is taken")
        if sequence > expected:
            gone = sequence - expected
            detail = f"{gone} rows are gone before row {number}" if gone > 1 else f"it is gone before row {number}"
            return walk.fault(Finding.REMOVED, expected, None, at, detail)
        fault = self._link(walk, number, found, contents)
        if fault is not None:
            return fault
        if number <= walk.numbered:
            return walk.fault(Finding.REORDERED, sequence, number, at, f"it stands before row {walk.numbered}")
        walk.last, walk.numbered, walk.at, walk.rows = Place(sequence, found), number, at, walk.rows + 1
        return None

    def _link(self, walk: _Walk, number: int, found: object, contents: Mapping[str, Any]) -> Fault | None:
        """Look at a row that is where it should be: is it what was written there?"""
        one, sequence, at = walk.chain, walk.last.sequence + 1, contents["at"]
        try:
            whole = isinstance(found, bytes) and walk.keys.links(
                walk.last.hash, line_of(one.book, one.writer, sequence, contents), found
            )
        except SealBroken as broken:
            finding = Finding.KEY if _is_missing(walk.keys, found) else Finding.CHANGED
            return walk.fault(finding, sequence, number, at, str(broken))
        if not whole:
            detail = self._origin(walk, found, contents) or "it is not what was written there"
            return walk.fault(Finding.CHANGED, sequence, number, at, detail)
        if sequence == one.head.sequence and found != one.head.hash:
            return walk.fault(Finding.HEAD, sequence, number, at, "the chain's head is another row's")
        return None

    def _origin(self, walk: _Walk, found: object, contents: Mapping[str, Any]) -> str | None:
        """Tell which chain a row is from that was put at its place of another one, whole."""
        sequence, book = walk.last.sequence + 1, walk.chain.book
        for one in self._chains():
            if one.book is not book or one.of_before or one.number == walk.chain.number:
                continue
            before = self._hash_at(one, sequence - 1)
            line = line_of(book, one.writer, sequence, contents)
            if before is not None and isinstance(found, bytes) and walk.keys.links(before, line, found):
                return f"it is that of {one.writer}"
        return None

    def _hash_at(self, one: Chain, sequence: int) -> bytes | None:
        if sequence == one.anchor.sequence:
            return one.anchor.hash
        table = TABLES[one.book]
        row = self._one(select(table.c.hash).where(table.c.chain == one.number, table.c.sequence == sequence), {})
        return row.hash if row is not None and isinstance(row.hash, bytes) else None

    # what is in no chain

    def _missing(self, chains: Sequence[Chain]) -> Iterator[Fault]:
        """Yield what is wrong with the list of chains: they are numbered from 1 on without a gap."""
        before = 0
        for one in chains:
            if one.number > before + 1:
                which = f"{before + 1}" if one.number == before + 2 else f"{before + 1} to {one.number - 1}"
                yield Fault(Finding.CHAIN, None, None, detail=f"the chain of number {which} is gone")
            before = one.number
        if chains and {one.book for one in chains if one.of_before} != {*Book}:
            yield Fault(Finding.CHAIN, None, None, detail="which rows are older than the chains is not written down")

    def _of_before(self, one: Chain, keys: KeyRing) -> Fault | None:
        """Look at what was written before there were chains: no more than was noted then."""
        walk = _Walk(one, keys, one.anchor)
        fault = self._ends(walk)
        if fault is not None:
            return fault
        if self._unchained(one.book) > one.anchor.sequence:
            detail = f"more rows without a chain than the {one.anchor.sequence} that there were before the first one"
            return walk.fault(Finding.INSERTED, None, None, None, detail)
        return None

    def _strays(self, chains: Sequence[Chain]) -> Iterator[Fault]:
        """Yield the first row of each kind that belongs to no place of any chain."""
        for book, table in TABLES.items():
            mine = [one for one in chains if one.book is book]
            before = next((one.head.sequence for one in mine if one.of_before), 0) if chains else None
            real = [one.number for one in mine if not one.of_before]
            # By now: one may have begun meanwhile.
            known = select(chain.c.number).where(chain.c.book == book.value, chain.c.writer != BEFORE)
            stray = [and_(table.c.chain.is_not(None), table.c.chain.not_in(known))]
            stray += [and_(table.c.chain.is_not(None), table.c.sequence.is_(None))]
            stray += [] if before is None else [and_(table.c.chain.is_(None), table.c.number > before)]
            for condition in stray:
                yield from self._first(book, condition, "it belongs to no chain")
            for number in real:
                row = self._one(_CHAIN, {"which": number})
                if row is not None:
                    behind = and_(table.c.chain == number, table.c.sequence <= row.anchor_sequence)
                    yield from self._first(book, behind, "rows of its age were removed", row.writer)

    def _first(
        self, book: Book, condition: ColumnElement[bool], detail: str, writer: str | None = None
    ) -> Iterator[Fault]:
        table = TABLES[book]
        statement = (
            select(table.c.number, table.c.sequence, table.c.at).where(condition).order_by(table.c.number).limit(1)
        )
        row = self._one(statement, {})
        if row is not None:
            at = row.at if isinstance(row.at, float) else None
            yield Fault(Finding.INSERTED, book, writer, row.sequence, row.number, at, detail)

    def _unchained(self, book: Book) -> int:
        table = TABLES[book]
        row = self._one(select(func.count()).select_from(table).where(table.c.chain.is_(None)), {})
        return 0 if row is None else int(row[0])

    # heads from elsewhere

    def _kept(self, chains: Sequence[Chain], head: Head) -> Kept:
        mine = [one for one in chains if (one.writer, one.book) == (head.writer, head.book)]
        if not mine:
            return Kept.GONE
        (one,) = mine
        table = TABLES[head.book]
        found = select(table.c.hash).where(table.c.chain == one.number, table.c.sequence == head.sequence)
        if any(row.hash == head.hash for row in self._all(found, {})):
            return Kept.THERE
        row = self._one(_CHAIN, {"which": one.number})  # as it is by now: the row may just have become too old
        if row is None or head.sequence > (anchor := chain_of(row).anchor).sequence:
            return Kept.GONE
        if head.sequence < anchor.sequence:
            return Kept.AGED
        return (Kept.AGED if head.sequence else Kept.THERE) if head.hash == anchor.hash else Kept.GONE

    # the database

    def _chains(self) -> tuple[Chain, ...]:
        return tuple(map(chain_of, self._all(_CHAINS, {"books": [*Book]})))

    def _one(self, statement: Any, values: Mapping[str, object]) -> Row[*tuple[Any, ...]] | None:  # noqa: ANN401 - any query
        rows = self._all(statement, values)
        return rows[0] if rows else None

    def _all(self, statement: Any, values: Mapping[str, object]) -> Sequence[Row[*tuple[Any, ...]]]:  # noqa: ANN401 - any query
        return self._database.read(lambda connection: connection.execute(statement, values).all())


def _of_audit_key(broken: Broken) -> Fault:
    finding = Finding.KEY if broken.missing else Finding.AUDIT_KEY
    return Fault(finding, None, None, detail=f"what proves the rows of key {broken.name}: {broken.why}")


def _is_hash(blob: object) -> TypeGuard[bytes]:
    return isinstance(blob, bytes) and len(blob) == 37  # noqa: PLR2004 - version, key id, SHA-256


def _is_missing(keys: KeyRing, blob: object) -> bool:
    """Tell what it means that a hash cannot be checked: its key is missing, or it is no hash at all."""
    return _is_hash(blob) and not keys.proves(blob)
