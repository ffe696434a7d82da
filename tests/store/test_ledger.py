"""The conformance suite: every sentence of `login.ports.Ledger`, on both databases and on the fake.

The figures of time and counters are the tests' own; the rules stand in the port's docstrings and in second-factors.
"""

import math
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Protocol

import pytest

from radius2fa.login.lockout import Failures, LockoutRules
from radius2fa.login.ports import (
    Burn,
    Failure,
    Held,
    Ledger,
    Miss,
    OutOfStep,
    Record,
    Result,
    Retired,
    Standing,
    Success,
)
from radius2fa.login.reason import Reason
from radius2fa.otp.token import Algorithm, IssuedCode, Kind, Token, YubiKey
from radius2fa.otp.yubico import to_modhex
from radius2fa.store.engine import Store
from radius2fa.store.passkeys import NewPasskey
from radius2fa.store.tokens import NewToken
from tests.fakes.ledger import FakeLedger
from tests.store.opening import opened

ALICE, BOB = "6b1e0ad2-0001", "6b1e0ad2-0002"
PHONE = Token("phone", Kind.TOTP, b"12345678901234567890", digits=8, period=60, counter=100)
FOB = Token("fob", Kind.HOTP, b"09876543210987654321", Algorithm.SHA256, counter=7)
STATE = b"0123456789abcdef0123456789abcdef"
HELD = Held(STATE, "vpn", "alice", b"pa\xc3\xa4ss", expires=1120.0)
PATIENT = LockoutRules(failures=50)
RULES = LockoutRules(failures=3, delay=30.0, longest_delay=100.0, lock_after=6, repeat_seconds=60.0)
ASKED = Record("0a", 1000.0, "vpn", "alice", "192.0.2.7", Result.CHALLENGE, subject=ALICE)
REFUSED = Record("0b", 1000.0, "vpn", "alice", "192.0.2.7", Result.REJECT, Reason.WRONG_CODE, ALICE)
ACCEPTED = Record("0c", 1000.0, "vpn", "alice", "192.0.2.7", Result.ACCEPT, None, ALICE, "phone")
SUCCESS = Success(ALICE, "alice", Burn("phone", counter=100, drift=-1))
BURNED = replace(PHONE, counter=101, drift=-1)
PLACE, ELSEWHERE = "from 192.0.2.7", "by switch"
KEY = YubiKey("key", "ccccccbcgujh", bytes(range(16)), b"\x01\x02\x03\x04\x05\x06", counter=0x0113)
ADOPTION = Success(BOB, "bob", Burn("key", 0x0200, 0, adopts=True))


class Add(Protocol):
    """Gives a person a token."""

    def __call__(
        self, token: Token | YubiKey, subject: str, *, valid_from: float | None = None, valid_until: float | None = None
    ) -> None: ...


class StockUp(Protocol):
    """Puts a YubiKey into the stock."""

    def __call__(
        self, yubikey: YubiKey, *, valid_from: float | None = None, valid_until: float | None = None
    ) -> None: ...


class Register(Protocol):
    """Gives a person a passkey."""

    def __call__(self, passkey_id: str, subject: str, *, valid_from: float | None = None) -> None: ...


@dataclass(frozen=True)
class Books:
    """A ledger under test, and what a port for logins has no word for."""

    ledger: Ledger
    add: Add
    stock_up: StockUp
    issue: Callable[[str, int, float], str]  # a temporary code: whose, how often, until when; its id
    register: Register
    disable: Callable[[str], object]
    remove: Callable[[str], object]
    bypass: Callable[[str, float], object]
    records: Callable[[], list[Record]]


def of_store(store: Store) -> Books:
    def add(
        token: Token | YubiKey, subject: str, *, valid_from: float | None = None, valid_until: float | None = None
    ) -> None:
        new = NewToken(token, subject, "alice", valid_from=valid_from, valid_until=valid_until)
        store.tokens.add(new, 1.0)

    def stock_up(yubikey: YubiKey, *, valid_from: float | None = None, valid_until: float | None = None) -> None:
        store.tokens.add(NewToken(yubikey, valid_from=valid_from, valid_until=valid_until), 1.0)

    def issue(subject: str, uses: int, until: float) -> str:
        store.codes.new_temporary(subject, "alice", until=until, uses=uses, when=1.0)
        return store.codes.of(subject, 1.0).temporary[0].id

    def register(passkey_id: str, subject: str, *, valid_from: float | None = None) -> None:
        store.passkeys.add(NewPasskey(passkey_id, subject, "alice", "", passkey_id.encode() * 8, b"key"), 1.0)
        store.tokens.set_valid(passkey_id, valid_from, None)

    def records() -> list[Record]:
        return [record for subject in (ALICE, BOB) for record in reversed(store.accounts.recent(subject, 1000))]

    return Books(
        store.ledger,
        add,
        stock_up,
        issue,
        register,
        lambda token: store.tokens.set_active(token, active=False),
        store.tokens.remove,
        lambda subject, until: store.accounts.bypass(subject, "alice", until, 1.0),
        records,
    )


def of_fake() -> Books:
    fake = FakeLedger()

    def issue(subject: str, uses: int, until: float) -> str:
        fake.add(IssuedCode("code", Kind.TEMPORARY, b"key", b"digest", uses=uses), subject, valid_until=until)
        return "code"

    return Books(
        fake,
        fake.add,
        fake.stock_up,
        issue,
        fake.register,
        lambda token: fake.retire(token, Reason.TOKEN_DISABLED),
        fake.deactivate,
        fake.bypass,
        lambda: fake.records,
    )


@pytest.fixture(params=["fake", "sqlite", "postgresql"])
def books(request: pytest.FixtureRequest) -> Iterator[Books]:
    if request.param == "fake":
        yield of_fake()
    else:
        with closing(opened(request.getfixturevalue(f"{request.param}_settings"))) as store:
            yield of_store(store)


@pytest.fixture
def ledger(books: Books) -> Ledger:
    """A ledger in which Alice has her phone."""
    books.add(PHONE, ALICE)
    return books.ledger


def standing(ledger: Ledger, subject: str = ALICE, place: str = PLACE, when: float = 1000.0) -> Standing:
    return ledger.standing(subject, place, when)


def burning(counter: int) -> Success:
    """Alice's login with a code of her phone."""
    return replace(SUCCESS, burn=Burn("phone", counter, -1))


def guess(number: int, *, when: float = 1000.0, subject: str = ALICE) -> tuple[Record, Failure]:
    credentials = b"wrong%d" % number
    return replace(REFUSED, when=when, subject=subject), Failure(subject, "alice", credentials, RULES)


def fail(ledger: Ledger, times: int, when: float = 1000.0) -> None:
    for number in range(times):
        ledger.refuse(*guess(number, when=when), None)


def at_once(works: list[Callable[[], object]]) -> list[object]:
    """Run each work in a thread of its own, all at the same instant, and return what they returned."""
    gate, results = threading.Barrier(len(works)), list[object]()

    def run(work: Callable[[], object]) -> None:
        gate.wait(30)
        results.append(work())

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(results) == len(works)  # none has raised, none hangs
    return results


# standing


def test_a_stranger_has_an_empty_standing(books: Books) -> None:
    assert standing(books.ledger, "nobody") == Standing()


def test_a_person_has_all_their_active_tokens_whole_and_nobody_elses(books: Books) -> None:
    remembering = replace(FOB, remembered=9, remembered_at=1000.0)
    for token, subject in (
        (PHONE, ALICE),
        (FOB, ALICE),
        (replace(FOB, id="lost"), ALICE),
        (replace(FOB, id="his"), BOB),
    ):
        books.add(token, subject)
    books.remove("lost")
    record, failure = guess(1)
    books.ledger.refuse(record, replace(failure, out_of_step=OutOfStep("fob", 9)), None)
    known = standing(books.ledger)
    assert {token.id: token for token in known.tokens} == {"phone": PHONE, "fob": remembering}
    assert known.retired == ()
    assert known.failures == Failures(1, 0.0)


def test_failures_show_without_any_token(books: Books) -> None:
    books.ledger.refuse(*guess(1), None)
    assert standing(books.ledger) == Standing((), Failures(1, 0.0))


@pytest.mark.parametrize(
    ("when", "why"),
    [
        (999.9, Reason.TOKEN_NOT_YET_VALID),
        (1000.0, None),
        (1099.9, None),
        (1100.0, Reason.TOKEN_EXPIRED),
        (9e9, Reason.TOKEN_EXPIRED),
    ],
)
def test_a_token_answers_from_its_first_moment_until_its_last(books: Books, when: float, why: Reason | None) -> None:
    books.add(PHONE, ALICE, valid_from=1000.0, valid_until=1100.0)
    known = standing(books.ledger, when=when)
    assert known == (
        Standing((PHONE,), enrolled=True)
        if why is None
        else Standing(retired=(Retired(PHONE, why),), enrolled=why is Reason.TOKEN_EXPIRED)
    )


def test_a_disabled_token_is_known_as_such_whenever_it_was_valid(books: Books) -> None:
    books.add(PHONE, ALICE, valid_until=900.0)
    books.add(FOB, ALICE)
    books.disable("phone")
    assert standing(books.ledger) == Standing((FOB,), retired=(Retired(PHONE, Reason.TOKEN_DISABLED),), enrolled=True)


def test_a_yubikey_comes_whole(books: Books) -> None:
    nameless = replace(KEY, id="nameless", public_id="")
    books.add(KEY, ALICE)
    books.add(nameless, BOB)
    books.add(replace(nameless, id="another"), BOB)
    assert standing(books.ledger).tokens == (KEY,)
    assert {token.id for token in standing(books.ledger, BOB).tokens} == {"nameless", "another"}
    assert nameless in standing(books.ledger, BOB).tokens


def test_an_issued_code_is_known_with_its_uses_until_it_ends(books: Books) -> None:
    code_id = books.issue(ALICE, 2, 1100.0)
    (code,) = standing(books.ledger, when=1099.9).tokens
    assert isinstance(code, IssuedCode)
    assert (code.id, code.kind, code.counter, code.uses) == (code_id, Kind.TEMPORARY, 0, 2)
    assert standing(books.ledger, when=1100.0) == Standing(retired=(Retired(code, Reason.TOKEN_EXPIRED),))


def test_a_passkey_enrols_its_owner_and_makes_no_codes(books: Books) -> None:
    books.register("passkey", ALICE)
    assert standing(books.ledger) == Standing(enrolled=True)
    assert standing(books.ledger, BOB) == Standing()
    books.add(FOB, ALICE)
    assert standing(books.ledger) == Standing((FOB,), enrolled=True)


def test_a_passkey_that_was_disabled_enrols_its_owner_and_one_that_was_removed_does_not(books: Books) -> None:
    books.register("passkey", ALICE)
    books.disable("passkey")
    assert standing(books.ledger) == Standing(enrolled=True)
    books.remove("passkey")
    assert standing(books.ledger) == Standing()


@pytest.mark.parametrize(("when", "enrolled"), [(999.9, False), (1000.0, True)])
def test_a_passkey_enrols_its_owner_from_its_first_moment(books: Books, when: float, enrolled: bool) -> None:  # noqa: FBT001 - a table
    books.register("passkey", ALICE, valid_from=1000.0)
    assert standing(books.ledger, when=when) == Standing(enrolled=enrolled)


def test_a_bypass_shows_with_and_without_a_token(books: Books) -> None:
    books.add(PHONE, ALICE)
    books.bypass(ALICE, 1200.0)
    books.bypass(BOB, 1300.0)
    assert standing(books.ledger) == Standing((PHONE,), bypass_until=1200.0, enrolled=True)
    assert standing(books.ledger, BOB) == Standing(bypass_until=1300.0)


# stock


def test_the_stock_has_the_yubikeys_of_these_public_ids_that_are_nobodys(books: Books) -> None:
    other = replace(KEY, id="other", public_id="dddd")
    books.stock_up(KEY)
    books.stock_up(other)
    books.stock_up(replace(KEY, id="third", public_id="eeee"))
    books.stock_up(replace(KEY, id="nameless", public_id=""))
    books.add(replace(KEY, id="alices", public_id="ffff"), ALICE)
    found = books.ledger.stock(["dddd", "ffff", KEY.public_id, "cc"], 1000.0)
    assert sorted(found, key=lambda key: key.id) == [KEY, other]
    assert books.ledger.stock([], 1000.0) == ()
    assert standing(books.ledger, "nobody") == Standing()


@pytest.mark.parametrize(("when", "found"), [(999.9, 0), (1000.0, 1), (1099.9, 1), (1100.0, 0)])
def test_a_yubikey_of_the_stock_can_be_had_while_it_is_valid(books: Books, when: float, found: int) -> None:
    books.stock_up(KEY, valid_from=1000.0, valid_until=1100.0)
    assert len(books.ledger.stock([KEY.public_id], when)) == found


def test_a_disabled_yubikey_of_the_stock_cannot_be_had(books: Books) -> None:
    books.stock_up(KEY)
    books.disable("key")
    assert books.ledger.stock([KEY.public_id], 1000.0) == ()


# ask and held


def test_a_login_that_was_asked_waits_under_its_state_as_often_as_it_is_read(ledger: Ledger) -> None:
    ledger.ask(HELD, ASKED, None)
    assert ledger.held(STATE, "vpn", "alice", 1119.9) == HELD
    assert ledger.held(STATE, "vpn", "alice", 1119.9) == HELD


@pytest.mark.parametrize(
    ("state", "client", "name", "when"),
    [
        (b"f" * 32, "vpn", "alice", 1000.0),
        (STATE, "switch", "alice", 1000.0),
        (STATE, "vpn", "bob", 1000.0),
        (STATE, "vpnal", "ice", 1000.0),
        (STATE, "vpn", "Alice", 1000.0),
        (STATE, "vpn", "alice", 1120.0),
    ],
    ids=["foreign state", "other client", "other name", "parted elsewhere", "other spelling", "expired"],
)
def test_a_login_waits_for_one_state_client_and_name_only_and_not_for_ever(
    ledger: Ledger, state: bytes, client: str, name: str, when: float
) -> None:
    ledger.ask(HELD, ASKED, None)
    assert ledger.held(state, client, name, when) is None


def test_asking_writes_the_record_and_counts_the_failure_if_there_is_one(books: Books) -> None:
    books.ledger.ask(HELD, ASKED, None)
    assert standing(books.ledger).failures == Failures(0, 0.0)
    books.ledger.ask(replace(HELD, state=b"b" * 32), ASKED, guess(1)[1])
    assert standing(books.ledger).failures == Failures(1, 0.0)
    assert books.records() == [ASKED, ASKED]


# refuse


def test_a_refusal_is_written_down_word_for_word(books: Books) -> None:
    record = replace(REFUSED, source="", token="phone", name="ÄLICE\N{FULLWIDTH LATIN SMALL LETTER A}")
    books.ledger.refuse(record, None, None)
    assert books.records() == [record]
    assert standing(books.ledger) == Standing()


def test_a_refusal_ends_the_challenge_that_was_answered_and_no_other(ledger: Ledger) -> None:
    other = replace(HELD, state=b"b" * 32)
    ledger.ask(HELD, ASKED, None)
    ledger.ask(other, ASKED, None)
    ledger.refuse(REFUSED, None, STATE)
    assert ledger.held(STATE, "vpn", "alice", 1000.0) is None
    assert ledger.held(other.state, "vpn", "alice", 1000.0) == other


def test_answering_a_challenge_that_is_gone_is_refused_all_the_same(books: Books) -> None:
    books.ledger.refuse(REFUSED, None, STATE)
    assert books.records() == [REFUSED]


def test_failures_in_a_row_block_for_longer_and_longer_and_in_the_end_for_ever(ledger: Ledger) -> None:
    blocked = []
    for number in range(6):
        ledger.refuse(*guess(number), None)
        blocked.append(standing(ledger).failures)
    assert blocked == [
        Failures(1, 0.0),
        Failures(2, 0.0),
        Failures(3, 1030.0),
        Failures(4, 1060.0),
        Failures(5, 1100.0),
        Failures(6, math.inf),
    ]


def test_one_persons_failures_are_not_anothers(ledger: Ledger) -> None:
    ledger.refuse(*guess(1), None)
    ledger.refuse(*guess(1, subject=BOB), None)
    assert standing(ledger).failures == Failures(1, 0.0)
    assert standing(ledger, BOB).failures == Failures(1, 0.0)


def test_the_same_wrong_credentials_count_once_in_sixty_seconds_from_the_first(ledger: Ledger) -> None:
    for when in (1000.0, 1030.0, 1059.9):
        ledger.refuse(*guess(1, when=when), None)
    assert standing(ledger).failures == Failures(1, 0.0)
    for when in (1060.0, 1119.9):
        ledger.refuse(*guess(1, when=when), None)
    assert standing(ledger).failures == Failures(2, 0.0)


def test_other_credentials_or_another_client_are_no_repeat(ledger: Ledger) -> None:
    record, failure = guess(1)
    ledger.refuse(record, failure, None)
    ledger.refuse(record, replace(failure, credentials=b"wrong2"), None)
    ledger.refuse(replace(record, client="switch"), replace(failure, credentials=b"wrong2"), None)
    assert standing(ledger).failures.count == 3


@pytest.mark.parametrize(
    ("number", "client", "when", "repeated"),
    [
        (1, "vpn", 1059.9, True),
        (1, "vpn", 1060.0, False),
        (2, "vpn", 1001.0, False),
        (1, "switch", 1001.0, False),
    ],
)
def test_the_last_failure_is_recognised_while_it_counts(
    ledger: Ledger,
    number: int,
    client: str,
    when: float,
    repeated: bool,  # noqa: FBT001 - a table
) -> None:
    record, failure = guess(1)
    assert not ledger.repeated(failure, "vpn", 1000.0)
    ledger.refuse(replace(record, client="vpn"), failure, None)
    assert ledger.repeated(guess(number)[1], client, when) is repeated
    assert not ledger.repeated(guess(number, subject=BOB)[1], client, when)


def test_with_no_seconds_for_repeats_every_failure_counts(ledger: Ledger) -> None:
    record, failure = guess(1)
    for _ in range(2):
        ledger.refuse(record, replace(failure, rules=replace(RULES, repeat_seconds=0.0)), None)
    assert standing(ledger).failures.count == 2


def test_a_code_seen_out_of_step_is_remembered_and_forgotten_by_the_next_login(ledger: Ledger) -> None:
    record, failure = guess(1)
    ledger.refuse(record, replace(failure, out_of_step=OutOfStep("phone", 110)), None)
    assert standing(ledger).tokens == (replace(PHONE, remembered=110, remembered_at=1000.0),)
    assert ledger.accept(burning(111), ACCEPTED, None) is None
    assert standing(ledger).tokens == (replace(PHONE, counter=112, drift=-1),)


@pytest.mark.parametrize(("token", "counter"), [("phone", 99), ("his", 9), ("nothing", 9)])
def test_nothing_is_remembered_of_a_used_code_or_another_persons_token(books: Books, token: str, counter: int) -> None:
    books.add(PHONE, ALICE)
    books.add(replace(FOB, id="his"), BOB)
    record, failure = guess(1)
    books.ledger.refuse(record, replace(failure, out_of_step=OutOfStep(token, counter)), None)
    assert standing(books.ledger).tokens == (PHONE,)
    assert standing(books.ledger, BOB).tokens == (replace(FOB, id="his"),)


# Names that do not exist, and where they are tried from


def miss(name: str, *, place: str = PLACE, rules: LockoutRules = RULES) -> Miss:
    return Miss(place, name, rules)


STRANGER = replace(REFUSED, reason=Reason.NO_SUCH_USER, subject=None)


def test_unknown_names_count_against_the_place_and_block_it_for_longer_and_longer(ledger: Ledger) -> None:
    blocked = []
    for number, when in enumerate((1000.0, 1001.0, 1002.0, 1032.0, 1092.0)):
        ledger.refuse(replace(STRANGER, when=when), miss(f"x{number}"), None)
        blocked.append(standing(ledger).place)
    assert blocked == [
        Failures(1, 0.0),
        Failures(2, 0.0),
        Failures(3, 1032.0),
        Failures(4, 1092.0),
        Failures(5, 1192.0),
    ]
    assert standing(ledger).failures == Failures()


def test_nothing_is_counted_while_the_place_is_blocked(ledger: Ledger) -> None:
    for number in range(9):
        ledger.refuse(STRANGER, miss(f"x{number}"), None)
    ledger.refuse(replace(STRANGER, when=1029.9), miss("y"), None)
    assert standing(ledger).place == Failures(3, 1030.0)


def test_a_place_that_starts_anew_has_all_its_tries_again_after_the_delay(ledger: Ledger) -> None:
    rules = replace(RULES, starts_anew=True)
    for number in range(3):
        ledger.refuse(STRANGER, miss(f"x{number}", rules=rules), None)
    ledger.refuse(replace(STRANGER, when=1030.0), miss("y", rules=rules), None)
    assert standing(ledger).place == Failures(1, 0.0)


def test_the_same_unknown_name_counts_once_in_sixty_seconds_from_the_first(ledger: Ledger) -> None:
    for when in (1000.0, 1030.0, 1059.9):
        ledger.refuse(replace(STRANGER, when=when), miss("x"), None)
    assert standing(ledger).place.count == 1
    ledger.refuse(replace(STRANGER, when=1060.0), miss("x"), None)
    assert standing(ledger).place.count == 2


def test_asking_counts_an_unknown_name_too(ledger: Ledger) -> None:
    ledger.ask(HELD, replace(ASKED, subject=None), miss("x"))
    assert standing(ledger).place == Failures(1, 0.0)


def test_one_places_failures_are_not_anothers_and_nobodys_person(books: Books) -> None:
    books.ledger.refuse(STRANGER, miss("x"), None)
    books.ledger.refuse(STRANGER, miss("x", place=ELSEWHERE), None)
    books.ledger.refuse(STRANGER, miss("y", place=ELSEWHERE), None)
    assert standing(books.ledger, "nobody") == Standing(place=Failures(1, 0.0))
    assert standing(books.ledger, "nobody", ELSEWHERE) == Standing(place=Failures(2, 0.0))
    assert standing(books.ledger, "nobody", "from 192.0.2.8") == Standing()


@pytest.mark.parametrize("strange", ["from \0", "from \ud800", "", "from ' OR 1=1 --"])
def test_a_place_and_a_name_may_be_anything_that_a_stranger_sends(books: Books, strange: str) -> None:
    books.ledger.refuse(STRANGER, miss(strange, place=strange), None)
    assert standing(books.ledger, place=strange).place == Failures(1, 0.0)


def test_a_login_forgets_the_failures_of_its_place_and_no_others(ledger: Ledger) -> None:
    for place in (PLACE, ELSEWHERE):
        ledger.refuse(STRANGER, miss("x", place=place), None)
    assert ledger.accept(SUCCESS, ACCEPTED, None) is None
    assert standing(ledger).place == Failures(1, 0.0)
    assert ledger.accept(replace(burning(101), place=PLACE), ACCEPTED, None) is None
    assert standing(ledger).place == Failures()
    assert standing(ledger, place=ELSEWHERE).place == Failures(1, 0.0)
    ledger.refuse(STRANGER, miss("x"), None)  # the same name counts afresh
    assert standing(ledger).place == Failures(1, 0.0)


def test_a_refused_login_forgets_no_failures_of_its_place(ledger: Ledger) -> None:
    ledger.refuse(STRANGER, miss("x"), None)
    assert ledger.accept(replace(burning(99), place=PLACE), ACCEPTED, None) is Reason.CODE_ALREADY_USED
    assert standing(ledger).place == Failures(1, 0.0)


# accept


def test_a_code_is_burned_the_failures_are_forgotten_and_the_record_is_written(books: Books, ledger: Ledger) -> None:
    fail(ledger, 2)
    assert ledger.accept(SUCCESS, ACCEPTED, None) is None
    assert standing(ledger) == Standing((BURNED,), Failures(0, 0.0), enrolled=True)
    assert books.records()[2:] == [ACCEPTED]


def test_a_login_without_a_code_forgets_the_wrong_passwords_and_no_wrong_codes(ledger: Ledger) -> None:
    for number in range(3):
        record, failure = guess(number)
        ledger.refuse(record, replace(failure, of_code=number != 1, rules=PATIENT), None)
    assert ledger.accept(replace(SUCCESS, burn=None), ACCEPTED, None) is None
    assert standing(ledger).failures == Failures(2, 0.0)
    record, failure = guess(3)
    ledger.refuse(record, replace(failure, rules=PATIENT), None)
    assert standing(ledger).failures.count == 3
    assert ledger.accept(SUCCESS, ACCEPTED, None) is None
    assert standing(ledger).failures.count == 0
    ledger.refuse(record, replace(failure, of_code=False, rules=PATIENT), None)
    assert ledger.accept(replace(SUCCESS, burn=None), ACCEPTED, None) is None
    assert standing(ledger).failures.count == 0


def test_a_code_alone_forgets_the_wrong_codes_and_no_wrong_passwords(ledger: Ledger) -> None:
    for number in range(3):
        record, failure = guess(number)
        ledger.refuse(record, replace(failure, of_code=number != 1, rules=PATIENT), None)
    assert ledger.accept(replace(SUCCESS, by_password=False), ACCEPTED, None) is None
    assert standing(ledger) == Standing((BURNED,), Failures(1, 0.0), enrolled=True)
    record, failure = guess(3)
    ledger.refuse(record, replace(failure, rules=PATIENT), None)
    assert ledger.accept(replace(burning(101), burn=None), ACCEPTED, None) is None
    assert standing(ledger).failures == Failures(1, 0.0)  # the wrong code of since then


def test_a_code_alone_of_somebody_without_failures_leaves_none(ledger: Ledger) -> None:
    assert ledger.accept(replace(SUCCESS, by_password=False), ACCEPTED, None) is None
    assert standing(ledger).failures == Failures(0, 0.0)


@pytest.mark.parametrize("strange", ["a\0b", "a\ud800b"])
def test_a_persons_name_may_be_anything_that_a_directory_holds(ledger: Ledger, strange: str) -> None:
    record, failure = guess(1)
    ledger.refuse(record, replace(failure, name=strange), None)
    assert standing(ledger).failures.count == 1
    assert ledger.accept(replace(SUCCESS, name=strange), ACCEPTED, None) is None


def test_after_a_login_the_same_wrong_credentials_count_again(ledger: Ledger) -> None:
    ledger.refuse(*guess(1), None)
    ledger.accept(SUCCESS, ACCEPTED, None)
    ledger.refuse(*guess(1), None)
    assert standing(ledger).failures == Failures(1, 0.0)


@pytest.mark.parametrize("counter", [100, 99, 0])
def test_a_code_works_once_and_uses_up_every_earlier_one(books: Books, ledger: Ledger, counter: int) -> None:
    ledger.accept(SUCCESS, ACCEPTED, None)
    assert ledger.accept(burning(counter), ACCEPTED, None) is Reason.CODE_ALREADY_USED
    assert standing(ledger).tokens == (BURNED,)
    assert books.records()[1:] == [replace(ACCEPTED, result=Result.REJECT, reason=Reason.CODE_ALREADY_USED)]


def test_a_later_code_works_after_an_earlier_one(ledger: Ledger) -> None:
    assert ledger.accept(SUCCESS, ACCEPTED, None) is None
    assert ledger.accept(burning(101), ACCEPTED, None) is None


def test_a_code_of_a_token_that_is_active_no_more_is_refused(books: Books, ledger: Ledger) -> None:
    books.disable("phone")
    assert ledger.accept(SUCCESS, ACCEPTED, None) is Reason.CODE_ALREADY_USED
    assert books.records() == [replace(ACCEPTED, result=Result.REJECT, reason=Reason.CODE_ALREADY_USED)]


def test_a_code_of_another_persons_token_is_refused(books: Books, ledger: Ledger) -> None:
    books.add(FOB, BOB)
    assert ledger.accept(replace(SUCCESS, burn=Burn("fob", 7, 0)), ACCEPTED, None) is Reason.CODE_ALREADY_USED
    assert standing(ledger, BOB).tokens == (FOB,)


def test_a_challenge_is_answered_once(ledger: Ledger) -> None:
    ledger.ask(HELD, ASKED, None)
    assert ledger.accept(SUCCESS, ACCEPTED, STATE) is None
    assert ledger.held(STATE, "vpn", "alice", 1000.0) is None
    assert ledger.accept(burning(101), ACCEPTED, STATE) is Reason.STATE_UNKNOWN


def test_an_answer_to_a_challenge_that_is_gone_burns_nothing_and_forgets_no_failure(
    books: Books, ledger: Ledger
) -> None:
    fail(ledger, 1)
    assert ledger.accept(SUCCESS, ACCEPTED, STATE) is Reason.STATE_UNKNOWN
    assert standing(ledger) == Standing((PHONE,), Failures(1, 0.0), enrolled=True)
    assert books.records()[1:] == [replace(ACCEPTED, result=Result.REJECT, reason=Reason.STATE_UNKNOWN)]


def test_somebody_blocked_meanwhile_is_locked_out_and_nothing_is_burned(books: Books, ledger: Ledger) -> None:
    fail(ledger, 3)
    assert ledger.accept(SUCCESS, replace(ACCEPTED, when=1029.9), None) is Reason.LOCKED_OUT
    assert standing(ledger) == Standing((PHONE,), Failures(3, 1030.0), enrolled=True)
    locked_out = replace(ACCEPTED, when=1029.9, result=Result.REJECT, reason=Reason.LOCKED_OUT)
    assert books.records()[3:] == [locked_out]
    assert ledger.accept(SUCCESS, replace(ACCEPTED, when=1030.0), None) is None


@pytest.mark.parametrize("failures", [0, 3], ids=["code used", "locked out"])
def test_a_refused_answer_ends_its_challenge_too(ledger: Ledger, failures: int) -> None:
    ledger.ask(HELD, ASKED, None)
    fail(ledger, failures)
    expected = Reason.LOCKED_OUT if failures else Reason.CODE_ALREADY_USED
    assert ledger.accept(burning(99), ACCEPTED, STATE) is expected
    assert ledger.held(STATE, "vpn", "alice", 1000.0) is None


def test_policy_and_factor_are_written_down(books: Books, ledger: Ledger) -> None:
    told = replace(ACCEPTED, policy="staff", factor="totp")
    ledger.accept(SUCCESS, told, None)
    ledger.refuse(replace(REFUSED, policy="staff"), None, None)
    assert books.records() == [told, replace(REFUSED, policy="staff")]


@pytest.mark.parametrize("when", [999.9, 1100.0])
def test_a_code_of_a_token_that_is_not_valid_is_refused(books: Books, when: float) -> None:
    books.add(PHONE, ALICE, valid_from=1000.0, valid_until=1100.0)
    assert books.ledger.accept(SUCCESS, replace(ACCEPTED, when=when), None) is Reason.CODE_ALREADY_USED
    assert books.ledger.accept(SUCCESS, replace(ACCEPTED, when=1099.9), None) is None


# accept without a second factor

SPARED = Success(ALICE, "alice", None)
BYPASSED = replace(ACCEPTED, token=None, factor="bypass")


def test_without_a_second_factor_nothing_is_burned_and_wrong_passwords_are_forgotten(
    books: Books, ledger: Ledger
) -> None:
    for number in range(2):
        record, failure = guess(number)
        ledger.refuse(record, replace(failure, of_code=False), None)
    assert ledger.accept(SPARED, BYPASSED, None) is None
    assert standing(ledger) == Standing((PHONE,), enrolled=True)
    assert books.records()[2:] == [BYPASSED]


def test_somebody_whom_the_store_does_not_know_may_be_accepted(books: Books) -> None:
    assert books.ledger.accept(SPARED, BYPASSED, None) is None
    assert books.records() == [BYPASSED]
    assert standing(books.ledger) == Standing()


def test_without_a_second_factor_who_is_blocked_meanwhile_is_locked_out(books: Books, ledger: Ledger) -> None:
    fail(ledger, 3)
    assert ledger.accept(replace(SPARED, place=PLACE), BYPASSED, None) is Reason.LOCKED_OUT
    assert standing(ledger).failures == Failures(3, 1030.0)
    assert books.records()[3:] == [replace(BYPASSED, result=Result.REJECT, reason=Reason.LOCKED_OUT)]


def test_without_a_second_factor_a_challenge_that_is_gone_is_unknown(ledger: Ledger) -> None:
    assert ledger.accept(SPARED, BYPASSED, STATE) is Reason.STATE_UNKNOWN


# accept a YubiKey's or an issued code


def test_a_yubikeys_code_works_once_and_uses_up_every_earlier_one(books: Books) -> None:
    books.add(KEY, ALICE)
    touch = replace(SUCCESS, burn=Burn("key", 0x0200, 0))
    assert books.ledger.accept(touch, ACCEPTED, None) is None
    assert standing(books.ledger).tokens == (replace(KEY, counter=0x0201),)
    for counter in (0x0200, 0x01FF):
        earlier = replace(SUCCESS, burn=Burn("key", counter, 0))
        assert books.ledger.accept(earlier, ACCEPTED, None) is Reason.CODE_ALREADY_USED


def test_an_issued_code_works_as_often_as_it_may(books: Books) -> None:
    code_id = books.issue(ALICE, 2, 9000.0)
    uses = [replace(SUCCESS, burn=Burn(code_id, used, 0)) for used in (0, 0, 1, 2, 1)]
    used, over = Reason.CODE_ALREADY_USED, Reason.CODE_ALREADY_USED
    assert [books.ledger.accept(use, ACCEPTED, None) for use in uses] == [None, used, None, over, over]
    (code,) = standing(books.ledger).tokens
    assert (code.id, code.counter) == (code_id, 2)  # it stays known, so that it is told from a wrong code


def test_an_issued_code_leaps_over_none_of_its_uses(books: Books) -> None:
    code_id = books.issue(ALICE, 3, 9000.0)
    leap = replace(SUCCESS, burn=Burn(code_id, 1, 0))
    assert books.ledger.accept(leap, ACCEPTED, None) is Reason.CODE_ALREADY_USED
    assert standing(books.ledger).tokens[0].counter == 0


def test_an_issued_code_that_has_ended_meanwhile_is_refused(books: Books) -> None:
    code_id = books.issue(ALICE, 1, 1000.0)
    use = replace(SUCCESS, burn=Burn(code_id, 0, 0))
    assert books.ledger.accept(use, ACCEPTED, None) is Reason.CODE_ALREADY_USED
    assert books.ledger.accept(use, replace(ACCEPTED, when=999.9), None) is None


# adoption


def test_a_yubikey_of_the_stock_becomes_theirs_with_its_first_code(books: Books) -> None:
    books.stock_up(KEY)
    record = replace(ACCEPTED, subject=BOB, token="key", factor="yubikey")
    assert books.ledger.accept(ADOPTION, record, None) is None
    assert standing(books.ledger, BOB) == Standing((replace(KEY, counter=0x0201),), enrolled=True)
    assert books.ledger.stock([KEY.public_id], 1000.0) == ()
    assert books.records() == [record]
    assert books.ledger.accept(ADOPTION, record, None) is Reason.CODE_ALREADY_USED
    later = Success(BOB, "bob", Burn("key", 0x0201, 0))
    assert books.ledger.accept(later, record, None) is None


def test_who_adopts_is_rid_of_their_failures(books: Books) -> None:
    books.stock_up(KEY)
    books.ledger.refuse(*guess(1, subject=BOB), None)
    assert books.ledger.accept(ADOPTION, ACCEPTED, None) is None
    assert standing(books.ledger, BOB).failures == Failures()


def test_who_has_a_token_by_now_adopts_none(books: Books) -> None:
    books.stock_up(KEY)
    books.add(FOB, BOB)
    assert books.ledger.accept(ADOPTION, replace(ACCEPTED, subject=BOB), None) is Reason.CODE_ALREADY_USED
    assert books.ledger.stock([KEY.public_id], 1000.0) == (KEY,)
    assert [record.reason for record in books.records()] == [Reason.CODE_ALREADY_USED]


def test_who_has_a_passkey_by_now_adopts_no_yubikey(books: Books) -> None:
    books.stock_up(KEY)
    books.register("passkey", BOB)
    assert books.ledger.accept(ADOPTION, replace(ACCEPTED, subject=BOB), None) is Reason.CODE_ALREADY_USED
    assert books.ledger.stock([KEY.public_id], 1000.0) == (KEY,)


def test_of_several_yubikeys_at_once_one_person_adopts_one(books: Books) -> None:
    for number in range(12):
        books.stock_up(replace(KEY, id=f"key{number}", public_id=f"cc{to_modhex(bytes((number,)))}"))
    touches = [replace(ADOPTION, burn=Burn(f"key{number}", 0x0200, 0, adopts=True)) for number in range(12)]
    with ThreadPoolExecutor(12) as pool:
        answers = list(
            pool.map(lambda touch: books.ledger.accept(touch, replace(ACCEPTED, subject=BOB), None), touches)
        )
    assert sorted(answers, key=str) == [None, *[Reason.CODE_ALREADY_USED] * 11]
    assert len(standing(books.ledger, BOB).tokens) == 1


def test_who_has_a_code_only_or_a_token_for_later_may_adopt(books: Books) -> None:
    books.stock_up(KEY)
    books.issue(BOB, 1, 2000.0)
    books.add(FOB, BOB, valid_from=3000.0)
    assert books.ledger.accept(ADOPTION, replace(ACCEPTED, subject=BOB), None) is None


def test_an_adoption_while_locked_out_leaves_the_yubikey_in_the_stock(books: Books) -> None:
    books.stock_up(KEY)
    for number in range(3):
        books.ledger.refuse(*guess(number, subject=BOB), None)
    assert books.ledger.accept(ADOPTION, ACCEPTED, None) is Reason.LOCKED_OUT
    assert books.ledger.stock([KEY.public_id], 1000.0) == (KEY,)


@pytest.mark.parametrize("whose", ["somebody else's", "already theirs", "disabled", "not valid", "used", "gone"])
def test_only_what_is_in_the_stock_unused_can_be_adopted(books: Books, whose: str) -> None:
    match whose:
        case "somebody else's":
            books.add(KEY, ALICE)
        case "already theirs":
            books.add(KEY, BOB)
        case "disabled":
            books.stock_up(KEY)
            books.disable("key")
        case "not valid":
            books.stock_up(KEY, valid_until=1000.0)
        case "used":
            books.stock_up(replace(KEY, counter=0x0201))
    before = [standing(books.ledger, subject) for subject in (ALICE, BOB)]
    assert books.ledger.accept(ADOPTION, ACCEPTED, None) is Reason.CODE_ALREADY_USED
    assert [standing(books.ledger, subject) for subject in (ALICE, BOB)] == before


def test_a_yubikey_of_the_stock_answers_for_nobody_without_adoption(books: Books) -> None:
    books.stock_up(KEY)
    mere = Success(BOB, "bob", Burn("key", 0x0200, 0))
    assert books.ledger.accept(mere, ACCEPTED, None) is Reason.CODE_ALREADY_USED


# Races. The figures: 50 sockets at the same instant, as second-factors asks for.


def test_one_code_on_fifty_threads_is_accepted_once(books: Books, ledger: Ledger) -> None:
    results = at_once([lambda: ledger.accept(SUCCESS, ACCEPTED, None)] * 50)
    assert Counter(results) == {None: 1, Reason.CODE_ALREADY_USED: 49}
    assert Counter(record.result for record in books.records()) == {Result.ACCEPT: 1, Result.REJECT: 49}


def test_one_challenge_on_fifty_threads_is_answered_once(ledger: Ledger) -> None:
    ledger.ask(HELD, ASKED, None)
    burns = [burning(100 + number) for number in range(50)]
    results = at_once([lambda burn=burn: ledger.accept(burn, ACCEPTED, STATE) for burn in burns])
    assert Counter(results) == {None: 1, Reason.STATE_UNKNOWN: 49}


def test_failures_on_fifty_threads_are_all_counted(ledger: Ledger) -> None:
    at_once([lambda number=number: ledger.refuse(*guess(number), None) for number in range(50)])
    assert standing(ledger).failures == Failures(50, math.inf)


def test_one_yubikey_of_the_stock_on_fifty_threads_becomes_one_persons(books: Books) -> None:
    books.stock_up(KEY)
    touches = [Success(f"id{number}", "x", Burn("key", 0x0200 + number, 0, adopts=True)) for number in range(50)]
    results = at_once([lambda touch=touch: books.ledger.accept(touch, ACCEPTED, None) for touch in touches])
    assert Counter(results) == {None: 1, Reason.CODE_ALREADY_USED: 49}
    owners = [touch for touch in touches if standing(books.ledger, touch.subject).tokens]
    assert len(owners) == 1
    assert owners[0].burn is not None
    assert standing(books.ledger, owners[0].subject).tokens[0].counter == owners[0].burn.counter + 1


def test_an_issued_code_on_fifty_threads_is_used_once_for_each_look_at_it(books: Books) -> None:
    code_id = books.issue(ALICE, 3, 9000.0)
    use = replace(SUCCESS, burn=Burn(code_id, 0, 0))
    results = at_once([lambda: books.ledger.accept(use, ACCEPTED, None)] * 50)
    assert Counter(results) == {None: 1, Reason.CODE_ALREADY_USED: 49}


def test_unknown_names_on_fifty_threads_are_all_counted(books: Books) -> None:
    rules = replace(RULES, failures=100, lock_after=200)
    names = [miss(f"x{number}", rules=rules) for number in range(50)]
    at_once([lambda one=one: books.ledger.refuse(STRANGER, one, None) for one in names])
    assert standing(books.ledger).place == Failures(50, 0.0)


def test_first_failures_of_somebody_unknown_on_fifty_threads_are_all_counted(books: Books) -> None:
    at_once([lambda number=number: books.ledger.refuse(*guess(number), None) for number in range(50)])
    assert standing(books.ledger).failures.count == 50


def test_logins_failures_and_challenges_of_two_people_never_wait_for_each_other_for_ever(
    books: Books, ledger: Ledger
) -> None:
    books.add(FOB, BOB)
    states = [b"%032d" % number for number in range(10)]
    for state in states:
        ledger.ask(replace(HELD, state=state), ASKED, None)

    def work(number: int) -> None:
        state = states[number % 10]
        stray = replace(guess(number)[1], out_of_step=OutOfStep("phone", 500 + number))
        ledger.refuse(guess(number)[0], stray, state)
        ledger.accept(Success(BOB, "bob", Burn("fob", 7 + number, 0)), replace(ACCEPTED, subject=BOB), state)
        ledger.ask(replace(HELD, state=b"%032d" % (100 + number)), ASKED, guess(number, subject=BOB)[1])
        ledger.refuse(REFUSED, miss(f"x{number}"), state)
        ledger.accept(replace(burning(100 + number), place=PLACE), ACCEPTED, state)

    at_once([lambda number=number: work(number) for number in range(20)])
    assert Counter(record.id for record in books.records()) == {"0a": 30, "0b": 40, "0c": 40}
