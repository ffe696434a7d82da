"""Owns the restore: an empty database is filled from a backup, in one transaction, or stays as it is."""

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import BigInteger, Connection, Integer, Table, func, insert, select, text
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError, StatementError

from radius2fa.config.model import Store as Settings
from radius2fa.store.backup import Contents, Rows, read
from radius2fa.store.database import translated
from radius2fa.store.engine import require_head, revision_of
from radius2fa.store.schema import HEAD, metadata
from radius2fa.store.seal import BadKeyFile, KeyRing
from radius2fa.store.sealedfile import BadBackup
from radius2fa.store.shape import kept_tables_of, tables_of
from radius2fa.store.upgrade import be_alone, migrate, writing_engine


class NotEmpty(Exception):  # noqa: N818 - named by what is wrong
    """There are rows in the database already. The message names a table that has some."""


def restore(settings: Settings, path: Path, key: bytes, keys: KeyRing, progress: Callable[[int], None]) -> Contents:
    """Fill the empty database of the settings from a backup that the key opens, and return what came in.

    The backup is read twice: the first time to its end, before anything is touched. `progress` is told how many rows
    are in. A backup of older tables is brought to this program's.

    Raises:
        BadBackup: it does not open, is damaged, or cut short, or holds what this database does not take.
        BadKeyFile: its tokens are sealed with a key that is not among `keys`.
        NotEmpty: the database has rows already.
        BadUrl, SchemaTooOld, SchemaTooNew: the database is none of this program's.
        Unavailable: the database does not answer.
        OSError: the file cannot be read.

    """
    contents = read(path, key, lambda _: None)
    _require_keys(contents, keys)
    with translated():
        engine = writing_engine(settings)
        try:
            with engine.begin() as connection:
                be_alone(connection)
                _make_room(connection, contents.revision)
                _fill(connection, path, key, progress)
                if contents.revision != HEAD:
                    migrate(connection, HEAD)
        finally:
            engine.dispose()
    return contents


def _require_keys(contents: Contents, keys: KeyRing) -> None:
    missing = sorted(each.hex() for each in contents.keys if not keys.knows(b"\x01" + each))
    if missing:
        raise BadKeyFile(
            f"tokens in the backup are sealed with key {', '.join(missing)}, which is not in the master key file: put "
            "the key file of that time back"
        )


def _make_room(connection: Connection, revision: str) -> None:
    """Leave empty tables of the backup's revision behind."""
    present = revision_of(connection)
    if present is not None:
        require_head(present)
        _require_empty(connection)
    if present == revision:
        return
    if present is not None:
        metadata.drop_all(connection)
        connection.execute(text("DROP TABLE alembic_version"))
    migrate(connection, revision)


def _require_empty(connection: Connection) -> None:
    """Return if no table has a row, and, on PostgreSQL, let nobody add one before the end."""
    for table in tables_of(HEAD):
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"LOCK TABLE {table.name} IN ACCESS EXCLUSIVE MODE"))
        if connection.execute(select(func.count()).select_from(table)).scalar_one():
            raise NotEmpty(f"the database is not empty (table {table.name}): a restore is for an empty one only")


def _fill(connection: Connection, path: Path, key: bytes, progress: Callable[[int], None]) -> None:
    done = 0

    def take(some: Rows) -> None:
        nonlocal done
        _insert(connection, some)
        done += len(some.rows)
        progress(done)

    contents = read(path, key, take)
    if connection.dialect.name == "postgresql":
        for table in kept_tables_of(contents.revision):
            _count_on(connection, table)


def _insert(connection: Connection, some: Rows) -> None:
    """Put rows in; into SQLite every value as it is, since it takes any type in any column."""
    try:
        if connection.dialect.name == "sqlite":
            places = ", ".join("?" * len(some.table.columns))
            connection.exec_driver_sql(f"INSERT INTO {some.table.name} VALUES ({places})", list(some.rows)).close()  # noqa: S608 - a table's name
        else:
            names = some.table.columns.keys()
            connection.execute(insert(some.table), [dict(zip(names, row, strict=True)) for row in some.rows])
    except StatementError as wrong:
        if isinstance(wrong, DBAPIError) and not isinstance(wrong, DataError | IntegrityError | ProgrammingError):
            raise
        raise BadBackup(
            f"its table {some.table.name} holds what {connection.dialect.name} does not take: the database that it was "
            "made of had been tampered with; restore an older one"
        ) from None


def _count_on(connection: Connection, table: Table) -> None:
    """Let PostgreSQL number new rows from where the old ones ended."""
    key = next(iter(table.primary_key))
    if isinstance(key.type, BigInteger | Integer):
        last = select(func.max(key)).scalar_subquery()
        sequence = func.pg_get_serial_sequence(table.name, key.name)
        connection.execute(select(func.setval(sequence, last)))
