import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from radius2fa.config.model import Store as Settings
from radius2fa.login.ports import Record, Result, Standing, Unavailable
from radius2fa.login.reason import Reason
from radius2fa.otp.token import Algorithm, Kind, Token, YubiKey
from radius2fa.store.codes import Temporary
from radius2fa.store.engine import Store
from radius2fa.store.seal import SealBroken
from radius2fa.store.tokens import NewToken, NotTheFirst, Taken, TokenRow, TooManyTokens
from tests.store.opening import opened, standing, using

Sql = Callable[[str], list[tuple[Any, ...]]]

PHONE = Token("phone", Kind.TOTP, b"12345678901234567890", digits=8, period=60, counter=47251640)
FOB = Token("fob", Kind.HOTP, b"09876543210987654321", Algorithm.SHA512, counter=7, drift=0)
KEY = YubiKey("key", "ccccccbcgujh", bytes(range(16)), b"\x01\x02\x03\x04\x05\x06", counter=0x0113)
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
    store.tokens.add(NewToken(PHONE, "alice-id", "alice", label="iPhone"), 1.5)
    store.tokens.add(NewToken(FOB, "alice-id", "alice", serial="SN-1"), 2.5)
    return store


def test_a_token_is_listed_as_it_was_added(enrolled: Store) -> None:
    assert enrolled.tokens.get("phone") == PHONE_ROW
    assert enrolled.tokens.list("alice-id") == (PHONE_ROW, FOB_ROW)
    assert enrolled.tokens.get("none") is None
    assert enrolled.tokens.list("bob-id") == ()


def test_all_tokens_are_listed_by_name_and_age(enrolled: Store) -> None:
    enrolled.tokens.add(NewToken(numbered(1), "zoe-id", "zoe"), 0.0)
    enrolled.tokens.add(NewToken(numbered(2), "bob-id", "aaron"), 9.0)
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
    enrolled.tokens.add(NewToken(numbered(1), "alice-id", "alice.married"), 3.0)
    assert {row.name for row in enrolled.tokens.list("alice-id")} == {"alice.married"}


@pytest.mark.parametrize(
    ("token", "serial", "field", "value"),
    [(PHONE, None, "id", "phone"), (numbered(1), "SN-1", "serial", "SN-1")],
)
def test_a_taken_id_or_serial_is_named(
    enrolled: Store, token: Token, serial: str | None, field: str, value: str
) -> None:
    with pytest.raises(Taken, match=f"a token with the {field} {value} exists already") as taken:
        enrolled.tokens.add(NewToken(token, "bob-id", "bob", serial=serial), 3.0)
    assert (taken.value.field, taken.value.value) == (field, value)
    assert enrolled.tokens.list("bob-id") == ()


def test_tokens_without_a_serial_do_not_collide(enrolled: Store) -> None:
    enrolled.tokens.add(NewToken(numbered(1), "alice-id", "alice"), 3.0)
    enrolled.tokens.add(NewToken(numbered(2), "alice-id", "alice"), 3.0)
    assert len(enrolled.tokens.list("alice-id")) == 4


def test_a_person_has_at_most_eight_active_tokens(store: Store) -> None:
    for number in range(8):
        store.tokens.add(NewToken(numbered(number), "alice-id", "alice"), 1.0)
    with pytest.raises(TooManyTokens, match="alice-id would have more than 8 active tokens"):
        store.tokens.add(NewToken(numbered(8), "alice-id", "alice"), 1.0)
    assert store.tokens.set_active("token0", active=False) is True
    store.tokens.add(NewToken(numbered(8), "alice-id", "alice"), 1.0)
    with pytest.raises(TooManyTokens):
        store.tokens.set_active("token0", active=True)
    assert store.tokens.set_active("token1", active=True) is True  # it is already, and among the eight
    assert [row.id for row in store.tokens.list() if not row.active] == ["token0"]


def test_a_token_that_is_made_inactive_may_not_answer_until_it_is_active_again(enrolled: Store) -> None:
    assert enrolled.tokens.set_active("fob", active=False) is True
    assert standing(enrolled).tokens == (PHONE,)
    assert enrolled.tokens.set_active("fob", active=True) is True
    assert {token.id for token in standing(enrolled).tokens} == {"phone", "fob"}
    assert enrolled.tokens.set_active("none", active=True) is False


def test_a_removed_token_is_gone(enrolled: Store) -> None:
    assert enrolled.tokens.remove("phone") is True
    assert enrolled.tokens.list("alice-id") == (FOB_ROW,)
    assert enrolled.tokens.remove("phone") is False


def test_a_token_is_renamed(enrolled: Store) -> None:
    assert enrolled.tokens.rename("phone", "my old phone") is True
    assert enrolled.tokens.rename("fob", "\0") is True
    assert enrolled.tokens.list("alice-id") == (
        replace(PHONE_ROW, label="my old phone"),
        replace(FOB_ROW, label="\ufffd"),
    )
    assert enrolled.tokens.rename("none", "x") is False
    (code_id,) = (code.id for code in issued(enrolled))
    assert enrolled.tokens.rename(code_id, "x") is False  # which is no token


def issued(store: Store) -> tuple[Temporary, ...]:
    store.codes.new_temporary("alice-id", "alice", until=100.0, uses=1, when=1.0)
    return store.codes.of("alice-id", 1.0).temporary


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
    used = enrolled.ledger.accept(using("phone", 47251640, -1), record, None)
    assert used is Reason.CODE_ALREADY_USED
    assert enrolled.tokens.get("phone") == replace(PHONE_ROW, counter=47251641, drift=-1, last_used=5.0)


# YubiKeys, the stock, validity


def test_a_yubikeys_key_and_private_id_are_sealed_together(enrolled: Store, sql: Sql) -> None:
    enrolled.tokens.add(NewToken(KEY, "alice-id", "alice", serial="4711"), 3.0)
    assert enrolled.tokens.secret("key") == KEY
    row = enrolled.tokens.get("key")
    assert row is not None
    assert (row.kind, row.public_id, row.serial, row.counter) == (Kind.YUBIKEY, "ccccccbcgujh", "4711", 0x0113)
    ((seed,),) = sql("SELECT seed FROM token WHERE id = 'key'")
    assert len(bytes(seed)) == 17 + 16 + 6 + 16  # version, key id and nonce; key; private id; tag
    assert KEY.key not in bytes(seed)
    assert KEY.private_id not in bytes(seed)


def test_a_taken_public_id_is_named_and_an_empty_one_is_none(enrolled: Store) -> None:
    enrolled.tokens.add(NewToken(KEY), 3.0)
    with pytest.raises(Taken, match="a token with the public id ccccccbcgujh exists already"):
        enrolled.tokens.add(NewToken(replace(KEY, id="other")), 3.0)
    for number in range(2):
        enrolled.tokens.add(NewToken(replace(KEY, id=f"nameless{number}", public_id="")), 3.0)
    assert enrolled.tokens.secret("nameless1") == replace(KEY, id="nameless1", public_id="")


def test_a_token_is_found_by_its_serial_number_too_and_first_by_its_id(enrolled: Store) -> None:
    assert enrolled.tokens.get("SN-1") == FOB_ROW
    enrolled.tokens.add(NewToken(numbered(1), "alice-id", "alice", serial="fob"), 3.0)
    assert enrolled.tokens.get("fob") == FOB_ROW


def test_an_owner_has_a_name() -> None:
    for subject, name in (("alice-id", None), (None, "alice")):
        with pytest.raises(ValueError, match="name: an owner has both a subject and a name"):
            NewToken(PHONE, subject, name)


def test_the_stock_is_listed_by_serial_number_and_is_at_the_end_of_all(enrolled: Store) -> None:
    for number, serial in enumerate(("B", None, "A")):
        enrolled.tokens.add(NewToken(numbered(number), serial=serial), 0.5)
    assert [row.id for row in enrolled.tokens.list(unassigned=True)] == ["token2", "token0", "token1"]
    assert [row.id for row in enrolled.tokens.list()] == ["phone", "fob", "token0", "token1", "token2"]
    row = enrolled.tokens.get("token0")
    assert row is not None
    assert (row.subject, row.name) == (None, None)


def test_a_token_of_the_stock_is_given_to_one_person(enrolled: Store) -> None:
    enrolled.tokens.add(NewToken(numbered(1), serial="SN-2"), 3.0)
    assert enrolled.tokens.assign("token1", "bob-id", "bob", 4.0) is True
    assert standing(enrolled, "bob-id").tokens == (numbered(1),)
    assert [row.name for row in enrolled.tokens.list("bob-id")] == ["bob"]
    for subject in ("alice-id", "bob-id"):
        assert enrolled.tokens.assign("token1", subject, "x", 5.0) is False
    assert enrolled.tokens.assign("none", "alice-id", "alice", 5.0) is False
    assert enrolled.tokens.list("bob-id")[0].name == "bob"


def test_a_token_that_two_nodes_give_away_at_once_goes_to_one_person(settings: Settings) -> None:
    with closing(opened(settings)) as one, closing(opened(settings)) as other:
        for number in range(20):
            one.tokens.add(NewToken(numbered(number)), 1.0)
            gate, given = threading.Barrier(2), list[bool]()

            def give(store: Store, subject: str, number: int = number, gate: Any = gate, given: Any = given) -> None:
                gate.wait(30)
                given.append(store.tokens.assign(f"token{number}", f"{subject}{number}", subject, 2.0))

            threads = [threading.Thread(target=give, args=args) for args in ((one, "alice"), (other, "bob"))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
            assert sorted(given) == [False, True]


def test_a_token_goes_back_into_the_stock_with_its_counter(enrolled: Store) -> None:
    assert enrolled.tokens.advance("fob", 20, 0, 5.0) is True
    assert enrolled.tokens.unassign("fob") is True
    assert enrolled.tokens.list(unassigned=True) == (
        replace(FOB_ROW, subject=None, name=None, counter=21, last_used=5.0),
    )
    assert standing(enrolled) == Standing((PHONE,), enrolled=True)
    assert enrolled.tokens.unassign("fob") is False
    assert enrolled.tokens.unassign("none") is False


def test_a_lost_token_stays_disabled_in_the_stock_and_with_its_next_owner(enrolled: Store) -> None:
    assert enrolled.tokens.set_active("fob", active=False) is True
    assert enrolled.tokens.unassign("fob") is True
    assert enrolled.tokens.list(unassigned=True) == (replace(FOB_ROW, subject=None, name=None, active=False),)
    assert enrolled.tokens.assign("fob", "bob-id", "bob", 6.0) is True
    assert standing(enrolled, "bob-id").tokens == ()
    assert [row.active for row in enrolled.tokens.list("bob-id")] == [False]


def test_nobody_is_given_a_ninth_active_token(store: Store) -> None:
    for number in range(8):
        store.tokens.add(NewToken(numbered(number), "alice-id", "alice"), 1.0)
    store.tokens.add(NewToken(PHONE), 1.0)
    store.tokens.add(NewToken(numbered(8), active=False), 1.0)
    with pytest.raises(TooManyTokens, match="alice-id would have more than 8 active tokens"):
        store.tokens.assign("phone", "alice-id", "alice", 2.0)
    assert len(store.tokens.list(unassigned=True)) == 2
    assert store.tokens.assign("token8", "alice-id", "alice", 2.0) is True  # which is not active
    with pytest.raises(TooManyTokens):
        store.tokens.set_active("token8", active=True)


def test_a_token_of_the_stock_may_be_disabled_enabled_and_removed(store: Store) -> None:
    store.tokens.add(NewToken(PHONE), 1.0)
    assert store.tokens.set_active("phone", active=False) is True
    assert store.tokens.list()[0].active is False
    assert store.tokens.set_active("phone", active=True) is True
    assert store.tokens.list()[0].active is True
    assert store.tokens.remove("phone") is True
    assert store.tokens.list() == ()


def test_the_time_in_which_a_token_is_valid_is_set_and_taken_back(enrolled: Store) -> None:
    assert enrolled.tokens.set_valid("phone", 10.0, 20.0) is True
    assert enrolled.tokens.get("phone") == replace(PHONE_ROW, valid_from=10.0, valid_until=20.0)
    assert standing(enrolled, when=20.0).retired[0].why is Reason.TOKEN_EXPIRED
    assert enrolled.tokens.set_valid("phone", None, None) is True
    assert enrolled.tokens.get("phone") == PHONE_ROW
    assert enrolled.tokens.set_valid("none", 10.0, 20.0) is False


def test_a_token_is_added_with_the_time_in_which_it_is_valid_and_perhaps_not_active(store: Store) -> None:
    store.tokens.add(NewToken(PHONE, valid_from=10.0, valid_until=20.0, active=False), 1.0)
    row = store.tokens.get("phone")
    assert row is not None
    assert (row.valid_from, row.valid_until, row.active) == (10.0, 20.0, False)


def test_of_many_retired_tokens_the_newest_are_known_and_tokens_before_codes(store: Store) -> None:
    for number in range(20):
        new = NewToken(numbered(number), "alice-id", "alice", active=False)
        store.tokens.add(new, float(number))
    assert {each.token.id for each in standing(store).retired} == {f"token{number}" for number in range(12, 20)}
    store.tokens.add(NewToken(PHONE, "bob-id", "bob", active=False), 1.0)
    for _ in range(20):
        store.codes.new_temporary("bob-id", "bob", until=100.0, uses=1, when=2.0)
    retired = standing(store, "bob-id").retired
    assert (len(retired), retired[0].token) == (8, PHONE)  # so that it shows that bob has had a token


def test_a_retired_token_whose_seed_does_not_open_stops_nobody_and_an_active_one_does(
    enrolled: Store, sql: Sql
) -> None:
    sql("UPDATE token SET seed = (SELECT seed FROM token WHERE id = 'phone') WHERE id = 'fob'")
    with pytest.raises(Unavailable, match=r"^master key: a value sealed with key"):
        standing(enrolled)
    enrolled.tokens.set_active("fob", active=False)
    serials = {"fob": "SN-1"}
    assert standing(enrolled) == Standing((PHONE,), enrolled=True, serials=serials)
    enrolled.tokens.remove("phone")
    assert standing(enrolled) == Standing(
        enrolled=True, serials=serials
    )  # or the password alone might be enough for its owner


def test_a_yubikey_of_the_stock_whose_seed_does_not_open_is_a_breakdown(enrolled: Store, sql: Sql) -> None:
    enrolled.tokens.add(NewToken(KEY), 3.0)
    sql("UPDATE token SET seed = (SELECT seed FROM token WHERE id = 'phone') WHERE id = 'key'")
    with pytest.raises(Unavailable, match=r"^master key: a value sealed with key"):
        enrolled.ledger.stock([KEY.public_id], 4.0)


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
    store.tokens.add(NewToken(PHONE, "alice-id", "alice"), 1.0)
    new = [NewToken(numbered(number), f"id{number}", "x", serial=f"S{number}") for number in range(700)]
    new += [NewToken(numbered(1000 + number), "full-id", "full") for number in range(8)]
    with pytest.raises(fault):
        store.tokens.add_many([*new, last], 1.0)
    assert [row.id for row in store.tokens.list()] == ["phone"]
    assert store.accounts.get("id1") is None


def test_what_has_to_be_the_first_token_is_refused_to_whoever_has_one(enrolled: Store) -> None:
    enrolled.tokens.add(NewToken(numbered(1)), 1.0)
    enrolled.tokens.set_active("phone", active=False)
    enrolled.tokens.set_active("fob", active=False)  # lost ones count
    with pytest.raises(NotTheFirst):
        enrolled.tokens.add(NewToken(numbered(2), "alice-id", "alice"), 3.0, first=True)
    with pytest.raises(NotTheFirst):
        enrolled.tokens.assign("token1", "alice-id", "alice", 3.0, first=True)
    enrolled.tokens.add(NewToken(numbered(2), "alice-id", "alice"), 3.0)
    assert enrolled.tokens.assign("token1", "bob-id", "bob", 3.0, first=True) is True


def test_of_two_nodes_that_enrol_a_first_token_at_once_one_does(settings: Settings) -> None:
    with closing(opened(settings)) as one, closing(opened(settings)) as other:
        for number in range(20):
            one.tokens.add(NewToken(numbered(number)), 1.0)
            gate, refused = threading.Barrier(2), list[str]()

            def add(number: int = number, gate: Any = gate, refused: Any = refused) -> None:
                gate.wait(30)
                try:
                    new = NewToken(numbered(100 + number), f"alice{number}", "alice")
                    one.tokens.add(new, 2.0, first=True)
                except NotTheFirst as fault:
                    refused.append(fault.subject)

            def assign(number: int = number, gate: Any = gate, refused: Any = refused) -> None:
                gate.wait(30)
                try:
                    other.tokens.assign(f"token{number}", f"alice{number}", "alice", 2.0, first=True)
                except NotTheFirst as fault:
                    refused.append(fault.subject)

            threads = [threading.Thread(target=each) for each in (add, assign)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
            assert refused == [f"alice{number}"]
            assert len(one.tokens.list(f"alice{number}")) == 1


def test_two_nodes_that_add_one_token_at_once_are_told_who_was_first(settings: Settings) -> None:
    with closing(opened(settings)) as one, closing(opened(settings)) as other:
        for number in range(20):
            gate, taken = threading.Barrier(2), list[str]()

            def add(store: Store, subject: str, number: int = number, gate: Any = gate, taken: Any = taken) -> None:
                gate.wait(30)
                try:
                    store.tokens.add(NewToken(numbered(number), subject, subject), 1.0)
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
