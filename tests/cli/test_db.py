import sqlite3
from contextlib import closing
from pathlib import Path

from radius2fa.store.schema import REVISIONS
from tests.cli.files import command, configured


def test_an_upgrade_makes_the_tables_of_an_empty_database_and_then_has_nothing_to_do(tmp_path: Path) -> None:
    config = configured(tmp_path)
    (tmp_path / "radius2fa.db").unlink()
    first, second = command(config, "db", "upgrade"), command(config, "db", "upgrade")
    assert first.exit_code == second.exit_code == 0
    assert first.output.strip().endswith(f"{len(REVISIONS)} step(s) done.")
    assert second.output.strip() == "The tables are up to date; nothing was to be done."


def test_tables_newer_than_the_program_are_left_alone(tmp_path: Path) -> None:
    config = configured(tmp_path)
    with closing(sqlite3.connect(tmp_path / "radius2fa.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'from-the-future'")
    done = command(config, "db", "upgrade")
    assert done.exit_code == 78
    assert "install its newer version" in done.stderr
