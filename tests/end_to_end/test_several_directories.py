"""Logins over two directories, corp and partner, whose people may have the same names: who comes in, and as whom."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import pytest

from tests.end_to_end.house import House, Ready, client, directory_section
from tests.end_to_end.people import Person, new_seed
from tests.end_to_end.radius import ACCEPT, CHALLENGE, REJECT, STATE, Reply
from tests.servers.program import Section
from tests.servers.slapd import Slapd

# Of each client, the log tells the first silence at once: whoever is to be silent is asked as a client of its own.
CLIENTS = (
    client("all", "127.0.0.1"),
    client("corp-only", "127.0.0.2", directories=["corp"]),
    client("partner-only", "127.0.0.3", directories=["partner"]),
    client("challenge", "127.0.0.4", code="challenge"),
    client("corp-down", "127.0.0.5"),
    client("partner-down", "127.0.0.6"),
)
_numbers = count()


def section(slapd: Slapd, name: str, **more: bool) -> Section:
    """`[[directory]]` with a realm and a domain of its name."""
    return directory_section(slapd, name=name, realms=[f"{name}.example"], domains=[name.upper()], **more)


@pytest.fixture(scope="module")
def partner() -> Iterator[Slapd]:
    with Slapd() as server:
        yield server


@pytest.fixture(scope="module")
def corp() -> Iterator[Slapd]:
    """A server that may be stopped."""
    with Slapd() as server:
        yield server


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, corp: Slapd, partner: Slapd, ready: Ready) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("directories")
    more = [("[[directory]]", section(partner, "partner"))]
    with House(folder, corp, ready, clients=CLIENTS, directory=section(corp, "corp"), more=more) as house:
        yield house


def somebody(house: House, server: Slapd, uid: str = "") -> Person:
    """Add somebody to one of the two, with a token."""
    uid = uid or f"somebody{next(_numbers)}"
    person = Person(uid, b"password in %d of " % server.port + uid.encode(), "", new_seed())
    server.add_person(uid, person.password)
    person.subject = server.entry_uuid(uid)
    house.enrol([person])
    return person


@pytest.fixture
def twins(house: House, corp: Slapd, partner: Slapd) -> tuple[Person, Person]:
    """Two people of the same name, and the same DN, in corp and in partner."""
    uid = f"twin{next(_numbers)}"
    return somebody(house, corp, uid), somebody(house, partner, uid)


def login(house: House, name: str, typed: bytes, client: str = "all") -> Reply:
    with house.nas(client) as nas:
        return nas.login(name, typed)


def last(house: House, name: str) -> tuple[str, str | None, str | None]:
    """Return (result, reason, subject) of the last login under a typed name."""
    statement = "SELECT result, reason, subject FROM journal WHERE name = ? ORDER BY number DESC LIMIT 1"
    ((result, reason, subject),) = house.query(statement, name)
    return result, reason, subject


@contextmanager
def stopped(server: Slapd) -> Iterator[None]:
    server.stop()
    try:
        yield
    finally:
        server.start()


def assert_silent(house: House, client: str, name: str, typed: bytes, why: str) -> None:
    """Ask as a client that nothing was said of yet: no answer, and the log says which directory does not answer."""
    with house.nas(client) as nas:
        nas.send(nas.request(name, typed))
        (line,) = house.program.wait_for(lambda line: line.get("event") == "dropped" and line.get("client") == client)
        assert (line["why"], str(line["detail"]).startswith(f"directory: {why}: ")) == ("backend-unavailable", True)
        assert nas.silent()


def test_people_of_both_log_in_by_their_plain_names(house: House, corp: Slapd, partner: Slapd) -> None:
    for server in (corp, partner):
        person = somebody(house, server)
        assert login(house, person.uid, person.typed()).code == ACCEPT
        assert last(house, person.uid) == ("accept", None, person.subject)
    assert login(house, "nobody at all", b"whatever123456").code == REJECT
    assert last(house, "nobody at all") == ("reject", "no-such-user", None)


def test_of_two_people_of_one_name_the_first_is_meant_and_a_realm_reaches_the_other(
    house: House, twins: tuple[Person, Person]
) -> None:
    first, other = twins
    assert login(house, first.uid, first.typed()).code == ACCEPT
    for name, person in ((f"{first.uid}@Corp.example", first), (f"CORP\\{first.uid}", first)):
        assert login(house, name, person.typed()).code == ACCEPT
        assert last(house, name)[2] == first.subject
    for name in (f"{other.uid}@partner.example", f"partner\\{other.uid}"):
        assert login(house, name, other.typed()).code == ACCEPT
        assert last(house, name)[2] == other.subject


def test_the_one_s_token_or_password_never_opens_for_the_other(
    house: House, partner: Slapd, twins: tuple[Person, Person]
) -> None:
    first, other = twins
    name = f"{other.uid}@partner.example"
    before = partner.binds(other.dn)
    assert login(house, name, other.password + first.code()).code == REJECT
    assert last(house, name) == ("reject", "wrong-code", other.subject)
    assert partner.binds(other.dn) == before
    assert login(house, name, first.password + other.code()).code == REJECT
    assert last(house, name) == ("reject", "wrong-password", other.subject)
    assert login(house, other.uid, other.password + first.code()).code == REJECT
    assert last(house, other.uid) == ("reject", "wrong-password", first.subject)
    assert login(house, other.uid, other.password + other.code()).code == REJECT
    assert last(house, other.uid) == ("reject", "wrong-code", first.subject)
    assert (house.counter(first), house.counter(other)) == (0, 0), "nothing was burned"


def test_failures_are_those_of_the_one_and_not_of_the_other(house: House, twins: tuple[Person, Person]) -> None:
    first, other = twins
    for code in first.wrong_codes(5):
        login(house, first.uid, first.password + code)
    assert login(house, first.uid, first.typed()).code == REJECT
    assert last(house, first.uid) == ("reject", "locked-out", first.subject)
    assert login(house, f"{other.uid}@partner.example", other.typed()).code == ACCEPT


def test_a_client_s_users_are_in_its_directories_only(house: House, corp: Slapd, twins: tuple[Person, Person]) -> None:
    first, other = twins
    assert login(house, other.uid, other.typed(), "partner-only").code == ACCEPT
    assert last(house, other.uid)[2] == other.subject
    assert login(house, first.uid, first.typed(), "corp-only").code == ACCEPT
    assert last(house, first.uid)[2] == first.subject

    before, name = corp.searches(), f"{first.uid}@corp.example"
    assert login(house, name, first.typed(), "partner-only").code == REJECT
    assert last(house, name) == ("reject", "no-such-user", None)
    assert corp.searches() == before


def test_a_challenge_is_answered_by_the_one_who_was_asked(house: House, twins: tuple[Person, Person]) -> None:
    first, other = twins
    name = f"{other.uid}@partner.example"
    with house.nas("challenge") as nas:
        asked = nas.login(name, other.password)
        assert asked.code == CHALLENGE
        state = asked.answer.one(STATE)
        assert nas.login(other.uid, first.code(), state=state).code == REJECT
        assert nas.login(name, other.code(), state=state).code == ACCEPT
    assert last(house, name)[2] == other.subject


def test_while_the_first_directory_is_down_nobody_comes_in_by_a_plain_name(
    house: House, corp: Slapd, twins: tuple[Person, Person]
) -> None:
    """The second of the twins knows the name, a password and a code for it: but not as whom they would come in."""
    first, other = twins
    with stopped(corp):
        assert_silent(house, "corp-down", other.uid, other.password + other.codes[0], "corp")
        assert login(house, f"{other.uid}@partner.example", other.typed()).code == ACCEPT
        assert login(house, other.uid, other.typed(), "partner-only").code == ACCEPT
    assert house.journal(first.uid) == [("accept", None)], "only that of the client of partners"
    assert login(house, first.uid, first.typed()).code == ACCEPT


def test_while_the_second_directory_is_down_people_of_the_first_come_in(house: House, partner: Slapd) -> None:
    first = somebody(house, house.slapd)
    with stopped(partner):
        assert login(house, first.uid, first.typed()).code == ACCEPT
        assert_silent(house, "partner-down", "nobody here either", b"whatever123456", "partner")
    assert house.journal("nobody here either") == []


def test_the_running_server_tells_of_both(house: House) -> None:
    """`radius2fa status` asks it."""
    status = house.program.run("status", "--json").stdout
    assert [name in status for name in ('"name": "corp"', '"name": "partner"')] == [True, True]


def test_a_default_takes_the_plain_names(
    tmp_path_factory: pytest.TempPathFactory, corp: Slapd, partner: Slapd, ready: Ready
) -> None:
    folder = tmp_path_factory.mktemp("default")
    more = [("[[directory]]", section(partner, "partner", default=True))]
    with House(folder, corp, ready, clients=CLIENTS, directory=section(corp, "corp"), more=more) as house:
        uid = f"twin{next(_numbers)}"
        first, other = somebody(house, corp, uid), somebody(house, partner, uid)
        alone = somebody(house, corp)
        assert login(house, uid, other.typed()).code == ACCEPT
        assert last(house, uid)[2] == other.subject
        assert login(house, f"{uid}@corp.example", first.typed()).code == ACCEPT
        assert login(house, alone.uid, alone.typed()).code == REJECT
        assert last(house, alone.uid) == ("reject", "no-such-user", None)
        assert login(house, f"{alone.uid}@corp.example", alone.typed()).code == ACCEPT
        assert house.program.stop() == 0
