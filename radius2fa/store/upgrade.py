"""Owns `radius2fa db upgrade`: it brings a database, empty or old, to the tables of this program."""

import os
from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import OperationalError

from radius2fa.config.model import Store as Settings
from radius2fa.login.ports import Unavailable
from radius2fa.store.database import BACKEND, translated
from radius2fa.store.engine import address, require_head, revision_of
from radius2fa.store.schema import REVISIONS
from radius2fa.store.sqlite import sqlite_engine

Progress = Callable[[str, int, int], None]

_TRIES = 5
_PATIENCE = 60.0  # seconds that an upgrade waits for another one on a SQLite file
_ADVISORY_LOCK = 0x7261646975733266  # "radius2f"; any number that no other program is likely to use


def upgrade(settings: Settings, progress: Progress) -> None:
    """Bring the tables to this program's revision, in one transaction; do nothing where they are there already.

    Two nodes may start at once: the second waits for the first. `progress` is called after each step with its name, how
    many are done, and how many there are.

    Raises:
        BadUrl: the URL names no database that this program can use.
        SchemaTooNew: the tables are newer than this program.
        Unavailable: the database does not answer.

    """
    with translated():
        engine = writing_engine(settings)
        try:
            _patiently(lambda: _in_one_transaction(engine, progress))
        finally:
            engine.dispose()


def older_revision(settings: Settings) -> str | None:
    """Return the revision of the tables, if an upgrade would change them; None where there are none, or none older.

    Raises:
        BadUrl, SchemaTooNew, Unavailable: as `upgrade` does.

    """
    url = address(settings)
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists():
        return None
    with translated():
        engine = writing_engine(settings)
        try:
            with engine.connect() as connection:
                revision = revision_of(connection)
        finally:
            engine.dispose()
    if revision is not None and revision not in REVISIONS:
        require_head(revision)
    return None if revision == REVISIONS[-1] else revision


def _patiently(run: Callable[[], None]) -> None:
    """Try again where two begin with one empty SQLite file: while one makes its log, the other is not let wait."""
    for _ in range(_TRIES - 1):
        try:
            run()
        except OperationalError as error:
            if "database is locked" not in str(error.orig):
                raise
        else:
            return
    run()


def _in_one_transaction(engine: Engine, progress: Progress) -> None:
    with engine.begin() as connection:
        be_alone(connection)
        _upgrade(connection, progress)


def be_alone(connection: Connection) -> None:
    """Wait until no other node changes the shape of the tables, and let none do so in this transaction.

    On SQLite, the transaction of a `writing_engine` is alone from its beginning.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})


def _upgrade(connection: Connection, progress: Progress) -> None:
    revision = revision_of(connection)
    steps = (
        REVISIONS if revision is None else REVISIONS[REVISIONS.index(revision) + 1 :] if revision in REVISIONS else ()
    )
    if not steps:
        require_head(revision)
        return
    done = iter(range(1, len(steps) + 1))
    migrate(connection, "head", lambda name: progress(name, next(done), len(steps)))


def migrate(connection: Connection, revision: str, tell: Callable[[str], None] = lambda _: None) -> None:
    """Bring the tables of a connection up to a revision, in its transaction; tell the name of each step done."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes["on_version_apply"] = lambda *, step, **_: tell(step.up_revision.doc)
    command.upgrade(config, revision)


def writing_engine(settings: Settings) -> Engine:
    """Return an engine for long transactions on the tables as a whole; a SQLite file is made if there is none.

    Raises:
        BadUrl: the URL names no database that this program can use.
        Unavailable: the file cannot be made.

    """
    url = address(settings)
    if url.get_backend_name() == "postgresql":
        from radius2fa.store.postgresql import migration_engine  # noqa: PLC0415 - needs an extra

        return migration_engine(url, settings.timeout)
    _make_private(str(url.database))
    engine = sqlite_engine(url, _PATIENCE)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE").close())
    return engine


def _make_private(file: str) -> None:
    """Make the file, if it is not there: names and sealed seeds are not for everybody, as SQLite would have them."""
    try:
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise Unavailable(BACKEND, f"{file}: {error.strerror}") from None
