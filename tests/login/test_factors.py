"""Every kind of code, as the decision takes it: YubiKeys, recovery and temporary codes, and tokens that may not answer.

The Yubico OTPs are Yubico's published test vectors.
"""

import hashlib
import hmac
from dataclasses import replace

import pytest

from radius2fa.login.attempt import Accept, CodeMode, Reject
from radius2fa.login.policy import Rule, SecondFactor
from radius2fa.login.reason import Reason
from radius2fa.otp.issued import digest_of
from radius2fa.otp.token import IssuedCode, Kind, Token, YubiKey
from tests.login.world import CODE, CODES, KEY, NOW, PASSWORD, World

AES = bytes.fromhex("000102030405060708090a0b0c0d0e0f")
PRIVATE = bytes.fromhex("010203040506")
FIRST, SECOND, LATE = (  # use 1 session 1; use 1 session 2; use 4095 session 1
    b"dvgtiblfkbgturecfllberrvkinnctnn",
    b"rnibcnfhdninbrdebccrndfhjgnhftee",
    b"iikkijbdknrrdhfdrjltvgrbkkjblcbh",
)
PUBLIC = "cccccccccccb"
DIGEST_KEY = b"k" * 32


def yubikey(token: str = "key", public_id: str = "") -> YubiKey:
    return YubiKey(token, public_id, AES, PRIVATE)


def issued(kind: Kind, code: bytes, token: str = "code", uses: int = 1) -> IssuedCode:
    return IssuedCode(token, kind, DIGEST_KEY, digest_of(DIGEST_KEY, token, code), uses=uses)


# --- YubiKeys


@pytest.mark.parametrize("mode", [CodeMode.APPENDED, CodeMode.CHALLENGE])
@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("public_id", ["", PUBLIC])
def test_a_touch_of_the_yubikey_is_a_code(mode: CodeMode, upper: bool, public_id: str) -> None:  # noqa: FBT001 - a table
    world = World(mode)
    world.ledger.add(yubikey(public_id=public_id), world.alice)
    code = public_id.encode() + FIRST
    code = code.upper() if upper else code
    assert world.login(code) == Accept(world.alice, "key", "yubikey", "staff")
    assert {token.id: token.counter for token in world.standing(world.alice).tokens}["key"] == 256 + 1 + 1
    assert world.directory.binds == 1


def test_of_a_yubikeys_codes_each_works_once_and_none_before_the_last() -> None:
    world = World()
    world.ledger.add(yubikey(), world.alice)
    assert isinstance(world.type(PASSWORD + SECOND), Accept)
    assert world.type(PASSWORD + SECOND) == Reject(Reason.CODE_ALREADY_USED)
    assert world.type(PASSWORD + FIRST) == Reject(Reason.CODE_ALREADY_USED)
    assert isinstance(world.type(PASSWORD + LATE), Accept)


def test_a_yubikey_code_with_another_character_is_a_wrong_code() -> None:
    world = World()
    world.ledger.add(yubikey(), world.alice)
    assert world.type(PASSWORD + b"c" + FIRST[1:]) == Reject(Reason.WRONG_CODE)
    assert (world.failures, world.directory.binds) == (1, 0)


# --- adoption


def adopting(*, mode: CodeMode = CodeMode.APPENDED) -> World:
    world = World(mode)
    world.ledger.stock_up(yubikey(public_id=PUBLIC))
    world.rule(Rule("adopts", adopts=True))
    return world


@pytest.mark.parametrize("mode", [CodeMode.APPENDED, CodeMode.CHALLENGE])
def test_an_unassigned_yubikey_becomes_its_owners_by_their_first_login(mode: CodeMode) -> None:
    world = adopting(mode=mode)
    outcome = world.login(PUBLIC.encode() + FIRST, password=b"bobs password", name="bob")
    assert outcome == Accept(world.bob, "key", "yubikey", "adopts")
    assert [token.id for token in world.standing(world.bob).tokens] == ["key"]
    assert world.ledger.stock([PUBLIC], NOW) == ()


def test_a_wrong_password_adopts_nothing() -> None:
    world = adopting()
    assert world.type(b"wrong" + PUBLIC.encode() + FIRST, name="bob") == Reject(Reason.WRONG_PASSWORD)
    assert len(world.ledger.stock([PUBLIC], NOW)) == 1


def test_a_code_that_is_not_the_yubikeys_counts_and_adopts_nothing() -> None:
    world = adopting()
    assert world.type(b"bobs password" + PUBLIC.encode() + FIRST[:-1] + b"c", name="bob") == Reject(Reason.WRONG_CODE)
    assert world.standing(world.bob).failures.count == 1
    assert world.directory.binds == 0


def test_who_has_a_token_adopts_no_second_one() -> None:
    world = adopting()
    assert world.type(PASSWORD + PUBLIC.encode() + FIRST) == Reject(Reason.NO_CODE)
    world.ledger.retire("alices", Reason.TOKEN_DISABLED)
    assert world.type(PASSWORD + PUBLIC.encode() + FIRST) == Reject(Reason.NO_TOKEN)
    assert len(world.ledger.stock([PUBLIC], NOW)) == 1


@pytest.mark.parametrize("rule", [Rule("does not"), Rule("kinds", adopts=True, kinds=frozenset({Kind.TOTP}))])
def test_only_a_rule_that_says_so_lets_adopt(rule: Rule) -> None:
    world = adopting()
    world.rule(rule)
    assert world.type(b"bobs password" + PUBLIC.encode() + FIRST, name="bob") == Reject(Reason.NO_TOKEN)


def test_a_password_without_a_touch_adopts_nothing() -> None:
    world = adopting()
    assert world.type(b"bobs password", name="bob") == Reject(Reason.NO_CODE)


def test_of_two_who_touch_the_same_yubikey_at_once_one_gets_it() -> None:
    world = adopting()
    carol = world.directory.add("carol", PASSWORD)
    stale = world.ledger.stock([PUBLIC], NOW)
    assert isinstance(world.type(b"bobs password" + PUBLIC.encode() + FIRST, name="bob"), Accept)

    class Late(type(world.ledger)):  # type: ignore[misc] # a node that looked into the stock before
        stock = staticmethod(lambda *_: stale)

    world.ledger.__class__ = Late
    assert world.type(PASSWORD + PUBLIC.encode() + SECOND, name="carol") == Reject(Reason.CODE_ALREADY_USED)
    assert world.standing(carol).tokens == ()


# --- codes that were handed out


@pytest.mark.parametrize("typed", [b"7k2mq-x9f4c", b"7k2mqx9f4c", b"7K2MQ-X9F4C"])
@pytest.mark.parametrize("mode", [CodeMode.APPENDED, CodeMode.CHALLENGE, CodeMode.EITHER])
def test_a_recovery_code_works_wherever_a_code_does_and_once(typed: bytes, mode: CodeMode) -> None:
    world = World(mode)
    world.ledger.add(issued(Kind.RECOVERY, b"7k2mqx9f4c"), world.alice)
    assert world.login(typed) == Accept(world.alice, "code", "recovery", "staff")
    if mode is not CodeMode.EITHER:
        assert world.login(typed) == Reject(Reason.CODE_ALREADY_USED)
    assert world.directory.binds == 1


@pytest.mark.parametrize("mode", [CodeMode.APPENDED, CodeMode.EITHER])
def test_the_end_of_a_password_is_no_guess_at_a_recovery_code(mode: CodeMode) -> None:
    world = World(mode)
    world.ledger.add(issued(Kind.RECOVERY, b"7k2mqx9f4c"), world.alice)
    world.type(b"correct0horse")
    assert (world.failures, world.ledger.records[-1].reason) == (
        0,
        Reason.NO_CODE if mode is CodeMode.APPENDED else None,
    )


@pytest.mark.parametrize(
    ("typed", "mode", "delimiter"),
    [
        (b"horse7k2mq-x9f4d", CodeMode.APPENDED, None),
        (b"horse7k2mqx9f4d", CodeMode.APPENDED, b"e"),
        (b"7k2mqx9f4d", CodeMode.CHALLENGE, None),
    ],
)
def test_a_recovery_code_that_was_meant_as_one_and_is_wrong_counts(
    typed: bytes, mode: CodeMode, delimiter: bytes | None
) -> None:
    world = World(mode, delimiter)
    world.ledger.add(issued(Kind.RECOVERY, b"7k2mqx9f4c"), world.alice)
    state = world.challenge() if mode is CodeMode.CHALLENGE else None
    assert world.type(typed, state=state) == Reject(Reason.WRONG_CODE)
    assert world.failures == 1


def test_a_temporary_code_works_as_often_as_it_may() -> None:
    world = World()
    world.ledger.add(issued(Kind.TEMPORARY, b"90817263", uses=3), world.bob)
    outcomes = [world.type(b"bobs password90817263", name="bob") for _ in range(4)]
    assert outcomes == [Accept(world.bob, "code", "temporary", "staff")] * 3 + [Reject(Reason.CODE_ALREADY_USED)]


def test_a_digest_is_keyed_and_belongs_to_one_code() -> None:
    """By hand, so that what is stored today opens tomorrow: HMAC-SHA256 over the framed id and the code."""
    framed = (4).to_bytes(4) + b"code" + b"7k2mqx9f4c"
    assert digest_of(DIGEST_KEY, "code", b"7k2mqx9f4c") == hmac.new(DIGEST_KEY, framed, hashlib.sha256).digest()


def test_who_was_only_given_a_temporary_code_is_not_enrolled() -> None:
    """A code from the helpdesk is no token: an unassigned YubiKey may still be adopted."""
    world = adopting()
    world.ledger.add(issued(Kind.TEMPORARY, b"90817263"), world.bob)
    outcome = world.type(b"bobs password" + PUBLIC.encode() + FIRST, name="bob")
    assert outcome == Accept(world.bob, "key", "yubikey", "adopts")


# --- what may not answer


@pytest.mark.parametrize("why", [Reason.TOKEN_DISABLED, Reason.TOKEN_EXPIRED, Reason.TOKEN_NOT_YET_VALID])
@pytest.mark.parametrize("mode", [CodeMode.APPENDED, CodeMode.CHALLENGE])
def test_a_right_code_of_a_token_that_may_not_answer_is_refused_by_name_and_never_counted(
    why: Reason, mode: CodeMode
) -> None:
    world = World(mode)
    world.ledger.retire("alices", why)
    world.ledger.add(Token("other", Kind.TOTP, KEY[::-1]), world.alice)
    for _ in range(2):
        assert world.login(CODE) == Reject(why)
    assert world.ledger.records[-1].token == "alices"
    assert (world.failures, world.directory.binds) == (0, 0)
    assert world.login(b"000000") == Reject(Reason.WRONG_CODE)
    assert world.failures == 1


def test_a_used_code_of_a_token_that_may_not_answer_is_not_counted_either() -> None:
    world = World()
    world.type(PASSWORD + CODE)
    world.ledger.retire("alices", Reason.TOKEN_EXPIRED)
    assert world.type(PASSWORD + CODE) == Reject(Reason.TOKEN_EXPIRED)
    assert world.failures == 0


def test_several_tokens_and_any_of_them_answers() -> None:
    world = World()
    world.ledger.add(Token("fob", Kind.HOTP, KEY), world.alice)
    world.ledger.add(yubikey(), world.alice)
    world.ledger.add(issued(Kind.RECOVERY, b"7k2mqx9f4c"), world.alice)
    typed = {"alices": CODE, "fob": b"755224", "key": FIRST, "code": b"7k2mq-x9f4c"}
    outcomes = [world.type(PASSWORD + code) for code in typed.values()]
    assert [outcome.token for outcome in outcomes if isinstance(outcome, Accept)] == list(typed)


def test_a_code_out_of_step_is_named_as_such() -> None:
    world = World()
    world.house = replace(world.house, windows=replace(world.house.windows, totp_resync=4))
    assert world.type(PASSWORD + CODES[47251649]) == Reject(Reason.OUT_OF_STEP)
    assert (world.ledger.records[-1].reason, world.ledger.records[-1].token) == (Reason.OUT_OF_STEP, "alices")


# --- security keys and passkeys, login codes, invitations


@pytest.mark.parametrize("mode", [CodeMode.APPENDED, CodeMode.CHALLENGE])
def test_who_has_a_passkey_only_is_enrolled_and_needs_a_code_where_those_enrolled_do(mode: CodeMode) -> None:
    world = World(mode)
    world.rule(Rule("staff", second_factor=SecondFactor.IF_ENROLLED, adopts=True))
    world.ledger.register("bobs", world.bob)
    world.ledger.stock_up(yubikey(public_id=PUBLIC))
    assert world.login(b"", password=b"bobs password", name="bob") == Reject(
        Reason.NO_TOKEN if mode is CodeMode.APPENDED else Reason.NO_CODE
    )
    assert world.login(PUBLIC.encode() + FIRST, password=b"bobs password", name="bob") == Reject(Reason.NO_TOKEN)
    assert world.directory.binds == 0


@pytest.mark.parametrize("mode", [CodeMode.APPENDED, CodeMode.CHALLENGE, CodeMode.EITHER])
def test_a_login_code_works_wherever_a_code_does_and_once(mode: CodeMode) -> None:
    world = World(mode)
    world.ledger.register("bobs", world.bob)
    world.ledger.add(issued(Kind.PASSKEY, b"90817263"), world.bob)
    code, password = b"90817263", b"bobs password"
    assert world.login(code, password=password, name="bob") == Accept(world.bob, "code", "passkey", "staff")
    if mode is not CodeMode.EITHER:
        assert world.login(code, password=password, name="bob") == Reject(Reason.CODE_ALREADY_USED)
    assert world.directory.binds == 1


def test_a_login_code_is_refused_where_the_rule_does_not_name_its_kind() -> None:
    world = World()
    world.rule(Rule("staff", kinds=frozenset({Kind.TOTP})))
    world.ledger.add(issued(Kind.PASSKEY, b"90817263"), world.alice)
    assert world.login(b"90817263") == Reject(Reason.KIND_NOT_ALLOWED)
    assert world.login(CODE) == Accept(world.alice, "alices", "totp", "staff")


@pytest.mark.parametrize("mode", [CodeMode.APPENDED, CodeMode.CHALLENGE])
@pytest.mark.parametrize("typed", [b"7k2mq-x9f4c", b"7k2mqx9f4c"])
def test_an_invitation_is_no_login_where_no_rule_names_it_and_stays_good(mode: CodeMode, typed: bytes) -> None:
    world = World(mode)
    world.ledger.add(issued(Kind.INVITATION, b"7k2mqx9f4c"), world.bob)
    for _ in range(2):
        assert world.login(typed, password=b"bobs password", name="bob") == Reject(Reason.KIND_NOT_ALLOWED)
    assert world.ledger.records[-1].token == "code"
    assert (world.standing(world.bob).failures.count, world.directory.binds) == (0, 0)
    world.rule(Rule("portal", kinds=frozenset({Kind.INVITATION})))
    assert world.login(typed, password=b"bobs password", name="bob") == Accept(
        world.bob, "code", "invitation", "portal"
    )
    assert world.login(typed, password=b"bobs password", name="bob") == Reject(Reason.CODE_ALREADY_USED)


@pytest.mark.parametrize("mode", [CodeMode.APPENDED, CodeMode.EITHER])
def test_the_end_of_a_password_is_no_guess_at_an_invitation(mode: CodeMode) -> None:
    world = World(mode)
    world.rule(Rule("portal", kinds=frozenset({Kind.INVITATION})))
    world.ledger.add(issued(Kind.INVITATION, b"7k2mqx9f4c"), world.bob)
    world.type(b"correct0horse", name="bob")
    assert world.standing(world.bob).failures.count == 0
    world.type(b"horse7k2mq-x9f4d", name="bob")  # by its hyphen it was meant as one
    assert world.standing(world.bob).failures.count == 1


def test_an_invitation_beside_a_token_makes_no_code_of_the_tokens_a_guess() -> None:
    world = World()
    world.ledger.add(issued(Kind.INVITATION, b"7k2mqx9f4c"), world.alice)
    assert world.login(CODE) == Accept(world.alice, "alices", "totp", "staff")
