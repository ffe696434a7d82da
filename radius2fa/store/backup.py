"""Owns the backup: every row that is to last, in a form that either database can be filled from, in a sealed file.

What is sealed is JSON, one value a line, compressed by gzip. The first line is {"files": {name: text}}; then for each
table {"table": name, "columns": [...]} and, as often as needed, {"rows": [[...], ...]}, an octet string being
{"base64": text}; at last {"end": {table: rows}}. The header in clear (`sealedfile`) tells the version of this form, the
revision of the tables, when the backup was made and by which version.
"""

import base64
import gzip
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Table, func, select

from radius2fa import __version__
from radius2fa.config.model import Store as Settings
from radius2fa.store.engine import SchemaTooNew
from radius2fa.store.schema import HEAD, REVISIONS
from radius2fa.store.sealedfile import BadBackup, Header, Lock, OpeningFile, SealingFile, read_header
from radius2fa.store.shape import kept_tables_of
from radius2fa.store.snapshot import snapshot
from radius2fa.store.wholefile import whole_file

FORM = 1
ROWS = 500  # rows in a line: what is in memory at once, here and at a restore
_LEVEL = 3  # of gzip: half the time of 6, for a file that is 5 % longer

Progress = Callable[[int, int], None]  # rows done, rows in all
Values = tuple[Any, ...]
_NO_FILES = MappingProxyType[str, str]({})


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of a table, all values in the order of its columns."""

    table: Table
    rows: Sequence[Values] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Contents:
    """What a backup holds: how many rows of each table, which keys sealed the tokens, and files by their names."""

    revision: str
    counts: Mapping[str, int]
    keys: frozenset[bytes]
    files: Mapping[str, str] = field(repr=False)


def back_up(
    settings: Settings, path: Path, lock: Lock, when: float, progress: Progress, *, files: Mapping[str, str] = _NO_FILES
) -> Mapping[str, int]:
    """Write a backup of the database as it is now, at `when` (Unix seconds), and return how many rows of each table.

    Servers may go on meanwhile. `files` are texts that go with it.

    Raises:
        BadUrl, SchemaTooOld, SchemaTooNew, Unavailable: as `snapshot` does.
        FileExistsError, OSError: as `whole_file` does.

    """
    with snapshot(settings) as (connection, revision), whole_file(path) as file:
        header = {"form": FORM, "revision": revision, "made": when, "by": __version__}
        with closing(SealingFile(file, header, lock)) as sealing, _gzip(sealing, "wb") as out:
            _line(out, {"files": dict(files)})
            counts = _tables(connection, kept_tables_of(revision), out, progress)
            _line(out, {"end": counts})
    return counts


def _tables(connection: Connection, tables: Sequence[Table], out: gzip.GzipFile, progress: Progress) -> dict[str, int]:
    total = sum(connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables)
    counts = Counter[str]()
    for table in tables:
        _line(out, {"table": table.name, "columns": table.columns.keys()})
        counts[table.name] = 0
        with connection.execution_options(yield_per=ROWS).execute(select(table)) as found:
            for rows in found.partitions():
                _line(out, {"rows": [tuple(row) for row in rows]})
                counts[table.name] += len(rows)
                progress(counts.total(), total)
    return dict(counts)


def _line(out: gzip.GzipFile, value: object) -> None:
    out.write(json.dumps(value, default=_octets, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")


def _octets(value: object) -> dict[str, str]:
    if not isinstance(value, bytes | memoryview):
        raise TypeError(type(value).__name__)
    return {"base64": base64.b64encode(value).decode()}


def _octets_of(value: dict[str, str]) -> bytes:
    return base64.b64decode(value["base64"], validate=True)


def _gzip(file: io.RawIOBase, mode: str) -> gzip.GzipFile:
    return gzip.GzipFile(filename="", mode=mode, compresslevel=_LEVEL, fileobj=file, mtime=0)


def header_of(path: Path) -> Header:
    """Return the header of a backup; nothing of it may be believed before the backup has been read.

    Raises:
        BadBackup: it is none, or damaged, or of a form that this version does not know.
        SchemaTooNew: it is of a newer program.
        OSError: it cannot be read.

    """
    with path.open("rb") as file:
        return _known(read_header(file)[0])


def _known(header: Header) -> Header:
    if header.get("form") != FORM:
        raise BadBackup("it is of a form that this version does not know: use a newer version of radius2fa")
    if header.get("revision") not in REVISIONS:
        raise SchemaTooNew(
            f"the backup is of revision {header.get('revision')}, this program knows {HEAD}: install its newer version"
        )
    return header


def read(path: Path, key: bytes, take: Callable[[Rows], None]) -> Contents:
    """Read a backup to its end, handing over its rows as they come, and return what it holds.

    Only once this has returned may what was taken be believed to be whole.

    Raises:
        BadBackup: it does not open, is damaged, or cut short.
        OSError: it cannot be read.

    """
    with path.open("rb") as file:
        header, before = read_header(file)
        with closing(OpeningFile(file, before, key)) as opening:
            reading = _Reading(str(_known(header)["revision"]), take)
            try:
                with io.BufferedReader(opening) as buffered, gzip.GzipFile(fileobj=buffered, mode="rb") as lines:
                    contents = reading.contents(map(json.loads, lines))
                if not opening.finished:
                    raise BadBackup("something stands behind its end")
            except (gzip.BadGzipFile, EOFError, KeyError, TypeError, ValueError) as wrong:
                if isinstance(wrong, BadBackup):
                    raise
                raise BadBackup("what is in it makes no sense: it was not written by radius2fa") from None
            return contents


class _Reading:
    """The lines of a backup, on their way to rows."""

    def __init__(self, revision: str, take: Callable[[Rows], None]) -> None:
        self._revision = revision
        self._take = take
        self._expected = {table.name: table for table in kept_tables_of(revision)}
        self._counts = Counter[str]()
        self._keys = set[bytes]()

    def contents(self, lines: Iterator[dict[str, Any]]) -> Contents:
        files = next(lines)["files"]
        table: Table | None = None
        for line in lines:
            if "end" in line:
                self._at_end(line["end"], lines)
                return Contents(self._revision, dict(self._counts), frozenset(self._keys), files)
            if "table" in line:
                table = self._begin(line["table"], line["columns"])
            elif table is not None:
                self._rows(table, line["rows"])
        raise BadBackup("it has no end")

    def _begin(self, name: str, columns: list[str]) -> Table:
        table = self._expected[name]
        if name in self._counts or columns != table.columns.keys():
            raise BadBackup(f"its table {name} is not that of revision {self._revision}")
        self._counts[name] = 0
        return table

    def _rows(self, table: Table, lines: list[list[Any]]) -> None:
        rows = [tuple(_octets_of(value) if isinstance(value, dict) else value for value in row) for row in lines]
        if "seed" in table.columns:
            place = table.columns.keys().index("seed")
            seeds = (row[place] for row in rows)  # of any type: SQLite takes it, and a backup takes it along
            self._keys.update(seed[1:5] for seed in seeds if isinstance(seed, bytes) and len(seed) > 1)
        self._counts[table.name] += len(rows)
        self._take(Rows(table, rows))

    def _at_end(self, counts: dict[str, int], lines: Iterator[object]) -> None:
        if counts != self._counts or self._counts.keys() != self._expected.keys() or next(lines, None) is not None:
            raise BadBackup("its rows are not those that were counted")
