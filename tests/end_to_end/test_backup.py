"""A backup of a server at work, restored on a second machine: whoever had a token there logs in with it here."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from tests.end_to_end.house import House, Ready, client
from tests.end_to_end.radius import ACCEPT
from tests.servers.postgres import PASSWORD, Postgres
from tests.servers.slapd import Slapd

CLIENTS = (client("appended", "127.0.0.1"),)
LOGINS_BEFORE = 150_000  # rows, so that the backup takes a while


def grow(database: Path) -> None:
    """Let there have been many logins."""
    row = ("0b", 1000.5, "appended", "somebody", "somebody-id", "192.0.2.7", "accept")
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.executemany(
            "INSERT INTO journal (attempt, at, client, name, subject, source, result) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [row] * LOGINS_BEFORE,
        )


def test_logins_go_on_during_a_backup_and_an_old_token_works_after_its_restore(
    slapd: Slapd, ready: Ready, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("backups") / "a.backup"
    with House(tmp_path_factory.mktemp("first"), slapd, ready, clients=CLIENTS) as first:
        alice, others = first.person(), [first.person() for _ in range(12)]
        grow(first.program.database)
        used = alice.typed()
        assert first.radclient("appended", alice.uid, used).name == "Access-Accept"
        done = threading.Event()
        replies: list[int] = []

        def log_in() -> None:
            while not done.is_set() and len(replies) < 12 * 100:
                replies.extend(first.logins("appended", [(each.uid, each.typed()) for each in others]))

        logins = threading.Thread(target=log_in)
        logins.start()
        first.program.run("backup", str(file))
        during = len(replies)
        done.set()
        logins.join(60)
        assert during > 12
        assert set(replies) == {ACCEPT}

    second = House(tmp_path_factory.mktemp("second"), slapd, ready, clients=CLIENTS)
    told = second.program.run("restore", str(file)).stdout
    assert "token 13" in told
    with second:
        assert second.radclient("appended", alice.uid, used).name == "Access-Reject", "what was used stays used"
        assert second.radclient("appended", alice.uid, alice.typed()).name == "Access-Accept"


def test_a_house_moves_from_sqlite_to_postgresql_by_a_backup(
    slapd: Slapd, ready: Ready, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("backups") / "a.backup"
    house = House(tmp_path_factory.mktemp("small"), slapd, ready, clients=CLIENTS)
    alice = house.person()
    house.program.run("backup", str(file))
    with Postgres() as postgres:
        text = house.program.config.read_text()
        url = postgres.url(postgres.create()).replace("postgresql+psycopg://", "postgresql://")
        config = text.replace(f'"sqlite:///{house.program.database}"', f'"{url}"\npassword = "{PASSWORD}"')
        house.program.config.write_text(config)
        assert "token 1" in house.program.run("restore", str(file)).stdout
        with house:
            assert house.radclient("appended", alice.uid, alice.typed()).name == "Access-Accept"
        house.program.run("restore", str(file), expect=1)
