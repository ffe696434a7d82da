"""Owns the embedded database: SQLite with a write-ahead log, a reader per thread, one writer with shared commits."""

import sqlite3
from collections.abc import Callable
from threading import Lock, local
from typing import TypeVar, cast
from weakref import WeakSet

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from radius2fa.login.ports import Unavailable
from radius2fa.store.commit import GroupCommit
from radius2fa.store.database import BACKEND, Job, Pen, translated

T = TypeVar("T")


def sqlite_engine(url: URL, timeout: float) -> Engine:
    """Return an engine whose connections begin and commit only when told to.

    `timeout` is how long a statement waits for another process's lock, in seconds.
    """
    engine = create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        connect_args={"timeout": timeout, "check_same_thread": False},
        hide_parameters=True,
        poolclass=NullPool,
    )
    event.listen(engine, "connect", _prepare)
    return engine


def _prepare(connection: sqlite3.Connection, _: object) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()
    connection.text_factory = _text


def _text(octets: bytes) -> str:
    """Return text, whatever the octets are: one value that is no UTF-8 would make a query of many rows fail."""
    return octets.decode(errors="replace")


class Sqlite:
    """One SQLite file, as `database.Database` says."""

    def __init__(self, url: URL, *, timeout: float, clock: Callable[[], float], pen: Pen) -> None:
        """Take the file's URL, the longest wait in seconds, a clock (monotonic seconds), and the record's pen."""
        self._engine = sqlite_engine(url, timeout)
        self._own = local()  # .reader is the thread's own connection: no pool to ask, no lock to wait at
        self._readers = WeakSet[Connection]()
        self._readers_lock = Lock()
        self._writer = SqliteWriter(self._engine, pen)
        self._commits = GroupCommit(self._writer, timeout, clock)

    def read(self, job: Job[T]) -> T:
        """Run a job of one statement that changes nothing."""
        with translated():
            return job(self._reader())

    def write(self, job: Job[T]) -> T:
        """Run a job in a transaction, durable when this returns, perhaps together with others'."""
        with translated():
            return self._commits.run(job)

    def close(self) -> None:
        """Close every connection. No thread may be at work."""
        self._writer.close()
        for reader in list(self._readers):
            reader.close()

    def _reader(self) -> Connection:
        reader: Connection | None = getattr(self._own, "reader", None)
        if reader is None:
            reader = self._own.reader = self._engine.connect()
            with self._readers_lock:
                self._readers.add(reader)
        return reader


class SqliteWriter:
    """The one connection that writes, opened when it is first needed, and anew after it has broken.

    It begins and ends transactions at the driver: SQLAlchemy's own way to say two words takes longer than to write.
    """

    def __init__(self, engine: Engine, pen: Pen) -> None:
        """Take an engine of `sqlite_engine`, and the record's pen."""
        self._engine = engine
        self._pen = pen
        self._connection: Connection | None = None

    @property
    def connection(self) -> Connection:
        """The connection, opened if need be."""
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection

    def begin(self, seconds: float) -> None:
        """Begin a transaction that may write, waiting at most so long for the lock. Unavailable, if that is held."""
        driver = self._driver()
        try:
            driver.execute(f"PRAGMA busy_timeout={round(seconds * 1000)}").close()
            driver.execute("BEGIN IMMEDIATE").close()
        except sqlite3.Error as error:
            self.close()
            raise Unavailable(BACKEND, str(error)) from None
        self._pen.begin(self.connection)

    def settle(self) -> None:
        """Write the transaction's rows of the audit record."""
        self._pen.settle(self.connection)

    def commit(self) -> None:
        """Commit: one fsync of the write-ahead log. Unavailable, if that fails."""
        try:
            self._driver().commit()
        except sqlite3.Error as error:
            raise Unavailable(BACKEND, str(error)) from None

    def rollback(self) -> None:
        """Undo what was written since `begin`. A connection that cannot is given up."""
        try:
            self._driver().rollback()
        except (sqlite3.Error, SQLAlchemyError):
            self.close()

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.invalidate()  # a mere close() would try to roll back first
            self._connection.close()
            self._connection = None

    def _driver(self) -> sqlite3.Connection:
        return cast("sqlite3.Connection", self.connection.connection.dbapi_connection)
