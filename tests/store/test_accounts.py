import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from radius2fa.login.lockout import Failures, LockoutRules
from radius2fa.login.ports import Failure, Record, Result, Standing
from radius2fa.login.reason import Reason
from radius2fa.otp.token import Kind, Token
from radius2fa.store.accounts import Account
from radius2fa.store.engine import Store
from radius2fa.store.tokens import NewToken
from tests.store.opening import standing

RULES = LockoutRules(lock_after=1)
REFUSED = Record("0b", 1000.0, "vpn", "ALICE", "192.0.2.7", Result.REJECT, Reason.WRONG_CODE, "alice-id")
WRONG = Failure("alice-id", "alice", b"hunter2-123456", RULES)


def test_somebody_without_a_token_or_a_failure_has_no_account(store: Store) -> None:
    assert store.accounts.get("alice-id") is None
    assert store.accounts.by_name("alice") == ()
    assert store.accounts.recent("alice-id", 10) == ()


def test_an_account_shows_the_name_and_the_failures(store: Store) -> None:
    store.ledger.refuse(REFUSED, WRONG, None)
    assert store.accounts.get("alice-id") == Account("alice-id", "alice", Failures(1, math.inf))


def test_a_name_finds_everybody_who_has_it_and_nobody_else(store: Store) -> None:
    for subject, name in (("2", "alice"), ("1", "alice"), ("3", "alice2")):
        store.tokens.add(NewToken(Token(subject, Kind.TOTP, b"seed"), subject, name), 1.0)
    none = Failures(0, 0.0)
    assert store.accounts.by_name("alice") == (Account("1", "alice", none), Account("2", "alice", none))


def test_an_unlock_forgets_the_failures(store: Store) -> None:
    store.ledger.refuse(REFUSED, WRONG, None)
    assert store.accounts.unlock("alice-id") is True
    assert standing(store) == Standing()
    store.ledger.refuse(REFUSED, WRONG, None)
    assert standing(store).failures.count == 1  # the same credentials count afresh
    assert store.accounts.unlock("nobody") is False


def test_everybody_who_is_kept_out_is_found_by_name(store: Store) -> None:
    for subject, name, count in (("1", "zoe", 1), ("2", "bob", 2), ("3", "carol", 3)):
        rules = LockoutRules(failures=count, delay=30.0)
        store.ledger.refuse(replace(REFUSED, subject=subject), Failure(subject, name, b"x", rules), None)
        store.ledger.refuse(replace(REFUSED, subject=subject), Failure(subject, name, b"y", rules), None)
    assert [account.name for account in store.accounts.locked(1029.9)] == ["bob", "zoe"]
    assert store.accounts.locked(1030.0) == (Account("1", "zoe", Failures(2, 1060.0)),)
    assert store.accounts.locked(1060.0) == ()
    store.ledger.refuse(REFUSED, WRONG, None)
    assert [account.name for account in store.accounts.locked(9e9)] == ["alice"]


def test_a_bypass_is_in_force_until_its_end(store: Store) -> None:
    store.accounts.bypass("zoe-id", "zoe", 1100.0, 1000.0)
    store.accounts.bypass("bob-id", "bob", 1200.0, 1000.0)
    zoe, bob = (Account(f"{name}-id", name, Failures(), until) for name, until in (("zoe", 1100.0), ("bob", 1200.0)))
    assert store.accounts.get("zoe-id") == zoe
    assert store.accounts.bypasses(1099.9) == (bob, zoe)
    assert store.accounts.bypasses(1100.0) == (bob,)
    assert store.accounts.bypasses(1200.0) == ()


def test_a_later_bypass_takes_the_place_of_the_earlier_and_keeps_the_failures(store: Store) -> None:
    store.ledger.refuse(REFUSED, WRONG, None)
    store.accounts.bypass("alice-id", "alice", 1100.0, 1000.0)
    store.accounts.bypass("alice-id", "alice.married", 1050.0, 1000.0)
    assert store.accounts.get("alice-id") == Account("alice-id", "alice.married", Failures(1, math.inf), 1050.0)


def test_a_bypass_that_is_in_force_can_be_ended_once(store: Store) -> None:
    store.accounts.bypass("alice-id", "alice", 1100.0, 1000.0)
    store.accounts.bypass("bob-id", "bob", 1100.0, 1000.0)
    assert store.accounts.end_bypass("alice-id", 1100.0) is False  # it has ended by itself
    assert store.accounts.end_bypass("alice-id", 1099.9) is True
    assert store.accounts.end_bypass("alice-id", 1099.9) is False
    assert store.accounts.end_bypass("nobody", 1099.9) is False
    assert standing(store).bypass_until == 0.0
    assert standing(store, "bob-id").bypass_until == 1100.0


def test_an_unlock_leaves_a_bypass_as_it_is(store: Store) -> None:
    store.accounts.bypass("alice-id", "alice", 1100.0, 1000.0)
    assert store.accounts.unlock("alice-id") is True
    assert standing(store).bypass_until == 1100.0


def test_the_last_records_come_the_newest_first(store: Store) -> None:
    records = [replace(REFUSED, id=f"{number}", when=1000.0) for number in range(5)]
    for record in records:
        store.ledger.refuse(record, None, None)
    store.ledger.refuse(replace(REFUSED, subject="bob-id"), None, None)
    assert store.accounts.recent("alice-id", 3) == (records[4], records[3], records[2])


def test_what_was_typed_is_neither_in_the_account_nor_in_the_journal(
    store: Store, sql: Callable[[str], list[tuple[Any, ...]]]
) -> None:
    store.ledger.refuse(REFUSED, WRONG, None)
    (digest,) = sql("SELECT failure_digest FROM account")[0]
    assert len(bytes(digest)) == 32
    everything = repr(sql("SELECT * FROM account")) + repr(sql("SELECT * FROM journal"))
    assert "hunter2" not in everything
    assert "123456" not in everything
