"""The conformance suite: every sentence of `login.ports.Ledger`, on both databases and on the fake.

The figures of time and counters are the tests' own; the rules stand in the port's docstrings and in second-factors.
"""

import math
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace

import pytest

from radius2fa.login.lockout import Failures, LockoutRules
from radius2fa.login.ports import Burn, Failure, Held, Ledger, OutOfStep, Record, Result, Standing
from radius2fa.login.reason import Reason
from radius2fa.otp.token import Algorithm, Kind, Token
from radius2fa.store.engine import Store
from tests.fakes.ledger import FakeLedger
from tests.store.opening import opened

ALICE, BOB = "6b1e0ad2-0001", "6b1e0ad2-0002"
PHONE = Token("phone", Kind.TOTP, b"12345678901234567890", digits=8, period=60, counter=100)
FOB = Token("fob", Kind.HOTP, b"09876543210987654321", Algorithm.SHA256, counter=7)
STATE = b"0123456789abcdef0123456789abcdef"
HELD = Held(STATE, "vpn", "alice", b"pa\xc3\xa4ss", expires=1120.0)
RULES = LockoutRules(failures=3, delay=30.0, longest_delay=100.0, lock_after=6, repeat_seconds=60.0)
ASKED = Record("0a", 1000.0, "vpn", "alice", "192.0.2.7", Result.CHALLENGE, subject=ALICE)
REFUSED = Record("0b", 1000.0, "vpn", "alice", "192.0.2.7", Result.REJECT, Reason.WRONG_CODE, ALICE)
ACCEPTED = Record("0c", 1000.0, "vpn", "alice", "192.0.2.7", Result.ACCEPT, None, ALICE, "phone")
BURN = Burn(ALICE, "phone", counter=100, drift=-1)
BURNED = replace(PHONE, counter=101, drift=-1)


@dataclass(frozen=True)
class Books:
    """A ledger under test, and what a port for logins has no word for."""

    ledger: Ledger
    add: Callable[[Token, str], None]
    deactivate: Callable[[str], object]
    records: Callable[[], list[Record]]


def of_store(store: Store) -> Books:
    def add(token: Token, subject: str) -> None:
        store.tokens.add(token, subject, "alice", "", None, 1.0)

    def records() -> list[Record]:
        return [record for subject in (ALICE, BOB) for record in reversed(store.accounts.recent(subject, 1000))]

    return Books(store.ledger, add, lambda token: store.tokens.set_active(token, active=False), records)


def of_fake() -> Books:
    fake = FakeLedger()
    return Books(fake, fake.add, fake.deactivate, lambda: fake.records)


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
    assert books.ledger.standing("nobody") == Standing()


def test_a_person_has_all_their_active_tokens_whole_and_nobody_elses(books: Books) -> None:
    remembering = replace(FOB, remembered=9, remembered_at=1000.0)
    for token, subject in (
        (PHONE, ALICE),
        (FOB, ALICE),
        (replace(FOB, id="lost"), ALICE),
        (replace(FOB, id="his"), BOB),
    ):
        books.add(token, subject)
    books.deactivate("lost")
    record, failure = guess(1)
    books.ledger.refuse(record, replace(failure, out_of_step=OutOfStep("fob", 9)), None)
    standing = books.ledger.standing(ALICE)
    assert {token.id: token for token in standing.tokens} == {"phone": PHONE, "fob": remembering}
    assert standing.failures == Failures(1, 0.0)


def test_failures_show_without_any_token(books: Books) -> None:
    books.ledger.refuse(*guess(1), None)
    assert books.ledger.standing(ALICE) == Standing((), Failures(1, 0.0))


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
    assert books.ledger.standing(ALICE).failures == Failures(0, 0.0)
    books.ledger.ask(replace(HELD, state=b"b" * 32), ASKED, guess(1)[1])
    assert books.ledger.standing(ALICE).failures == Failures(1, 0.0)
    assert books.records() == [ASKED, ASKED]


# refuse


def test_a_refusal_is_written_down_word_for_word(books: Books) -> None:
    record = replace(REFUSED, source="", token="phone", name="ÄLICE\N{FULLWIDTH LATIN SMALL LETTER A}")
    books.ledger.refuse(record, None, None)
    assert books.records() == [record]
    assert books.ledger.standing(ALICE) == Standing()


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
        blocked.append(ledger.standing(ALICE).failures)
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
    assert ledger.standing(ALICE).failures == Failures(1, 0.0)
    assert ledger.standing(BOB).failures == Failures(1, 0.0)


def test_the_same_wrong_credentials_count_once_in_sixty_seconds_from_the_first(ledger: Ledger) -> None:
    for when in (1000.0, 1030.0, 1059.9):
        ledger.refuse(*guess(1, when=when), None)
    assert ledger.standing(ALICE).failures == Failures(1, 0.0)
    for when in (1060.0, 1119.9):
        ledger.refuse(*guess(1, when=when), None)
    assert ledger.standing(ALICE).failures == Failures(2, 0.0)


def test_other_credentials_or_another_client_are_no_repeat(ledger: Ledger) -> None:
    record, failure = guess(1)
    ledger.refuse(record, failure, None)
    ledger.refuse(record, replace(failure, credentials=b"wrong2"), None)
    ledger.refuse(replace(record, client="switch"), replace(failure, credentials=b"wrong2"), None)
    assert ledger.standing(ALICE).failures.count == 3


def test_with_no_seconds_for_repeats_every_failure_counts(ledger: Ledger) -> None:
    record, failure = guess(1)
    for _ in range(2):
        ledger.refuse(record, replace(failure, rules=replace(RULES, repeat_seconds=0.0)), None)
    assert ledger.standing(ALICE).failures.count == 2


def test_a_code_seen_out_of_step_is_remembered_and_forgotten_by_the_next_login(ledger: Ledger) -> None:
    record, failure = guess(1)
    ledger.refuse(record, replace(failure, out_of_step=OutOfStep("phone", 110)), None)
    assert ledger.standing(ALICE).tokens == (replace(PHONE, remembered=110, remembered_at=1000.0),)
    assert ledger.accept(replace(BURN, counter=111), ACCEPTED, None) is None
    assert ledger.standing(ALICE).tokens == (replace(PHONE, counter=112, drift=-1),)


@pytest.mark.parametrize(("token", "counter"), [("phone", 99), ("his", 9), ("nothing", 9)])
def test_nothing_is_remembered_of_a_used_code_or_another_persons_token(books: Books, token: str, counter: int) -> None:
    books.add(PHONE, ALICE)
    books.add(replace(FOB, id="his"), BOB)
    record, failure = guess(1)
    books.ledger.refuse(record, replace(failure, out_of_step=OutOfStep(token, counter)), None)
    assert books.ledger.standing(ALICE).tokens == (PHONE,)
    assert books.ledger.standing(BOB).tokens == (replace(FOB, id="his"),)


# accept


def test_a_code_is_burned_the_failures_are_forgotten_and_the_record_is_written(books: Books, ledger: Ledger) -> None:
    fail(ledger, 2)
    assert ledger.accept(BURN, ACCEPTED, None) is None
    assert ledger.standing(ALICE) == Standing((BURNED,), Failures(0, 0.0))
    assert books.records()[2:] == [ACCEPTED]


def test_after_a_login_the_same_wrong_credentials_count_again(ledger: Ledger) -> None:
    ledger.refuse(*guess(1), None)
    ledger.accept(BURN, ACCEPTED, None)
    ledger.refuse(*guess(1), None)
    assert ledger.standing(ALICE).failures == Failures(1, 0.0)


@pytest.mark.parametrize("counter", [100, 99, 0])
def test_a_code_works_once_and_uses_up_every_earlier_one(books: Books, ledger: Ledger, counter: int) -> None:
    ledger.accept(BURN, ACCEPTED, None)
    assert ledger.accept(replace(BURN, counter=counter), ACCEPTED, None) is Reason.CODE_ALREADY_USED
    assert ledger.standing(ALICE).tokens == (BURNED,)
    assert books.records()[1:] == [replace(ACCEPTED, result=Result.REJECT, reason=Reason.CODE_ALREADY_USED)]


def test_a_later_code_works_after_an_earlier_one(ledger: Ledger) -> None:
    assert ledger.accept(BURN, ACCEPTED, None) is None
    assert ledger.accept(replace(BURN, counter=101), ACCEPTED, None) is None


def test_a_code_of_a_token_that_is_active_no_more_is_refused(books: Books, ledger: Ledger) -> None:
    books.deactivate("phone")
    assert ledger.accept(BURN, ACCEPTED, None) is Reason.CODE_ALREADY_USED
    assert books.records() == [replace(ACCEPTED, result=Result.REJECT, reason=Reason.CODE_ALREADY_USED)]


def test_a_code_of_another_persons_token_is_refused(books: Books, ledger: Ledger) -> None:
    books.add(FOB, BOB)
    assert ledger.accept(Burn(ALICE, "fob", 7, 0), ACCEPTED, None) is Reason.CODE_ALREADY_USED
    assert ledger.standing(BOB).tokens == (FOB,)


def test_a_challenge_is_answered_once(ledger: Ledger) -> None:
    ledger.ask(HELD, ASKED, None)
    assert ledger.accept(BURN, ACCEPTED, STATE) is None
    assert ledger.held(STATE, "vpn", "alice", 1000.0) is None
    assert ledger.accept(replace(BURN, counter=101), ACCEPTED, STATE) is Reason.STATE_UNKNOWN


def test_an_answer_to_a_challenge_that_is_gone_burns_nothing_and_forgets_no_failure(
    books: Books, ledger: Ledger
) -> None:
    fail(ledger, 1)
    assert ledger.accept(BURN, ACCEPTED, STATE) is Reason.STATE_UNKNOWN
    assert ledger.standing(ALICE) == Standing((PHONE,), Failures(1, 0.0))
    assert books.records()[1:] == [replace(ACCEPTED, result=Result.REJECT, reason=Reason.STATE_UNKNOWN)]


def test_somebody_blocked_meanwhile_is_locked_out_and_nothing_is_burned(books: Books, ledger: Ledger) -> None:
    fail(ledger, 3)
    assert ledger.accept(BURN, replace(ACCEPTED, when=1029.9), None) is Reason.LOCKED_OUT
    assert ledger.standing(ALICE) == Standing((PHONE,), Failures(3, 1030.0))
    locked_out = replace(ACCEPTED, when=1029.9, result=Result.REJECT, reason=Reason.LOCKED_OUT)
    assert books.records()[3:] == [locked_out]
    assert ledger.accept(BURN, replace(ACCEPTED, when=1030.0), None) is None


@pytest.mark.parametrize("failures", [0, 3], ids=["code used", "locked out"])
def test_a_refused_answer_ends_its_challenge_too(ledger: Ledger, failures: int) -> None:
    ledger.ask(HELD, ASKED, None)
    fail(ledger, failures)
    expected = Reason.LOCKED_OUT if failures else Reason.CODE_ALREADY_USED
    assert ledger.accept(replace(BURN, counter=99), ACCEPTED, STATE) is expected
    assert ledger.held(STATE, "vpn", "alice", 1000.0) is None


# Races. The figures: 50 sockets at the same instant, as second-factors asks for.


def test_one_code_on_fifty_threads_is_accepted_once(books: Books, ledger: Ledger) -> None:
    results = at_once([lambda: ledger.accept(BURN, ACCEPTED, None)] * 50)
    assert Counter(results) == {None: 1, Reason.CODE_ALREADY_USED: 49}
    assert Counter(record.result for record in books.records()) == {Result.ACCEPT: 1, Result.REJECT: 49}


def test_one_challenge_on_fifty_threads_is_answered_once(ledger: Ledger) -> None:
    ledger.ask(HELD, ASKED, None)
    burns = [replace(BURN, counter=100 + number) for number in range(50)]
    results = at_once([lambda burn=burn: ledger.accept(burn, ACCEPTED, STATE) for burn in burns])
    assert Counter(results) == {None: 1, Reason.STATE_UNKNOWN: 49}


def test_failures_on_fifty_threads_are_all_counted(ledger: Ledger) -> None:
    at_once([lambda number=number: ledger.refuse(*guess(number), None) for number in range(50)])
    assert ledger.standing(ALICE).failures == Failures(50, math.inf)


def test_first_failures_of_somebody_unknown_on_fifty_threads_are_all_counted(books: Books) -> None:
    at_once([lambda number=number: books.ledger.refuse(*guess(number), None) for number in range(50)])
    assert books.ledger.standing(ALICE).failures.count == 50


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
        ledger.accept(Burn(BOB, "fob", 7 + number, 0), replace(ACCEPTED, subject=BOB), state)
        ledger.ask(replace(HELD, state=b"%032d" % (100 + number)), ASKED, guess(number, subject=BOB)[1])
        ledger.accept(replace(BURN, counter=100 + number), ACCEPTED, None)

    at_once([lambda number=number: work(number) for number in range(20)])
    assert Counter(record.id for record in books.records()) == {"0a": 30, "0b": 20, "0c": 40}
