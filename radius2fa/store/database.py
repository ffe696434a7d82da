"""Owns what the tables' modules ask of a database, whichever it is, and how its breakdowns are told."""

from collections.abc import Callable
from types import TracebackType
from typing import Protocol, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError, DataError, DBAPIError, IntegrityError, InterfaceError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from radius2fa.login.ports import Unavailable

T = TypeVar("T")
Job = Callable[[Connection], T]

BACKEND = "database"


class Pen(Protocol):
    """Writes what a transaction is to leave in the audit record, at its end."""

    def begin(self, connection: Connection) -> None:
        """Begin a transaction: nothing is to be written yet."""
        ...

    def settle(self, connection: Connection) -> None:
        """Write it, just before the commit."""
        ...


class Database(Protocol):
    """Reads and writes. A job may be run more than once before one of its results counts."""

    def read(self, job: Job[T]) -> T:
        """Run a job of one statement that changes nothing. Unavailable, if the database is broken or late."""
        ...

    def write(self, job: Job[T]) -> T:
        """Run a job in a transaction, durable when this returns. Unavailable, if the database is broken or late."""
        ...

    def close(self) -> None:
        """Close every connection."""
        ...


class translated:  # noqa: N801 - used like a function; contextlib's generators cost a login three times as much
    """Turns the errors of a broken or late database into Unavailable, without their values; a bug's pass."""

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Look at what came out."""
        match error:
            case PoolTimeout():
                raise Unavailable(BACKEND, "no connection became free in time") from None
            case DataError() | IntegrityError() | ProgrammingError():
                return
            case DatabaseError() | InterfaceError():
                raise Unavailable(BACKEND, cause(error)) from None
            case _:
                return


def cause(error: DBAPIError) -> str:
    """Return the first line of what the driver says; further lines may quote values of a row."""
    return (str(error.orig).splitlines() or [type(error.orig).__name__])[0]
