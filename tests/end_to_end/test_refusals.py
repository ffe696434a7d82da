"""Every refusal looks the same from outside, and its exact reason is in the log and in the journal."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.end_to_end.house import House
from tests.end_to_end.people import Person
from tests.end_to_end.radius import ACCEPT, CHALLENGE, REJECT, REPLY_MESSAGE, STATE, Nas, Reply, at_once, radtest
from tests.radius import wire
from tests.radius.wire import Asked

DELAY = 0.1  # seconds, as the house is configured
CHAP_PASSWORD, EAP_MESSAGE = 3, 79
MICROSOFT, MS_CHAP_RESPONSE, MS_CHAP2_RESPONSE = 311, 1, 25

Make = Callable[[House, Nas, Person], Asked]


def with_password(octets: Callable[[Person], bytes]) -> Make:
    """A request with a name and what is typed as the password."""
    return lambda _, nas, person: nas.request(person.uid, octets(person))


def with_hidden(octets: bytes) -> Make:
    """A request whose User-Password attribute holds these octets as they are."""
    return lambda _, nas, person: nas.request(person.uid, None, (2, octets))


def zeroes_as_padding(_: House, nas: Nas, person: Person) -> Asked:
    """An empty password filled up to 16 octets, as pam_radius sends it."""
    asked = nas.request(person.uid, b"")
    assert len(dict(asked.attributes)[2]) == 16
    return asked


def unknown(_: House, nas: Nas, person: Person) -> Asked:
    return nas.request("un" + person.uid, person.typed())


def used(_: House, nas: Nas, person: Person) -> Asked:
    typed = person.typed()
    assert nas.login(person.uid, typed).code == ACCEPT
    return nas.request(person.uid, typed)


def disabled(house: House, nas: Nas, person: Person) -> Asked:
    house.disable(person)
    return nas.request(person.uid, person.typed())


def without_token(house: House, nas: Nas, person: Person) -> Asked:
    other = house.person("bare" + person.uid, token=False)
    return nas.request(other.uid, other.password + b"123456")


def ambiguous(house: House, nas: Nas, person: Person) -> Asked:
    twin = house.person("twin" + person.uid, token=False)
    for each in (person, twin):
        house.slapd.change(f"dn: {each.dn}\nchangetype: modify\nadd: uid\nuid: both{person.uid}\n")
    return nas.request(f"both{person.uid}", person.typed())


def chap(_: House, nas: Nas, person: Person) -> Asked:
    return nas.request(person.uid, None, (CHAP_PASSWORD, bytes(17)))


def ms_chap(type_: int) -> Make:
    return lambda _, nas, person: nas.request(person.uid, None, wire.vendor_attribute(MICROSOFT, type_, bytes(50)))


def eap(_: House, nas: Nas, person: Person) -> Asked:
    """An EAP-Response/Identity (RFC 3748 section 5.1)."""
    identity = person.uid.encode()
    octets = b"\x02\x01" + (5 + len(identity)).to_bytes(2) + b"\x01" + identity
    return nas.request(person.uid, None, (EAP_MESSAGE, octets))


def made_up_state(_: House, nas: Nas, person: Person) -> Asked:
    return nas.request(person.uid, person.code(), state=b"0" * 32)


def challenged(answer: Callable[[Person], bytes], password: Callable[[Person], bytes] = lambda p: p.password) -> Make:
    """The answer to a challenge that the person was given."""

    def make(_: House, nas: Nas, person: Person) -> Asked:
        asked = nas.login(person.uid, password(person))
        assert asked.code == CHALLENGE
        return nas.request(person.uid, answer(person), state=asked.answer.one(STATE))

    return make


def strange_name(octets: bytes) -> Make:
    return lambda _, nas, person: nas.request(octets + person.uid.encode(), person.typed())


@dataclass(frozen=True)
class Case:
    """One way to be refused. `name` is how the log spells the name, by the person's uid; `binds` how often it asks."""

    make: Make
    reason: str
    client: str = "appended"
    name: str = "{}"
    binds: int = 0


CASES = {
    "an unknown user": Case(unknown, "no-such-user", name="un{}"),
    "two users of one name": Case(ambiguous, "ambiguous-name", name="both{}"),
    "no token": Case(without_token, "no-token", name="bare{}"),
    "a disabled token": Case(disabled, "token-disabled"),
    "a wrong code": Case(with_password(lambda p: p.password + p.wrong_code()), "wrong-code"),
    "a used code": Case(used, "code-already-used", binds=1),
    "a code far ahead": Case(with_password(lambda p: p.password + p.codes[60]), "token-out-of-step"),
    "no code": Case(with_password(lambda p: p.password), "no-code"),
    "a wrong password": Case(with_password(lambda p: b"wrong" + p.code()), "wrong-password", binds=1),
    "a code without a password": Case(with_password(lambda p: p.code()), "empty-password"),
    "a password of length 0": Case(with_hidden(b""), "empty-password"),
    "a password of padding only": Case(zeroes_as_padding, "empty-password"),
    "no password at all": Case(lambda _, nas, p: nas.request(p.uid, None), "empty-password"),
    "a password of a wrong length": Case(with_hidden(bytes(15)), "empty-password"),
    "a NUL in the password": Case(with_password(lambda p: p.password + b"\0" + p.code()), "bad-password-octets"),
    "a password that is no text": Case(with_password(lambda p: b"\xff" + p.typed()), "wrong-shared-secret-or-charset"),
    "a control character in the name": Case(strange_name(b"\n"), "bad-name", name="\\n{}"),
    "a name that is no text": Case(strange_name(b"\xe4"), "bad-name", name="\\xe4{}"),
    "CHAP": Case(chap, "unsupported-method"),
    "MS-CHAP": Case(ms_chap(MS_CHAP_RESPONSE), "unsupported-method"),
    "MS-CHAPv2": Case(ms_chap(MS_CHAP2_RESPONSE), "unsupported-method"),
    "EAP": Case(eap, "unsupported-method"),
    "a State that nobody gave": Case(made_up_state, "state-unknown"),
    "a State that nobody gave, where challenges are": Case(made_up_state, "state-unknown", "challenge"),
    "no password, where challenges are": Case(with_hidden(b""), "empty-password", "challenge"),
    "no password, where both are": Case(with_hidden(b""), "empty-password", "either"),
    "a wrong answer": Case(challenged(lambda p: p.wrong_code()), "wrong-code", "challenge"),
    "an answer that is no code": Case(challenged(lambda _: b"yes"), "no-code", "challenge"),
    "an empty answer": Case(challenged(lambda _: b""), "no-code", "challenge"),
    "a right answer after a wrong password": Case(
        challenged(lambda p: p.code(), lambda _: b"wrong"), "wrong-password", "challenge", binds=1
    ),
    "a code typed as the password where both are": Case(
        challenged(lambda p: p.code(), lambda p: p.password + p.wrong_code()), "wrong-password", "either", binds=1
    ),
}


@dataclass(frozen=True)
class Refused:
    """What came of a case."""

    reply: Reply
    name: str
    binds: int


@pytest.fixture(scope="module")
def refused(house: House) -> dict[str, Refused]:
    """All cases, at the same time: each by a person and a socket of its own."""
    people = {case: house.person() for case in CASES}
    with ExitStack() as stack:
        sockets = {case: stack.enter_context(house.nas(CASES[case].client)) for case in CASES}
        requests = [(sockets[case], CASES[case].make(house, sockets[case], people[case])) for case in CASES]
        replies = at_once(requests)
    return {
        case: Refused(reply, CASES[case].name.format(people[case].uid), house.slapd.binds(people[case].dn))
        for case, reply in zip(CASES, replies, strict=True)
    }


@pytest.mark.parametrize("case", CASES)
def test_a_refusal_tells_nothing(case: str, refused: dict[str, Refused]) -> None:
    """The same code and attributes for every reason, no sooner than the delay."""
    reply = refused[case].reply

    assert reply.code == REJECT
    assert reply.told == ((REPLY_MESSAGE, b"Login refused."),)
    assert len(reply.octets) == 20 + 18 + 16
    assert DELAY <= reply.seconds < 3


@pytest.mark.parametrize("case", CASES)
def test_the_reason_of_a_refusal_is_in_the_log_and_in_the_journal(
    case: str, refused: dict[str, Refused], house: House
) -> None:
    name = refused[case].name

    assert house.reasons(name) == [CASES[case].reason]
    assert house.journal(name)[-1] == ("reject", CASES[case].reason)


@pytest.mark.parametrize("case", CASES)
def test_no_bind_is_made_without_a_valid_code(case: str, refused: dict[str, Refused]) -> None:
    assert refused[case].binds == CASES[case].binds


@pytest.mark.parametrize("method", ["chap", "mschap"])
def test_radtest_with_another_method_is_refused(house: House, method: str) -> None:
    alice = house.person()

    shown = radtest(alice.uid, alice.typed().decode(), house.program.port, house.secret("appended"), "-t", method)

    assert (shown.name, shown.told) == ("Access-Reject", (("Reply-Message", "Login refused."),))
    assert house.reasons(alice.uid) == ["unsupported-method"]


def test_six_wrong_codes_lock_and_an_unlock_helps(house: House) -> None:
    alice = house.person()
    with ExitStack() as stack:
        sockets = [stack.enter_context(house.nas("appended")) for _ in range(6)]
        wrong = [
            nas.request(alice.uid, alice.password + code)
            for nas, code in zip(sockets, alice.wrong_codes(6), strict=True)
        ]
        assert {reply.code for reply in at_once(zip(sockets, wrong, strict=True))} == {REJECT}
    with house.nas("appended") as nas:
        typed = alice.typed()
        locked = nas.login(alice.uid, typed)
        assert (locked.code, locked.told) == (REJECT, ((REPLY_MESSAGE, b"Login refused."),))
        assert house.reasons(alice.uid, 7)[-1] == "locked-out"
        assert house.slapd.binds(alice.dn) == 0

        unlocked = house.program.run("user", "unlock", alice.uid)
        assert f"{alice.uid} is unlocked" in unlocked.stdout
        assert nas.login(alice.uid, typed).code == ACCEPT, "a right code while locked is not burned"


def test_a_saved_password_that_is_tried_again_counts_once(house: House) -> None:
    """Devices repeat a saved password by themselves; that must not lock anybody out."""
    alice = house.person()
    typed = alice.password + alice.wrong_code()
    with ExitStack() as stack:
        sockets = [stack.enter_context(house.nas("appended")) for _ in range(8)]
        replies = at_once((nas, nas.request(alice.uid, typed)) for nas in sockets)
        assert {reply.code for reply in replies} == {REJECT}
        assert sockets[0].login(alice.uid, alice.typed()).code == ACCEPT
