import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from radius2fa.config.model import Store as Settings
from radius2fa.login.ports import Burn, Record, Result, Success
from radius2fa.login.reason import Reason
from radius2fa.login.stages import Stages
from radius2fa.otp.token import Kind, Token, YubiKey
from radius2fa.store import retention, schema, verify
from radius2fa.store.acts import Deed
from radius2fa.store.engine import Store, open_store
from radius2fa.store.links import CONTENTS, Book
from radius2fa.store.seal import KeyRing, new_key_text
from radius2fa.store.tokens import NewToken
from radius2fa.store.verify import Fault, Finding, Head, Kept
from tests.store.opening import KEYS, query, standing

Sql = Callable[[str], list[tuple[Any, ...]]]

DAY = 86400.0
LOGIN = Record(
    "0b",
    1000.5,
    "vpn",
    "alice",
    "192.0.2.7",
    Result.REJECT,
    Reason.WRONG_CODE,
    "alice-id",
    "phone",
    "staff",
    "totp",
    "Alice",
    "SN-1",
    Stages(0.125, 1.5, 0.25, 12.0, 0.75),
)


def node(settings: Settings, name: str = "one", role: str = "server", keys: KeyRing = KEYS, threads: int = 1) -> Store:
    return open_store(
        settings, keys, threads=threads, clock=time.monotonic, random=os.urandom, actor="root", node=name, role=role
    )


def log_in(store: Store, times: int = 1, when: float = 1000.5) -> None:
    for number in range(times):
        store.ledger.refuse(replace(LOGIN, id=f"try{number}", when=when + number), None, None)


def act(store: Store, times: int = 1) -> None:
    for _ in range(times):
        store._database.write(
            lambda connection: store.acts.write(
                connection, Deed.UNLOCKED, 1000.5, subject="alice-id", name="alice", token="phone", detail="d"
            )
        )


def filled(settings: Settings) -> Store:
    """A store that one connection wrote five logins and five acts to."""
    store = node(settings)
    log_in(store, 5)
    act(store, 5)
    return store


def the_fault(store: Store) -> Fault:
    verdict = store.audit.verify()
    assert not verdict.holds
    (fault,) = verdict.faults
    return fault


def found(store: Store) -> tuple[Finding, str | None, int | None]:
    fault = the_fault(store)
    return fault.finding, fault.book, fault.sequence


def numbers(sql: Sql, table: str) -> list[int]:
    return [number for (number,) in sql(f"SELECT number FROM {table} ORDER BY number")]  # noqa: S608 - our own


# what is written


def test_a_login_is_written_with_all_that_is_known_of_it(settings: Settings) -> None:
    with closing(node(settings)) as store:
        store.ledger.refuse(LOGIN, None, None)
        assert store.accounts.recent("alice-id", 1) == (replace(LOGIN, node="one"),)


def test_a_yubikey_that_is_adopted_is_written_down_with_its_serial_number(settings: Settings) -> None:
    with closing(node(settings)) as store:
        store.tokens.add(NewToken(YubiKey("key", "cccccc", bytes(16), bytes(6)), serial="SN-2"), 1.0)
        success = Success("bob-id", "bob", Burn("key", 1, 0, adopts=True))
        record = Record("0c", 1000.0, "vpn", "bob", "", Result.ACCEPT, None, "bob-id", "key")
        assert store.ledger.accept(success, record, None) is None
        assert [login.serial for login in store.accounts.recent("bob-id", 1)] == ["SN-2"]
        assert store.audit.verify().holds


def test_the_serial_numbers_of_a_persons_tokens_are_told_with_them(settings: Settings) -> None:
    with closing(node(settings)) as store:
        for token, serial in (("phone", None), ("fob", "SN-1")):
            store.tokens.add(NewToken(Token(token, Kind.TOTP, b"1" * 20), "alice-id", "alice", serial=serial), 1.0)
        assert standing(store).serials == {"fob": "SN-1"}


def test_logins_and_acts_of_every_writer_hold(settings: Settings) -> None:
    with (
        closing(node(settings)) as one,
        closing(node(settings, "two")) as two,
        closing(node(settings, role="cli")) as cli,
    ):
        for store in (one, two, cli, one):
            log_in(store, 3)
            act(store, 2)
        verdict = cli.audit.verify()
        assert verdict.holds
        assert (verdict.rows, verdict.chains, verdict.before) == (20, 6, 0)
        assert {(head.writer, head.book): head.sequence for head in cli.audit.heads()} == {
            ("one/server/0", Book.LOGINS): 6,
            ("one/server/0", Book.ACTS): 4,
            ("two/server/0", Book.LOGINS): 3,
            ("two/server/0", Book.ACTS): 2,
            ("one/cli/0", Book.LOGINS): 3,
            ("one/cli/0", Book.ACTS): 2,
        }


def test_a_job_that_fails_leaves_no_row_for_the_next_transaction(settings: Settings) -> None:
    with closing(node(settings)) as store:

        def broken(connection: Any) -> None:
            store.acts.write(connection, Deed.UNLOCKED, 1.0)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            store._database.write(broken)
        log_in(store)
        assert store.acts.recent(None, 9) == ()
        assert store.audit.verify().rows == 1


def test_processes_of_one_name_go_on_behind_each_other(settings: Settings) -> None:
    stores = [node(settings, threads=4) for _ in range(3)]
    threads = [threading.Thread(target=log_in, args=(store, 20)) for store in stores for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    verdict = stores[0].audit.verify()
    assert (verdict.faults, verdict.rows) == ((), 240)
    for store in stores:
        store.close()


def test_each_connection_to_postgresql_has_a_chain_of_its_own(postgresql_settings: Settings) -> None:
    with closing(node(postgresql_settings, threads=3)) as store:
        gate = threading.Barrier(3)

        def job(connection: Any) -> None:
            gate.wait(30)
            store.acts.write(connection, Deed.UNLOCKED, 1.0)

        threads = [threading.Thread(target=store._database.write, args=(job,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert sorted(head.writer for head in store.audit.heads()) == [f"one/server/{slot}" for slot in range(3)]
        assert store.audit.verify().holds


# tampering

OTHERS = {"number": "1000", "chain": "99", "sequence": "77", "hash": "NULL"}


def columns(table: str) -> list[str]:
    return list(schema.metadata.tables[table].columns.keys())


@pytest.mark.parametrize(
    ("table", "column"), [(table, name) for table in ("journal", "act") for name in columns(table)]
)
def test_a_column_that_was_changed_is_found_in_its_row(settings: Settings, sql: Sql, table: str, column: str) -> None:
    kind = schema.metadata.tables[table].c[column].type.python_type
    other = OTHERS.get(column) or ("'x'" if kind is str else "7.25")
    with closing(filled(settings)) as store:
        third = numbers(sql, table)[2]
        sql(f"UPDATE {table} SET {column} = {other} WHERE number = {third}")  # noqa: S608 - our own
        faults = store.audit.verify().faults
        places = {(fault.finding, fault.sequence, fault.book) for fault in faults}
        match column:
            case "number":  # what is behind it comes before it by number
                assert places == {(Finding.REORDERED, 4, table)}
            case "chain":
                assert places == {(Finding.REMOVED, 3, table), (Finding.INSERTED, 3, table)}
            case "sequence":
                assert places == {(Finding.REMOVED, 3, table)}
            case _:
                assert [(fault.finding, fault.sequence, fault.number) for fault in faults] == [
                    (Finding.CHANGED, 3, third)
                ]


@pytest.mark.parametrize("column", [name for name in columns("journal") if name not in {*OTHERS, "result", "attempt"}])
def test_a_value_that_was_blotted_out_is_found(sqlite_settings: Settings, column: str) -> None:
    with closing(filled(sqlite_settings)) as store:
        nullable = schema.journal.c[column].nullable
        query(sqlite_settings, None, f"UPDATE journal SET {column} = {'NULL' if nullable else '0'} WHERE sequence = 2")  # noqa: S608 - our own
        assert found(store) == (Finding.CHANGED, "journal", 2)


@pytest.mark.parametrize("table", ["journal", "act"])
@pytest.mark.parametrize(("place", "finding"), [(1, Finding.REMOVED), (3, Finding.REMOVED), (5, Finding.TRUNCATED)])
def test_a_row_that_was_deleted_is_found(
    settings: Settings, sql: Sql, table: str, place: int, finding: Finding
) -> None:
    with closing(filled(settings)) as store:
        sql(f"DELETE FROM {table} WHERE sequence = {place}")  # noqa: S608 - our own
        assert found(store) == (finding, table, place)


def test_a_table_that_was_emptied_is_found(settings: Settings, sql: Sql) -> None:
    with closing(filled(settings)) as store:
        sql("DELETE FROM journal")
        assert found(store) == (Finding.TRUNCATED, "journal", 1)


def copy(sql: Sql, **changed: str) -> None:
    """Put a copy of the third login in, with some columns changed."""
    names = [name for name in columns("journal") if name != "number"]
    values = ", ".join(changed.get(name, name) for name in names)
    sql(f"INSERT INTO journal ({', '.join(names)}) SELECT {values} FROM journal WHERE sequence = 3")  # noqa: S608 - our own


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({}, (Finding.INSERTED, "journal", 3)),
        ({"sequence": "6"}, (Finding.CHANGED, "journal", 6)),
        ({"sequence": "0"}, (Finding.INSERTED, "journal", 0)),
        ({"sequence": "NULL"}, (Finding.INSERTED, "journal", None)),
        ({"chain": "99"}, (Finding.INSERTED, "journal", 3)),
        ({"chain": "1"}, (Finding.INSERTED, "journal", 3)),  # which says what was before, and has no rows
        ({"chain": "2"}, (Finding.INSERTED, "journal", 3)),
        ({"chain": "NULL", "sequence": "NULL", "hash": "NULL"}, (Finding.INSERTED, "journal", None)),
    ],
)
def test_a_row_that_was_put_in_is_found(
    settings: Settings, sql: Sql, changed: dict[str, str], place: tuple[Finding, str, int | None]
) -> None:
    with closing(filled(settings)) as store:
        copy(sql, **changed)
        assert place in [(fault.finding, fault.book, fault.sequence) for fault in store.audit.verify().faults]


@pytest.mark.parametrize("names", [["sequence"], ["hash"], ["sequence", "hash"], ["number"], [*CONTENTS[Book.LOGINS]]])
def test_rows_that_changed_places_are_found(settings: Settings, sql: Sql, names: list[str]) -> None:
    with closing(filled(settings)) as store:
        second, fourth = numbers(sql, "journal")[1::2]
        if names == ["number"]:
            for old, new in ((second, -1), (fourth, second), (-1, fourth)):
                sql(f"UPDATE journal SET number = {new} WHERE number = {old}")  # noqa: S608 - our own
        else:
            # From a copy, since SQLite would find what it has just changed.
            sql("CREATE TABLE other AS SELECT * FROM journal")
            pairs = ", ".join(
                f"{name} = (SELECT {name} FROM other WHERE number = {second + fourth} - journal.number)"  # noqa: S608 - our own
                for name in names
            )
            sql(f"UPDATE journal SET {pairs} WHERE number IN ({second}, {fourth})")  # noqa: S608 - our own
            sql("DROP TABLE other")
        finding, book, sequence = found(store)
        assert (book, finding) == ("journal", Finding.REORDERED if names == ["number"] else Finding.CHANGED)
        assert sequence == (3 if names == ["number"] else 2)


def test_the_end_of_another_chain_is_found(settings: Settings, sql: Sql) -> None:
    with closing(filled(settings)) as one, closing(node(settings, "two")) as two:
        log_in(two, 5)
        ((mine,), (other,)) = sql(
            "SELECT number FROM chain WHERE book = 'journal' AND writer <> 'before' ORDER BY number"
        )
        sql(f"DELETE FROM journal WHERE chain = {mine} AND sequence > 3")  # noqa: S608 - our own
        sql(f"UPDATE journal SET chain = {mine} WHERE chain = {other} AND sequence > 3")  # noqa: S608 - our own
        faults = one.audit.verify().faults
        assert {(fault.finding, fault.writer, fault.sequence) for fault in faults} == {
            (Finding.CHANGED, "one/server/0", 4),
            (Finding.TRUNCATED, "two/server/0", 4),
        }


def test_a_row_of_another_chain_is_found_with_where_it_is_from(settings: Settings, sql: Sql) -> None:
    with closing(filled(settings)) as one, closing(node(settings, "two")) as two:
        log_in(two, 5)
        mine = "(SELECT number FROM chain WHERE book = 'journal' AND writer = 'one/server/0')"
        sql(f"DELETE FROM journal WHERE chain = {mine} AND sequence = 3")  # noqa: S608 - our own
        sql(f"UPDATE journal SET chain = {mine} WHERE node = 'two' AND sequence = 3")  # noqa: S608 - our own
        faults = {fault.writer: fault for fault in one.audit.verify().faults}
        assert (faults["one/server/0"].finding, faults["one/server/0"].sequence) == (Finding.CHANGED, 3)
        assert faults["one/server/0"].detail == "it is that of two/server/0"
        assert faults["two/server/0"].finding is Finding.REMOVED


def test_whatever_stands_in_a_chain_is_named_and_stops_no_login(sqlite_settings: Settings) -> None:
    """SQLite takes any type in any column, and octets that are no text in a text."""
    columns = [name for name in schema.chain.columns.keys() if name != "number"]  # noqa: SIM118 - a collection
    for name in columns:
        for value in ("'x'", "X'ff'", "2.5", "-1", "9223372036854775807", "1e999", "CAST(X'ff' AS TEXT)"):
            with closing(filled(sqlite_settings)) as store:
                query(sqlite_settings, None, f"UPDATE chain SET {name} = {value} WHERE number = 3")  # noqa: S608 - our own
                store.audit.length()
                findings = {fault.finding for fault in store.audit.verify(store.audit.heads()).faults}
                assert findings & {Finding.HEAD, Finding.CHAIN}, (name, value)
                store.sweep(1e9)
            with closing(node(sqlite_settings)) as store:
                log_in(store)
            for table in ("journal", "act", "chain"):
                query(sqlite_settings, None, f"DELETE FROM {table}")  # noqa: S608 - our own


@pytest.mark.parametrize("name", ["at", "name", "person", "queue", "result", "sequence", "hash"])
def test_whatever_stands_in_a_row_is_named_and_never_goes(sqlite_settings: Settings, name: str) -> None:
    for value in ("'x'", "X'ff'", "X''", "-1.5", "1e999", "CAST(X'ff' AS TEXT)", "'a' || char(0)"):
        with closing(filled(sqlite_settings)) as store:
            query(sqlite_settings, None, f"UPDATE journal SET {name} = {value} WHERE sequence = 1")  # noqa: S608 - our own
            findings = {Finding.CHANGED} if name != "sequence" else {Finding.REMOVED, Finding.INSERTED}
            faults = [fault.finding for fault in store.audit.verify().faults]
            assert faults != [], value
            assert {*faults} <= findings, value
            store.sweep(1e9)
            assert query(sqlite_settings, None, "SELECT count(*) FROM journal") == [(5,)]
        for table in ("journal", "act", "chain"):
            query(sqlite_settings, None, f"DELETE FROM {table}")  # noqa: S608 - our own


def test_a_chain_of_a_huge_number_is_found_at_once(settings: Settings, sql: Sql) -> None:
    with closing(filled(settings)) as store:
        sql("UPDATE chain SET number = 2147483647 WHERE number = 3")
        gone = [fault.detail for fault in store.audit.verify().faults if fault.finding is Finding.CHAIN]
        assert gone == ["the chain of number 3 is gone", "the chain of number 5 to 2147483646 is gone"]


def shortened(sql: Sql) -> None:
    """Cut the last login off, and let the chain say that there never was one."""
    sql("DELETE FROM journal WHERE sequence = 5")
    sql(
        "UPDATE chain SET sequence = 4, hash = (SELECT hash FROM journal WHERE sequence = 4) "
        "WHERE book = 'journal' AND writer <> 'before'"
    )


def test_a_head_that_was_set_back_is_found(settings: Settings, sql: Sql) -> None:
    with closing(filled(settings)) as store:
        shortened(sql)
        assert found(store) == (Finding.HEAD, "journal", None)


def test_a_head_that_was_set_back_stays_found_when_logins_go_on(settings: Settings, sql: Sql) -> None:
    with closing(filled(settings)) as store:
        shortened(sql)
        log_in(store, 2)
        assert found(store) == (Finding.HEAD, "journal", None)
        assert [head.writer for head in store.audit.heads() if head.book is Book.LOGINS] == [
            "one/server/0",
            "one/server/0.1",
        ]


def test_a_head_that_was_set_back_behind_rows_that_were_removed_is_found(settings: Settings, sql: Sql) -> None:
    """Its seal is of then, and holds."""
    with closing(node(settings)) as store:
        log_in(store, 2)
        ((hashed, seal),) = sql("SELECT hash, seal FROM chain WHERE book = 'journal' AND writer <> 'before'")
        log_in(store, 3)
        store.sweep(2000.0 + settings.keep_days * DAY)
        log_in(store, 2)
        literal = "X'{}'" if settings.url.startswith("sqlite") else "'\\x{}'"
        sql("DELETE FROM journal WHERE sequence > 5")
        sql(
            f"UPDATE chain SET sequence = 2, hash = {literal.format(bytes(hashed).hex())}, "  # noqa: S608 - our own
            f"seal = {literal.format(bytes(seal).hex())} WHERE book = 'journal' AND writer <> 'before'"
        )
        assert found(store) == (Finding.HEAD, "journal", None)


def test_an_anchor_that_was_moved_is_found(settings: Settings, sql: Sql) -> None:
    with closing(filled(settings)) as store:
        sql("DELETE FROM journal WHERE sequence < 3")
        sql("UPDATE chain SET anchor_sequence = 2, anchor_hash = hash WHERE book = 'journal' AND writer <> 'before'")
        assert found(store) == (Finding.HEAD, "journal", None)


def test_a_chain_that_was_removed_with_its_rows_is_found_if_another_began_later(settings: Settings, sql: Sql) -> None:
    with closing(filled(settings)) as store:
        sql("DELETE FROM journal")
        sql("DELETE FROM chain WHERE book = 'journal' AND writer <> 'before'")
        assert the_fault(store).finding is Finding.CHAIN


def test_rows_without_their_chain_are_found(settings: Settings, sql: Sql) -> None:
    with closing(filled(settings)) as store:
        sql("DELETE FROM chain WHERE book = 'act' AND writer <> 'before'")
        assert found(store) == (Finding.INSERTED, "act", 1)


def test_hashes_of_a_missing_key_are_found_and_the_key_is_named(settings: Settings) -> None:
    filled(settings).close()
    with closing(node(settings, keys=KeyRing.parse(new_key_text(os.urandom)))) as store:
        faults = store.audit.verify().faults
        assert {fault.finding for fault in faults} == {Finding.KEY}
        assert "which is not in the master key file" in faults[0].detail


def test_after_a_new_key_the_old_rows_hold_as_long_as_the_old_key_is_on_the_ring(settings: Settings) -> None:
    old, new = new_key_text(os.urandom), new_key_text(os.urandom)
    with closing(node(settings, keys=KeyRing.parse(old))) as store:
        log_in(store, 3)
    with closing(node(settings, keys=KeyRing.parse(new + old))) as store:
        log_in(store, 3)
        verdict = store.audit.verify()
        assert (verdict.faults, verdict.rows, verdict.chains) == ((), 6, 1)


# heads that were exported


def test_an_exported_head_is_found_again_or_missed(settings: Settings) -> None:
    with closing(filled(settings)) as store:
        heads = store.audit.heads()
        log_in(store, 3)
        verdict = store.audit.verify(heads)
        assert verdict.holds
        assert {kept for _, kept in verdict.heads} == {Kept.THERE}
        strange = (
            replace(heads[0], hash=b"another"),
            Head("nobody", Book.LOGINS, 1, b""),
            replace(heads[0], sequence=99),
        )
        verdict = store.audit.verify(strange)
        assert (verdict.faults, verdict.holds) == ((), False)
        assert {kept for _, kept in verdict.heads} == {Kept.GONE}


def test_a_database_that_was_set_back_whole_is_found_by_a_head(settings: Settings, sql: Sql) -> None:
    with closing(node(settings)) as store:
        log_in(store, 2)
        ((sequence, hashed, seal),) = sql(
            "SELECT sequence, hash, seal FROM chain WHERE book = 'journal' AND writer <> 'before'"
        )
        log_in(store)
        heads = store.audit.heads()
        literal = "X'{}'" if settings.url.startswith("sqlite") else "'\\x{}'"
        sql("DELETE FROM journal WHERE sequence = 3")
        sql(
            f"UPDATE chain SET sequence = {sequence}, hash = {literal.format(hashed.hex())}, "  # noqa: S608 - our own
            f"seal = {literal.format(seal.hex())} WHERE book = 'journal' AND writer <> 'before'"
        )
        assert store.audit.verify().holds
        assert [kept for _, kept in store.audit.verify(heads).heads] == [Kept.GONE]


# old rows


def test_old_logins_go_and_what_stays_is_proven(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "AT_ONCE", 2)
    with closing(node(settings)) as store:
        log_in(store, 5, when=0.0)
        first = store.audit.heads()
        log_in(store, 2, when=50 * DAY)
        store.sweep(settings.keep_days * DAY + DAY)
        verdict = store.audit.verify(first)
        assert (verdict.faults, verdict.rows) == ((), 2)
        assert [kept for _, kept in verdict.heads] == [Kept.AGED]
        log_in(store, 1, when=51 * DAY)
        store.sweep(10_000 * DAY)
        verdict = store.audit.verify(first)
        assert (verdict.holds, verdict.rows) == (True, 0)


def test_a_row_that_was_made_old_does_not_go(settings: Settings, sql: Sql) -> None:
    with closing(filled(settings)) as store:
        sql("UPDATE journal SET at = -1e9")
        store.sweep(2000.0)
        assert sql("SELECT count(*) FROM journal") == [(5,)]
        assert found(store) == (Finding.CHANGED, "journal", 1)


def test_a_sweep_meanwhile_is_no_tampering(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "AT_ONCE", 2)
    with closing(node(settings)) as store:
        log_in(store, 5, when=0.0)
        log_in(store, 2, when=50 * DAY)
        verdict = store.audit.verify(progress=lambda _: store.sweep(settings.keep_days * DAY + DAY))
        assert verdict.faults == ()


def test_a_head_that_is_swept_away_meanwhile_is_no_tampering(settings: Settings) -> None:
    with closing(node(settings)) as store:
        log_in(store, 5, when=0.0)
        heads = store.audit.heads()
        log_in(store, 2, when=50 * DAY)
        verdict = store.audit.verify(heads, progress=lambda _: store.sweep(settings.keep_days * DAY + DAY))
        assert (verdict.holds, [kept for _, kept in verdict.heads]) == (True, [Kept.AGED])


# what was written before there were chains


def test_rows_from_before_the_chains_are_told_apart_and_none_can_be_added(settings: Settings, sql: Sql) -> None:
    sql(
        "INSERT INTO journal (attempt, at, client, name, source, result) VALUES "
        "('0a', 1, 'c', 'n', 's', 'reject'), ('0b', 2, 'c', 'n', 's', 'reject')"
    )
    with closing(node(settings)) as store:
        assert (store.audit.verify().holds, store.audit.verify().before) == (True, 2)
        log_in(store, 2)
        verdict = store.audit.verify()
        assert (verdict.holds, verdict.rows, verdict.before) == (True, 2, 2)
        store.sweep(settings.keep_days * DAY + 1.5)
        assert store.audit.verify().before == 1
        sql("INSERT INTO journal (attempt, at, client, name, source, result) VALUES ('0c', 1, 'c', 'n', 's', 'accept')")
        fault = the_fault(store)
        assert (fault.finding, fault.number) == (Finding.INSERTED, numbers(sql, "journal")[-1])


# crashes

WRITER = """
import os, sys, time
from pydantic import SecretBytes
from radius2fa.config.model import Store as Settings
from radius2fa.login.ports import Record, Result
from radius2fa.store.engine import open_store
from radius2fa.store.seal import KeyRing
password = SecretBytes(sys.argv[3].encode()) if sys.argv[3] else None
store = open_store(Settings(url=sys.argv[1], password=password), KeyRing.parse(sys.argv[2]), threads=1,
                   clock=time.monotonic, random=os.urandom, node="one")
while True:
    store.ledger.refuse(Record("0c", 1000.0, "vpn", "alice", "", Result.REJECT), None, None)
    print(flush=True)
"""


def test_what_a_kill_leaves_holds(settings: Settings) -> None:
    key = new_key_text(os.urandom)
    password = "" if settings.password is None else settings.password.get_secret_value().decode()
    for _ in range(3):
        command = [sys.executable, "-c", WRITER, settings.url, key, password]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            for _ in range(30):
                child.stdout.readline()
            child.send_signal(signal.SIGKILL)
    with closing(node(settings, keys=KeyRing.parse(key))) as store:
        verdict = store.audit.verify()
        assert (verdict.faults, verdict.chains) == ((), 1)
        assert verdict.rows >= 90


def test_times_are_hashed_as_they_are_read_again(settings: Settings) -> None:
    with closing(node(settings)) as store:
        for when in (0, 1, 0.1, 1e300, 5e-324, 1764000000.1234567, math.pi):
            store.ledger.refuse(replace(LOGIN, when=when, name="Zo\u00eb \0\ud800\u202e"), None, None)
        assert store.audit.verify().holds
