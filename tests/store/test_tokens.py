import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from radius2fa.config.model import Store as Settings
from radius2fa.login.ports import Burn, Record, Result
from radius2fa.login.reason import Reason
from radius2fa.otp.token import Algorithm, Kind, Token
from radius2fa.store.engine import Store
from radius2fa.store.seal import SealBroken
from radius2fa.store.tokens import NewToken, Taken, TokenRow, TooManyTokens
from tests.store.opening import opened

Sql = Callable[[str], list[tuple[Any, ...]]]

PHONE = Token("phone", Kind.TOTP, b"12345678901234567890", digits=8, period=60, counter=47251640)
FOB = Token("fob", Kind.HOTP, b"09876543210987654321", Algorithm.SHA512, counter=7, drift=0)
PHONE_ROW = TokenRow(
    "phone",
    "alice-id",
    "alice",
    Kind.TOTP,
    Algorithm.SHA1,
    8,
    60,
    47251640,
    0,
    "iPhone",
    None,
    active=True,
    created=1.5,
    last_used=None,
)
FOB_ROW = TokenRow(
    "fob",
    "alice-id",
    "alice",
    Kind.HOTP,
    Algorithm.SHA512,
    6,
    30,
    7,
    0,
    "",
    "SN-1",
    active=True,
    created=2.5,
    last_used=None,
)


def numbered(number: int) -> Token:
    return replace(FOB, id=f"token{number}")


@pytest.fixture
def enrolled(store: Store) -> Store:
    """A store in which Alice has a phone and a fob."""
    store.tokens.add(PHONE, "alice-id", "alice", "iPhone", None, 1.5)
    store.tokens.add(FOB, "alice-id", "alice", "", "SN-1", 2.5)
    return store


def test_a_token_is_listed_as_it_was_added(enrolled: Store) -> None:
    assert enrolled.tokens.get("phone") == PHONE_ROW
    assert enrolled.tokens.list("alice-id") == (PHONE_ROW, FOB_ROW)
    assert enrolled.tokens.get("none") is None
    assert enrolled.tokens.list("bob-id") == ()


def test_all_tokens_are_listed_by_name_and_age(enrolled: Store) -> None:
    enrolled.tokens.add(numbered(1), "zoe-id", "zoe", "", None, 0.0)
    enrolled.tokens.add(numbered(2), "bob-id", "aaron", "", None, 9.0)
    assert [row.id for row in enrolled.tokens.list()] == ["token2", "phone", "fob", "token1"]


def test_a_tokens_seed_comes_back_for_whoever_asks_for_it(enrolled: Store) -> None:
    assert enrolled.tokens.secret("fob") == FOB
    assert enrolled.tokens.secret("none") is None
    assert enrolled.tokens.set_active("fob", active=False) is True
    assert enrolled.tokens.secret("fob") == FOB


def test_no_seed_is_in_the_database_in_clear(enrolled: Store, sql: Sql) -> None:
    assert enrolled.tokens.list("alice-id") != ()
    seeds = [bytes(seed) for (seed,) in sql("SELECT seed FROM token")]
    assert len(seeds) == 2
    assert not [seed for seed in seeds if PHONE.key in seed or FOB.key in seed]


def test_seeds_swapped_between_rows_do_not_open(enrolled: Store, sql: Sql) -> None:
    sql("UPDATE token SET seed = (SELECT seed FROM token WHERE id = 'phone')")
    assert enrolled.tokens.secret("phone") == PHONE
    with pytest.raises(SealBroken, match="was altered or belongs to another row"):
        enrolled.tokens.secret("fob")


def test_the_owners_name_is_the_directorys_latest(enrolled: Store) -> None:
    enrolled.tokens.add(numbered(1), "alice-id", "alice.married", "", None, 3.0)
    assert {row.name for row in enrolled.tokens.list("alice-id")} == {"alice.married"}


@pytest.mark.parametrize(
    ("token", "serial", "field", "value"),
    [(PHONE, None, "id", "phone"), (numbered(1), "SN-1", "serial", "SN-1")],
)
def test_a_taken_id_or_serial_is_named(
    enrolled: Store, token: Token, serial: str | None, field: str, value: str
) -> None:
    with pytest.raises(Taken, match=f"a token with the {field} {value} exists already") as taken:
        enrolled.tokens.add(token, "bob-id", "bob", "", serial, 3.0)
    assert (taken.value.field, taken.value.value) == (field, value)
    assert enrolled.tokens.list("bob-id") == ()


def test_tokens_without_a_serial_do_not_collide(enrolled: Store) -> None:
    enrolled.tokens.add(numbered(1), "alice-id", "alice", "", None, 3.0)
    enrolled.tokens.add(numbered(2), "alice-id", "alice", "", None, 3.0)
    assert len(enrolled.tokens.list("alice-id")) == 4


def test_a_person_has_at_most_eight_active_tokens(store: Store) -> None:
    for number in range(8):
        store.tokens.add(numbered(number), "alice-id", "alice", "", None, 1.0)
    with pytest.raises(TooManyTokens, match="alice-id would have more than 8 active tokens"):
        store.tokens.add(numbered(8), "alice-id", "alice", "", None, 1.0)
    assert store.tokens.set_active("token0", active=False) is True
    store.tokens.add(numbered(8), "alice-id", "alice", "", None, 1.0)
    with pytest.raises(TooManyTokens):
        store.tokens.set_active("token0", active=True)
    assert store.tokens.set_active("token1", active=True) is True  # it is already, and among the eight
    assert [row.id for row in store.tokens.list() if not row.active] == ["token0"]


def test_a_token_that_is_made_inactive_may_not_answer_until_it_is_active_again(enrolled: Store) -> None:
    assert enrolled.tokens.set_active("fob", active=False) is True
    assert enrolled.ledger.standing("alice-id").tokens == (PHONE,)
    assert enrolled.tokens.set_active("fob", active=True) is True
    assert {token.id for token in enrolled.ledger.standing("alice-id").tokens} == {"phone", "fob"}
    assert enrolled.tokens.set_active("none", active=True) is False


def test_a_removed_token_is_gone(enrolled: Store) -> None:
    assert enrolled.tokens.remove("phone") is True
    assert enrolled.tokens.list("alice-id") == (FOB_ROW,)
    assert enrolled.tokens.remove("phone") is False


def test_advancing_uses_up_everything_to_the_counter_once(enrolled: Store) -> None:
    assert enrolled.tokens.advance("fob", 20, 0, 5.0) is True
    assert enrolled.tokens.get("fob") == replace(FOB_ROW, counter=21, last_used=5.0)
    assert enrolled.tokens.advance("fob", 20, 0, 6.0) is False
    assert enrolled.tokens.advance("none", 20, 0, 6.0) is False
    assert enrolled.tokens.set_active("fob", active=False) is True
    assert enrolled.tokens.advance("fob", 30, 0, 6.0) is False


def test_a_code_used_by_advance_is_used_for_logins_too(enrolled: Store) -> None:
    assert enrolled.tokens.advance("phone", 47251640, -1, 5.0) is True
    record = Record("0c", 6.0, "vpn", "alice", "", Result.ACCEPT, None, "alice-id", "phone")
    used = enrolled.ledger.accept(Burn("alice-id", "phone", 47251640, -1), record, None)
    assert used is Reason.CODE_ALREADY_USED
    assert enrolled.tokens.get("phone") == replace(PHONE_ROW, counter=47251641, drift=-1, last_used=5.0)


# add_many


def test_many_tokens_are_added_at_once(store: Store) -> None:
    new = [NewToken(numbered(number), f"id{number % 300}", f"name{number % 300}") for number in range(1200)]
    store.tokens.add_many(iter(new), 1.0)
    assert Counter(row.subject for row in store.tokens.list()) == {f"id{number}": 4 for number in range(300)}
    assert store.tokens.secret("token1199") == numbered(1199)


@pytest.mark.parametrize(
    ("last", "fault"),
    [
        (NewToken(numbered(5), "bob-id", "bob"), Taken),
        (NewToken(numbered(2000), "bob-id", "bob", serial="S7"), Taken),
        (NewToken(PHONE, "bob-id", "bob"), Taken),
        (NewToken(numbered(2000), "full-id", "full"), TooManyTokens),
    ],
    ids=["id twice among them", "serial twice among them", "id taken", "too many"],
)
def test_of_many_tokens_all_are_added_or_none(store: Store, last: NewToken, fault: type[Exception]) -> None:
    store.tokens.add(PHONE, "alice-id", "alice", "", None, 1.0)
    new = [NewToken(numbered(number), f"id{number}", "x", serial=f"S{number}") for number in range(700)]
    new += [NewToken(numbered(1000 + number), "full-id", "full") for number in range(8)]
    with pytest.raises(fault):
        store.tokens.add_many([*new, last], 1.0)
    assert [row.id for row in store.tokens.list()] == ["phone"]
    assert store.accounts.get("id1") is None


def test_two_nodes_that_add_one_token_at_once_are_told_who_was_first(settings: Settings) -> None:
    with closing(opened(settings)) as one, closing(opened(settings)) as other:
        for number in range(20):
            gate, taken = threading.Barrier(2), list[str]()

            def add(store: Store, subject: str, number: int = number, gate: Any = gate, taken: Any = taken) -> None:
                gate.wait(30)
                try:
                    store.tokens.add(numbered(number), subject, subject, "", None, 1.0)
                except Taken as fault:
                    taken.append(fault.field)

            threads = [
                threading.Thread(target=add, args=(one, "alice-id")),
                threading.Thread(target=add, args=(other, f"bob-id{number}")),
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
            assert taken == ["id"]
            one.tokens.remove(f"token{number}")
