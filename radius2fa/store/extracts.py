"""Owns what a support bundle tells of the tables: how many rows, and the last lines of the records, for strangers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, func, select, text

from radius2fa.config.model import Store as Settings
from radius2fa.store.shape import tables_of
from radius2fa.store.snapshot import snapshot

Pseudonym = Callable[[str, str], str]  # what sort of name, and the name

# Of the records, these columns are told as they are, those under a pseudonym, and no others.
_RECORDS = ("journal", "act")
_PLAIN = frozenset({"number", "attempt", "at", "client", "result", "reason", "token", "policy", "factor", "what"})
_NAMED = {"name": "user", "subject": "person", "source": "address", "who": "actor"}


@dataclass(frozen=True, slots=True)
class Extract:
    """What is told: the kind and version of the database, its revision, rows by table, the last records by table."""

    kind: str
    version: str
    revision: str
    counts: Mapping[str, int]
    records: Mapping[str, list[dict[str, Any]]]


def extract(settings: Settings, rows: int, pseudonym: Pseudonym | None) -> Extract:
    """Return what is told of the database, with the last so many rows of each record.

    Names of people, and addresses that they come from, have pseudonyms, or stay as they are where `pseudonym` is None.
    What was typed as a name that led to nobody never stays: it may have been a password.

    Raises:
        BadUrl, SchemaTooOld, SchemaTooNew, Unavailable: as `snapshot` does.

    """
    with snapshot(settings) as (connection, revision):
        tables = tables_of(revision)
        return Extract(
            connection.dialect.name,
            _version(connection),
            revision,
            {t.name: connection.execute(select(func.count()).select_from(t)).scalar_one() for t in tables},
            {t.name: _last(connection, t, rows, pseudonym) for t in tables if t.name in _RECORDS},
        )


def _version(connection: Connection) -> str:
    statement = "SELECT sqlite_version()" if connection.dialect.name == "sqlite" else "SHOW server_version"
    return str(connection.execute(text(statement)).scalar_one())


def _last(connection: Connection, table: Table, rows: int, pseudonym: Pseudonym | None) -> list[dict[str, Any]]:
    number = next(iter(table.primary_key))
    found = connection.execute(select(table).order_by(number.desc()).limit(rows)).mappings().all()
    return [_told(dict(row), pseudonym) for row in reversed(found)]


def _told(row: dict[str, Any], pseudonym: Pseudonym | None) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for column, value in row.items():
        if column in _PLAIN:
            told[column] = value
        elif column in _NAMED:
            told[column] = _name(_NAMED[column], value, pseudonym, known=row.get("subject") is not None)
    return told


def _name(sort: str, value: str | None, pseudonym: Pseudonym | None, *, known: bool) -> str | None:
    if not value:
        return value
    if pseudonym is not None:
        return pseudonym(sort, value)
    return value if known or sort != "user" else f"(nobody's name, of {len(value)} characters)"
