"""Owns the reading of CSV files, whatever their columns: lines, quotation marks, headers, the column of reasons.

One line is one row. What the columns mean is a Dialect's.
"""

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from radius2fa.enrol.formats.rows import BadFile, Draft, Format, Found, Rejected, Row
from radius2fa.enrol.formats.source import LONGEST, Line, Source, lines

REASON = "reason"  # the title of the column that a file of rejected rows has at its end
BOM = b"\xef\xbb\xbf"
_LOOKED_AT = 20  # rows of a file without a header: the first ones may be broken
NewId = Callable[[], str]


@dataclass(frozen=True, slots=True)
class Dialect:
    """What the columns of one maker's CSV mean.

    `titles` maps a header's titles to the names of columns, "" for one without meaning. A header has all that are
    `needed`. `headless` returns the titles of a row of a file without a header, None if the row is not of this kind.
    `read` returns the token of a row, by the columns' names; ValueError says what is wrong. `passed_over` tells of a
    row that holds no token, and should not. `wants` says how such a file is recognised.
    """

    format: Format
    titles: Mapping[str, str]
    needed: frozenset[str]
    headless: Callable[[list[str]], tuple[str, ...] | None]
    read: Callable[[Mapping[str, str], str], Draft]
    wants: str
    mended: Callable[[list[str]], list[str]] = lambda fields: fields
    passed_over: Callable[[list[str]], bool] = lambda _: False


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of one file, by the titles of its header, or by the usual ones.

    `header` is the line number of the header, 0 if there is none. `reasons` tells whether a column of reasons follows.
    """

    titles: tuple[str, ...]
    delimiter: str
    header: int = 0
    reasons: bool = False


def recognised(head: bytes, dialect: Dialect) -> Layout | None:
    """Return the layout of a file of this dialect, None if it is of none, by its first octets.

    Raises:
        BadFile: it has the dialect's header, with a title that means nothing.

    """
    rows = _first_rows(head)
    if not rows:
        return None
    number, delimiter, fields = rows[0]
    if header := _header(number, delimiter, fields, dialect):
        return header
    for _, delimiter, fields in rows:
        if titles := dialect.headless(fields):
            return Layout(titles, delimiter)
    return None


class TableFile:
    """A Reader of a CSV file."""

    suffix = "csv"

    def __init__(self, source: Source, dialect: Dialect, layout: Layout, new_id: NewId) -> None:
        """Take a file that has been recognised, and what names its tokens."""
        self.format = dialect.format
        self._source = source
        self._dialect = dialect
        self._layout = layout
        self._new_id = new_id
        self._columns = [dialect.titles.get(_plain(title), "") for title in layout.titles]

    def rows(self) -> Iterator[Row]:
        """Yield each row. Lines that are empty, or that start with `#`, hold none."""
        usual = len(self._columns) if self._layout.header else 0
        for line in lines(self._source.pieces()):
            if line.number == self._layout.header:
                continue
            try:
                fields = self._fields(line)
                if not any(fields[: len(self._columns)]) or self._dialect.passed_over(fields):
                    continue
                _require_end(line, fields, usual)
                draft = self._dialect.read(self._named(fields), self._new_id())
            except ValueError as wrong:
                yield Rejected(line.number, line.octets, str(wrong))
            else:
                usual = usual if self._layout.header else len(fields)
                yield Found(line.number, line.octets, draft)

    def notes(self) -> tuple[str, ...]:
        """Return nothing: a CSV file says no more than its rows."""
        return ()

    def opening(self) -> bytes:
        """Return a header, also where the file had none."""
        return _written([*self._layout.titles, REASON], self._layout.delimiter)

    def entry(self, rejected: Rejected) -> bytes:
        """Return the row with the reason in a last column; a line that is no row, as it stood."""
        reason = rejected.reason + rejected.detail
        line = Line(rejected.line, rejected.copy)
        try:
            fields = self._fields(line)
        except ValueError:
            return _unreadable(line, self._layout.delimiter, reason)
        missing = len(self._columns) - len(fields)
        return _written([*fields, *[""] * missing, reason], self._layout.delimiter)

    def closing(self) -> bytes:
        """Return nothing: a CSV file just ends."""
        return b""

    def _fields(self, line: Line) -> list[str]:
        """Return the fields of a line, without the reason of a rejection before.

        Raises:
            ValueError: it is no row of a CSV file.

        """
        fields = _fields(_text(line), self._layout.delimiter)
        width = len(self._columns)
        if not self._layout.header:
            fields = self._dialect.mended(fields)
        elif self._layout.reasons and len(fields) == width + 1:
            fields.pop()
        return [*fields[:width], *_trimmed(fields[width:])]

    def _named(self, fields: list[str]) -> dict[str, str]:
        width = len(self._columns)
        if len(fields) > width:
            raise ValueError(f"the row has {len(fields)} fields, and the file {width} columns")
        named = dict(zip(self._columns, fields + [""] * (width - len(fields)), strict=True))
        named.pop("", None)
        return named


def _require_end(line: Line, fields: list[str], usual: int) -> None:
    """Return unless the file ends, without the end of a line, in a row that has fewer fields than is usual."""
    if not line.ended and len(fields) < usual:
        raise ValueError("the file ends within this row: get the whole file")


def _first_rows(head: bytes) -> list[tuple[int, str, list[str]]]:
    """Return the first rows that can be read: line number, delimiter and fields."""
    found = []
    for line in lines([head]):
        try:
            text = _text(line)
            delimiter = ";" if text.count(";") > text.count(",") else ","
            fields = _trimmed(_fields(text, delimiter))
        except ValueError:
            continue
        if fields:
            found.append((line.number, delimiter, fields))
        if len(found) == _LOOKED_AT:
            break
    return found


def _header(number: int, delimiter: str, fields: list[str], dialect: Dialect) -> Layout | None:
    plain = [_plain(field) for field in fields]
    if not dialect.needed <= {dialect.titles.get(title, "") for title in plain}:
        return None
    reasons = plain[-1] == REASON
    titles = fields[:-1] if reasons else fields
    for at, title in enumerate(plain[: len(titles)], 1):
        if title not in dialect.titles:
            known = ", ".join(sorted(dialect.titles))
            raise BadFile(
                f"column {at} has a title that is not known: rename it, or remove it; known are {known}", number
            )
    columns = [column for title in plain[: len(titles)] if (column := dialect.titles[title])]
    if twice := sorted({column for column in columns if columns.count(column) > 1}):
        raise BadFile(f"several columns are the {twice[0]}: remove all but one", number)
    return Layout(tuple(titles), delimiter, number, reasons)


def _plain(title: str) -> str:
    return " ".join(title.lower().replace("_", " ").replace("-", " ").split())


def _text(line: Line) -> str:
    """Return the text of a line, nothing for a comment."""
    octets = line.octets.removeprefix(BOM) if line.number == 1 else line.octets
    if len(octets) > LONGEST:
        raise ValueError(f"the line is longer than {LONGEST // 1024} KiB: no row is, and only its beginning is kept")
    if 0 in octets:
        raise ValueError("the line holds a NUL octet: the file is damaged, or not text")
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        raise ValueError("the line is not UTF-8 (Latin-1, perhaps): save the file as UTF-8") from None
    return "" if text.startswith("#") else text


def _fields(text: str, delimiter: str) -> list[str]:
    try:
        rows = list(csv.reader([text], delimiter=delimiter, strict=True, skipinitialspace=True))
    except csv.Error:
        raise ValueError("the quotation marks of the line do not match") from None
    return [field.strip() for row in rows for field in row]


def _trimmed(fields: list[str]) -> list[str]:
    """Return fields without the empty ones at the end, of which spreadsheets write many."""
    full = [at for at, field in enumerate(fields, 1) if field]
    return fields[: full[-1]] if full else []


def _written(fields: list[str], delimiter: str) -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerow(fields)
    return text.getvalue().encode()


def _unreadable(line: Line, delimiter: str, reason: str) -> bytes:
    if len(line.octets) > LONGEST:
        return f"# line {line.number}: {reason}\n".encode()
    return line.octets + delimiter.encode() + _written([reason], delimiter)
