"""Ways past the second factor that were tried on other servers: none works, and none causes a bind.

A failed attempt must not be distinguishable from another; tests/end_to_end/test_refusals.py looks at that.
"""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.end_to_end.house import House, Ready, client, directory_section
from tests.end_to_end.people import Person, new_seed
from tests.end_to_end.radius import ACCEPT, CHALLENGE, REJECT, STATE, at_once
from tests.servers.faulty_ldap import FaultyLdap, entries
from tests.servers.slapd import PEOPLE, Slapd

FOREIGN_DIGITS = (
    "\N{FULLWIDTH DIGIT ONE}" * 6,
    "\N{ARABIC-INDIC DIGIT ONE}" * 6,
    "\N{SUPERSCRIPT ONE}" * 6,
    "\N{MATHEMATICAL BOLD DIGIT ONE}" * 6,
)


@pytest.fixture
def alice(house: House) -> Person:
    return house.person()


@pytest.fixture
def bob(house: House) -> Person:
    """Somebody else, with a token of their own."""
    return house.person()


@pytest.fixture(autouse=True)
def binds(house: House) -> Iterator[list[int]]:
    """The numbers of binds that a test may cause: 0, unless it puts others here."""
    before, allowed = house.binds(), [0]
    yield allowed
    assert house.binds() - before in allowed


def test_somebody_elses_code_is_worth_nothing(house: House, alice: Person, bob: Person) -> None:
    with house.nas("appended") as nas:
        for name in ("nobody-of-this-name", alice.uid):
            assert nas.login(name, alice.password + bob.codes[0]).code == REJECT
            assert nas.login(name, bob.password + bob.codes[0]).code == REJECT
        assert house.reasons("nobody-of-this-name", 2) == ["no-such-user"] * 2
    assert house.counter(bob) == 0


def test_without_a_token_no_digits_help(house: House) -> None:
    carol = house.person(token=False)
    codes = (b"", b"000000", b"123456", b"12345678")
    assert house.logins("appended", [(carol.uid, carol.password + code) for code in codes]) == [REJECT] * 4
    assert house.reasons(carol.uid, 4) == ["no-token"] * 4


def test_a_password_without_a_code_is_not_enough(house: House) -> None:
    tails = [b"", b" ", b"\n", b"\0", b"+12345", b"-12345", b"1e5000", b"0x1234", *map(str.encode, FOREIGN_DIGITS)]
    people = [(house.person(), tail) for tail in tails]
    typed = [(person.uid, person.password + tail) for person, tail in people]
    assert house.logins("appended", typed) == [REJECT] * len(tails)


@pytest.mark.parametrize("password", [b"", b"\0", b"\0" * 16, b" "], ids=ascii)
def test_a_code_without_a_password_is_not_enough(
    house: House, alice: Person, password: bytes, binds: list[int]
) -> None:
    """A blank is a password, which the directory refuses; what holds a NUL or is empty never gets there."""
    binds[:] = [int(password == b" ")]
    with house.nas("appended") as nas:
        assert nas.login(alice.uid, password + alice.code()).code == REJECT
    assert house.counter(alice) == 0


@pytest.mark.parametrize("place", ["front", "middle", "before the code", "in the code"])
def test_a_nul_in_the_password_is_refused(house: House, alice: Person, place: str) -> None:
    """Programs written in C see nothing behind a NUL."""
    password, code = alice.password, alice.code()
    typed = {
        "front": b"\0" + password + code,
        "middle": password[:4] + b"\0" + password[4:] + code,
        "before the code": password + b"\0" + code,
        "in the code": password + code[:3] + b"\0" + code[3:],
    }[place]
    with house.nas("appended") as nas:
        assert nas.login(alice.uid, typed).code == REJECT
    assert house.reasons(alice.uid) == ["bad-password-octets"]


def test_what_stands_behind_a_nul_in_the_name_counts(house: House, alice: Person) -> None:
    with house.nas("appended") as nas:
        assert nas.login(alice.uid.encode() + b"\0rest", alice.typed()).code == REJECT
        assert nas.login(alice.uid.encode() + b"\0", alice.typed()).code == REJECT
    assert house.reasons(f"{alice.uid}\\x00rest") == ["bad-name"]


def test_a_name_with_characters_of_a_filter_finds_nobody(house: House, alice: Person) -> None:
    forms = [
        "{}*",
        "*",
        "{})(uid=*",
        "{})(|(uid=*)",
        "\\2a",
        "{}\\00",
        "({})",
        "\\{}",
        "{}&",
        "!{}",
        "uid={}",
        "{}@x.org",
    ]
    names = [form.format(alice.uid) for form in forms]
    assert house.logins("appended", [(name, alice.password + alice.codes[0]) for name in names]) == [REJECT] * len(
        names
    )
    assert [house.reasons(name) for name in names] == [["no-such-user"]] * len(names)


def test_a_person_of_a_strange_name_gets_in_by_it_and_by_no_other(house: House, binds: list[int]) -> None:
    binds[:] = [1]
    name = "star*paren(the)sis\\slash"
    house.slapd.change(strange_person(name), "-a")
    query = "star\\2aparen\\28the\\29sis\\5cslash"
    star = Person(name, b"a password", house.slapd.entry_uuid(query), new_seed())
    house.enrol([star])
    with house.nas("appended") as nas:
        for other in ("star*", "star\\2aparen\\28the\\29sis\\5cslash"):
            assert nas.login(other, star.password + star.codes[0]).code == REJECT
        assert nas.login(name, star.typed()).code == ACCEPT


def strange_person(name: str) -> str:
    """The person as LDIF, under a DN that needs no escapes."""
    return (
        f"dn: cn=strange,{PEOPLE}\nobjectClass: inetOrgPerson\ncn: strange\nsn: strange\nuid: {name}\n"
        "userPassword: a password\n"
    )


@pytest.mark.parametrize("spelling", ["upper", "blanks", "wide"])
def test_a_code_used_under_one_spelling_of_a_name_is_used_under_all(
    house: House, alice: Person, spelling: str, binds: list[int]
) -> None:
    """OpenLDAP resolves all of these to the same entry (RFC 4518): names are not identities."""
    binds[:] = [2]
    other = {
        "upper": alice.uid.upper(),
        "blanks": f"  {alice.uid} ",
        "wide": chr(ord(alice.uid[0]) + 0xFEE0) + alice.uid[1:],
    }[spelling]
    with house.nas("appended") as nas:
        typed = alice.typed()
        assert nas.login(other, typed).code == ACCEPT
        assert nas.login(alice.uid, typed).code == REJECT
        assert house.reasons(alice.uid) == ["code-already-used"]
        assert nas.login(alice.uid, alice.typed()).code == ACCEPT
        assert nas.login(other, alice.password + alice.codes[1]).code == REJECT


def test_a_lock_under_one_spelling_is_a_lock_under_all(house: House, alice: Person) -> None:
    names = [alice.uid.upper(), alice.uid.title(), f" {alice.uid}", f"{alice.uid} ", alice.uid]
    typed = [alice.password + code for code in alice.wrong_codes(len(names))]
    assert house.logins("appended", zip(names, typed, strict=True)) == [REJECT] * len(names)
    assert house.logins("appended", [(alice.uid, alice.typed())]) == [REJECT]
    assert house.reasons(alice.uid, 2)[-1] == "locked-out"


def not_quite(code: bytes) -> list[bytes]:
    """What is not the code, although a person or a careless program might take it for it."""
    tails = (b"\n", b" ", b"\r\n", b"\t", "\u2028".encode())
    wide = code.decode().translate({ord("0") + digit: 0xFF10 + digit for digit in range(10)}).encode()
    return [*(code + tail for tail in tails), b" " + code, b"+" + code, b"0" + code, wide]


def test_a_code_is_ascii_digits_and_nothing_else(house: House, alice: Person, bob: Person) -> None:
    """Appended and as an answer. A blank in front of an appended code belongs to the password, as does any octet."""
    behind = [each for each in not_quite(alice.codes[0]) if not each.endswith(alice.codes[0])]
    typed = [(alice.uid, alice.password + each) for each in behind]
    assert house.logins("appended", typed) == [REJECT] * len(behind)
    assert house.reasons(alice.uid, len(behind)) == ["no-code"] * len(behind)

    answers = not_quite(bob.codes[0])
    with house.nas("challenge") as nas:
        states = [nas.login(bob.uid, bob.password).answer.one(STATE) for _ in answers]
        for answer, state in zip(answers, states, strict=True):
            assert nas.login(bob.uid, answer, state=state).code == REJECT
    assert house.reasons(bob.uid, len(answers)) == ["no-code"] * len(answers)


def test_a_state_belongs_to_one_user(house: House, alice: Person, bob: Person, binds: list[int]) -> None:
    """Neither may the other use it, nor does the attempt end the challenge of its owner."""
    binds[:] = [1]
    with house.nas("challenge") as nas:
        state = nas.login(alice.uid, alice.password).answer.one(STATE)
        assert nas.login(bob.uid, bob.codes[0], state=state).code == REJECT
        assert nas.login(bob.uid, bob.typed(), state=state).code == REJECT
        assert house.reasons(bob.uid, 2) == ["state-unknown"] * 2
        assert nas.login(alice.uid.upper(), alice.codes[0], state=state).code == REJECT, "nor another spelling"
        assert nas.login(alice.uid, alice.code(), state=state).code == ACCEPT
    assert house.counter(bob) == 0


@pytest.mark.parametrize("other", ["other-challenge", "either", "appended"])
def test_a_state_belongs_to_one_client(house: House, alice: Person, binds: list[int], other: str) -> None:
    binds[:] = [1]
    with house.nas("challenge") as nas, house.nas(other) as foreign:
        state = nas.login(alice.uid, alice.password).answer.one(STATE)
        assert foreign.login(alice.uid, alice.codes[0], state=state).code == REJECT
        assert foreign.login(alice.uid, alice.password + alice.codes[0], state=state).code == REJECT
        assert house.reasons(alice.uid, 2) == ["state-unknown"] * 2
        assert nas.login(alice.uid, alice.code(), state=state).code == ACCEPT


@pytest.mark.parametrize("state", [b"", b"0" * 32, b"\0" * 16, b"f" * 253, "ü".encode()], ids=len)
def test_a_made_up_state_is_no_fresh_login(house: House, alice: Person, state: bytes) -> None:
    """Not even with the right password and the right code."""
    with house.nas("either") as nas:
        assert nas.login(alice.uid, alice.password + alice.codes[0], state=state).code == REJECT
        assert nas.login(alice.uid, alice.codes[0], state=state).code == REJECT
    assert house.reasons(alice.uid, 2) == ["state-unknown"] * 2
    assert house.counter(alice) == 0


def test_a_state_is_answered_once_by_a_wrong_code_too(house: House, alice: Person) -> None:
    with house.nas("challenge") as nas:
        state = nas.login(alice.uid, alice.password).answer.one(STATE)
        assert nas.login(alice.uid, alice.wrong_code(), state=state).code == REJECT
        assert nas.login(alice.uid, alice.codes[0], state=state).code == REJECT
    assert house.reasons(alice.uid, 2) == ["wrong-code", "state-unknown"]


def test_an_answer_at_twenty_sockets_at_once_is_one_login(house: House, alice: Person, binds: list[int]) -> None:
    binds[:] = range(1, 21)  # the code is valid until one of them has burned it
    with ExitStack() as stack:
        first = stack.enter_context(house.nas("challenge"))
        state = first.login(alice.uid, alice.password).answer.one(STATE)
        code = alice.code()
        sockets = [stack.enter_context(house.nas("challenge")) for _ in range(20)]
        codes = [reply.code for reply in at_once((nas, nas.request(alice.uid, code, state=state)) for nas in sockets)]
    assert sorted(codes) == [ACCEPT] + [REJECT] * 19


def test_guessing_at_the_challenge_is_guessing(house: House, alice: Person) -> None:
    """Every challenge is new, but the failures behind them add up."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(house.nas("challenge")) for _ in range(6)]
        asked = at_once([(nas, nas.request(alice.uid, alice.password)) for nas in sockets])
        assert {reply.code for reply in asked} == {CHALLENGE}
        guesses = [
            (nas, nas.request(alice.uid, code, state=reply.answer.one(STATE)))
            for nas, reply, code in zip(sockets, asked, alice.wrong_codes(6), strict=True)
        ]
        at_once(guesses[:5])
        right = sockets[5].request(alice.uid, alice.code(), state=asked[5].answer.one(STATE))
        assert sockets[5].ask(right).code == REJECT
    assert house.reasons(alice.uid, 6)[-1] == "locked-out"


def test_a_directory_that_says_yes_to_everything_gets_no_empty_password(
    tmp_path_factory: pytest.TempPathFactory, slapd: Slapd, ready: Ready
) -> None:
    """Active Directory answers an unauthenticated bind with success (RFC 4513 section 5.1.2)."""
    with FaultyLdap() as yes:
        person = {"entryUUID": [b"11111111-1111-4111-8111-111111111111"], "uid": [b"eve"]}
        yes.on_search = entries((f"uid=eve,{PEOPLE}", person))
        clients = [client("appended", "127.0.0.1"), client("challenge", "127.0.0.2", code="challenge")]
        directory = directory_section(slapd, urls=[yes.uri])
        with (
            House(tmp_path_factory.mktemp("yes"), slapd, ready, clients=clients, directory=directory) as house,
            house.nas("appended") as nas,
            house.nas("challenge") as asking,
        ):
            eve = Person("eve", b"any password", person["entryUUID"][0].decode(), new_seed())
            house.enrol([eve])
            for typed in (b"", b"\0", eve.codes[0], b"\0" + eve.codes[0], eve.wrong_code(), b"any" + eve.wrong_code()):
                assert nas.login("eve", typed).code == REJECT
            for password in (b"", b"\0"):
                assert asking.login("eve", password).code == REJECT
            assert yes.binds == []
            assert nas.login("eve", eve.typed()).code == ACCEPT
            assert yes.binds == [(f"uid=eve,{PEOPLE}", b"any password")]
