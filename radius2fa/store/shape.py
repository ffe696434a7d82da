"""Owns which tables and columns a revision has, as its migrations say: older ones are read and filled by that too."""

from functools import cache

from sqlalchemy import MetaData, Table, create_engine

from radius2fa.store.upgrade import migrate

# What waits in a login or a session is for minutes, and for nobody else.
PASSING = frozenset({"challenge", "session"})
_OF_ALEMBIC = "alembic_version"


@cache
def tables_of(revision: str) -> tuple[Table, ...]:
    """Return the tables of a revision that this program knows, those that others refer to first."""
    engine = create_engine("sqlite://")
    shape = MetaData()
    try:
        with engine.begin() as connection:
            migrate(connection, revision)
            shape.reflect(connection)
    finally:
        engine.dispose()
    return tuple(table for table in shape.sorted_tables if table.name != _OF_ALEMBIC)


def kept_tables_of(revision: str) -> tuple[Table, ...]:
    """Return those of them whose rows are to last."""
    return tuple(table for table in tables_of(revision) if table.name not in PASSING)
