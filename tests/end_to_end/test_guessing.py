"""Guessing is slow, whatever it is that is guessed and wherever: two programs on one database hold one count.

On SQLite they share a file, on PostgreSQL a database. Guesses at one program: tests/end_to_end/test_races.py.
"""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace

import pytest

from tests.end_to_end.crowd import crowd, crowd_ldif
from tests.end_to_end.house import Ready, client
from tests.end_to_end.nodes import Nodes, OnPostgres, OnSqlite, Shared, enrol, programs_on, running
from tests.end_to_end.people import Person
from tests.end_to_end.radius import ACCEPT, CHALLENGE, REJECT, STATE, Reply, at_once
from tests.servers.postgres import Postgres
from tests.servers.slapd import Slapd

THREADS = 4
FAILURES = 5  # in a row, until everything is refused
MOST_LOOKED_AT = (
    FAILURES - 1 + 2 * THREADS
)  # beyond the fifth, what the threads of both had begun before it was written
UNKNOWN = 6  # names in a row, until an address is refused
UNKNOWN_OF_CLIENT = 12
CALLING_STATION_ID = 31

CLIENTS = {
    each["name"]: each
    for each in (
        client("appended", "127.0.0.1"),
        client("challenge", "127.0.0.2", code="challenge"),
        client("elsewhere", "127.0.0.3"),
        client("silent", "127.0.0.4"),
    )
}
SERVER = {"threads": THREADS, "reject_delay": 0.05, "reject_jitter": 0.0, "patience": 12}
LOCKOUT = {"failures": FAILURES, "unknown_names": UNKNOWN, "unknown_names_of_client": UNKNOWN_OF_CLIENT}


@dataclass(frozen=True)
class Login:
    """A login by a client, from where a user sits, if the client tells."""

    name: str
    password: bytes
    client: str = "appended"
    source: str = ""
    state: bytes | None = None


@dataclass(frozen=True)
class Target:
    """Two nodes, the directory that they ask, and somebody whom no other test knows."""

    nodes: Nodes
    slapd: Slapd
    person: Person

    def all_at_once(self, logins: Iterable[Login]) -> list[Reply]:
        """Make logins at both nodes in turn, each from a socket of its own."""
        with ExitStack() as stack:
            pairs = []
            for place, login in enumerate(logins):
                nas = stack.enter_context(self.nodes.nas(place, login.client))
                told = [(CALLING_STATION_ID, login.source.encode())] if login.source else []
                pairs.append((nas, nas.request(login.name, login.password, *told, state=login.state)))
            return at_once(pairs)

    def ends(self, *logins: Login) -> list[int]:
        """Make logins one after the other, at both nodes in turn, and return how they end."""
        found = []
        for place, login in enumerate(logins):
            with self.nodes.nas(place, login.client) as nas:
                told = [(CALLING_STATION_ID, login.source.encode())] if login.source else []
                found.append(nas.login(login.name, login.password, *told, state=login.state).code)
        return found

    def binds(self) -> int:
        return self.slapd.binds(self.person.dn)

    def failures(self) -> int:
        """The person's failures in a row, as written down."""
        rows = self.nodes.query("SELECT failures FROM account WHERE subject = ?", self.person.subject)
        return int(rows[0][0])

    def counter(self) -> int:
        """The lowest counter that may still be accepted."""
        return int(self.nodes.query("SELECT counter FROM token WHERE id = ?", self.person.token)[0][0])

    def reasons(self) -> list[str | None]:
        return self.nodes.reasons(self.person)


@pytest.fixture(scope="module")
def people() -> list[Person]:
    return crowd(32, "target")


@pytest.fixture(scope="module")
def directory(people: list[Person]) -> Iterator[Slapd]:
    with Slapd(seed=crowd_ldif(people)) as server:
        yield server


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, ready: Ready
) -> Iterator[Shared]:
    """A database with tables, or one that is to get them."""
    if request.param == "sqlite":
        file = tmp_path_factory.mktemp("shared") / "radius2fa.db"
        shutil.copy(ready.database, file)
        yield OnSqlite(file)
    else:
        with Postgres() as server:
            yield OnPostgres(server, server.create())


@pytest.fixture(scope="module")
def nodes(
    tmp_path_factory: pytest.TempPathFactory, database: Shared, directory: Slapd, ready: Ready, people: list[Person]
) -> Iterator[Nodes]:
    folders = [tmp_path_factory.mktemp("node") for _ in range(2)]
    more = [("[lockout]", LOCKOUT)]
    programs = programs_on(database, folders, directory, ready.key, clients=CLIENTS, server=SERVER, more=more)
    programs[0].run("db", "upgrade")
    enrol(people, database, ready.key)
    with running(programs) as (first, second):
        yield Nodes((first, second), database, CLIENTS)


@pytest.fixture(scope="module")
def newcomers(people: list[Person]) -> Iterator[Person]:
    return iter(people)


@pytest.fixture
def target(nodes: Nodes, directory: Slapd, newcomers: Iterator[Person]) -> Target:
    return Target(nodes, directory, next(newcomers))


# --- At somebody's code


def test_of_a_hundred_guesses_at_once_a_handful_is_looked_at_and_the_right_code_comes_too_late(target: Target) -> None:
    person = target.person
    right = person.typed()
    guesses = [Login(person.uid, person.password + wrong) for wrong in person.wrong_codes(100)]

    replies = target.all_at_once([*guesses, Login(person.uid, right)])

    assert {reply.code for reply in replies} == {REJECT}
    reasons = target.reasons()
    assert len(reasons) == 101
    assert set(reasons) == {"wrong-code", "locked-out"}
    assert FAILURES <= reasons.count("wrong-code") <= MOST_LOOKED_AT
    assert FAILURES <= target.failures() <= MOST_LOOKED_AT
    assert (target.binds(), target.counter()) == (0, 0)

    target.nodes.programs[0].run("user", "unlock", person.uid)
    assert target.failures() == 0
    assert target.nodes.login(1, person, right) == ACCEPT, "on the other node, with the code that was refused"


def test_of_a_hundred_answers_at_once_a_handful_is_looked_at(target: Target) -> None:
    """Each to a challenge of its own."""
    person = target.person
    first = target.all_at_once(Login(person.uid, person.password, "challenge") for _ in range(101))
    assert {reply.code for reply in first} == {CHALLENGE}
    states = [reply.answer.one(STATE) for reply in first]
    answers = [*person.wrong_codes(100), person.codes[0]]

    replies = target.all_at_once(
        Login(person.uid, answer, "challenge", state=state) for answer, state in zip(answers, states, strict=True)
    )

    assert {reply.code for reply in replies} == {REJECT}
    reasons = target.reasons()[101:]
    assert FAILURES <= reasons.count("wrong-code") <= MOST_LOOKED_AT
    assert reasons.count("wrong-code") + reasons.count("locked-out") == 101
    assert (target.binds(), target.counter()) == (0, 0)


# --- At somebody's password, by whoever has their token


def test_of_fifty_passwords_behind_a_right_code_a_handful_is_tried(target: Target) -> None:
    person = target.person
    guesses = [Login(person.uid, b"guess %d " % number + person.codes[0]) for number in range(50)]

    replies = target.all_at_once([*guesses, Login(person.uid, person.password + person.codes[0])])

    assert {reply.code for reply in replies} == {REJECT}
    reasons = target.reasons()
    assert reasons.count("wrong-password") == target.binds()
    assert FAILURES <= target.binds() <= MOST_LOOKED_AT
    assert target.counter() == 0


# --- What is no guess


@pytest.mark.parametrize("what", ["code", "password"])
def test_a_client_that_repeats_what_is_wrong_is_one_failure_on_both_nodes(target: Target, what: str) -> None:
    """Devices repeat a saved password by themselves."""
    person = target.person
    wrong = person.password + person.wrong_code() if what == "code" else b"old password" + person.codes[0]

    replies = target.all_at_once([Login(person.uid, wrong)] * 20)

    assert {reply.code for reply in replies} == {REJECT}
    assert target.reasons() == [f"wrong-{what}"] * 20
    assert target.failures() == 1
    assert target.ends(Login(person.uid, wrong, "elsewhere"), Login(person.uid, wrong, "elsewhere")) == [REJECT] * 2
    assert target.failures() == 2, "another client is another guess"
    assert target.ends(Login(person.uid, person.password + person.codes[0])) == [ACCEPT]
    assert target.failures() == 0


# --- At names


def unknown(prefix: str, many: int, source: str, name: str = "appended") -> list[Login]:
    return [Login(f"{prefix}{number}", b"whatever123456", name, source) for number in range(many)]


def test_too_many_unknown_names_keep_an_address_out_of_both_nodes(target: Target) -> None:
    """From there the right code of somebody else is refused as well, by any client; other addresses go on."""
    person, here = target.person, "198.51.100.1"
    right = person.password + person.codes[0]
    ports = [replace(each, source=f"{here}:{port}") for port, each in enumerate(unknown("first", UNKNOWN, here), 4001)]
    assert [reply.code for reply in target.all_at_once(ports)] == [REJECT] * UNKNOWN

    again = Login(person.uid, right, source=here)
    assert target.ends(again, again, Login(person.uid, right, "elsewhere", here)) == [REJECT] * 3
    assert target.reasons() == ["too-many-unknown-names"] * 3
    assert (target.binds(), target.counter()) == (0, 0)
    assert target.nodes.query("SELECT count(*) FROM account WHERE subject = ? AND failures > 0", person.subject) == [
        (0,)
    ]
    assert target.ends(Login(person.uid, right, source="198.51.100.2")) == [ACCEPT]
    assert target.ends(Login(person.uid, person.password + person.codes[1])) == [ACCEPT], "from nowhere in particular"


@pytest.mark.parametrize("how", ["by itself", "by hand"])
def test_an_address_comes_in_again_when_its_time_is_over_or_the_helpdesk_says_so(target: Target, how: str) -> None:
    person, here = target.person, "198.51.100.3"
    target.all_at_once(unknown(f"second {how}", UNKNOWN, here))
    right = Login(person.uid, person.password + person.codes[0], source=here)
    assert target.ends(right, right) == [REJECT] * 2

    if how == "by hand":
        target.nodes.programs[1].run("unblock", here)
    else:  # as if the clock had gone on
        target.nodes.query("UPDATE place SET blocked_until = blocked_until - 60 WHERE place = ?", f"from {here}")

    assert target.ends(right) == [ACCEPT]
    assert target.nodes.query("SELECT failures FROM place WHERE place = ?", f"from {here}") == [(0,)]


def test_a_login_between_unknown_names_begins_the_count_again(target: Target) -> None:
    person, here = target.person, "198.51.100.4"
    for turn in range(3):
        target.all_at_once(unknown(f"typing-error-{turn}-", UNKNOWN - 1, here))
        assert target.ends(Login(person.uid, person.password + person.codes[turn], source=here)) == [ACCEPT]


def test_one_unknown_name_again_and_again_is_one(target: Target) -> None:
    person, here = target.person, "198.51.100.5"

    target.all_at_once([Login("somebody-who-left", b"password123456", source=here)] * 20)

    assert target.nodes.query("SELECT failures FROM place WHERE place = ?", f"from {here}") == [(1,)]
    assert target.ends(Login(person.uid, person.password + person.codes[0], source=here)) == [ACCEPT]


def test_a_hundred_unknown_names_at_once_are_counted_on_both_nodes(target: Target) -> None:
    """From a hundred addresses of one network of IPv6, which a single machine may have."""
    person, here = target.person, "2001:db8:0:7::ffff"
    names = [Login(f"hundred{n}", b"whatever123456", "challenge", f"2001:db8:0:7::{n:x}") for n in range(100)]

    assert {reply.code for reply in target.all_at_once(names)} == {CHALLENGE}, "which tells nothing"

    first = Login(person.uid, person.password, "challenge", here)
    state = target.all_at_once([first])[0].answer.one(STATE)
    assert target.ends(Login(person.uid, person.codes[0], "challenge", here, state)) == [REJECT]
    assert target.reasons() == [None, "too-many-unknown-names"]
    places = target.nodes.query("SELECT place, failures FROM place WHERE place LIKE ?", "from 2001:db8:0:7:%")
    assert places == [("from 2001:db8:0:7::/64", UNKNOWN)], "while it is blocked, nothing more is counted"
    assert target.ends(Login(person.uid, person.password + person.codes[0], source="2001:db8:0:8::1")) == [ACCEPT]


def test_a_client_that_tells_no_addresses_has_a_count_of_its_own(target: Target) -> None:
    """It is refused for its users whose address it does not tell, and for no others."""
    person = target.person
    right = person.password + person.codes[0]
    target.all_at_once(unknown("third", UNKNOWN_OF_CLIENT, "", "silent"))

    silent = Login(person.uid, right, "silent")
    assert target.ends(silent, silent) == [REJECT] * 2
    assert target.reasons() == ["too-many-unknown-names"] * 2
    assert target.ends(Login(person.uid, right, "silent", "198.51.100.6")) == [ACCEPT]
    assert target.ends(Login(person.uid, person.password + person.codes[1])) == [ACCEPT], "by another client"
