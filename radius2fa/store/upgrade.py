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
        engine = _engine(settings)
        try:
            _patiently(lambda: _in_one_transaction(engine, progress))
        finally:
            engine.dispose()


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
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})
        _upgrade(connection, progress)


def _upgrade(connection: Connection, progress: Progress) -> None:
    revision = revision_of(connection)
    steps = (
        REVISIONS if revision is None else REVISIONS[REVISIONS.index(revision) + 1 :] if revision in REVISIONS else ()
    )
    if not steps:
        require_head(revision)
        return
    done = iter(range(1, len(steps) + 1))
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes["on_version_apply"] = lambda *, step, **_: progress(step.up_revision.doc, next(done), len(steps))
    command.upgrade(config, "head")


def _engine(settings: Settings) -> Engine:
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
