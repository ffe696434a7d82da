"""What happens in the same instant: a code is accepted once, a request is worked on once, everybody is answered."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack

import pytest

from tests.end_to_end.crowd import crowd, crowd_ldif, repeated
from tests.end_to_end.house import House, Ready, client, directory_section
from tests.end_to_end.people import Person
from tests.end_to_end.radius import ACCEPT, CHALLENGE, REJECT, STATE, Nas, at_once
from tests.servers.slapd import Slapd

SOCKETS = 50
THREADS = 16
FAILURES = 5  # in a row, until everything is refused

CLIENTS = (client("appended", "127.0.0.1"), client("challenge", "127.0.0.2", code="challenge"))


@pytest.fixture(scope="module")
def people() -> list[Person]:
    return crowd(300, "racer")


@pytest.fixture(scope="module")
def directory(people: list[Person]) -> Iterator[Slapd]:
    with Slapd(seed=crowd_ldif(people)) as server:
        yield server


@pytest.fixture(scope="module")
def racing(
    tmp_path_factory: pytest.TempPathFactory, directory: Slapd, ready: Ready, people: list[Person]
) -> Iterator[House]:
    """A house that is patient with a directory that is held for a moment."""
    slow = directory_section(directory, timeout=7.0)
    folder = tmp_path_factory.mktemp("racing")
    server = {"threads": THREADS, "reject_delay": 0.1}
    with House(folder, directory, ready, clients=CLIENTS, directory=slow, server=server) as house:
        house.enrol(people)
        yield house


@pytest.fixture
def someone(racing: House) -> Person:
    """Somebody whom no other test knows."""
    return racing.person()


def codes_of(house: House, name: str, requests: Iterable[tuple[Person, bytes, bytes | None]]) -> list[int]:
    """Send requests (person, password, State) in one instant, each from a socket of its own."""
    with ExitStack() as stack:
        pairs: list[tuple[Nas, Person, bytes, bytes | None]] = [
            (stack.enter_context(house.nas(name)), *request) for request in requests
        ]
        asked = [(nas, nas.request(person.uid, password, state=state)) for nas, person, password, state in pairs]
        return [reply.code for reply in at_once(asked)]


def challenged(house: House, person: Person) -> bytes:
    """Send the first leg, and return its State."""
    with house.nas("challenge") as nas:
        return nas.login(person.uid, person.password).answer.one(STATE)


@pytest.mark.parametrize("turn", range(10))
def test_a_code_from_fifty_sockets_is_accepted_once(racing: House, people: list[Person], turn: int) -> None:
    person = people[turn]
    counter = racing.counter(person)
    typed = person.typed()

    codes = codes_of(racing, "appended", [(person, typed, None)] * SOCKETS)

    assert sorted(codes) == [ACCEPT] + [REJECT] * (SOCKETS - 1)
    assert racing.counter(person) == counter + 1
    refusals = [reason for result, reason in racing.journal(person.uid) if result == "reject"]
    assert refusals == ["code-already-used"] * (SOCKETS - 1)


def test_a_challenge_answered_from_fifty_sockets_is_accepted_once(racing: House, someone: Person) -> None:
    state = challenged(racing, someone)

    codes = codes_of(racing, "challenge", [(someone, someone.code(), state)] * SOCKETS)

    assert sorted(codes) == [ACCEPT] + [REJECT] * (SOCKETS - 1)
    assert racing.counter(someone) == 1


def test_a_challenge_takes_one_of_fifty_codes(racing: House, someone: Person) -> None:
    """Ten codes lie within the window; whichever comes first ends the challenge for the others."""
    state = challenged(racing, someone)
    answers = [(someone, someone.codes[place % 10], state) for place in range(SOCKETS)]

    codes = codes_of(racing, "challenge", answers)

    assert sorted(codes) == [ACCEPT] + [REJECT] * (SOCKETS - 1)


def test_fifty_challenges_take_one_code_once(racing: House, someone: Person) -> None:
    states = [challenged(racing, someone) for _ in range(SOCKETS)]
    code = someone.code()

    codes = codes_of(racing, "challenge", [(someone, code, state) for state in states])

    assert sorted(codes) == [ACCEPT] + [REJECT] * (SOCKETS - 1)
    assert racing.counter(someone) == 1


def test_a_hundred_copies_of_a_request_are_one_login(racing: House, directory: Slapd, someone: Person) -> None:
    with racing.nas("appended") as nas, racing.nas("appended") as other:
        earlier = other.login("nobody at all", b"whatever 000000")
        asked = nas.request(someone.uid, someone.typed())
        directory.stall()
        try:
            for _ in range(100):
                nas.send(asked)
            assert repeated(other, earlier) == earlier.octets
            assert nas.silent()
        finally:
            directory.resume()
        answer = nas.receive()
        again = [nas.ask(asked).octets for _ in range(10)]

        assert again == [answer] * 10
        assert nas.silent()
    assert answer[0] == ACCEPT
    assert directory.binds(someone.dn) == 1
    assert racing.journal(someone.uid) == [("accept", None)]


def test_three_hundred_people_begin_and_end_their_challenges_at_the_same_instant(
    racing: House, people: list[Person]
) -> None:
    """Many times more than there are threads and connections: a full pool is a wait, not a refusal."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(racing.nas("challenge")) for _ in people]
        first = at_once((nas, nas.request(p.uid, p.password)) for nas, p in zip(sockets, people, strict=True))
        assert [reply.code for reply in first] == [CHALLENGE] * len(people)
        states = [reply.answer.one(STATE) for reply in first]
        second = at_once(
            (nas, nas.request(p.uid, p.code(), state=state))
            for nas, p, state in zip(sockets, people, states, strict=True)
        )

    assert [reply.code for reply in second] == [ACCEPT] * len(people)


@pytest.mark.parametrize("place", [0, 5, 50, 100])
def test_a_hundred_guesses_in_the_same_instant_are_stopped_by_the_lock(
    racing: House, someone: Person, place: int
) -> None:
    """The right code is among them: it may come in only before the fifth failure has been counted."""
    guesses = [someone.password + wrong for wrong in someone.wrong_codes(100)]
    guesses.insert(place, someone.typed())

    codes = codes_of(racing, "appended", [(someone, guess, None) for guess in guesses])

    ends = [reason for _, reason in racing.journal(someone.uid)]
    assert len(ends) == len(guesses)
    assert set(ends) <= {None, "wrong-code", "locked-out"}
    assert ends.count(None) == codes.count(ACCEPT) <= (1 if place < FAILURES - 1 + THREADS else 0)
    accepted_at = ends.index(None) if None in ends else 0
    assert ends[:accepted_at].count("wrong-code") < FAILURES
    # What the other threads had begun when the fifth failure was written is the most that is looked at beyond it.
    assert ends[accepted_at:].count("wrong-code") <= FAILURES - 1 + THREADS


def test_the_right_code_among_too_many_guesses_is_neither_counted_nor_burned(racing: House, someone: Person) -> None:
    right = someone.typed()
    guesses = [someone.password + wrong for wrong in someone.wrong_codes(50)]
    codes = codes_of(racing, "appended", [(someone, guess, None) for guess in [*guesses, right]])
    assert codes == [REJECT] * 51

    racing.program.run("user", "unlock", someone.uid)

    assert codes_of(racing, "appended", [(someone, right, None)]) == [ACCEPT]
