import math
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, text

from radius2fa.config.model import Store as Settings
from radius2fa.login.lockout import Failures
from radius2fa.login.ports import Standing, Unavailable
from radius2fa.login.reason import Reason
from radius2fa.otp.token import Algorithm, Kind, Token
from radius2fa.store import schema
from radius2fa.store.accounts import Account
from radius2fa.store.acts import Act, Deed
from radius2fa.store.engine import SchemaTooNew, SchemaTooOld, address
from radius2fa.store.seal import KeyRing
from radius2fa.store.upgrade import upgrade, writing_engine
from tests.servers.postgres import Postgres
from tests.store.opening import opened, postgres_settings, query, quiet, standing

STEPS = [
    "The first tables: people, tokens, logins that wait for their code, the journal of logins.",
    "Every second factor: YubiKeys, issued codes, a stock, validity, bypasses, places, acts of administration.",
    "The portal: its sessions, passkeys among the tokens, and the reasons that are given for acts.",
    "The audit record: who and where, how long each stage took, and the chains that rows are linked to.",
    "Accounting: what clients report of sessions.",
    "Audit keys: what proves the rows of master keys that are out of use.",
]

KEYS = KeyRing.parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n")  # the octets 0 to 31
VALUES = {
    # 12345678901234567890, sealed under these keys for the token "phone" and totp by the program of revision 0001
    "seed": bytes.fromhex(
        "01630dcd29000102030405060708090a0bef193b5fcb083d67b6a0a61e925be18afb32c2c0d79d617f4abf805b3c3e0e5bbe51e0fb"
    ),
    "octets": b"\x00\xff'",
    "for_ever": math.inf,
}
FILLING = (
    "INSERT INTO account VALUES ('alice-id', 'alice', 2, 1030.5, :octets, 1000.25)",
    "INSERT INTO account VALUES ('bob-id', 'bob', 50, :for_ever, NULL, NULL)",
    (
        "INSERT INTO token VALUES ('phone', 'alice-id', 'totp', 'SHA256', 8, 60, :seed, 47251640, -1, 47251700, 999.5,"
        " 'iPhone', 'SN-1', TRUE, 1.5, 2.5)"
    ),
    (
        "INSERT INTO token VALUES ('lost', 'alice-id', 'hotp', 'SHA512', 6, 30, :octets, 7, 0, NULL, NULL,"
        " '', NULL, FALSE, 1.75, NULL)"
    ),
    "INSERT INTO challenge VALUES ('3eb1', :octets, 1120.5)",
    (
        "INSERT INTO journal VALUES (41, '0b', 1000.5, 'vpn', 'alice', 'alice-id', '192.0.2.7', 'reject', 'wrong-code',"
        " 'phone')"
    ),
)
FILLING_OF_THE_SECOND = (
    (
        "INSERT INTO token VALUES ('key', NULL, 'yubikey', 'SHA1', 6, 30, :octets, 275, 0, NULL, NULL,"
        " '', 'SN-2', TRUE, 2.75, NULL, 'ccccccbcgujh', 3.5, :for_ever, NULL)"
    ),
    (
        "INSERT INTO token VALUES ('temporary-1', 'bob-id', 'temporary', 'SHA1', 6, 30, :octets, 1, 0, NULL, NULL,"
        " '', NULL, TRUE, 2.75, 4.5, NULL, NULL, 5.5, 3)"
    ),
    "INSERT INTO place VALUES ('from 192.0.2.7', 3, 1060.5, :octets, 1000.75)",
    "INSERT INTO act VALUES (7, 6.5, 'root', 'token-added', 'alice-id', 'alice', 'phone', 'by hand')",
    "INSERT INTO act VALUES (9, 7.5, 'root', 'tokens-imported', NULL, NULL, NULL, '')",
)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """The settings of a database without tables."""
    if request.param == "sqlite":
        yield Settings(url=f"sqlite:///{tmp_path}/100% new.db")
    else:
        postgres: Postgres = request.getfixturevalue("postgres")
        name = postgres.create()
        yield postgres_settings(postgres, name)
        postgres.drop(name)


def test_the_scripts_are_the_revisions_that_the_program_knows() -> None:
    scripts = ScriptDirectory(str(Path(schema.__file__).with_name("migrations")))
    assert tuple(reversed([script.revision for script in scripts.walk_revisions()])) == schema.REVISIONS
    assert scripts.get_current_head() == schema.HEAD


def test_an_upgrade_of_nothing_gives_exactly_the_schema(empty: Settings) -> None:
    upgrade(empty, quiet)
    engine = create_engine(address(empty))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, schema.metadata) == []
    engine.dispose()
    opened(empty).close()


def as_of_the_first_revision(settings: Settings) -> Engine:
    """Return an engine on a database that the program of revision 0001 made and filled."""
    engine = writing_engine(settings)
    with engine.begin() as connection:
        fill(connection, "0001", FILLING)
    return engine


def as_of_the_second_revision(settings: Settings) -> Engine:
    """Return an engine on a database that was upgraded to revision 0002, and filled before and afterwards."""
    engine = as_of_the_first_revision(settings)
    with engine.begin() as connection:
        fill(connection, "0002", FILLING_OF_THE_SECOND)
    return engine


def fill(connection: Connection, revision: str, filling: tuple[str, ...]) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).with_name("migrations")))
    config.attributes["connection"] = connection
    config.attributes["on_version_apply"] = lambda **_: None
    command.upgrade(config, revision)
    for statement in filling:
        used = {name: value for name, value in VALUES.items() if f":{name}" in statement}
        connection.execute(text(statement), used)


FIRST_TABLES = ("account", "token", "challenge", "journal")


def rows_of(engine: Engine, tables: tuple[str, ...] = FIRST_TABLES) -> dict[str, list[tuple[object, ...]]]:
    """Return all rows of the tables, in the order of their first column."""
    with engine.connect() as connection:
        return {
            table: [tuple(row) for row in connection.execute(text(f"SELECT * FROM {table} ORDER BY 1"))]  # noqa: S608
            for table in tables
        }


def test_an_upgrade_keeps_every_row_and_value_and_leaves_what_is_new_empty(empty: Settings) -> None:
    engine = as_of_the_first_revision(empty)
    before = rows_of(engine)
    upgrade(empty, quiet)
    assert [len(rows) for rows in before.values()] == [2, 2, 1, 1]
    assert rows_of(engine) == {
        "account": [(*row, row[2], None) for row in before["account"]],  # of what kind the failures were is not known
        "token": [row + (None,) * 4 for row in before["token"]],
        "challenge": before["challenge"],
        "journal": [row + (None,) * 13 for row in before["journal"]],
    }
    engine.dispose()


def test_an_upgrade_of_the_second_revision_keeps_every_row_and_value_and_gives_the_acts_no_reason(
    empty: Settings,
) -> None:
    engine = as_of_the_second_revision(empty)
    tables = (*FIRST_TABLES, "place", "act")
    before = rows_of(engine, tables)
    assert [len(rows) for rows in before.values()] == [2, 4, 1, 1, 1, 2]
    upgrade(empty, quiet)
    assert rows_of(engine, (*tables, "session")) == before | {
        "journal": [row + (None,) * 11 for row in before["journal"]],
        "act": [(*row, "", None, None, None, None) for row in before["act"]],
        "session": [],
    }
    engine.dispose()
    with closing(opened(empty, KEYS)) as store:
        assert store.acts.recent("alice-id", 10) == (
            Act(6.5, "root", Deed.ADDED, "alice-id", "alice", "phone", "by hand"),
        )
        store.accounts.unlock("alice-id")  # the next act has a number of its own
        assert len(store.acts.recent(None, 10)) == 3


def test_what_was_there_before_an_upgrade_is_still_understood(empty: Settings) -> None:
    as_of_the_first_revision(empty).dispose()
    upgrade(empty, quiet)
    with closing(opened(empty, KEYS)) as store:
        token = Token(
            "phone",
            Kind.TOTP,
            b"12345678901234567890",
            Algorithm.SHA256,
            digits=8,
            period=60,
            counter=47251640,
            drift=-1,
            remembered=47251700,
            remembered_at=999.5,
        )
        assert standing(store) == Standing((token,), Failures(2, 1030.5), enrolled=True, serials={"phone": "SN-1"})
        assert standing(store, "bob-id") == Standing((), Failures(50, math.inf))
        assert [row.id for row in store.tokens.list("alice-id")] == ["phone", "lost"]
        assert store.accounts.get("bob-id") == Account("bob-id", "bob", Failures(50, math.inf))
        (record,) = store.accounts.recent("alice-id", 10)
        assert (record.id, record.reason, record.policy, record.factor) == ("0b", Reason.WRONG_CODE, None, None)
        store.ledger.refuse(record, None, None)  # the next row has a number of its own
        assert len(store.accounts.recent("alice-id", 10)) == 2


def test_an_upgrade_that_fails_leaves_the_old_tables_as_they_were(empty: Settings) -> None:
    engine = as_of_the_first_revision(empty)
    before = rows_of(engine)

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        upgrade(empty, fail)
    assert rows_of(engine) == before
    engine.dispose()
    with pytest.raises(SchemaTooOld, match="revision 0001, 0006 is needed"):
        opened(empty)


def test_every_table_and_column_says_what_it_holds() -> None:
    silent = [
        f"{table.name}.{column.name}"
        for table in schema.metadata.tables.values()
        for column in table.columns
        if not (column.comment and table.comment)
    ]
    assert silent == []


def test_an_upgrade_tells_its_steps_and_a_second_one_has_none(empty: Settings) -> None:
    steps: list[tuple[str, int, int]] = []
    upgrade(empty, lambda *step: steps.append(step))
    assert steps == [(step, number, 6) for number, step in enumerate(STEPS, 1)]
    upgrade(empty, lambda *step: steps.append(step))
    assert len(steps) == 6


def test_two_nodes_may_upgrade_at_once(empty: Settings) -> None:
    steps: list[str] = []
    gate, faults = threading.Barrier(4), list[Exception]()

    def node() -> None:
        gate.wait(30)
        try:
            upgrade(empty, lambda *step: steps.append(step[0]))
        except Exception as fault:  # noqa: BLE001 - to be shown
            faults.append(fault)

    threads = [threading.Thread(target=node) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert faults == []
    assert steps == STEPS


def test_a_step_that_fails_leaves_nothing_behind(empty: Settings) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        upgrade(empty, fail)
    engine = create_engine(address(empty))
    with engine.connect() as connection:
        master = "sqlite_master" if engine.dialect.name == "sqlite" else "pg_tables WHERE schemaname = 'public'"
        assert connection.execute(text(f"SELECT count(*) FROM {master}")).scalar() == 0  # noqa: S608 - our own
    engine.dispose()


def test_tables_of_a_newer_program_are_left_alone(sqlite_settings: Settings) -> None:
    query(sqlite_settings, None, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaTooNew, match="install its newer version"):
        upgrade(sqlite_settings, quiet)
    assert query(sqlite_settings, None, "SELECT version_num FROM alembic_version") == [("9999",)]


def test_a_database_file_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"^database: .*none/store\.db: No such file or directory"):
        upgrade(Settings(url=f"sqlite:///{tmp_path}/none/store.db"), quiet)


def test_what_is_in_the_tables_outlives_a_second_upgrade(sqlite_settings: Settings) -> None:
    with closing(opened(sqlite_settings)) as store:
        before = store.tokens.list()
    upgrade(sqlite_settings, quiet)
    with closing(opened(sqlite_settings)) as store:
        assert store.tokens.list() == before
