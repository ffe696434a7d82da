import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import ClauseElement, Connection
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import ProgrammingError

from radius2fa.config.model import Store as Settings
from radius2fa.login.ports import Record, Result, Unavailable
from radius2fa.login.reason import Reason
from radius2fa.otp.token import Kind, Token
from radius2fa.store import (
    accounts,
    acts,
    adding,
    burn,
    codes,
    intake,
    journal,
    ledger,
    passkeys,
    places,
    records,
    schema,
    sessions,
    tokens,
)
from radius2fa.store import standing as standing_of
from radius2fa.store.engine import Store
from radius2fa.store.records import ActFilter, LoginFilter
from radius2fa.store.seal import KeyRing, new_key_text
from radius2fa.store.tokens import NewToken
from radius2fa.store.upgrade import upgrade
from tests.store.opening import opened, quiet, standing, using

PHONE = Token("phone", Kind.TOTP, b"12345678901234567890")
ACCEPTED = Record("0c", 1000.0, "vpn", "alice", "", Result.ACCEPT, None, "alice-id", "phone")
BURN = using("phone", 0)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(url=f"sqlite:///{tmp_path}/store.db", timeout=0.2)
    upgrade(settings, quiet)
    return settings


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    with closing(opened(settings)) as store:
        store.tokens.add(NewToken(PHONE, "alice-id", "alice"), 1.0)
        yield store


def file_of(settings: Settings) -> Path:
    return Path(settings.url.removeprefix("sqlite:///"))


def other_process(settings: Settings) -> "closing[sqlite3.Connection]":
    """Return a connection that locks as another process would: SQLite's locks are between connections."""
    return closing(sqlite3.connect(file_of(settings), isolation_level=None))


@pytest.mark.parametrize(
    ("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)], ids=str
)  # 2 is FULL
def test_a_commit_is_on_the_disk_before_the_answer(store: Store, pragma: str, value: object) -> None:
    ask = f"PRAGMA {pragma}"
    database = store._database
    assert database.read(lambda connection: connection.exec_driver_sql(ask).scalar()) == value
    assert database.write(lambda connection: connection.exec_driver_sql(ask).scalar()) == value


def test_the_files_are_their_owners_own(store: Store, settings: Settings) -> None:
    modes = {path.name: path.stat().st_mode & 0o777 for path in file_of(settings).parent.iterdir()}
    assert modes == {"store.db": 0o600, "store.db-wal": 0o600, "store.db-shm": 0o600}
    assert store.tokens.get("phone") is not None


def test_logins_that_meet_share_commits(settings: Settings) -> None:
    with closing(opened(settings.model_copy(update={"timeout": 30.0}))) as store:
        store.tokens.add(NewToken(PHONE, "alice-id", "alice"), 1.0)
        commits = []
        writer = store._database._writer  # type: ignore[attr-defined] # of SQLite
        writer.connection.connection.dbapi_connection.set_trace_callback(
            lambda statement: commits.append(statement) if statement == "COMMIT" else None
        )
        with other_process(settings) as other:
            other.execute("BEGIN IMMEDIATE")  # so that all of them come while the first waits
            threads = [
                threading.Thread(target=store.ledger.accept, args=(using("phone", number), ACCEPTED, None))
                for number in range(20)
            ]
            for thread in threads:
                thread.start()
            while len(store._database._commits._queue) < 20:  # type: ignore[attr-defined] # of SQLite
                threads[0].join(0.001)
            other.execute("COMMIT")
        for thread in threads:
            thread.join(30)
        assert commits == ["COMMIT"]
        assert len(store.accounts.recent("alice-id", 100)) == 20


def test_a_database_that_another_process_locks_is_unavailable_in_time_and_recovers(
    store: Store, settings: Settings
) -> None:
    with other_process(settings) as other:
        other.execute("BEGIN IMMEDIATE")
        before = time.monotonic()
        with pytest.raises(Unavailable, match=r"^database: database is locked$"):
            store.ledger.accept(BURN, ACCEPTED, None)
        assert 0.15 < time.monotonic() - before < 2.0
        assert standing(store).tokens == (PHONE,)  # readers do not wait
        with pytest.raises(Unavailable, match=r"^database: database is locked$"):
            store.probe()  # no login succeeds now, so clients had better ask elsewhere
        other.execute("ROLLBACK")
    assert store.ledger.accept(BURN, ACCEPTED, None) is None


def test_a_lock_that_is_given_back_in_time_is_waited_for(settings: Settings) -> None:
    with closing(opened(settings.model_copy(update={"timeout": 30.0}))) as store, other_process(settings) as other:
        other.execute("BEGIN IMMEDIATE")
        thread = threading.Thread(target=store.tokens.add, args=(NewToken(PHONE, "alice-id", "alice"), 1.0))
        thread.start()
        thread.join(0.05)
        assert thread.is_alive()
        other.execute("COMMIT")
        thread.join(30)
        assert standing(store).tokens == (PHONE,)


def test_a_full_disk_is_unavailable_and_keeps_nothing_by_halves(store: Store) -> None:
    def limit(pages: int) -> None:
        store._database.write(lambda c: c.exec_driver_sql(f"PRAGMA max_page_count={pages}").scalar())

    limit(1)  # it never shrinks: SQLite takes the pages that there are
    long = replace(ACCEPTED, name="a" * 200_000)
    with pytest.raises(Unavailable, match=r"^database: database or disk is full$"):
        store.ledger.accept(BURN, long, None)
    assert standing(store).tokens == (PHONE,)
    limit(1_000_000)
    assert store.ledger.accept(BURN, long, None) is None


def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"not a database, but long enough to look like one" * 100)
    with pytest.raises(Unavailable, match=r"^database: file is not a database$"):
        opened(Settings(url=f"sqlite:///{tmp_path}/store.db"))


def test_a_writer_whose_connection_broke_opens_another(store: Store) -> None:
    writer = store._database._writer  # type: ignore[attr-defined] # of SQLite
    writer.connection.connection.dbapi_connection.close()
    with pytest.raises(Unavailable, match="Cannot operate on a closed database"):
        store.ledger.accept(BURN, ACCEPTED, None)
    assert store.ledger.accept(BURN, ACCEPTED, None) is None


def test_a_connection_that_breaks_within_a_transaction_takes_nothing_with_it(store: Store) -> None:
    def job(connection: Connection) -> None:
        journal.write(connection, ACCEPTED, store._pen)
        connection.connection.dbapi_connection.close()

    with pytest.raises(ProgrammingError, match="Cannot operate on a closed database"):
        store._database.write(job)
    assert store.accounts.recent("alice-id", 10) == ()
    assert store.ledger.accept(BURN, ACCEPTED, None) is None


def test_a_commit_that_fails_is_unavailable_and_keeps_nothing(store: Store) -> None:
    def job(connection: Connection) -> None:
        connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
        connection.exec_driver_sql("UPDATE token SET subject = 'nobody'")  # which is found at the commit

    with pytest.raises(Unavailable, match=r"^database: FOREIGN KEY constraint failed$"):
        store._database.write(job)
    assert store.ledger.accept(BURN, ACCEPTED, None) is None


def test_closing_leaves_one_file_without_a_log(store: Store, settings: Settings) -> None:
    reader = threading.Thread(target=standing, args=(store,))
    reader.start()
    reader.join(30)
    standing(store)
    store.close()
    assert [path.name for path in file_of(settings).parent.iterdir()] == ["store.db"]


HOT = {
    "standing": standing_of._STANDING._statement,
    "stock": standing_of._STOCK.params(public_ids=["cccc", "dddd"], when=1.0),
    "held": ledger._HELD._statement,
    "end a challenge": ledger._END._statement,
    "remember": ledger._REMEMBER,
    "lock": accounts._LOCK._statement,
    "count": accounts._COUNT,
    "forget": accounts._FORGET,
    "by name": accounts._BY_NAME,
    "burn": burn._BURN._statement,
    "adopt": burn._ADOPT,
    "count a name": places._COUNT,
    "forget a place": places._FORGET._statement,
    "recent": journal._RECENT,
    "acts": acts._RECENT_OF,
    "tokens of a person": tokens._OF,
    "a token": tokens._ONE,
    "active tokens": adding._ACTIVE.params(subjects=["alice-id"]),
    "namesakes": intake._NAMESAKES.params(ids=["a", "b"], serials=["a", "b"], public_ids=["cc", "dd"]),
    "recovery codes": codes._RECOVERY_LEFT,
    "temporary codes": codes._TEMPORARY.params(owner="alice-id", when=1.0),
    "find a session": sessions._FIND,
    "use a session": sessions._TOUCH,
    "keep something in a session": sessions._KEEP,
    "prove a session": sessions._TAKE,
    "sessions of a person": sessions._OF,
    "end a session": sessions._END_ONE,
    "end all sessions": sessions._END_ALL,
    "passkeys of a person": passkeys._OF,
    "a passkey": passkeys._BY_CREDENTIAL,
    "a signature": passkeys._USED,
    "logins of a person": records._page(schema.journal, records._of_logins(LoginFilter(subject="x")), 7, 50),
    "logins of an hour": records._page(schema.journal, records._of_logins(LoginFilter(since=1.0, until=2.0)), 7, 50),
    "hours": records._HOURLY,
    "acts done to a person": records._page(schema.act, records._of_acts(ActFilter(subject="x")), 7, 50),
}


@pytest.mark.parametrize("statement", HOT.values(), ids=HOT)
def test_what_logins_and_the_helpdesk_ask_is_found_by_an_index(settings: Settings, statement: ClauseElement) -> None:
    sql = str(statement.compile(dialect=sqlite.dialect(), compile_kwargs={"render_postcompile": True}))
    with other_process(settings) as connection:
        plan = [step for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {sql}", [1] * sql.count("?"))]
    constant = {"SCAN CONSTANT ROW", "SCAN one"}  # the one row that stands in the statement itself
    assert [step for step in plan if step.startswith("SCAN") and step not in constant] == []
    assert [step for step in plan if step.startswith("SEARCH")] != []


BURNER = """
import itertools, os, sys, time
from radius2fa.config.model import Store as Settings
from radius2fa.login.ports import Burn, Record, Result, Success
from radius2fa.store.engine import open_store
from radius2fa.store.seal import KeyRing
store = open_store(Settings(url=sys.argv[1]), KeyRing.parse(sys.argv[2]), threads=1, clock=time.monotonic,
                   random=os.urandom)
for counter in itertools.count():
    record = Record("0c", 1000.0, "vpn", "alice", "", Result.ACCEPT, None, "alice-id", "phone")
    assert store.ledger.accept(Success("alice-id", "alice", Burn("phone", counter, 0)), record, None) is None
    print(counter, flush=True)
"""


def test_no_code_that_was_accepted_is_accepted_again_after_a_kill(settings: Settings) -> None:
    key = new_key_text(os.urandom)
    with closing(opened(settings, KeyRing.parse(key))) as store:
        store.tokens.add(NewToken(PHONE, "alice-id", "alice"), 1.0)
    child = subprocess.Popen([sys.executable, "-c", BURNER, settings.url, key], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    seen = [int(child.stdout.readline()) for _ in range(25)]
    child.send_signal(signal.SIGKILL)  # in the middle of one of the next
    seen += [int(line) for line in child.stdout.read().splitlines()]
    child.wait(30)
    child.stdout.close()
    with closing(opened(settings, KeyRing.parse(key))) as store:
        answers = {store.ledger.accept(using("phone", counter), ACCEPTED, None) for counter in seen}
        assert answers == {Reason.CODE_ALREADY_USED}
        records = store.accounts.recent("alice-id", 10_000)
        accepted = sum(record.result is Result.ACCEPT for record in records)
        assert accepted in {len(seen), len(seen) + 1}  # one may have been committed and not yet told
        (token,) = standing(store).tokens
        assert token.counter == accepted
