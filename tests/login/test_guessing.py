"""Guessing at names: the place that they come from is blocked, an address as a client that tells none."""

from radius2fa.login.attempt import Accept, Challenge, CodeMode, Reject
from radius2fa.login.reason import Reason
from radius2fa.otp.token import Kind, Token
from tests.login.world import CODE, CODES, KEY, PASSWORD, World


def guess(world: World, many: int, source: str = "198.51.100.7") -> None:
    for number in range(many):
        assert world.type(b"guess", name=f"nobody{number}", source=source) == Reject(Reason.NO_SUCH_USER)


def test_twenty_unknown_names_from_an_address_block_it_for_everybody_there() -> None:
    world = World()
    guess(world, 19)
    assert isinstance(world.type(PASSWORD + CODE), Accept)
    guess(world, 19)  # the acceptance has begun the count anew
    assert not world.standing(world.alice).place.blocked(world.now)
    guess(world, 1)
    assert world.type(PASSWORD + CODES[47251646]) == Reject(Reason.ADDRESS_BLOCKED)
    assert world.failures == 0
    world.now += 30
    assert isinstance(world.type(PASSWORD + CODES[47251646]), Accept)


def test_other_addresses_are_not_blocked_with_it() -> None:
    world = World()
    guess(world, 20)
    assert isinstance(world.type(PASSWORD + CODE, source="198.51.100.8"), Accept)


def test_the_same_unknown_name_again_counts_once_a_minute() -> None:
    world = World()
    for _ in range(30):
        world.type(b"guess", name="nobody")
    assert world.standing(world.alice).place.count == 1


def test_a_blocked_address_is_not_blocked_longer_by_those_who_go_on() -> None:
    world = World()
    guess(world, 60)
    assert world.standing(world.alice).place.count == 20
    world.now += 30
    assert isinstance(world.type(PASSWORD + CODE), Accept)


def test_a_client_that_tells_no_address_is_blocked_later() -> None:
    world = World()
    guess(world, 199, source="")
    assert isinstance(world.type(PASSWORD + CODE, source=""), Accept)
    guess(world, 200, source="")
    assert world.type(PASSWORD + CODES[47251646], source="") == Reject(Reason.ADDRESS_BLOCKED)
    assert isinstance(world.type(PASSWORD + CODES[47251646], source="", client="switch"), Accept)


def test_with_challenges_a_name_counts_once_and_looks_like_any_other() -> None:
    world = World(CodeMode.CHALLENGE)
    outcome = world.type(b"guess", name="nobody")
    assert isinstance(outcome, Challenge)
    assert world.type(CODE, name="nobody", state=outcome.state) == Reject(Reason.NO_SUCH_USER)
    assert world.standing(world.alice).place.count == 1


def test_an_ambiguous_name_is_no_guess() -> None:
    world = World()
    world.directory.add("alice", b"another")
    world.type(PASSWORD + CODE)
    assert world.standing(world.alice).place.count == 0


def test_wrong_codes_count_against_the_person_and_not_against_the_place() -> None:
    world = World()
    world.ledger.add(Token("bobs", Kind.TOTP, KEY[::-1]), world.bob)
    for name in ("alice", "bob"):
        world.type(b"guess000000", name=name)
    assert world.standing(world.alice).place.count == 0
    assert (world.failures, world.standing(world.bob).failures.count) == (1, 1)
