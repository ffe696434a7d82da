"""Owns files of rows as downloads."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from flask import Response
from werkzeug.utils import secure_filename

from radius2fa.sheet import Row, csv_lines, json_lines, safe

__all__ = ["FORMS", "Row", "csv_lines", "download", "iso", "json_lines", "safe"]

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
