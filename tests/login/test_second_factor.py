"""What a rule asks for, against what people have and type: a table, and what follows from it."""

from dataclasses import dataclass

import pytest

from radius2fa.login.attempt import Accept, Challenge, CodeMode, Outcome, Reject
from radius2fa.login.policy import Rule, SecondFactor, Unfit
from radius2fa.login.ports import Entry, Result
from radius2fa.login.reason import Reason
from radius2fa.otp.token import Kind, Token
from tests.login.world import CODE, CODES, KEY, NOW, PASSWORD, World

REQUIRED, IF_ENROLLED, OFF, DENY = SecondFactor
SOON, PAST = NOW + 1, NOW
WRONG = b"wrong horse"


@dataclass(frozen=True)
class Scene:
    """A rule, what alice has ("token", "lost" for a disabled one, "" for none), what she types, and how that ends."""

    rule: SecondFactor
    has: str
    typed: bytes
    ends: str | Reason
    binds: int
    counts: int = 0
    until: float | None = None
    bypass: float = 0.0

    def __str__(self) -> str:
        over = " over" if self.until == PAST else ""
        bypass = " bypass" if self.bypass else ""
        return f"{self.rule}{over}{bypass}, {self.has or 'nothing'}, {self.typed.decode()}: {self.ends}"


APPENDED = [
    Scene(REQUIRED, "token", PASSWORD + CODE, "totp", 1),
    Scene(REQUIRED, "token", PASSWORD, Reason.NO_CODE, 0),
    Scene(REQUIRED, "token", WRONG + CODE, Reason.WRONG_PASSWORD, 1, counts=1),
    Scene(REQUIRED, "", PASSWORD, Reason.NO_TOKEN, 0),
    Scene(REQUIRED, "", PASSWORD + CODE, Reason.NO_TOKEN, 0),
    Scene(REQUIRED, "lost", PASSWORD, Reason.NO_TOKEN, 0),
    Scene(REQUIRED, "lost", PASSWORD + CODE, Reason.TOKEN_DISABLED, 0),
    Scene(IF_ENROLLED, "token", PASSWORD + CODE, "totp", 1, until=SOON),
    Scene(IF_ENROLLED, "token", PASSWORD, Reason.NO_CODE, 0, until=SOON),
    Scene(IF_ENROLLED, "", PASSWORD, "not-enrolled", 1, until=SOON),
    Scene(IF_ENROLLED, "", WRONG, Reason.WRONG_PASSWORD, 1, counts=1, until=SOON),
    Scene(IF_ENROLLED, "", PASSWORD + CODE, Reason.WRONG_PASSWORD, 1, counts=1, until=SOON),
    Scene(IF_ENROLLED, "", PASSWORD, Reason.NO_TOKEN, 0, until=PAST),
    Scene(IF_ENROLLED, "lost", PASSWORD, Reason.NO_TOKEN, 0, until=SOON),  # a lost telephone is no way back
    Scene(OFF, "", PASSWORD, "off", 1),
    Scene(OFF, "token", PASSWORD, "off", 1),
    Scene(OFF, "token", PASSWORD + CODE, "totp", 1),
    Scene(OFF, "token", WRONG, Reason.WRONG_PASSWORD, 1, counts=1),
    Scene(OFF, "token", WRONG + CODE, Reason.WRONG_PASSWORD, 1, counts=1),
    Scene(OFF, "lost", PASSWORD, "off", 1),
    Scene(DENY, "token", PASSWORD + CODE, Reason.DENIED, 0),
    Scene(DENY, "", PASSWORD, Reason.DENIED, 0),
    Scene(REQUIRED, "token", PASSWORD, "bypass", 1, bypass=SOON),
    Scene(REQUIRED, "", PASSWORD, "bypass", 1, bypass=SOON),
    Scene(REQUIRED, "token", PASSWORD + CODE, "totp", 1, bypass=SOON),
    Scene(REQUIRED, "token", PASSWORD, Reason.NO_CODE, 0, bypass=PAST),
    Scene(DENY, "token", PASSWORD, Reason.DENIED, 0, bypass=SOON),
]


def prepared(scene: Scene, mode: CodeMode) -> World:
    world = World(mode)
    world.rule(Rule("rule", second_factor=scene.rule, until=scene.until))
    if scene.has == "lost":
        world.ledger.retire("alices", Reason.TOKEN_DISABLED)
    elif not scene.has:
        world.ledger.deactivate("alices")
    if scene.bypass:
        world.ledger.bypass(world.alice, scene.bypass)
    return world


def ending(outcome: Outcome) -> str | Reason:
    """Say how it ended: with which factor, or for which reason not."""
    assert not isinstance(outcome, Challenge)
    return outcome.reason if isinstance(outcome, Reject) else outcome.factor


@pytest.mark.parametrize("scene", APPENDED, ids=str)
def test_what_a_rule_asks_for_behind_the_password(scene: Scene) -> None:
    world = prepared(scene, CodeMode.APPENDED)
    assert ending(world.type(scene.typed)) == scene.ends
    assert (world.directory.binds, world.failures) == (scene.binds, scene.counts)
    record = world.ledger.records[-1]
    assert (record.policy, record.factor or record.reason) == ("rule", scene.ends)


ASKED = [
    # what is typed first; how the first leg ends, None for a challenge; and how the answer ends
    (Scene(REQUIRED, "token", PASSWORD, "totp", 1), False),
    (Scene(REQUIRED, "", PASSWORD, Reason.NO_TOKEN, 0), False),
    (Scene(IF_ENROLLED, "token", PASSWORD, "totp", 1, until=SOON), False),
    (Scene(IF_ENROLLED, "", PASSWORD, "not-enrolled", 1, until=SOON), True),
    (Scene(IF_ENROLLED, "", WRONG, Reason.NO_TOKEN, 1, counts=1, until=SOON), False),
    (Scene(IF_ENROLLED, "", PASSWORD, Reason.NO_TOKEN, 0, until=PAST), False),
    (Scene(OFF, "token", PASSWORD, "off", 1), True),
    (Scene(OFF, "", WRONG, Reason.NO_TOKEN, 1, counts=1), False),
    (Scene(DENY, "token", PASSWORD, Reason.DENIED, 0), False),
    (Scene(REQUIRED, "token", PASSWORD, "bypass", 1, bypass=SOON), True),
    (Scene(DENY, "token", PASSWORD, Reason.DENIED, 0, bypass=SOON), False),
]


@pytest.mark.parametrize("mode", [CodeMode.CHALLENGE, CodeMode.EITHER])
@pytest.mark.parametrize(("scene", "at_once"), ASKED, ids=str)
def test_what_a_rule_asks_for_by_challenge(scene: Scene, at_once: bool, mode: CodeMode) -> None:  # noqa: FBT001 - a table
    world = prepared(scene, mode)
    outcome = world.type(scene.typed)
    assert isinstance(outcome, Challenge) is not at_once
    if isinstance(outcome, Challenge):
        outcome = world.type(CODE, state=outcome.state)
    assert ending(outcome) == scene.ends
    assert (world.directory.binds, world.failures) == (scene.binds, scene.counts)


def test_a_bypass_changes_nothing_under_a_rule_that_is_not_bypassable() -> None:
    for enrolled, ends in ((True, Reason.NO_CODE), (False, "not-enrolled")):
        world = World(CodeMode.APPENDED)
        world.rule(Rule("portal", second_factor=IF_ENROLLED, bypassable=False))
        world.ledger.bypass(world.alice, SOON)
        if not enrolled:
            world.ledger.deactivate("alices")
        assert ending(world.type(PASSWORD)) == ends


def test_that_somebody_needs_no_code_does_not_show_before_the_password_is_right() -> None:
    """Whoever guesses at the password gets the same challenge as for everybody else."""
    world = World(CodeMode.CHALLENGE)
    world.rule(Rule("off", second_factor=OFF))
    outcome = world.type(WRONG)
    assert isinstance(outcome, Challenge)
    assert (len(outcome.state), outcome.seconds) == (32, 120)
    assert world.type(CODE, state=outcome.state) == Reject(Reason.WRONG_PASSWORD)


def test_an_answer_costs_no_second_bind_where_no_code_is_needed() -> None:
    world = World(CodeMode.CHALLENGE)
    world.rule(Rule("off", second_factor=OFF))
    state = world.challenge(WRONG)
    assert world.type(b"000000", state=state) == Reject(Reason.WRONG_CODE)
    assert world.directory.binds == 1


def test_a_bypass_begun_between_the_legs_does_not_let_a_wrong_answer_in() -> None:
    world = World(CodeMode.CHALLENGE)
    state = world.challenge()
    world.ledger.bypass(world.alice, SOON)
    assert world.type(b"000000", state=state) == Reject(Reason.WRONG_CODE)


def test_a_login_without_a_code_does_not_wipe_out_that_codes_were_guessed_at() -> None:
    """Or whoever knows the password could guess at codes here without end, and log in where none is asked for."""
    world = World()
    world.rule(Rule("switches", frozenset({"switch"}), second_factor=OFF))
    for number in range(4):
        world.type(PASSWORD + b"00000%d" % number)
    world.type(WRONG, client="switch")
    assert world.failures == 5
    world.now += 30
    assert ending(world.type(PASSWORD, client="switch")) == "off"
    assert world.failures == 4  # the wrong password is forgotten, the wrong codes are not
    assert world.type(PASSWORD + b"999999") == Reject(Reason.WRONG_CODE)
    assert world.type(PASSWORD + CODES[47251646]) == Reject(Reason.LOCKED_OUT)
    world.now += 30
    assert ending(world.type(PASSWORD + b"306773")) == "totp"
    assert world.failures == 0


def test_passwords_can_be_guessed_as_slowly_where_no_code_is_needed() -> None:
    world = World()
    world.rule(Rule("off", second_factor=OFF))
    for number in range(5):
        assert world.type(b"guess%d" % number) == Reject(Reason.WRONG_PASSWORD)
    assert world.type(PASSWORD) == Reject(Reason.LOCKED_OUT)
    assert world.directory.binds == 5


@pytest.mark.parametrize("mode", list(CodeMode))
def test_a_wrong_password_that_a_device_repeats_is_put_to_the_directory_once_a_minute(mode: CodeMode) -> None:
    """Where no code stands before it, a saved password that has been changed would lock the account there."""
    world = World(mode)
    world.rule(Rule("off", second_factor=OFF))
    for _ in range(8):
        world.type(WRONG)
    assert (world.directory.binds, world.failures) == (1, 1)
    assert world.ledger.records[-1].reason is Reason.WRONG_PASSWORD
    world.type(b"another one")
    world.type(WRONG)
    assert (world.directory.binds, world.failures) == (3, 3)
    world.now += 60
    world.type(WRONG)
    assert (world.directory.binds, world.failures) == (4, 4)


def test_another_client_is_heard_with_the_same_wrong_password() -> None:
    world = World()
    world.rule(Rule("off", second_factor=OFF))
    world.type(WRONG)
    world.type(WRONG, client="wifi")
    assert world.directory.binds == 2


def test_a_token_that_is_not_valid_yet_does_not_shut_its_owner_out() -> None:
    world = World()
    world.rule(Rule("soon", second_factor=IF_ENROLLED, until=NOW + 100))
    world.ledger.retire("alices", Reason.TOKEN_NOT_YET_VALID)
    assert ending(world.type(PASSWORD)) == "not-enrolled"


def test_a_mere_password_is_not_remembered_as_a_code_out_of_step_where_none_is_needed() -> None:
    world = World()
    world.rule(Rule("off", second_factor=OFF))
    assert world.type(b"pass" + CODES[47251649]) == Reject(Reason.WRONG_PASSWORD)
    (token,) = world.standing(world.alice).tokens
    assert isinstance(token, Token)
    assert token.remembered is None


def test_who_is_in_no_required_group_is_refused_before_anything_is_looked_at() -> None:
    world = World()
    carol = world.directory.add("carol", PASSWORD, groups=frozenset({"cn=staff,dc=x"}))
    world.ledger.add(Token("carols", Kind.TOTP, KEY), carol)
    world.rule(Rule("vpn", required_groups=frozenset({"cn=staff,dc=x", "cn=admins,dc=x"})))
    assert world.type(PASSWORD + CODE) == Reject(Reason.NOT_IN_GROUP)
    assert (world.directory.binds, world.failures) == (0, 0)
    assert world.type(PASSWORD + CODE, name="carol") == Accept(carol, "carols", "totp", "vpn")


def test_a_kind_that_the_rule_does_not_name_is_refused_and_does_not_count() -> None:
    world = World()
    world.rule(Rule("fobs", kinds=frozenset({Kind.HOTP})))
    assert world.type(PASSWORD + CODE) == Reject(Reason.KIND_NOT_ALLOWED)
    assert world.ledger.records[-1].token == "alices"
    assert (world.directory.binds, world.failures) == (0, 0)
    world.ledger.add(Token("fob", Kind.HOTP, KEY), world.alice)
    assert world.type(PASSWORD + b"755224") == Accept(world.alice, "fob", "hotp", "fobs")


def test_a_wrong_code_counts_also_where_only_some_kinds_are_allowed() -> None:
    world = World()
    world.ledger.add(Token("fob", Kind.HOTP, KEY), world.alice)
    world.rule(Rule("fobs", kinds=frozenset({Kind.HOTP})))
    assert world.type(PASSWORD + b"000000") == Reject(Reason.WRONG_CODE)
    assert world.failures == 1


def told(entry: Entry) -> tuple[object, ...]:
    if "vlan" not in entry.attributes:
        raise Unfit("Tunnel-Private-Group-ID")
    return ("vlan", *entry.attributes["vlan"])


@pytest.mark.parametrize("mode", [CodeMode.APPENDED, CodeMode.CHALLENGE])
def test_the_reply_that_a_rule_makes_is_the_same_appended_and_by_challenge(mode: CodeMode) -> None:
    world = World(mode)
    dave = world.directory.add("dave", PASSWORD, attributes={"vlan": ("42", "43")})
    world.ledger.add(Token("daves", Kind.TOTP, KEY), dave)
    world.rule(Rule("vlans", reply=told))
    assert world.login(CODE, name="dave") == Accept(dave, "daves", "totp", "vlans", ("vlan", "42", "43"))


@pytest.mark.parametrize("second_factor", [REQUIRED, OFF])
def test_a_reply_that_cannot_be_made_refuses_before_the_bind_and_burns_nothing(second_factor: SecondFactor) -> None:
    world = World()
    world.rule(Rule("vlans", second_factor=second_factor, reply=told))
    typed = PASSWORD + CODE if second_factor is REQUIRED else PASSWORD
    assert world.type(typed) == Reject(Reason.REPLY_UNUSABLE)
    assert (world.directory.binds, world.failures) == (0, 0)
    assert world.standing(world.alice).tokens[0].counter == 0


def test_each_login_is_written_down_with_its_rule_and_factor() -> None:
    world = World()
    world.type(PASSWORD + CODE)
    world.type(PASSWORD + CODE)
    world.type(PASSWORD + CODE, name="mallory")
    assert [(record.result, record.policy, record.factor) for record in world.ledger.records] == [
        (Result.ACCEPT, "staff", "totp"),
        (Result.REJECT, "staff", None),
        (Result.REJECT, None, None),
    ]
