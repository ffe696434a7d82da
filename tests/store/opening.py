"""Owns how the store's tests open a store, and look into its database from outside."""

import os
import sqlite3
import time
from contextlib import closing
from typing import Any

from pydantic import SecretBytes

from radius2fa.config.model import Store as Settings
from radius2fa.login.ports import Burn, Standing, Success
from radius2fa.store.engine import Store, open_store
from radius2fa.store.seal import KeyRing, new_key_text
from tests.servers.postgres import PASSWORD, Postgres

KEYS = KeyRing.parse(new_key_text(os.urandom))
THREADS = 50


def quiet(*_: object) -> None:
    """Tell nobody how far an upgrade has come."""


def opened(settings: Settings, keys: KeyRing = KEYS, threads: int = THREADS, actor: str = "server") -> Store:
    return open_store(settings, keys, threads=threads, clock=time.monotonic, random=os.urandom, actor=actor)


def standing(store: Store, subject: str = "alice-id", when: float = 1000.0) -> Standing:
    """Return what a login at an address that nobody tried anything from reads of a person."""
    return store.ledger.standing(subject, "from 192.0.2.7", when)


def using(token: str, counter: int, drift: int = 0) -> Success:
    """Return a login of Alice's with a code."""
    return Success("alice-id", "alice", Burn(token, counter, drift))


def postgres_settings(server: Postgres, name: str, **more: Any) -> Settings:
    return Settings(url=server.url(name), password=SecretBytes(PASSWORD.encode()), **more)


def query(settings: Settings, server: Postgres | None, statement: str) -> list[tuple[Any, ...]]:
    """Run a statement over a connection beside the store's."""
    if settings.url.startswith("sqlite"):
        with closing(sqlite3.connect(settings.url.removeprefix("sqlite:///"), isolation_level=None)) as connection:
            return connection.execute(statement).fetchall()
    assert server is not None
    with server.connect(settings.url.rpartition("/")[2]) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []
