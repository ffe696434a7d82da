"""Owns what a row of the audit record is linked by: the octets that are hashed, and the seals of a chain's two ends.

The hash of a row is an HMAC-SHA256 under a key made from the master key, over the hash before it and a JSON array of
the table, the writer, the place in the chain, and an object of all columns that hold something, in their order. So a
column that a later revision adds, behind the others and empty in old rows, changes no hash.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from json import JSONEncoder
from typing import Any

from sqlalchemy import Row, Table

from radius2fa.store.schema import act, journal
from radius2fa.store.seal import KeyRing

BEFORE = "before"  # the writer of the two rows that say what was written before there were chains


class Book(StrEnum):
    """A table whose rows are links: how logins ended, what administrators did."""

    LOGINS = "journal"
    ACTS = "act"


TABLES: Mapping[Book, Table] = {Book.LOGINS: journal, Book.ACTS: act}
CONTENTS = {
    book: tuple(name for name in table.columns.keys() if name not in {"number", "chain", "sequence", "hash"})  # noqa: SIM118 - a collection, not a dict
    for book, table in TABLES.items()
}

# What is of another type than its column's, as SQLite lets it be, is never what was written there.
_ENCODE = JSONEncoder(separators=(",", ":"), default=lambda value: [repr(value)]).encode


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a chain: how many rows it is from the beginning, and the hash there; 0 and no octet to begin with."""

    sequence: int
    hash: bytes


START = Place(0, b"")


@dataclass(frozen=True, slots=True)
class Chain:
    """One chain as the database tells it: `head` is its last row, `anchor` the last that was removed for its age.

    They are the same row where all were removed.
    """

    number: int
    writer: str
    book: Book
    head: Place
    anchor: Place
    seal: bytes
    anchor_seal: bytes

    @property
    def is_torn(self) -> bool:
        """Whether its ends, each of them sealed, cannot be those of one chain."""
        return self.anchor.sequence > self.head.sequence or (
            self.anchor.sequence == self.head.sequence and self.anchor.hash != self.head.hash
        )

    @property
    def of_before(self) -> bool:
        """Whether it has no rows, and says what was written before: up to which number, and how many rows."""
        return self.writer == BEFORE


def chain_of(row: Row[*tuple[Any, ...]]) -> Chain:
    """Return the chain of a row of the whole table, of a book that there is.

    What is of another type than its column's, as SQLite lets it be, becomes what no seal holds.
    """
    return Chain(
        row.number,
        str(row.writer),
        Book(row.book),
        _place(row.sequence, row.hash),
        _place(row.anchor_sequence, row.anchor_hash),
        row.seal if isinstance(row.seal, bytes) else b"",
        row.anchor_seal if isinstance(row.anchor_seal, bytes) else b"",
    )


def _place(sequence: object, digest: object) -> Place:
    return Place(sequence, digest) if isinstance(sequence, int) and isinstance(digest, bytes) else Place(-1, b"")


def line_of(book: Book, writer: str, sequence: int, contents: Mapping[str, object]) -> bytes:
    """Return the octets of a row, which no other row has."""
    kept = {name: value for name in CONTENTS[book] if (value := contents[name]) is not None}
    return _ENCODE((book, writer, sequence, kept)).encode()


def seal_head(keys: KeyRing, number: int, writer: str, book: Book, head: Place) -> bytes:
    """Return what only whoever has the master key can say of a chain's last row."""
    return keys.link(b"head", _end(number, writer, book, head))


def seal_anchor(keys: KeyRing, number: int, writer: str, book: Book, anchor: Place) -> bytes:
    """Return the same of the last row that was removed."""
    return keys.link(b"anchor", _end(number, writer, book, anchor))


def head_holds(keys: KeyRing, chain: Chain) -> bool:
    """Tell whether the seal of a chain's head is ours. SealBroken, if its key is not on the ring."""
    return keys.ends(b"head", _end(chain.number, chain.writer, chain.book, chain.head), chain.seal)


def anchor_holds(keys: KeyRing, chain: Chain) -> bool:
    """Tell whether the seal of a chain's anchor is ours. SealBroken, if its key is not on the ring."""
    return keys.ends(b"anchor", _end(chain.number, chain.writer, chain.book, chain.anchor), chain.anchor_seal)


def _end(number: int, writer: str, book: Book, place: Place) -> bytes:
    return f"{number} {book} {place.sequence} {place.hash.hex()} {writer}".encode()
