"""Owns rows for others to read on: CSV that no spreadsheet takes for formulas, and JSON lines."""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

_SIGNS = "=+@\uff1d\uff0b\uff0d\uff20-"  # how a cell begins that a spreadsheet computes, in full width too
_FORMULA = (*_SIGNS, "\t", "\r", "\n")
# Where a semicolon parts the cells, as in a German Excel, another one begins in the middle of ours.
_WITHIN = re.compile(f'([;\t\r\n])(?=[\\s"]*[{_SIGNS}])')

Row = Mapping[str, object]


def safe(value: object) -> str:
    """Return a cell as text; one that a spreadsheet would compute, or a part of it, begins with an apostrophe."""
    text = _WITHIN.sub(r"\1'", "" if value is None else str(value))
    return f"'{text}" if text.startswith(_FORMULA) else text


def csv_line(cells: Iterable[object]) -> str:
    """Return one line of a CSV file (RFC 4180)."""
    line = io.StringIO()
    csv.writer(line).writerow([safe(cell) for cell in cells])
    return line.getvalue()


def csv_lines(titles: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    """Yield the lines of a CSV file, a header first."""
    yield csv_line(titles)
    for row in rows:
        yield csv_line(row[title] for title in titles)


def json_lines(titles: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    """Yield one JSON object a line."""
    for row in rows:
        yield json.dumps({title: row[title] for title in titles}, ensure_ascii=False) + "\n"
