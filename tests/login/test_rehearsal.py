"""A rehearsed login ends as a real one, and leaves nothing behind."""

from dataclasses import replace

import pytest

from radius2fa.login.attempt import Accept, Challenge, CodeMode, Reject
from radius2fa.login.policy import Rule
from radius2fa.login.reason import Reason
from radius2fa.login.rehearsal import Rehearsal
from radius2fa.otp.token import YubiKey
from tests.login.test_factors import AES, FIRST, PRIVATE, PUBLIC
from tests.login.world import CODE, NOW, PASSWORD, World


def rehearsing(mode: CodeMode = CodeMode.APPENDED) -> World:
    world = World(mode)
    world.house = replace(world.house, ledger=Rehearsal(world.ledger))
    return world


def test_a_rehearsed_login_is_accepted_again_and_again_for_nothing_is_burned() -> None:
    world = rehearsing()
    for _ in range(2):
        assert world.type(PASSWORD + CODE) == Accept(world.alice, "alices", "totp", "staff")
    assert world.ledger.records == []
    assert world.standing(world.alice).tokens[0].counter == 0


@pytest.mark.parametrize(
    ("name", "typed", "reason"),
    [
        ("alice", PASSWORD + b"000000", Reason.WRONG_CODE),
        ("alice", b"wrong" + CODE, Reason.WRONG_PASSWORD),
        ("mallory", PASSWORD + CODE, Reason.NO_SUCH_USER),
    ],
)
def test_a_rehearsed_refusal_counts_nothing(name: str, typed: bytes, reason: Reason) -> None:
    world = rehearsing()
    assert world.type(typed, name=name) == Reject(reason)
    assert (world.failures, world.standing(world.alice).place.count, world.ledger.records) == (0, 0, [])


def test_a_wrong_password_that_was_just_refused_is_rehearsed_as_that() -> None:
    world = World()
    world.type(b"wrong" + CODE)
    world.house = replace(world.house, ledger=Rehearsal(world.ledger))
    assert world.type(b"wrong" + CODE) == Reject(Reason.WRONG_PASSWORD)
    assert world.directory.binds == 1


def test_a_rehearsed_challenge_is_answered() -> None:
    world = rehearsing(CodeMode.CHALLENGE)
    outcome = world.type(PASSWORD)
    assert isinstance(outcome, Challenge)
    assert world.type(CODE, name="bob", state=outcome.state) == Reject(Reason.STATE_UNKNOWN)
    assert world.type(CODE, client="other", state=outcome.state) == Reject(Reason.STATE_UNKNOWN)
    assert world.type(CODE, state=b"unknown") == Reject(Reason.STATE_UNKNOWN)
    assert world.type(CODE, state=outcome.state) == Accept(world.alice, "alices", "totp", "staff")
    assert world.ledger.held(outcome.state, "vpn", "alice", NOW) is None
    world.now += 120
    assert world.type(CODE, state=outcome.state) == Reject(Reason.STATE_UNKNOWN)


def test_a_rehearsed_adoption_leaves_the_yubikey_in_the_stock() -> None:
    world = rehearsing()
    world.ledger.stock_up(YubiKey("key", PUBLIC, AES, PRIVATE))
    world.rule(Rule("adopts", adopts=True))
    typed = b"bobs password" + PUBLIC.encode() + FIRST
    assert world.type(typed, name="bob") == Accept(world.bob, "key", "yubikey", "adopts")
    assert len(world.ledger.stock([PUBLIC], NOW)) == 1
