"""Owns the statements of a login's hot path: written in SQLAlchemy Core, compiled once, run by the driver itself.

SQLAlchemy's own execution takes 50 us of CPU a statement that the driver runs in 13 us (SQLite, measured), and a login
runs four. On PostgreSQL the round trip outweighs that, so there the statement goes SQLAlchemy's way.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Delete, Insert, Select, Update
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError

_DIALECT = sqlite.dialect(paramstyle="qmark")


class Prepared:
    """One statement. Its columns must be of types that the driver takes and gives as they are."""

    def __init__(self, statement: Select[Any] | Insert | Update | Delete) -> None:
        """Compile the statement for SQLite."""
        self._statement = statement
        compiled = statement.compile(dialect=_DIALECT)
        self._sql = str(compiled)
        self._names = tuple(compiled.positiontup or ())
        # The values that stand in the statement itself.
        self._own = {name: value for name, value in compiled.params.items() if value is not None}

    def rows(self, connection: Connection, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """Run a query and return its rows."""
        if connection.dialect.name == _DIALECT.name:
            return self._run(connection, values).fetchall()
        return connection.execute(self._statement, values).all()

    def changed(self, connection: Connection, values: Mapping[str, Any]) -> int:
        """Run a change and return how many rows it touched."""
        if connection.dialect.name == _DIALECT.name:
            return self._run(connection, values).rowcount
        return connection.execute(self._statement, values).rowcount

    def _run(self, connection: Connection, values: Mapping[str, Any]) -> sqlite3.Cursor:
        driver: sqlite3.Connection = connection.connection.dbapi_connection  # type: ignore[assignment]
        known = {**self._own, **values} if self._own else values
        try:
            return driver.execute(self._sql, [known.get(name) for name in self._names])
        except sqlite3.Error as error:
            # As SQLAlchemy would have raised it, and without the values.
            raise DBAPIError.instance(self._sql, None, error, sqlite3.Error, hide_parameters=True) from None
