"""Owns what the store's tests are run on: both databases, and a ledger for the conformance suite."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from radius2fa.config.model import Store as Settings
from radius2fa.store.engine import Store
from radius2fa.store.upgrade import upgrade
from tests.servers.postgres import Postgres
from tests.store.opening import opened, postgres_settings, query, quiet


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server


@pytest.fixture(scope="session")
def migrated(postgres: Postgres) -> str:
    """The name of a database at HEAD. Emptying it takes a hundredth of the time of making another."""
    name = postgres.create()
    upgrade(postgres_settings(postgres, name), quiet)
    return name


@pytest.fixture
def sqlite_settings(tmp_path: Path) -> Settings:
    settings = Settings(url=f"sqlite:///{tmp_path}/store.db", timeout=5.0)
    upgrade(settings, quiet)
    return settings


@pytest.fixture
def postgresql_settings(postgres: Postgres, migrated: str) -> Iterator[Settings]:
    yield postgres_settings(postgres, migrated, timeout=5.0)
    for table in (
        "token",
        "account",
        "place",
        "challenge",
        "session",
        "journal",
        "act",
        "chain",
        "audit_key",
        "accounting",
    ):
        postgres.execute(f"DELETE FROM {table}", migrated)  # noqa: S608 - our own names


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest) -> Settings:
    """The settings of a database at HEAD, one kind after the other."""
    found: Settings = request.getfixturevalue(f"{request.param}_settings")
    return found


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    with closing(opened(settings)) as store:
        yield store


@pytest.fixture
def sql(settings: Settings, request: pytest.FixtureRequest) -> Callable[[str], list[tuple[Any, ...]]]:
    """Runs a statement on the store's database over another connection."""
    server = None if settings.url.startswith("sqlite") else request.getfixturevalue("postgres")
    return lambda statement: query(settings, server, statement)
