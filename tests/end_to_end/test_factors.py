"""Every second factor, from its making to its end, at the real program by the real radclient."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count

import pytest

from radius2fa.otp.token import YubiKey
from radius2fa.store.tokens import NewToken
from tests.end_to_end.house import House
from tests.end_to_end.people import Person, totp_code
from tests.end_to_end.radius import ACCEPT, CHALLENGE, REJECT, STATE
from tests.otp.touched import touched

ACCEPTED, REFUSED, ASKED = "Access-Accept", "Access-Reject", "Access-Challenge"
WAYS = ("appended", "challenge")  # clients of the house: the code behind the password, or in a second step
FAILURES = 5  # in a row, until everything is refused
HOUR = 3600.0

# RFC 4226 appendix D: the codes of this key from counter 0 on.
RFC_KEY = b"12345678901234567890"
RFC_CODES = [b"755224", b"287082", b"359152", b"969429", b"338314", b"254676", b"287922", b"162583", b"399871"]

# Yubico's test vectors: AES key, private id, and the codes of (use, session) (1, 1), (1, 2) and (4095, 1).
AES_KEY = bytes.fromhex("000102030405060708090a0b0c0d0e0f")
PRIVATE_ID = bytes.fromhex("010203040506")
FIRST, SECOND, LATE = (
    b"dvgtiblfkbgturecfllberrvkinnctnn",
    b"rnibcnfhdninbrdebccrndfhjgnhftee",
    b"iikkijbdknrrdhfdrjltvgrbkkjblcbh",
)

_numbers = count()


def new_key(**other: str) -> YubiKey:
    """A YubiKey of Yubico's vectors, which types a public id of its own in front of their codes."""
    number = next(_numbers)
    public_id = other.get("public_id", "cccccccc" + "cbdefghijklnrtuv"[number // 16] + "cbdefghijklnrtuv"[number % 16])
    return YubiKey(f"key{number}", public_id, AES_KEY, PRIVATE_ID)


def typed_by(key: YubiKey, code: bytes) -> bytes:
    """What the key types: its public id, and one of the vectors."""
    return key.public_id.encode() + code


def owner(house: House, token: str) -> str | None:
    """The person that a token belongs to."""
    subject: str | None = house.query("SELECT subject FROM token WHERE id = ?", token)[0][0]
    return subject


# --- Fobs that came with a file of seeds


@dataclass(frozen=True)
class Fobs:
    """Serial numbers and seeds, as the maker's file has them."""

    buttons: dict[str, str]  # HOTP by the way that it is used
    clock: str  # TOTP, 8 digits, 60 s
    clock_seed: bytes


@pytest.fixture(scope="module")
def fobs(house: House, tmp_path_factory: pytest.TempPathFactory) -> Fobs:
    """A file of OATH fobs, imported; the HOTP ones have the key of RFC 4226."""
    fobs = Fobs({way: f"BTN-{way}" for way in WAYS}, "CLK-1", bytes(range(40, 72)))
    file = tmp_path_factory.mktemp("fobs") / "fobs.csv"
    rows = [f"{serial},{RFC_KEY.hex()},hotp,6,," for serial in fobs.buttons.values()]
    file.write_text("\n".join([*rows, f"{fobs.clock},{fobs.clock_seed.hex()},totp,8,60,", ""]))
    done = json.loads(house.program.run("token", "import", str(file), "--json").stdout)
    assert (done["added"], done["known"], done["rejected"]) == (3, 0, 0)
    return fobs


@pytest.mark.parametrize("way", WAYS)
def test_a_fob_of_an_imported_file_answers_for_whom_it_is_given_to(house: House, fobs: Fobs, way: str) -> None:
    alice = house.person(token=False)
    assert house.come_in(way, alice, RFC_CODES[0]).name == REFUSED
    assert house.last(alice.uid)[:2] == ("reject", "no-token")

    house.program.run("token", "assign", fobs.buttons[way], alice.uid)

    ends = [house.come_in(way, alice, RFC_CODES[counter]).name for counter in (3, 3, 0, 4)]
    assert ends == [ACCEPTED, REFUSED, REFUSED, ACCEPTED]
    reasons = [reason for _, reason in house.journal(alice.uid)]
    assert [reason for reason in reasons if reason] == ["no-token", "code-already-used", "code-already-used"]
    assert house.last(alice.uid) == ("accept", None, "hotp", None)
    assert house.query("SELECT counter FROM token WHERE serial = ?", fobs.buttons[way]) == [(5,)]


def test_a_fob_with_a_clock_of_eight_digits_and_a_minute_answers(house: House, fobs: Fobs) -> None:
    alice = house.person(token=False)
    fob = house.store.tokens.get(fobs.clock)
    assert fob is not None
    assert house.store.tokens.assign(fob.id, alice.subject, alice.uid, time.time())
    code = totp_code(fobs.clock_seed, "--digits=8", "--time-step-size=60")

    assert house.come_in("appended", alice, code).name == ACCEPTED
    assert house.come_in("challenge", alice, code).name == REFUSED
    assert house.journal(alice.uid)[-1] == ("reject", "code-already-used")


# --- YubiKeys


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", [bytes.lower, bytes.upper], ids=["small", "capital"])
def test_each_code_of_a_yubikey_works_once_and_none_before_the_last(
    house: House, way: str, case: Callable[[bytes], bytes]
) -> None:
    """In capital letters too, as a caps lock makes them."""
    alice, key = house.person(token=False), new_key()
    house.give(alice, key)

    def end(code: bytes) -> tuple[str, str | None]:
        reply = house.come_in(way, alice, case(typed_by(key, code)))
        return reply.name, house.last(alice.uid)[1]

    used = (REFUSED, "code-already-used")
    assert [end(SECOND), end(SECOND), end(FIRST)] == [(ACCEPTED, None), used, used]
    assert [end(LATE), end(SECOND)] == [(ACCEPTED, None), used]
    assert house.slapd.binds(alice.dn) == 2
    assert house.query("SELECT counter FROM token WHERE id = ?", key.id) == [(4095 * 256 + 1 + 1,)]


def test_a_code_in_capital_letters_is_the_same_code(house: House) -> None:
    alice, key = house.person(token=False), new_key()
    house.give(alice, key)
    code = typed_by(key, FIRST)

    assert house.come_in("appended", alice, code.upper()).name == ACCEPTED
    assert house.come_in("appended", alice, code).name == REFUSED
    assert house.last(alice.uid)[1] == "code-already-used"


def test_a_yubikey_without_a_public_id_answers(house: House) -> None:
    alice, key = house.person(token=False), new_key(public_id="")
    house.give(alice, key)

    assert house.come_in("appended", alice, FIRST).name == ACCEPTED


def test_the_longest_code_leaves_room_for_a_password_of_84_octets(house: House) -> None:
    """User-Password holds 128 octets (RFC 2865 section 5.2)."""
    alice, key = house.person(password=b"P" * 84, token=False), new_key(public_id="cccccccccccb")
    house.give(alice, key)
    code = typed_by(key, FIRST)
    assert len(alice.password + code) == 128

    assert house.come_in("appended", alice, code).name == ACCEPTED


NO_CODES: dict[str, tuple[Callable[[YubiKey], bytes], str]] = {
    "one letter more": (lambda key: typed_by(key, FIRST) + b"c", "no-code"),
    "one letter less": (lambda key: typed_by(key, FIRST)[:-1], "no-code"),
    "another public id": (lambda _: b"vvvvvvvvvv" + FIRST, "no-code"),
    "another letter": (lambda key: typed_by(key, FIRST)[:-1] + b"c", "wrong-code"),
    "another private id": (lambda key: touched(replace(key, private_id=b"\1\2\3\4\5\7"), 1, 1), "wrong-code"),
    "another AES key": (lambda key: touched(replace(key, key=bytes(16)), 1, 1), "wrong-code"),
}


@pytest.mark.parametrize("form", NO_CODES)
def test_what_is_no_code_of_the_yubikey_is_refused_without_a_bind(house: House, form: str) -> None:
    alice, key = house.person(token=False), new_key()
    house.give(alice, key)
    wrong, reason = NO_CODES[form]

    assert house.come_in("challenge", alice, wrong(key)).name == REFUSED
    assert (house.last(alice.uid)[1], house.slapd.binds(alice.dn)) == (reason, 0)
    right = typed_by(key, FIRST)
    assert house.come_in("challenge", alice, right).name == ACCEPTED


# --- A YubiKey that belongs to nobody yet


def stocked(house: House) -> YubiKey:
    """A YubiKey in the stock."""
    key = new_key()
    house.store.tokens.add(NewToken(key), time.time())
    return key


def test_the_first_code_of_an_unassigned_yubikey_makes_it_the_users(house: House) -> None:
    alice, bob, key = house.person(token=False), house.person(token=False), stocked(house)

    assert house.come_in("adopting", alice, typed_by(key, FIRST)).name == ACCEPTED
    assert owner(house, key.id) == alice.subject
    assert house.last(alice.uid) == ("accept", None, "yubikey", "adoption")
    acts = house.query("SELECT who, what, subject FROM act WHERE token = ? ORDER BY number", key.id)
    assert acts[1:] == [("server", "token-adopted", alice.subject)]

    assert house.come_in("adopting", bob, typed_by(key, SECOND)).name == ASKED
    assert house.come_in("adopting", alice, typed_by(key, FIRST)).name == ASKED, "it was used"
    assert house.come_in("adopting", alice, typed_by(key, LATE)).name == ACCEPTED
    assert house.come_in("appended", alice, typed_by(key, LATE)).name == REFUSED
    assert house.slapd.binds(bob.dn) == 0


def test_a_yubikey_is_adopted_by_the_answer_to_a_challenge(house: House) -> None:
    alice, key = house.person(token=False), stocked(house)
    asked = house.radclient("adopting", alice.uid, alice.password)

    state = f"State = {asked.one('State')}"
    assert house.radclient("adopting", alice.uid, typed_by(key, FIRST), state).name == ACCEPTED
    assert owner(house, key.id) == alice.subject


def test_a_yubikey_stays_in_the_stock_if_the_policy_does_not_say_so(house: House) -> None:
    alice, key = house.person(token=False), stocked(house)

    assert house.come_in("appended", alice, typed_by(key, FIRST)).name == REFUSED
    assert (owner(house, key.id), house.last(alice.uid)[1]) == (None, "no-token")


def test_a_yubikey_stays_in_the_stock_if_the_password_is_wrong(house: House) -> None:
    alice, key = house.person(token=False), stocked(house)

    assert house.radclient("adopting", alice.uid, b"wrong" + typed_by(key, FIRST)).name == ASKED
    assert (owner(house, key.id), house.last(alice.uid)[1]) == (None, "wrong-password")
    assert house.come_in("adopting", alice, typed_by(key, FIRST)).name == ACCEPTED, "the code was not burned"


@pytest.mark.parametrize("lost", [False, True], ids=["a token", "a disabled token"])
def test_whoever_has_a_token_adopts_none(house: House, lost: bool) -> None:  # noqa: FBT001 - a table
    """Nor whoever has lost one: or a thief with the password would need no more than any unassigned key."""
    alice, key = house.person(), stocked(house)
    if lost:
        house.disable(alice)

    assert house.come_in("adopting", alice, typed_by(key, FIRST)).name == ASKED
    assert owner(house, key.id) is None


@pytest.mark.parametrize("codes", [[FIRST], [FIRST, SECOND]], ids=["the same code", "two codes"])
def test_twenty_who_take_one_yubikey_at_once_are_one_who_gets_it(house: House, codes: list[bytes]) -> None:
    people, key = [house.person(token=False) for _ in range(20)], stocked(house)
    typed = [(each.uid, each.password + typed_by(key, codes[n % len(codes)])) for n, each in enumerate(people)]

    ends = house.logins("adopting", typed)

    (winner,) = [person for person, end in zip(people, ends, strict=True) if end == ACCEPT]
    assert owner(house, key.id) == winner.subject
    # Who came a moment later has lost the race (Reject), or did not even find the key in the stock (Challenge).
    assert set(ends) <= {ACCEPT, REJECT, CHALLENGE}


# --- Codes that are handed out


def recovery_codes(house: House, person: Person) -> list[bytes]:
    """A new list, by the store: the command takes a second."""
    return [code.encode() for code in house.store.codes.new_recovery(person.subject, person.uid, time.time())]


def temporary_code(house: House, person: Person, *, until: float = HOUR, uses: int = 1) -> bytes:
    """A new code until so many seconds from now, by the store."""
    now = time.time()
    made = house.store.codes.new_temporary(person.subject, person.uid, until=now + until, uses=uses, when=now - HOUR)
    return made.encode()


def test_each_of_ten_recovery_codes_works_once_wherever_a_code_does(house: House) -> None:
    alice = house.person()
    made = house.program.run("user", "recovery-codes", alice.uid, "--json")
    codes = [code.encode() for code in json.loads(made.stdout)["codes"]]
    assert (len(codes), len(set(codes))) == (10, 10)

    for place, code in enumerate(codes[:4]):
        way = WAYS[place % 2]
        assert house.come_in(way, alice, code).name == ACCEPTED
        assert house.last(alice.uid) == ("accept", None, "recovery", None)
        assert house.come_in(way, alice, code).name == REFUSED
        assert house.last(alice.uid)[1] == "code-already-used"
    assert house.come_in("appended", alice, codes[4].replace(b"-", b"").upper()).name == ACCEPTED
    assert house.come_in("appended", alice, alice.code()).name == ACCEPTED, "the token goes on working"
    assert house.store.codes.of(alice.subject, time.time()).recovery_left == 5


def test_a_new_list_of_recovery_codes_ends_the_old_one(house: House) -> None:
    alice = house.person(token=False)
    old, new = recovery_codes(house, alice)[0], recovery_codes(house, alice)[0]

    assert house.come_in("appended", alice, old).name == REFUSED
    assert house.come_in("appended", alice, new).name == ACCEPTED


def test_a_recovery_code_in_fifty_requests_at_once_is_accepted_once(house: House) -> None:
    alice = house.person(token=False)
    code = recovery_codes(house, alice)[0]

    ends = house.logins("appended", [(alice.uid, alice.password + code)] * 50)

    assert sorted(ends) == [ACCEPT] + [REJECT] * 49


def test_a_temporary_code_works_as_often_as_it_says(house: House) -> None:
    alice = house.person()
    made = house.program.run("user", "temp-code", alice.uid, "--valid", "30m", "--uses", "3", "--json")
    code = json.loads(made.stdout)["code"].encode()

    ends = [house.come_in(way, alice, code).name for way in ("appended", "challenge", "appended", "challenge")]

    assert ends == [ACCEPTED, ACCEPTED, ACCEPTED, REFUSED]
    assert house.last(alice.uid)[1] == "code-already-used"
    assert house.query("SELECT factor, count(*) FROM journal WHERE name = ? AND result = 'accept'", alice.uid) == [
        ("temporary", 3)
    ]
    assert house.come_in("appended", alice, alice.code()).name == ACCEPTED, "the token goes on working"


@pytest.mark.parametrize("way", WAYS)
def test_a_temporary_code_ends_at_its_time(house: House, way: str) -> None:
    alice = house.person()
    code = temporary_code(house, alice, until=-1, uses=9)

    assert house.come_in(way, alice, code).name == REFUSED
    assert house.last(alice.uid)[1] == "token-expired"
    assert house.failures(alice) == 0


def test_a_temporary_code_ends_when_it_is_revoked(house: House) -> None:
    alice = house.person()
    code = temporary_code(house, alice)
    assert house.store.codes.revoke(alice.subject) == 1

    assert house.come_in("appended", alice, code).name == REFUSED
    assert house.last(alice.uid)[1] == "token-disabled"


def test_a_temporary_code_of_two_uses_in_fifty_requests_at_once_is_accepted_twice_at_most(house: House) -> None:
    """Of those that see the same number of uses, one gets in."""
    alice = house.person(token=False)
    code = temporary_code(house, alice, uses=2)

    ends = house.logins("appended", [(alice.uid, alice.password + code)] * 50)

    used = house.query("SELECT counter FROM token WHERE subject = ?", alice.subject)[0][0]
    assert ends.count(ACCEPT) == used
    assert used in (1, 2)
    assert ends.count(REJECT) == 50 - used


# --- Passkeys, by their login codes, and invitations


@pytest.mark.parametrize("way", WAYS)
def test_a_login_code_is_accepted_once_within_its_two_minutes(house: House, way: str) -> None:
    alice = house.person(token=False)
    now = time.time()
    stale = house.store.codes.new_login_code(alice.subject, alice.uid, until=now - 1, when=now - 121).encode()
    assert house.come_in(way, alice, stale).name == REFUSED
    assert house.last(alice.uid)[:2] == ("reject", "token-expired")

    first, code = (
        house.store.codes.new_login_code(alice.subject, alice.uid, until=now + 120, when=now).encode() for _ in range(2)
    )
    assert house.come_in(way, alice, first).name == REFUSED
    assert house.last(alice.uid)[:2] == ("reject", "token-disabled")
    assert house.come_in(way, alice, code).name == ACCEPTED
    assert house.last(alice.uid) == ("accept", None, "passkey", None)
    assert house.come_in(way, alice, code).name == REFUSED
    assert house.last(alice.uid)[:2] == ("reject", "code-already-used")


@pytest.mark.parametrize("way", WAYS)
def test_an_invitation_is_no_login_and_is_not_used_up_by_one(house: House, way: str) -> None:
    alice = house.person(token=False)
    now = time.time()
    code = house.store.codes.new_invitation(alice.subject, alice.uid, until=now + HOUR, when=now).encode()

    assert house.come_in(way, alice, code).name == REFUSED
    assert house.last(alice.uid)[:2] == ("reject", "kind-not-allowed")
    assert (house.failures(alice), house.slapd.binds(alice.dn)) == (0, 0)
    assert house.store.codes.of(alice.subject, now).invitation is not None


# --- Tokens that may not answer


@dataclass(frozen=True)
class Bar:
    """A way to keep a token from answering, what the refusal says, and how it is taken away."""

    set: Callable[[House, str], object]
    reason: str
    lift: Callable[[House, str], object]


def active(house: House, token: str, value: bool) -> None:  # noqa: FBT001 - the value that is set
    assert house.store.tokens.set_active(token, value)


def valid(house: House, token: str, since: float | None = None, until: float | None = None) -> None:
    now = time.time()
    bounds = (None if since is None else now + since, None if until is None else now + until)
    assert house.store.tokens.set_valid(token, *bounds)


BARS = {
    "disabled": Bar(
        lambda house, token: active(house, token, False),  # noqa: FBT003 - as above
        "token-disabled",
        lambda house, token: active(house, token, True),  # noqa: FBT003 - as above
    ),
    "expired": Bar(lambda house, token: valid(house, token, until=-1), "token-expired", valid),
    "not yet valid": Bar(lambda house, token: valid(house, token, since=HOUR), "token-not-yet-valid", valid),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("bar", BARS)
def test_a_token_that_may_not_answer_is_refused_with_the_reason_and_not_counted(
    house: House, bar: str, way: str
) -> None:
    alice = house.person()
    BARS[bar].set(house, alice.token)

    codes = [alice.code() for _ in range(FAILURES + 1)]
    typed = codes if way == "challenge" else [alice.password + code for code in codes]
    for octets in typed:
        with house.nas(way) as nas:
            state = nas.login(alice.uid, alice.password).answer.one(STATE) if way == "challenge" else None
            assert nas.login(alice.uid, octets, state=state).code == REJECT
        assert house.last(alice.uid)[1] == BARS[bar].reason
    assert (house.failures(alice), house.counter(alice), house.slapd.binds(alice.dn)) == (0, 0, 0)

    BARS[bar].lift(house, alice.token)
    assert house.come_in(way, alice, codes[0]).name == ACCEPTED, "nothing was counted, and nothing burned"


def test_wrong_codes_beside_a_disabled_token_do_count(house: House) -> None:
    alice = house.person()
    house.disable(alice)
    key = new_key()
    house.give(alice, key)

    assert house.come_in("appended", alice, typed_by(key, FIRST[:-1] + b"c")).name == REFUSED
    assert (house.last(alice.uid)[1], house.failures(alice)) == ("wrong-code", 1)
