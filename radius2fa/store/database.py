"""Owns what the tables' modules ask of a database, whichever it is, and how its breakdowns are told."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError, DataError, DBAPIError, IntegrityError, InterfaceError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from radius2fa.login.ports import Unavailable

T = TypeVar("T")
Job = Callable[[Connection], T]

BACKEND = "database"


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


@contextmanager
def translated() -> Iterator[None]:
    """Turn the errors of a broken or late database into Unavailable, without their values; a bug's pass."""
    try:
        yield
    except PoolTimeout:
        raise Unavailable(BACKEND, "no connection became free in time") from None
    except (DataError, IntegrityError, ProgrammingError):
        raise
    except (DatabaseError, InterfaceError) as error:
        raise Unavailable(BACKEND, cause(error)) from None


def cause(error: DBAPIError) -> str:
    """Return the first line of what the driver says; further lines may quote values of a row."""
    return (str(error.orig).splitlines() or [type(error.orig).__name__])[0]
