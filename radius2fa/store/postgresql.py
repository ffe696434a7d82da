"""Owns PostgreSQL, the database for several nodes: its connections, their deadlines, and the second try.

Needs psycopg, which the extra `postgresql` of the package installs.
"""

import itertools
import math
from collections.abc import Callable, Generator
from typing import Any, TypeVar, cast

import psycopg
from psycopg.errors import ConnectionTimeout
from psycopg.pq import TransactionStatus
from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from radius2fa.login.ports import Unavailable
from radius2fa.store.database import BACKEND, Job, Pen, cause, translated
from radius2fa.store.pen import SLOT

T = TypeVar("T")

_GRACE = 0.25  # seconds for the server to tell by itself that it has been too long

# PostgreSQL's appendix A. Unique violations are among them since two nodes may insert the same row at the same time:
# at the second try, the job sees the other's.
_AGAIN = {"serialization_failure": "40001", "deadlock_detected": "40P01", "unique_violation": "23505"}


def postgresql_engine(url: URL, timeout: float, threads: int) -> Engine:
    """Return an engine with a connection for each thread, none of which waits longer than `timeout` (seconds)."""
    engine = create_engine(
        url,
        isolation_level="AUTOCOMMIT",  # a read takes one round trip; a write begins by itself
        connect_args=_addressed(timeout) | {"options": _deadlines(timeout)},
        hide_parameters=True,
        pool_size=threads,
        max_overflow=0,
        pool_timeout=timeout,
        pool_use_lifo=True,  # a restarted server's dead connections are found by few
    )

    @event.listens_for(engine, "do_connect")
    def _connect(_dialect: object, _record: object, arguments: list[Any], values: dict[str, Any]) -> PatientConnection:
        connection = PatientConnection.connect(*arguments, **values)
        connection.patience = timeout + _GRACE
        return connection

    slots = itertools.count()

    @event.listens_for(engine, "connect")
    def _number(_connection: object, record: ConnectionPoolEntry) -> None:
        """Give each connection a number from 0 on; one that takes a broken one's place has its number."""
        kept = cast("dict[Any, Any]", record.record_info)
        if SLOT not in kept:
            kept[SLOT] = next(slots)
        record.info[SLOT] = kept[SLOT]

    return engine


class PatientConnection(psycopg.Connection):
    """A connection that gives up when no answer comes at all.

    `statement_timeout` is the server's to keep; a server that is halted, or gone without a word, does not.
    """

    patience = math.inf  # seconds

    def wait(self, gen: Generator[Any, Any, T], interval: float = 0.1, timeout: float | None = None) -> T:
        """Wait for the server, for psycopg. When the patience ends, close, and raise ConnectionTimeout."""
        try:
            return super().wait(gen, interval, self.patience if timeout is None else timeout)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status != TransactionStatus.ACTIVE:
                raise
            self.close()  # or a late answer would be taken for that to the next statement
            raise ConnectionTimeout(f"no answer within {self.patience:g} s") from None


def migration_engine(url: URL, timeout: float) -> Engine:
    """Return an engine for statements that may take their time."""
    return create_engine(url, connect_args=_addressed(timeout), hide_parameters=True, poolclass=NullPool)


def _addressed(timeout: float) -> dict[str, object]:
    return {
        "application_name": "radius2fa",
        "connect_timeout": math.ceil(timeout),
        "tcp_user_timeout": round(timeout * 1000),
        "keepalives_idle": 30,  # a server that went away without a word is found out while nobody asks it
        "keepalives_interval": 10,
        "keepalives_count": 3,
    }


def _deadlines(timeout: float) -> str:
    wait = round(timeout * 1000)
    settings = {
        "statement_timeout": wait,
        "lock_timeout": wait,
        "idle_in_transaction_session_timeout": wait,  # a node that was halted in a transaction gives its locks back
        "synchronous_commit": "on",  # or a code could be used again after a crash
    }
    return " ".join(f"-c {name}={value}" for name, value in settings.items())


class Postgresql:
    """One PostgreSQL database, as `database.Database` says."""

    def __init__(self, url: URL, *, threads: int, timeout: float, pen: Pen) -> None:
        """Take the URL with the password, the number of threads, the longest wait in seconds, and the record's pen."""
        self._pen = pen
        self._engine = postgresql_engine(url, timeout, threads)

    def read(self, job: Job[T]) -> T:
        """Run a job of one statement that changes nothing."""
        return self._twice(self._read, job)

    def write(self, job: Job[T]) -> T:
        """Run a job in a transaction, durable when this returns."""
        return self._twice(self._write, job)

    def close(self) -> None:
        """Close every connection. No thread may be at work."""
        self._engine.dispose()

    def _twice(self, once: Callable[[Job[T]], T], job: Job[T]) -> T:
        """Try once more after a conflict with another node, or over a fresh connection if the server was restarted."""
        with translated():
            try:
                return once(job)
            except DBAPIError as error:
                if not _may_try_again(error):
                    raise
            return once(job)

    def _read(self, job: Job[T]) -> T:
        with self._engine.connect() as connection:
            return job(connection)

    def _write(self, job: Job[T]) -> T:
        with self._engine.connect() as connection:
            connection.exec_driver_sql("BEGIN").close()
            self._pen.begin(connection)
            result = job(connection)
            self._pen.settle(connection)
            try:
                connection.commit()
            except DBAPIError as error:  # it may have been committed: a second try could count twice
                raise Unavailable(BACKEND, cause(error)) from None
            return result


def _may_try_again(error: DBAPIError) -> bool:
    if isinstance(error.orig, ConnectionTimeout):
        return False  # the time is up
    return error.connection_invalidated or getattr(error.orig, "sqlstate", None) in _AGAIN.values()
