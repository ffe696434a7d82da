"""Owns the reading of the whole database as it is at one moment, while others go on writing to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine

from radius2fa.config.model import Store as Settings
from radius2fa.store.database import translated
from radius2fa.store.engine import address, require_head, revision_of
from radius2fa.store.schema import REVISIONS
from radius2fa.store.sqlite import sqlite_engine


@contextmanager
def snapshot(settings: Settings) -> Iterator[tuple[Connection, str]]:
    """Give a connection to which the database stands still, and the revision of its tables.

    On SQLite that is a read of its write-ahead log, which grows meanwhile; on PostgreSQL a transaction that is
    REPEATABLE READ, READ ONLY. Neither makes anybody wait.

    Raises:
        BadUrl: the URL names no database that this program can use.
        SchemaTooOld, SchemaTooNew: there are no tables, or those of a newer program.
        Unavailable: the database does not answer.

    """
    engine = _engine(settings)
    try:
        with translated(), engine.connect() as connection:
            _begin(connection)
            revision = revision_of(connection)
            if revision not in REVISIONS:
                require_head(revision)
            yield connection, str(revision)
    finally:
        engine.dispose()


def _engine(settings: Settings) -> Engine:
    url = address(settings)
    if url.get_backend_name() == "postgresql":
        from radius2fa.store.postgresql import migration_engine  # noqa: PLC0415 - needs an extra

        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        return migration_engine(url, settings.timeout).execution_options(**options)
    if not Path(str(url.database)).exists():  # SQLite would make an empty one
        require_head(None)
    return sqlite_engine(url, settings.timeout)


def _begin(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN").close()
