"""What an import makes of each token. The rules: `Tokens.take_in` and `Intake`."""

import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from radius2fa.config.model import Store as Settings
from radius2fa.otp.token import Algorithm, Kind, Token, YubiKey
from radius2fa.store.engine import Store
from radius2fa.store.tokens import Intake, NewToken
from tests.store.opening import opened

Sql = Callable[[str], list[tuple[Any, ...]]]

FOB = NewToken(Token("fob", Kind.HOTP, b"12345678901234567890", counter=7), "alice-id", "alice", serial="SN-1")
CARD = NewToken(Token("card", Kind.TOTP, b"09876543210987654321", digits=8, period=60), serial="SN-2")
KEY = NewToken(YubiKey("key", "ccccccbcgujh", bytes(range(16)), bytes(6)), serial="4711")


def other(new: NewToken, token_id: str = "other", **changes: Any) -> NewToken:
    """Return the token as a second reading of its file gives it: under another id, with changes to what is in it."""
    return replace(new, token=replace(new.token, id=token_id, **changes))


def test_what_is_new_comes_in_whole(store: Store) -> None:
    fob = replace(FOB, label="grey", valid_from=5.0, valid_until=6.0)
    assert store.tokens.take_in([fob, CARD, KEY], 1.5) == (Intake.ADDED,) * 3
    assert [store.tokens.secret(name) for name in ("fob", "card", "key")] == [FOB.token, CARD.token, KEY.token]
    row = store.tokens.get("fob")
    assert row is not None
    assert (row.subject, row.name, row.label, row.serial, row.created) == ("alice-id", "alice", "grey", "SN-1", 1.5)
    assert (row.valid_from, row.valid_until, row.active) == (5.0, 6.0, True)


def test_the_same_again_adds_and_changes_nothing(store: Store) -> None:
    store.tokens.take_in([FOB, CARD, KEY], 1.5)
    store.tokens.advance("fob", 20, 0, 2.0)
    before = store.tokens.list()
    again = [
        other(replace(FOB, subject="bob-id", name="bob", label="new")),
        other(CARD, "another"),
        other(replace(KEY, serial=None), "third"),
        FOB,
    ]
    assert store.tokens.take_in(again, 3.0) == (Intake.KNOWN,) * 4
    assert store.tokens.list() == before
    assert store.accounts.get("bob-id") is None


@pytest.mark.parametrize(
    ("known", "new"),
    [
        (FOB, other(FOB, key=b"12345678901234567891")),
        (FOB, other(FOB, kind=Kind.TOTP)),
        (FOB, other(FOB, digits=8)),
        (FOB, other(FOB, algorithm=Algorithm.SHA256)),
        (CARD, other(CARD, period=30)),
        (CARD, replace(KEY, serial="SN-2")),
        (KEY, replace(CARD, serial="4711")),
        (KEY, other(KEY, key=bytes(16))),
        (KEY, other(KEY, private_id=b"123456")),
        (KEY, other(KEY, public_id="cccc")),
        (KEY, other(replace(KEY, serial="4712"), private_id=b"123456")),
        (FOB, replace(CARD, token=replace(CARD.token, id="fob"))),
    ],
    ids=[
        "seed",
        "kind",
        "digits",
        "algorithm",
        "period",
        "a yubikey",
        "no yubikey",
        "key",
        "private id",
        "public id",
        "by public id",
        "by id",
    ],
)
def test_what_has_the_name_of_another_token_is_a_conflict(store: Store, known: NewToken, new: NewToken) -> None:
    store.tokens.take_in([known], 1.0)
    before = store.tokens.list()
    assert store.tokens.take_in([new], 2.0) == (Intake.CONFLICT,)
    assert store.tokens.list() == before


def test_a_hotp_tokens_period_means_nothing(store: Store) -> None:
    store.tokens.take_in([FOB], 1.0)
    assert store.tokens.take_in([other(FOB, period=60)], 2.0) == (Intake.KNOWN,)


def test_what_has_the_names_of_two_tokens_is_a_conflict(store: Store) -> None:
    store.tokens.take_in([CARD, KEY], 1.0)
    assert store.tokens.take_in([other(replace(KEY, serial="SN-2"))], 2.0) == (Intake.CONFLICT,)


def test_a_known_token_whose_seed_does_not_open_is_a_conflict(store: Store, sql: Sql) -> None:
    store.tokens.take_in([FOB, CARD], 1.0)
    sql("UPDATE token SET seed = (SELECT seed FROM token WHERE id = 'fob') WHERE id = 'card'")
    assert store.tokens.take_in([FOB, CARD], 2.0) == (Intake.KNOWN, Intake.CONFLICT)


def test_an_issued_codes_id_is_a_conflict_too(store: Store) -> None:
    store.codes.new_temporary("alice-id", "alice", until=9.0, uses=1, when=1.0)
    (code,) = store.codes.of("alice-id", 1.0).temporary
    assert store.tokens.take_in([other(CARD, code.id)], 2.0) == (Intake.CONFLICT,)


def test_bad_ones_among_good_ones_stop_nothing(store: Store) -> None:
    new = [FOB, other(FOB), other(CARD, "fob"), CARD, other(CARD, "x", digits=6), KEY]
    assert store.tokens.take_in(new, 1.0) == (
        Intake.ADDED,
        Intake.KNOWN,
        Intake.CONFLICT,
        Intake.ADDED,
        Intake.CONFLICT,
        Intake.ADDED,
    )
    assert [row.id for row in store.tokens.list()] == ["fob", "card", "key"]


def fobs(*numbers: int, subject: str | None = "alice-id", active: bool = True) -> list[NewToken]:
    name = None if subject is None else "alice"
    return [
        NewToken(Token(f"t{number}", Kind.HOTP, b"%020d" % number), subject, name, serial=f"S{number}", active=active)
        for number in numbers
    ]


def test_a_person_gets_eight_active_tokens_and_what_is_too_many_stays_outside(store: Store) -> None:
    assert store.tokens.take_in(fobs(*range(5)), 1.0) == (Intake.ADDED,) * 5
    more = [*fobs(5, 6, 7, 8), *fobs(9, active=False), *fobs(10, subject="bob-id"), *fobs(11, subject=None)]
    store.codes.new_recovery("alice-id", "alice", 1.0)  # codes do not count
    added = Intake.ADDED
    assert store.tokens.take_in(more, 2.0) == (added, added, added, Intake.TOO_MANY, added, added, added)
    assert store.tokens.get("t8") is None
    assert store.tokens.take_in(fobs(8, 8, 7), 3.0) == (Intake.TOO_MANY, Intake.TOO_MANY, Intake.KNOWN)


def test_a_dry_run_tells_the_same_and_writes_nothing(store: Store) -> None:
    store.tokens.take_in([FOB, *fobs(*range(6))], 1.0)
    new = [FOB, other(FOB, digits=8), *fobs(6, 7), CARD, other(CARD), *fobs(8, subject="bob-id")]
    before = store.tokens.list()
    foretold = store.tokens.take_in(new, 2.0, dry=True)
    assert store.tokens.list() == before
    assert store.accounts.get("bob-id") is None
    added = Intake.ADDED
    assert foretold == (Intake.KNOWN, Intake.CONFLICT, added, Intake.TOO_MANY, added, Intake.KNOWN, added)
    assert store.tokens.take_in(new, 2.0) == foretold


def test_nothing_is_nothing(store: Store) -> None:
    assert store.tokens.take_in([], 1.0) == ()
    assert store.tokens.take_in([], 1.0, dry=True) == ()


def test_the_same_tokens_taken_in_by_two_nodes_at_once_are_there_once(settings: Settings) -> None:
    batches = [[number for number in range(100) if number % 10 == last] for last in range(10)]
    with closing(opened(settings)) as one, closing(opened(settings)) as two:
        gate, fates = threading.Barrier(4), list[Intake]()

        def work(store: Store, order: list[list[int]]) -> None:
            gate.wait(30)
            for batch in order:
                fates.extend(store.tokens.take_in(fobs(*batch, subject=None), 1.0))

        threads = [
            threading.Thread(target=work, args=(store, order))
            for store in (one, two)
            for order in (batches, batches[::-1])
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert Counter(fates) == {Intake.ADDED: 100, Intake.KNOWN: 300}
        assert len(one.tokens.list()) == 100
