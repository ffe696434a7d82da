import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

from radius2fa.config.model import Store as Settings
from radius2fa.login.ports import Unavailable
from radius2fa.store import schema
from radius2fa.store.engine import SchemaTooNew, address
from radius2fa.store.upgrade import upgrade
from tests.servers.postgres import Postgres
from tests.store.opening import opened, postgres_settings, query, quiet

FIRST = "The first tables: people, tokens, logins that wait for their code, the journal of logins."


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
    assert steps == [(FIRST, 1, 1)]
    upgrade(empty, lambda *step: steps.append(step))
    assert len(steps) == 1


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
    assert steps == [FIRST]


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
