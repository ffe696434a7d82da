"""The decision over small real fakes. The codes are those of RFC 4226 appendix D's key, by published table."""

import threading
from dataclasses import replace

import pytest

from radius2fa.login.attempt import Accept, Attempt, Challenge, CodeMode, Outcome, Reject
from radius2fa.login.authenticate import turn_away
from radius2fa.login.policy import Rule
from radius2fa.login.ports import BindResult, Entry, NotFound, Result, Unavailable
from radius2fa.login.reason import Reason
from radius2fa.otp.token import Kind, Token
from tests.fakes.directory import FakeDirectory, ForAnyClient
from tests.fakes.ledger import FakeLedger
from tests.login.world import CODE, CODES, KEY, NOW, PASSWORD, World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def asking() -> World:
    return World(CodeMode.CHALLENGE)


@pytest.fixture
def either() -> World:
    return World(CodeMode.EITHER)


# --- the code behind the password


def test_password_and_code_let_in_by_one_bind_and_burn_the_code(world: World) -> None:
    assert world.type(PASSWORD + CODE) == Accept(world.alice, "alices", "totp", "staff")
    assert world.directory.binds == 1
    assert world.standing(world.alice).tokens[0].counter == 47251646
    record = world.ledger.records[0]
    assert (record.id, record.when, record.client, record.name, record.source) == (
        "id1",
        NOW,
        "vpn",
        "alice",
        "198.51.100.7",
    )
    assert (record.result, record.reason, record.subject, record.token) == (Result.ACCEPT, None, world.alice, "alices")


def test_a_code_works_once(world: World) -> None:
    world.type(PASSWORD + CODE)
    assert world.type(PASSWORD + CODE) == Reject(Reason.CODE_ALREADY_USED)
    assert world.directory.binds == 1


def test_a_code_works_once_from_fifty_threads_at_once(world: World) -> None:
    outcomes: list[Outcome] = []
    barrier = threading.Barrier(50)

    def login() -> None:
        barrier.wait()
        outcomes.append(world.type(PASSWORD + CODE))

    threads = [threading.Thread(target=login) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    accepted = [outcome for outcome in outcomes if isinstance(outcome, Accept)]
    assert (len(accepted), len(outcomes)) == (1, 50)


def test_a_wrong_password_does_not_burn_the_code_but_counts(world: World) -> None:
    assert world.type(b"wrong" + CODE) == Reject(Reason.WRONG_PASSWORD)
    assert world.failures == 1
    assert world.ledger.records[0].token == "alices"
    assert world.type(PASSWORD + CODE) == Accept(world.alice, "alices", "totp", "staff")
    assert world.failures == 0


@pytest.mark.parametrize(
    ("password", "reason", "counted"),
    [
        (PASSWORD + b"000000", Reason.WRONG_CODE, 1),
        (PASSWORD + CODES[47251640], Reason.WRONG_CODE, 1),  # five steps old
        (PASSWORD + CODES[47251649], Reason.OUT_OF_STEP, 1),
        (PASSWORD, Reason.NO_CODE, 0),
        (PASSWORD + CODE + b"\n", Reason.NO_CODE, 0),
        (PASSWORD + CODE + b" ", Reason.NO_CODE, 0),
        (PASSWORD + "\uff10\uff16\uff13\uff13\uff12\uff11".encode(), Reason.NO_CODE, 0),  # full-width digits
        (b"", Reason.EMPTY_PASSWORD, 0),
        (CODE, Reason.EMPTY_PASSWORD, 1),
    ],
)
def test_without_a_valid_code_no_password_is_checked(
    world: World, password: bytes, reason: Reason, counted: int
) -> None:
    world.house = replace(world.house, windows=replace(world.house.windows, totp_resync=4))
    assert world.type(password) == Reject(reason)
    assert world.directory.binds == 0
    assert world.failures == counted


def test_a_name_that_nobody_has_is_refused_whatever_code_it_brings(world: World) -> None:
    assert world.type(PASSWORD + CODE, name="mallory") == Reject(Reason.NO_SUCH_USER)
    assert world.directory.binds == 0


def test_somebody_elses_code_is_worth_nothing(world: World) -> None:
    world.ledger.add(Token("bobs", Kind.TOTP, KEY[::-1]), world.bob)
    assert world.type(b"bobs password" + CODE, name="bob") == Reject(Reason.WRONG_CODE)
    assert world.directory.binds == 0


def test_a_user_without_a_token_is_refused_with_any_digits(world: World) -> None:
    assert world.type(b"bobs password" + CODE, name="bob") == Reject(Reason.NO_TOKEN)
    assert world.directory.binds == 0


def test_a_name_that_several_have_is_refused(world: World) -> None:
    world.directory.add("alice", b"another")
    assert world.type(PASSWORD + CODE) == Reject(Reason.AMBIGUOUS_NAME)


def test_a_name_for_which_the_directory_refers_elsewhere_is_refused_and_counted_against_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.directory, "find", lambda _name, _deadline: NotFound.REFERRAL)
    assert world.type(PASSWORD + CODE) == Reject(Reason.ENTRY_IS_REFERRAL)
    assert (world.directory.binds, world.failures) == (0, 0)


def test_another_spelling_of_the_name_is_the_same_person(world: World) -> None:
    assert isinstance(world.type(PASSWORD + CODE, name="ALICE"), Accept)
    assert world.type(PASSWORD + CODE, name=" alice ") == Reject(Reason.CODE_ALREADY_USED)


@pytest.mark.parametrize(
    ("state", "reason", "counted"),
    [
        (BindResult.ACCOUNT_DISABLED, Reason.ACCOUNT_DISABLED, 0),
        (BindResult.ACCOUNT_EXPIRED, Reason.ACCOUNT_EXPIRED, 0),
        (BindResult.ACCOUNT_LOCKED, Reason.ACCOUNT_LOCKED, 0),
        (BindResult.PASSWORD_EXPIRED, Reason.PASSWORD_EXPIRED, 0),
        (BindResult.PASSWORD_MUST_CHANGE, Reason.PASSWORD_MUST_CHANGE, 0),
        (BindResult.NOT_NOW, Reason.NOT_NOW, 0),
        (BindResult.REFUSED, Reason.BIND_REFUSED, 1),
        (BindResult.WRONG_PASSWORD, Reason.WRONG_PASSWORD, 1),
    ],
)
def test_what_the_directory_says_becomes_the_reason(
    world: World, state: BindResult, reason: Reason, counted: int
) -> None:
    carol = world.directory.add("carol", PASSWORD, state=state)
    world.ledger.add(Token("carols", Kind.TOTP, KEY), carol)
    assert world.type(PASSWORD + CODE, name="carol") == Reject(reason)
    assert world.standing(carol).failures.count == counted
    assert world.standing(carol).tokens[0].counter == 0


def test_every_bind_result_but_ok_refuses(world: World) -> None:
    for state in BindResult:
        name = f"user-{state.name}"
        subject = world.directory.add(name, PASSWORD, state=state)
        world.ledger.add(Token(name, Kind.TOTP, KEY), subject)
        assert isinstance(world.type(PASSWORD + CODE, name=name), Accept) is (state is BindResult.OK)


def test_a_password_that_ends_in_digits_loses_none_of_them(world: World) -> None:
    world.directory.add("dave", b"swordfish2024")
    dave = world.directory.find("dave", 0.0)
    assert isinstance(dave, Entry)
    world.ledger.add(Token("daves", Kind.TOTP, KEY), dave.subject)
    assert isinstance(world.type(b"swordfish2024" + CODE, name="dave"), Accept)


def test_of_several_tokens_the_one_whose_code_it_is_answers_with_one_bind(world: World) -> None:
    # RFC 4226 appendix D's key, counter 0, eight digits: the code before truncation to six is 1284755224
    world.ledger.add(Token("fob", Kind.HOTP, KEY, digits=8), world.alice)
    assert world.type(PASSWORD + b"84755224") == Accept(world.alice, "fob", "hotp", "staff")
    assert world.directory.binds == 1
    assert world.type(PASSWORD + CODE) == Accept(world.alice, "alices", "totp", "staff")


def test_of_several_ways_to_read_a_string_the_most_telling_gives_the_reason(world: World) -> None:
    world.ledger.add(Token("fob", Kind.HOTP, KEY, digits=8), world.alice)
    world.type(PASSWORD + CODE)
    assert world.type(PASSWORD + b"99" + CODE) == Reject(Reason.CODE_ALREADY_USED)


def test_a_delimiter_parts_password_and_code() -> None:
    world = World(delimiter=b",")
    assert world.type(PASSWORD + CODE) == Reject(Reason.NO_CODE)
    assert isinstance(world.type(PASSWORD + b"," + CODE), Accept)


# --- the code by challenge


def test_a_challenge_is_answered_by_a_code_and_the_first_legs_password_is_bound(asking: World) -> None:
    state = asking.challenge()
    assert asking.directory.binds == 0
    assert asking.type(CODE, state=state) == Accept(asking.alice, "alices", "totp", "staff")
    assert asking.directory.binds == 1
    assert [record.result for record in asking.ledger.records] == [Result.CHALLENGE, Result.ACCEPT]


def test_everybody_gets_the_same_challenge(asking: World) -> None:
    asking.ledger.deactivate("alices")
    for name in ("alice", "bob", "mallory"):
        outcome = asking.type(b"anything", name=name)
        assert isinstance(outcome, Challenge)
        assert (len(outcome.state), outcome.seconds, outcome.reason) == (32, 120, None)
        assert outcome.state.decode().isalnum()
    assert asking.directory.binds == 0


def test_a_challenge_shows_neither_state_nor_password(asking: World) -> None:
    outcome = asking.type(b"canary")
    assert isinstance(outcome, Challenge)
    held = asking.ledger.held(outcome.state, "vpn", "alice", NOW)
    assert "canary" not in repr(held)
    assert outcome.state.decode() not in repr(outcome) + repr(held)


def test_a_client_that_asks_takes_no_code_behind_the_password(asking: World) -> None:
    assert isinstance(asking.type(PASSWORD + CODE), Challenge)


def test_a_challenge_works_once(asking: World) -> None:
    state = asking.challenge()
    assert isinstance(asking.type(CODE, state=state), Accept)
    assert asking.type(CODES[47251646], state=state) == Reject(Reason.STATE_UNKNOWN)


def test_a_wrong_answer_ends_the_challenge_and_counts(asking: World) -> None:
    state = asking.challenge()
    assert asking.type(b"000000", state=state) == Reject(Reason.WRONG_CODE)
    assert asking.failures == 1
    assert asking.type(CODE, state=state) == Reject(Reason.STATE_UNKNOWN)
    assert asking.directory.binds == 0


def test_a_challenge_that_was_answered_meanwhile_is_refused_and_burns_nothing(asking: World) -> None:
    state = asking.challenge()
    held = asking.ledger.held(state, "vpn", "alice", NOW)
    assert isinstance(asking.type(CODE, state=state), Accept)

    class Late(FakeLedger):  # a node whose look at the challenge came before the other node's answer
        held = staticmethod(lambda *_: held)  # type: ignore[assignment]

    late = Late()
    late.add(Token("alices", Kind.TOTP, KEY), asking.alice)
    asking.house = replace(asking.house, ledger=late)
    assert asking.type(CODE, state=state) == Reject(Reason.STATE_UNKNOWN)
    assert late.standing(asking.alice, "", NOW).tokens[0].counter == 0


@pytest.mark.parametrize("state", [b"", b"00", b"f" * 32, bytes(32)])
def test_a_state_that_nobody_gave_out_is_refused_never_a_fresh_login(either: World, state: bytes) -> None:
    assert either.type(PASSWORD + CODE, state=state) == Reject(Reason.STATE_UNKNOWN)
    assert either.directory.binds == 0


def test_a_state_serves_only_the_user_and_client_that_it_was_given_to(asking: World) -> None:
    asking.ledger.add(Token("bobs", Kind.TOTP, KEY[::-1]), asking.bob)
    state = asking.challenge()
    assert asking.type(CODE, name="bob", state=state) == Reject(Reason.STATE_UNKNOWN)
    assert asking.type(CODE, state=state, client="wifi") == Reject(Reason.STATE_UNKNOWN)
    assert isinstance(asking.type(CODE, state=state), Accept)  # and neither has ended it


def test_a_state_expires(asking: World) -> None:
    state = asking.challenge()
    asking.now += 120
    assert asking.type(CODES[47251649], state=state) == Reject(Reason.STATE_UNKNOWN)


def test_a_state_is_good_up_to_its_end(asking: World) -> None:
    state = asking.challenge()
    asking.now += 119
    assert isinstance(asking.type(CODES[47251649], state=state), Accept)


@pytest.mark.parametrize("answer", [b"", b"06332", b"0633211", b"06332a", CODE + b"\n", PASSWORD + CODE])
def test_an_answer_that_is_no_code_is_refused(asking: World, answer: bytes) -> None:
    assert asking.type(answer, state=asking.challenge()) == Reject(Reason.NO_CODE)
    assert asking.failures == 0


def test_a_wrong_password_shows_only_after_the_code(asking: World) -> None:
    assert asking.type(CODE, state=asking.challenge(b"wrong")) == Reject(Reason.WRONG_PASSWORD)
    assert asking.directory.binds == 1
    assert asking.failures == 1


def test_other_passwords_with_the_same_code_are_other_guesses(asking: World) -> None:
    for password in (b"one", b"two", b"three"):
        asking.type(CODE, state=asking.challenge(password))
    assert asking.failures == 3


def test_unknown_names_are_refused_at_the_second_leg(asking: World) -> None:
    state = asking.challenge(name="mallory")
    assert asking.type(CODE, name="mallory", state=state) == Reject(Reason.NO_SUCH_USER)


def test_no_challenge_follows_an_empty_password(asking: World) -> None:
    assert asking.type(b"") == Reject(Reason.EMPTY_PASSWORD)


# --- either


def test_with_either_a_tail_that_verifies_is_an_appended_login(either: World) -> None:
    assert isinstance(either.type(PASSWORD + CODE), Accept)


def test_with_either_anything_else_is_a_password_and_a_challenge_follows(either: World) -> None:
    state = either.challenge()
    assert either.failures == 0
    assert isinstance(either.type(CODE, state=state), Accept)


def test_with_either_a_password_that_looks_like_one_with_a_code_counts_until_it_succeeds(either: World) -> None:
    eve = either.directory.add("eve", b"pass123456")
    either.ledger.add(Token("eves", Kind.TOTP, KEY), eve)
    outcome = either.type(b"pass123456", name="eve")
    assert isinstance(outcome, Challenge)
    assert outcome.reason is Reason.WRONG_CODE
    assert either.standing(eve).failures.count == 1
    assert isinstance(either.type(CODE, name="eve", state=outcome.state), Accept)
    assert either.standing(eve).failures.count == 0


@pytest.mark.parametrize("password", [b"wrong", b""])
def test_with_either_a_right_code_behind_a_wrong_password_looks_like_a_wrong_one(
    either: World, password: bytes
) -> None:
    state = either.challenge(password + CODE)
    assert either.failures == 1
    assert either.type(CODE, state=state) == Reject(Reason.WRONG_PASSWORD)


def test_with_either_a_mere_password_is_not_taken_for_a_code_out_of_step(either: World) -> None:
    either.type(b"pass" + CODES[47251649])
    assert either.standing(either.alice).tokens[0].remembered is None


def test_with_either_wrong_code_and_right_password_is_not_told_from_the_outside(either: World) -> None:
    for password in (PASSWORD + b"000000", b"wrong000000", b"x"):
        assert isinstance(either.type(password), Challenge)
    assert either.directory.binds == 0


# --- resync


def test_two_codes_in_sequence_bring_a_token_back(world: World) -> None:
    world.now = 47251644 * 30.0
    assert world.type(PASSWORD + CODES[47251649]) == Reject(Reason.OUT_OF_STEP)
    assert world.ledger.records[0].token == "alices"
    world.now += 30
    assert isinstance(world.type(PASSWORD + CODES[47251650]), Accept)
    token = world.standing(world.alice).tokens[0]
    assert (token.counter, token.drift, token.remembered) == (47251651, 5, None)


# --- guessing


def test_the_fifth_failure_blocks_and_a_right_code_while_blocked_is_neither_counted_nor_burned(world: World) -> None:
    for number in range(5):
        assert world.type(PASSWORD + b"00000%d" % number) == Reject(Reason.WRONG_CODE)
    assert world.type(PASSWORD + CODE) == Reject(Reason.LOCKED_OUT)
    assert world.failures == 5
    assert world.directory.binds == 0
    world.now += 30
    assert isinstance(world.type(PASSWORD + CODES[47251646]), Accept)


def test_the_same_wrong_credentials_again_count_once_a_minute(world: World) -> None:
    for _ in range(4):
        world.type(PASSWORD + b"000000")
    assert world.failures == 1
    world.now += 60
    world.type(PASSWORD + b"000000")
    assert world.failures == 2


def test_the_same_wrong_password_again_is_put_to_the_directory_once_a_minute(world: World) -> None:
    world.ledger.add(Token("fob", Kind.HOTP, KEY), world.alice)
    for _ in range(5):
        assert world.type(b"wrong755224") == Reject(Reason.WRONG_PASSWORD)
    assert (world.directory.binds, world.failures) == (1, 1)
    assert world.ledger.records[-1].token == "fob"
    assert world.type(b"wrong again755224") == Reject(Reason.WRONG_PASSWORD)
    assert world.type(PASSWORD + b"755224") == Accept(world.alice, "fob", "hotp", "staff")
    assert world.directory.binds == 3


def test_a_code_that_came_too_early_and_is_right_by_now_is_no_repeated_password(world: World) -> None:
    world.now -= 60  # the code is of the step after the next
    assert world.type(PASSWORD + CODE) == Reject(Reason.OUT_OF_STEP)
    world.now += 59
    assert isinstance(world.type(PASSWORD + CODE), Accept)


def test_failures_on_the_way_refuse_the_right_guess_at_the_last_moment(world: World) -> None:
    """A hundred guesses at once: whatever is written after the fifth failure is refused, the right code too."""

    class Slow(FakeDirectory):
        def bind(self, entry: Entry, password: bytes, deadline: float) -> BindResult:
            for number in range(5):  # while the right guess waits for its bind, others fail
                world.type(PASSWORD + b"11111%d" % number)
            return super().bind(entry, password, deadline)

    slow = Slow()
    slow.add("alice", PASSWORD, subject=world.alice)
    world.house = replace(world.house, directory=ForAnyClient(slow))
    assert world.type(PASSWORD + CODE) == Reject(Reason.LOCKED_OUT)
    assert world.standing(world.alice).tokens[0].counter == 0


# --- the rest


def test_a_person_is_looked_up_for_the_client_that_asks(world: World) -> None:
    """A site may let the users of a client come from some of its directories only."""
    asked = []

    class Noting(ForAnyClient):
        def find(self, name: str, client: str | None, deadline: float) -> Entry | NotFound:
            asked.append((name, client, deadline))
            return super().find(name, client, deadline)

    world.house = replace(world.house, directory=Noting(world.directory))
    world.type(PASSWORD + CODE)
    world.type(PASSWORD + CODE, name="bob", client="switch")
    assert asked == [("alice", "vpn", 99.0), ("bob", "switch", 99.0)]


def test_the_first_policy_that_matches_is_named_in_the_accept(world: World) -> None:
    assert world.type(PASSWORD + CODE, client="switch") == Accept(world.alice, "alices", "totp", "switches")


def test_without_a_matching_policy_there_is_none(world: World) -> None:
    world.rule(Rule("switches", frozenset({"switch"})))
    assert world.type(PASSWORD + CODE) == Accept(world.alice, "alices", "totp", None)


@pytest.mark.parametrize("broken", ["directory", "ledger"])
def test_a_breakdown_is_no_refusal_and_leaves_no_trace(world: World, broken: str) -> None:
    world.directory.down = broken == "directory"
    world.ledger.broken = broken == "ledger"
    with pytest.raises(Unavailable):
        world.type(PASSWORD + CODE)
    world.directory.down = world.ledger.broken = False
    assert world.ledger.records == []
    assert isinstance(world.type(PASSWORD + CODE), Accept)


def test_what_cannot_be_read_is_turned_away_and_written_down(world: World) -> None:
    attempt = Attempt("id", world.client, "al\\nice", b"", None, "", None, NOW, 99.0)
    assert turn_away(attempt, Reason.BAD_NAME, world.house) == Reject(Reason.BAD_NAME)
    assert [(record.name, record.reason) for record in world.ledger.records] == [("al\\nice", Reason.BAD_NAME)]


def test_secrets_have_no_repr(world: World) -> None:
    attempt = Attempt("id", world.client, "alice", b"canary1", b"canary2", "", None, NOW, 99.0)
    assert "canary" not in repr(attempt)
