import math
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretBytes
from sqlalchemy import Connection

from radius2fa.config.model import Store as Settings
from radius2fa.login.lockout import Failures, LockoutRules
from radius2fa.login.ports import Failure, Record, Result, Unavailable
from radius2fa.login.reason import Reason
from radius2fa.otp.token import Kind, Token
from radius2fa.store.engine import Store
from radius2fa.store.tokens import NewToken
from tests.servers.postgres import PASSWORD, Postgres
from tests.store.opening import opened, standing, using

PHONE = Token("phone", Kind.TOTP, b"12345678901234567890")
ACCEPTED = Record("0c", 1000.0, "vpn", "alice", "", Result.ACCEPT, None, "alice-id", "phone")
REFUSED = replace(ACCEPTED, result=Result.REJECT, reason=Reason.WRONG_CODE)
BURN = using("phone", 0)
WRONG = Failure("alice-id", "alice", b"wrong", LockoutRules())


@pytest.fixture
def settings(postgresql_settings: Settings) -> Settings:
    return postgresql_settings.model_copy(update={"timeout": 1.0})


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    with closing(opened(settings)) as store:
        store.tokens.add(NewToken(PHONE, "alice-id", "alice"), 1.0)
        yield store


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("application_name", "radius2fa"),
        ("statement_timeout", "1s"),
        ("lock_timeout", "1s"),
        ("idle_in_transaction_session_timeout", "1s"),
        ("synchronous_commit", "on"),
    ],
)
def test_a_connection_says_who_it_is_and_waits_for_nothing_without_end(store: Store, setting: str, value: str) -> None:
    shown = store._database.read(lambda connection: connection.exec_driver_sql(f"SHOW {setting}").scalar())
    assert shown == value


def test_the_kernel_gives_up_on_a_server_that_went_away(store: Store) -> None:
    def parameter(name: str) -> str | None:
        return store._database.read(
            lambda connection: connection.connection.driver_connection.info.get_parameters().get(name)  # type: ignore[union-attr]
        )

    assert parameter("tcp_user_timeout") == "1000"
    assert parameter("connect_timeout") == "1"


def test_a_lock_that_another_node_keeps_is_unavailable_in_time(store: Store, postgres: Postgres, migrated: str) -> None:
    with postgres.connect(migrated) as other, other.transaction():
        other.execute("SELECT 1 FROM account WHERE subject = 'alice-id' FOR UPDATE")
        before = time.monotonic()
        with pytest.raises(Unavailable, match=r"^database: canceling statement due to"):
            store.ledger.accept(BURN, ACCEPTED, None)
        assert 0.9 < time.monotonic() - before < 4.0
    assert store.ledger.accept(BURN, ACCEPTED, None) is None


def test_a_node_that_stops_in_a_transaction_gives_its_locks_back(
    store: Store, postgres: Postgres, migrated: str
) -> None:
    def halt(connection: Connection) -> None:
        connection.exec_driver_sql("SELECT 1 FROM account FOR UPDATE").all()
        with postgres.connect(migrated) as other:
            other.execute("SELECT 1 FROM account FOR UPDATE")  # returns when the first has been cut off
        connection.exec_driver_sql("SELECT 1")

    with pytest.raises(Unavailable, match="idle-in-transaction timeout"):
        store._database.write(halt)


def test_a_server_that_was_restarted_is_used_again_without_a_failure(store: Store, postgres: Postgres) -> None:
    threads = [threading.Thread(target=standing, args=(store,)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    postgres.stop()
    postgres.start()
    assert standing(store).tokens == (PHONE,)
    postgres.stop("immediate")
    postgres.start()
    assert store.ledger.accept(BURN, ACCEPTED, None) is None


def test_a_server_that_is_down_is_unavailable_and_the_cause_holds_no_secret(store: Store, postgres: Postgres) -> None:
    postgres.stop()
    try:
        for call in (store.probe, lambda: store.ledger.refuse(REFUSED, WRONG, None)):
            with pytest.raises(Unavailable) as down:
                call()
            assert "Connection refused" in down.value.cause
            assert_no_secret(down.value)
    finally:
        postgres.start()
    store.probe()


def assert_no_secret(error: BaseException) -> None:
    assert error.__cause__ is None
    assert error.__suppress_context__
    assert PASSWORD not in str(error)
    assert "alice" not in str(error)


def test_a_wrong_password_of_the_role_is_unavailable_without_the_password(settings: Settings) -> None:
    with pytest.raises(Unavailable, match="password authentication failed") as refused:
        opened(settings.model_copy(update={"password": SecretBytes(b"a-wrong-password")}))
    assert "a-wrong-password" not in str(refused.value)


@contextmanager
def halted(postgres: Postgres) -> Iterator[None]:
    """Halt every process of the server: its kernel still acknowledges, nobody answers."""
    first = int((postgres._data / "postmaster.pid").read_text().split()[0])
    children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
    processes = [first, *map(int, children)]
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in reversed(processes):
            os.kill(process, signal.SIGCONT)


def test_a_server_that_says_nothing_at_all_is_unavailable_in_time(store: Store, postgres: Postgres) -> None:
    store.probe()
    with halted(postgres):
        before = time.monotonic()
        with pytest.raises(Unavailable, match=r"^database: no answer within 1\.25 s$"):
            standing(store)
        assert time.monotonic() - before < 3.0
    assert standing(store).tokens == (PHONE,)


def test_a_deadlock_with_another_node_is_tried_again(store: Store, postgres: Postgres, migrated: str) -> None:
    store.tokens.add(NewToken(replace(PHONE, id="b"), "bob-id", "bob"), 1.0)
    runs: list[int] = []
    with postgres.connect(migrated) as other:
        other.execute("BEGIN")
        lock(other, "bob-id")
        thread = threading.Thread(target=lambda: (lock(other, "alice-id"), other.execute("COMMIT")))

        def job(connection: Connection) -> None:
            runs.append(len(runs))
            connection.exec_driver_sql("SET LOCAL deadlock_timeout = '1ms'")  # so that this one finds it, and gives way
            driver = connection.connection.driver_connection
            lock(driver, "alice-id")
            if runs == [0]:
                thread.start()
                while not postgres_waits(postgres, migrated):
                    thread.join(0.001)
            connection.exec_driver_sql("SELECT 1 FROM account WHERE subject = 'bob-id' FOR UPDATE").all()

        store._database.write(job)
        thread.join(30)
    assert runs == [0, 1]


def lock(connection: Any, subject: str) -> None:
    connection.execute("SELECT 1 FROM account WHERE subject = %s FOR UPDATE", [subject])


def postgres_waits(postgres: Postgres, name: str) -> bool:
    with postgres.connect(name) as connection:
        return connection.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone() is not None


def test_a_commit_whose_answer_was_lost_is_not_tried_again(store: Store) -> None:
    runs = []

    def job(connection: Connection) -> None:
        runs.append(1)
        connection.exec_driver_sql("SELECT 1").all()
        connection.connection.driver_connection.pgconn.finish()  # the network breaks here

    with pytest.raises(Unavailable, match=r"^database: the connection is closed$"):
        store._database.write(job)
    assert len(runs) == 1
    assert store.ledger.accept(BURN, ACCEPTED, None) is None


def test_a_thread_too_many_waits_for_a_connection_no_longer_than_for_anything_else(settings: Settings) -> None:
    with closing(opened(settings, threads=1)) as store:
        with pytest.raises(Unavailable, match=r"^database: no connection became free in time$"):
            store._database.read(lambda _: store.probe())
        store.probe()


def test_a_lock_for_ever_is_kept_as_such(store: Store, postgres: Postgres, migrated: str) -> None:
    store.ledger.refuse(REFUSED, replace(WRONG, rules=LockoutRules(lock_after=1)), None)
    assert standing(store).failures == Failures(1, math.inf)
    with postgres.connect(migrated) as connection:
        assert connection.execute("SELECT blocked_until::text FROM account").fetchall() == [("Infinity",)]
