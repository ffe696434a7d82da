"""Rows stay proven when the master key that they were written under is gone, in either database."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from radius2fa.config.model import Store as Settings
from radius2fa.store.auditkeys import Broken
from radius2fa.store.backup import back_up
from radius2fa.store.engine import Store
from radius2fa.store.links import Book, Place, line_of, seal_head
from radius2fa.store.restore import restore
from radius2fa.store.seal import KeyRing, new_key_text
from radius2fa.store.sealedfile import locked_to_key
from radius2fa.store.verify import Finding
from tests.store.opening import quiet
from tests.store.test_audit import DAY, Sql, act, log_in, node, the_fault

FIRST, SECOND, THIRD = (new_key_text(os.urandom) for _ in range(3))
ALONE = KeyRing.parse(THIRD)
(FIRST_NAME,), (SECOND_NAME,), (THIRD_NAME,) = (KeyRing.parse(text).names for text in (FIRST, SECOND, THIRD))


def written(settings: Settings, keys: str, writer: str = "one") -> None:
    with closing(node(settings, writer, keys=KeyRing.parse(keys))) as store:
        log_in(store, 3)
        act(store, 3)


def rotated(settings: Settings, keys: str) -> tuple[Broken, ...]:
    with closing(node(settings, "cli", keys=KeyRing.parse(keys))) as store:
        return store.rotation.keep_proof()


def twice_rotated(settings: Settings) -> Store:
    """A store with three rows of each table under each of three keys, of which it knows the last one only."""
    written(settings, FIRST)
    written(settings, FIRST, "idle")
    assert rotated(settings, SECOND + FIRST) == ()
    written(settings, SECOND)
    assert rotated(settings, THIRD + SECOND) == ()
    written(settings, THIRD)
    return node(settings, keys=ALONE)


def test_every_row_is_proven_without_the_keys_that_it_was_written_under(settings: Settings, sql: Sql) -> None:
    with closing(twice_rotated(settings)) as store:
        verdict = store.audit.verify()
        assert (verdict.faults, verdict.rows, verdict.chains) == ((), 24, 4)
        names = sorted((FIRST_NAME, SECOND_NAME))
        assert sql("SELECT name FROM audit_key ORDER BY name") == [(name,) for name in names]
        assert {bytes(seal)[1:5].hex() for (seal,) in sql("SELECT sealed FROM audit_key")} == {THIRD_NAME}


@pytest.mark.parametrize("place", [2, 5, 8])
def test_a_row_that_was_changed_is_found_under_whichever_key(settings: Settings, sql: Sql, place: int) -> None:
    with closing(twice_rotated(settings)) as store:
        sql(f"UPDATE journal SET result = 'accept' WHERE sequence = {place} AND node = 'one'")  # noqa: S608 - our own
        fault = the_fault(store)
        assert (fault.finding, fault.writer, fault.sequence) == (Finding.CHANGED, "one/server/0", place)


def test_what_was_done_already_is_not_done_again(settings: Settings, sql: Sql) -> None:
    twice_rotated(settings).close()
    statement = "SELECT name, sealed FROM audit_key ORDER BY name"
    before, ends = sql(statement), sql("SELECT seal, anchor_seal FROM chain ORDER BY number")
    assert rotated(settings, THIRD + SECOND + FIRST) == ()
    assert (sql(statement), sql("SELECT seal, anchor_seal FROM chain ORDER BY number")) == (before, ends)


def test_a_writer_that_was_idle_meanwhile_goes_on_with_its_chain(settings: Settings) -> None:
    twice_rotated(settings).close()
    written(settings, THIRD, "idle")
    with closing(node(settings, keys=ALONE)) as store:
        verdict = store.audit.verify()
        assert (verdict.faults, verdict.rows, verdict.chains) == ((), 30, 4)


def test_old_logins_go_though_their_key_is_gone(settings: Settings) -> None:
    with closing(twice_rotated(settings)) as store:
        store.sweep(1003.0 + settings.keep_days * DAY)
        verdict = store.audit.verify()
        assert (verdict.faults, verdict.rows) == ((), 12)


@pytest.mark.parametrize("end", ["head", "anchor"])
def test_whoever_has_an_old_key_cannot_move_an_end_of_a_chain(settings: Settings, sql: Sql, end: str) -> None:
    with closing(twice_rotated(settings)) as store:
        ((number, hashed),) = sql(
            "SELECT chain, hash FROM journal WHERE sequence = 2 AND chain = "
            "(SELECT number FROM chain WHERE writer = 'idle/server/0' AND book = 'journal')"
        )
        old = KeyRing.parse(FIRST)
        octets = f"{number} journal 2 {bytes(hashed).hex()} idle/server/0".encode()
        seal = old.link(end.encode(), octets)
        if end == "head":
            assert seal == seal_head(old, number, "idle/server/0", Book.LOGINS, Place(2, bytes(hashed)))
        literal = "X'{}'" if settings.url.startswith("sqlite") else "'\\x{}'"
        column = "" if end == "head" else "anchor_"
        sql(f"DELETE FROM journal WHERE chain = {number} AND sequence {'>' if end == 'head' else '<='} 2")  # noqa: S608 - our own
        sql(
            f"UPDATE chain SET {column}sequence = 2, {column}hash = {literal.format(bytes(hashed).hex())}, "  # noqa: S608 - our own
            f"{column}seal = {literal.format(seal.hex())} WHERE number = {number}"
        )
        fault = the_fault(store)
        assert (fault.finding, fault.writer) == (Finding.HEAD, "idle/server/0")
        assert f"sealed with key {FIRST_NAME}, which is out of use" in fault.detail


def test_whoever_has_an_old_key_cannot_write_a_row_anew(sqlite_settings: Settings) -> None:
    with closing(twice_rotated(sqlite_settings)) as store:
        rewrite(sqlite_settings, result="accept")
        fault = the_fault(store)
        assert (fault.finding, fault.writer, fault.sequence) == (Finding.HEAD, "idle/server/0", 3)


def rewrite(settings: Settings, **changed: object) -> None:
    """Change all logins of the writer that was idle, and give them the hashes that the first key gives them."""
    old, last = KeyRing.parse(FIRST), b""
    with closing(sqlite3.connect(settings.url.removeprefix("sqlite:///"))) as connection, connection:
        connection.row_factory = sqlite3.Row
        for row in connection.execute("SELECT * FROM journal WHERE node = 'idle' ORDER BY sequence").fetchall():
            last = old.link(last, line_of(Book.LOGINS, "idle/server/0", row["sequence"], {**row, **changed}))
            values = {**changed, "hash": last}
            columns = ", ".join(f"{name} = :{name}" for name in values)
            connection.execute(f"UPDATE journal SET {columns} WHERE number = :row", {**values, "row": row["number"]})  # noqa: S608 - our own


def test_whoever_has_an_old_key_cannot_have_rows_removed_for_their_age(sqlite_settings: Settings) -> None:
    """They are written anew, all of them long ago, so that the server would remove them and seal that."""
    with closing(twice_rotated(sqlite_settings)) as store:
        rewrite(sqlite_settings, at=1.0)
        store.sweep(900.0 + sqlite_settings.keep_days * DAY)
        fault = the_fault(store)
        assert (fault.finding, fault.writer, fault.sequence) == (Finding.HEAD, "idle/server/0", 3)


# what happens to the table

TAMPERED = [
    ("UPDATE audit_key SET sealed = (SELECT sealed FROM audit_key WHERE name = '{b}') WHERE name = '{a}'", "altered"),
    ("UPDATE audit_key SET name = 'x' WHERE name = '{a}'", "altered"),
    ("UPDATE audit_key SET sealed = substr(sealed, 1, 12) WHERE name = '{a}'", "altered"),
    ("UPDATE audit_key SET sealed = substr(sealed, 1, 0) WHERE name = '{a}'", "form"),
]
OF_SQLITE = [
    ("UPDATE audit_key SET sealed = 7 WHERE name = '{a}'", "none"),
    ("UPDATE audit_key SET sealed = 'text' WHERE name = '{a}'", "none"),
    ("UPDATE audit_key SET name = X'ff' WHERE name = '{a}'", "none"),
]


def test_an_audit_key_that_was_tampered_with_is_named(settings: Settings, sql: Sql) -> None:
    statements = TAMPERED + (OF_SQLITE if settings.url.startswith("sqlite") else [])
    with closing(twice_rotated(settings)) as store:
        kept = sql(f"SELECT sealed FROM audit_key WHERE name = '{FIRST_NAME}'")[0][0]  # noqa: S608 - our own
        literal = ("X'{}'" if settings.url.startswith("sqlite") else "'\\x{}'").format(bytes(kept).hex())
        for statement, why in statements:
            sql(statement.format(a=FIRST_NAME, b=SECOND_NAME))
            faults = store.audit.verify().faults
            assert [why in fault.detail for fault in faults if fault.finding is Finding.AUDIT_KEY] == [True], statement
            assert [fault.finding for fault in faults if fault.finding is not Finding.AUDIT_KEY] == [Finding.KEY] * 4
            assert [FIRST_NAME in fault.detail for fault in faults if fault.finding is Finding.KEY] == [True] * 4
            assert len(store.rotation.keep_proof()) == 1
            sql(f"DELETE FROM audit_key WHERE name <> '{SECOND_NAME}'")  # noqa: S608 - our own
            sql(f"INSERT INTO audit_key (name, sealed) VALUES ('{FIRST_NAME}', {literal})")  # noqa: S608 - our own
        assert store.audit.verify().holds


def test_an_audit_key_that_was_lost_comes_back_with_its_master_key(settings: Settings, sql: Sql) -> None:
    with closing(twice_rotated(settings)) as store:
        sql("DELETE FROM audit_key")
        assert {fault.finding for fault in store.audit.verify().faults} == {Finding.KEY}
        assert rotated(settings, THIRD + FIRST + SECOND) == ()
        assert store.audit.verify().holds


def test_an_audit_key_whose_own_key_is_missing_says_so(settings: Settings) -> None:
    written(settings, FIRST)
    rotated(settings, SECOND + FIRST)
    with closing(node(settings, keys=ALONE)) as store:
        first = [fault for fault in store.audit.verify().faults if fault.book is None]
        assert [(fault.finding, SECOND_NAME in fault.detail) for fault in first] == [(Finding.KEY, True)]


def test_a_backup_takes_the_proof_along(settings: Settings, tmp_path: Path) -> None:
    twice_rotated(settings).close()
    lock, file = locked_to_key(ALONE, os.urandom), tmp_path / "a.backup"
    assert back_up(settings, file, lock, 1.0, quiet)["audit_key"] == 2
    target = Settings(url=f"sqlite:///{tmp_path}/target.db", timeout=5.0)
    restore(target, file, lock.key, ALONE, quiet)
    with closing(node(target, keys=ALONE)) as store:
        assert (store.audit.verify().faults, store.audit.verify().rows) == ((), 24)
    newest = new_key_text(os.urandom)  # and away from the key of that time
    assert rotated(target, newest + THIRD) == ()
    with closing(node(target, keys=KeyRing.parse(newest))) as store:
        assert (store.audit.verify().faults, store.audit.verify().rows) == ((), 24)


def test_an_end_that_was_tampered_with_is_not_sealed_anew(settings: Settings, sql: Sql) -> None:
    written(settings, FIRST)
    sql("DELETE FROM journal WHERE sequence = 3")
    sql(
        "UPDATE chain SET sequence = 2, hash = (SELECT hash FROM journal WHERE sequence = 2) "
        "WHERE book = 'journal' AND writer = 'one/server/0'"
    )
    rotated(settings, SECOND + FIRST)
    with closing(node(settings, keys=KeyRing.parse(SECOND))) as store:
        fault = the_fault(store)
        assert (fault.finding, fault.writer) == (Finding.HEAD, "one/server/0")


def test_a_chain_of_no_book_that_there_is_keeps_no_key_from_being_retired(settings: Settings, sql: Sql) -> None:
    written(settings, FIRST)
    sql("UPDATE chain SET book = 'ledger' WHERE number = 3")
    assert rotated(settings, SECOND + FIRST) == ()
    with closing(node(settings, keys=KeyRing.parse(SECOND))) as store:
        assert "it belongs to no chain" in [fault.detail for fault in store.audit.verify().faults]
