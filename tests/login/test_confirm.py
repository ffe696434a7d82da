"""The second look at somebody who has logged in already: a code alone, by the rules of a login."""

from dataclasses import replace

import pytest

from radius2fa.login.attempt import Accept, Attempt, CodeMode, Reject
from radius2fa.login.confirm import Confirmed, confirm
from radius2fa.login.policy import Rule, SecondFactor
from radius2fa.login.ports import Record, Result, Unavailable
from radius2fa.login.reason import Reason
from radius2fa.otp.issued import digest_of
from radius2fa.otp.token import IssuedCode, Kind, YubiKey
from tests.login.world import CODE, CODES, NOW, PASSWORD, SOURCE, World

DIGEST_KEY = b"k" * 32
PORTAL = Rule("portal", second_factor=SecondFactor.IF_ENROLLED, kinds=frozenset(Kind))


def issued(kind: Kind, code: bytes) -> IssuedCode:
    return IssuedCode("code", kind, DIGEST_KEY, digest_of(DIGEST_KEY, "code", code))


@pytest.fixture(params=list(CodeMode))
def world(request: pytest.FixtureRequest) -> World:
    """Alice and Bob, for a client with each way of typing codes: it makes no difference here."""
    return World(request.param)


def shown(world: World, code: bytes, *, name: str = "alice", subject: str = "") -> Confirmed | Reject:
    attempt = Attempt("id", world.client, name, code, None, SOURCE, None, world.now, 99.0)
    return confirm(attempt, world.house, subject=subject or world.alice)


def test_a_code_is_enough_and_is_burned_without_a_bind(world: World) -> None:
    assert shown(world, CODE) == Confirmed("alices", "totp")
    assert world.ledger.records == [
        Record(
            *("id", NOW, "vpn", "alice", SOURCE, Result.ACCEPT, None, world.alice, "alices"),
            policy="staff",
            factor="totp",
            person="alice",
        )
    ]
    assert world.directory.binds == 0
    assert world.standing(world.alice).tokens[0].counter == 47251646


def test_what_is_confirmed_is_no_login(world: World) -> None:
    assert not isinstance(shown(world, CODE), Accept)


def test_a_code_of_a_login_confirms_nothing_and_one_that_confirmed_is_no_login() -> None:
    world = World()
    assert isinstance(world.login(CODE), Accept)
    assert shown(world, CODE) == Reject(Reason.CODE_ALREADY_USED)
    assert shown(world, CODES[47251646]) == Confirmed("alices", "totp")
    assert world.login(CODES[47251646]) == Reject(Reason.CODE_ALREADY_USED)


@pytest.mark.parametrize(
    ("code", "reason", "failures"),
    [
        (b"", Reason.NO_CODE, 0),
        (b"what?", Reason.NO_CODE, 0),
        (b"000000", Reason.WRONG_CODE, 1),
        (PASSWORD + CODE, Reason.NO_CODE, 0),
        (CODES[47251650], Reason.OUT_OF_STEP, 1),
    ],
)
def test_what_is_no_code_is_refused_written_down_and_counted_if_it_may_be_a_guess(
    world: World, code: bytes, reason: Reason, failures: int
) -> None:
    assert shown(world, code) == Reject(reason)
    assert [(each.result, each.reason) for each in world.ledger.records] == [(Result.REJECT, reason)]
    assert (world.failures, world.directory.binds) == (failures, 0)


def test_two_codes_in_sequence_bring_a_token_back(world: World) -> None:
    world.now -= 120
    assert shown(world, CODES[47251649]) == Reject(Reason.OUT_OF_STEP)
    assert shown(world, CODES[47251650]) == Confirmed("alices", "totp")


def test_guesses_lock_out_as_at_a_login_and_the_right_code_too(world: World) -> None:
    for number in range(5):
        assert shown(world, b"00000%d" % number) == Reject(Reason.WRONG_CODE)
    assert shown(world, CODE) == Reject(Reason.LOCKED_OUT)
    assert world.failures == 5
    world.now += 30
    assert shown(world, CODES[47251646]) == Confirmed("alices", "totp")
    assert world.failures == 0


def test_failures_on_the_way_refuse_the_right_code_at_the_last_moment(world: World) -> None:
    for number in range(5):
        shown(world, b"00000%d" % number)

    class Early(type(world.ledger)):  # type: ignore[misc] # a node that read before the failures
        def standing(self, subject: str, place: str, when: float) -> object:
            return replace(super().standing(subject, place, when), failures=type(self._people.of(subject))())

    world.ledger.__class__ = Early
    assert shown(world, CODE) == Reject(Reason.LOCKED_OUT)


def test_a_code_alone_forgets_no_wrong_passwords() -> None:
    """Or whoever has the token and somebody's open session could try passwords without end."""
    world = World()
    assert world.login(CODE, password=b"wrong") == Reject(Reason.WRONG_PASSWORD)
    assert world.login(b"000000") == Reject(Reason.WRONG_CODE)
    assert shown(world, CODE) == Confirmed("alices", "totp")
    assert world.failures == 1


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (Rule("deny", second_factor=SecondFactor.DENY), Reason.DENIED),
        (Rule("group", required_groups=frozenset({"cn=vpn"})), Reason.NOT_IN_GROUP),
        (Rule("kinds", kinds=frozenset({Kind.HOTP})), Reason.KIND_NOT_ALLOWED),
    ],
)
def test_the_rule_holds_as_at_a_login(world: World, rule: Rule, reason: Reason) -> None:
    world.rule(rule)
    assert shown(world, CODE) == Reject(reason)
    assert (world.failures, world.ledger.records[-1].policy) == (0, rule.name)


@pytest.mark.parametrize("rule", [Rule("off", second_factor=SecondFactor.OFF), PORTAL])
def test_nothing_spares_the_code(world: World, rule: Rule) -> None:
    world.rule(rule)
    world.ledger.bypass(world.bob, NOW + 100)
    assert shown(world, b"bobs password", name="bob", subject=world.bob) == Reject(Reason.NO_TOKEN)
    assert world.directory.binds == 0


def test_no_yubikey_is_adopted_by_a_code_alone(world: World) -> None:
    key = YubiKey("key", "cccccccccccb", bytes(range(16)), bytes.fromhex("010203040506"))
    world.ledger.stock_up(key)
    world.rule(Rule("adopts", adopts=True))
    touch = b"cccccccccccbdvgtiblfkbgturecfllberrvkinnctnn"  # one of Yubico's published test vectors
    assert shown(world, touch, name="bob", subject=world.bob) == Reject(Reason.NO_TOKEN)
    assert world.ledger.stock([key.public_id], NOW) == (key,)


@pytest.mark.parametrize("kind", [Kind.RECOVERY, Kind.INVITATION])
def test_a_code_of_letters_confirms_and_a_wrong_one_counts(world: World, kind: Kind) -> None:
    world.rule(PORTAL)
    world.ledger.add(issued(kind, b"7k2mqx9f4c"), world.bob)
    assert shown(world, b"7k2mqx9f4d", name="bob", subject=world.bob) == Reject(Reason.WRONG_CODE)
    assert world.standing(world.bob).failures.count == 1
    assert shown(world, b"7K2MQ-X9F4C", name="bob", subject=world.bob) == Confirmed("code", kind.value)


def test_a_login_code_confirms(world: World) -> None:
    world.ledger.add(issued(Kind.PASSKEY, b"90817263"), world.bob)
    assert shown(world, b"90817263", name="bob", subject=world.bob) == Confirmed("code", "passkey")


def test_a_name_that_leads_to_somebody_else_by_now_is_refused_and_their_code_is_not_looked_at(world: World) -> None:
    world.directory.rename("bob", "robert")
    world.directory.rename("alice", "bob")
    assert shown(world, CODE, name="bob", subject=world.bob) == Reject(Reason.NO_SUCH_USER)
    assert (world.failures, world.standing(world.bob).failures.count) == (0, 0)
    assert world.ledger.records[-1].subject is None
    assert shown(world, CODE, name="bob", subject=world.alice) == Confirmed("alices", "totp")


def test_a_name_that_leads_to_nobody_any_more_is_refused(world: World) -> None:
    world.directory.rename("alice", "liddell")
    assert shown(world, CODE) == Reject(Reason.NO_SUCH_USER)


@pytest.mark.parametrize("broken", ["directory", "ledger"])
def test_a_breakdown_is_no_refusal_and_leaves_no_trace(world: World, broken: str) -> None:
    world.directory.down = broken == "directory"
    world.ledger.broken = broken == "ledger"
    with pytest.raises(Unavailable):
        shown(world, CODE)
    world.directory.down = world.ledger.broken = False
    assert world.ledger.records == []
    assert shown(world, CODE) == Confirmed("alices", "totp")
