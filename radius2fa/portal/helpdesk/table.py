"""Owns files for others to read on: CSV that no spreadsheet takes for formulas, and JSON lines."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from flask import Response
from werkzeug.utils import secure_filename

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # how a cell begins that a spreadsheet computes

Row = Mapping[str, object]


def safe(value: object) -> str:
    """Return a cell as text; one that a spreadsheet would compute begins with an apostrophe."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def csv_lines(titles: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    """Yield the lines of a CSV file (RFC 4180), a header first."""
    yield _line(titles)
    for row in rows:
        yield _line([safe(row[title]) for title in titles])


def json_lines(titles: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    """Yield one JSON object a line."""
    for row in rows:
        yield json.dumps({title: row[title] for title in titles}, ensure_ascii=False) + "\n"


FORMS = {
    "csv": (csv_lines, "text/csv; charset=utf-8"),
    "jsonl": (json_lines, "application/jsonl; charset=utf-8"),
}


def download(name: str, form: str, titles: Sequence[str], rows: Iterable[Row]) -> Response:
    """Return a file of rows, which are sent as they come. `form` is one of FORMS."""
    lines, content_type = FORMS[form]
    response = Response(lines(titles, rows), content_type=content_type)
    response.headers.set("Content-Disposition", "attachment", filename=secure_filename(f"{name}.{form}"))
    return response


def iso(when: float | None) -> str | None:
    """Return a moment (Unix seconds) in local time as ISO 8601 has it."""
    return None if when is None else datetime.fromtimestamp(when).astimezone().isoformat(timespec="seconds")


def _line(cells: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()
