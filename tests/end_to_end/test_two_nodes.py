"""Two servers with one master key on one PostgreSQL: whatever holds on one of them holds on both."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretBytes

from radius2fa.config.model import Store as StoreSettings
from radius2fa.otp.token import Kind, Token
from radius2fa.store.engine import open_store
from radius2fa.store.seal import KeyRing
from radius2fa.store.tokens import NewToken
from tests.end_to_end.crowd import crowd, crowd_ldif
from tests.end_to_end.house import Ready, client, directory_section
from tests.end_to_end.people import Person
from tests.end_to_end.radius import ACCEPT, CHALLENGE, REJECT, STATE, Nas, at_once
from tests.servers.postgres import PASSWORD, Postgres
from tests.servers.program import Program
from tests.servers.slapd import Slapd

SOCKETS = 50
THREADS = 16
QUICK = {"threads": THREADS, "reject_delay": 0.1, "reject_jitter": 0.0}
FAILURES = 5  # in a row, until everything is refused

# A client for each place of the code, and one for each way to stop the database: of each client, the log tells the
# first silence at once.
ADDRESSES = {"appended": "127.0.0.1", "challenge": "127.0.0.2", "fast": "127.0.0.3", "immediate": "127.0.0.4"}
CLIENTS = {
    name: client(name, address, code="challenge" if name == "challenge" else "appended")
    for name, address in ADDRESSES.items()
}


@dataclass(frozen=True)
class Nodes:
    """Two running programs, the database that they share, and people with tokens whom no test has taken yet."""

    programs: tuple[Program, Program]
    postgres: Postgres
    database: str
    people: Iterator[Person]
    upgrades: list[str]

    def nas(self, place: int, name: str = "appended") -> Nas:
        """Return a socket of a client, for the first (0) or second (1) node, in turn."""
        server = ("127.0.0.1", self.programs[place % 2].port)
        return Nas(ADDRESSES[name], server, str(CLIENTS[name]["secret"]))

    def codes_of(self, person: Person, password: bytes, state: bytes | None = None) -> list[int]:
        """Send one login from 50 sockets in one instant, to both nodes in turn."""
        with ExitStack() as stack:
            sockets = [stack.enter_context(self.nas(place, _client(state))) for place in range(SOCKETS)]
            asked = [(nas, nas.request(person.uid, password, state=state)) for nas in sockets]
            return [reply.code for reply in at_once(asked)]

    def login(self, place: int, person: Person, password: bytes, state: bytes | None = None) -> int:
        """Log in at one node."""
        with self.nas(place, _client(state)) as nas:
            return nas.login(person.uid, password, state=state).code

    def challenge(self, place: int, person: Person) -> bytes:
        """Send the first leg to one node, and return its State."""
        with self.nas(place, "challenge") as nas:
            reply = nas.login(person.uid, person.password)
        assert reply.code == CHALLENGE
        return reply.answer.one(STATE)

    def query(self, statement: str, *values: str) -> list[tuple[Any, ...]]:
        """Read the database beside the programs."""
        with self.postgres.connect(self.database) as connection:
            return connection.execute(statement, values).fetchall()

    def reasons(self, person: Person) -> list[str | None]:
        """Return the reasons of the logins under a person's name, in order."""
        rows = self.query("SELECT reason FROM journal WHERE name = %s ORDER BY number", person.uid)
        return [reason for (reason,) in rows]


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres, ready: Ready) -> Iterator[Nodes]:
    """Both of them do everything at the same time: they make the tables of an empty database, then start."""
    people = crowd(24, "member")
    database = postgres.create()
    with Slapd(seed=crowd_ldif(people)) as slapd, ExitStack() as stack:
        first, second = (
            stack.enter_context(_program(tmp_path_factory.mktemp("node"), slapd, postgres.url(database), ready.key))
            for _ in range(2)
        )
        upgraded = _both(lambda program: program.run("db", "upgrade").stdout, first, second)
        _enrol(people, StoreSettings(url=postgres.url(database), password=SecretBytes(PASSWORD.encode())), ready.key)
        _both(lambda program: program.start(), first, second)
        yield Nodes((first, second), postgres, database, iter(people), upgraded)


def _client(state: bytes | None) -> str:
    return "appended" if state is None else "challenge"


def _program(folder: Path, slapd: Slapd, url: str, key: Path) -> Program:
    program = Program(
        folder,
        directory_section(slapd),
        clients=CLIENTS.values(),
        server=QUICK,
        store={"url": url, "password": PASSWORD},
    )
    shutil.copy(key, program.key_file)
    program.key_file.chmod(0o400)
    return program


def _both(do: Callable[[Program], Any], *programs: Program) -> list[Any]:
    with ThreadPoolExecutor(len(programs)) as pool:
        return list(pool.map(do, programs))


def _enrol(people: list[Person], settings: StoreSettings, key: Path) -> None:
    new = []
    for person in people:
        person.token = f"token of {person.uid}"
        new.append(NewToken(Token(person.token, Kind.HOTP, person.seed), person.subject, person.uid))
    with closing(open_store(settings, KeyRing.read(key), threads=1, clock=time.monotonic, random=os.urandom)) as store:
        store.tokens.add_many(new, time.time())


def test_two_upgrades_of_an_empty_database_at_once_make_its_tables_once(nodes: Nodes) -> None:
    said = sorted(output.splitlines()[-1] for output in nodes.upgrades)

    assert said == ["1 step(s) done.", "The tables are up to date; nothing was to be done."]
    assert nodes.query("SELECT version_num FROM alembic_version") == [("0001",)]


@pytest.mark.parametrize("turn", range(10))
def test_a_code_from_fifty_sockets_at_two_nodes_is_accepted_once(nodes: Nodes, turn: int) -> None:
    person = next(nodes.people)

    codes = nodes.codes_of(person, person.typed())

    assert sorted(codes) == [ACCEPT] + [REJECT] * (SOCKETS - 1), f"turn {turn}"
    assert nodes.query("SELECT counter FROM token WHERE id = %s", person.token) == [(1,)]
    assert sorted(map(str, nodes.reasons(person))) == ["None"] + ["code-already-used"] * (SOCKETS - 1)


@pytest.mark.parametrize(("begins", "ends"), [(0, 1), (1, 0)])
def test_a_challenge_of_one_node_is_answered_on_the_other(nodes: Nodes, begins: int, ends: int) -> None:
    person = next(nodes.people)
    state = nodes.challenge(begins, person)

    assert nodes.login(ends, person, person.code(), state) == ACCEPT
    assert [nodes.login(place, person, person.code(), state) for place in (begins, ends)] == [REJECT] * 2
    assert nodes.reasons(person)[-2:] == ["state-unknown"] * 2


def test_a_challenge_answered_at_two_nodes_at_once_is_accepted_once(nodes: Nodes) -> None:
    person = next(nodes.people)
    state = nodes.challenge(0, person)

    codes = nodes.codes_of(person, person.code(), state)

    assert sorted(codes) == [ACCEPT] + [REJECT] * (SOCKETS - 1)


def test_failures_count_over_both_nodes_and_a_lock_holds_and_ends_on_both(nodes: Nodes) -> None:
    person = next(nodes.people)
    wrong = [person.password + code for code in person.wrong_codes(FAILURES)]
    assert [nodes.login(place, person, guess) for place, guess in enumerate(wrong)] == [REJECT] * FAILURES

    right = person.typed()
    assert [nodes.login(place, person, right) for place in (0, 1)] == [REJECT] * 2
    assert nodes.reasons(person) == ["wrong-code"] * FAILURES + ["locked-out"] * 2

    nodes.programs[0].run("user", "unlock", person.uid)

    assert nodes.login(1, person, right) == ACCEPT, "the code was not burned by the refusals"
    assert nodes.login(0, person, person.typed()) == ACCEPT


def test_guesses_at_two_nodes_at_once_are_stopped_by_the_lock(nodes: Nodes) -> None:
    person = next(nodes.people)
    with ExitStack() as stack:
        sockets = [stack.enter_context(nodes.nas(place)) for place in range(100)]
        guesses = zip(sockets, person.wrong_codes(100), strict=True)
        codes = [r.code for r in at_once((nas, nas.request(person.uid, person.password + w)) for nas, w in guesses)]

    assert codes == [REJECT] * 100
    reasons = nodes.reasons(person)
    # Beyond the fifth failure, only what the threads of both nodes had begun before it was written.
    assert reasons.count("wrong-code") <= FAILURES - 1 + 2 * THREADS
    assert reasons.count("wrong-code") + reasons.count("locked-out") == 100


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_restart_of_the_database_under_the_servers_is_survived_and_forgets_nothing(nodes: Nodes, mode: str) -> None:
    """With "immediate", the database ends as in a power failure."""
    person = next(nodes.people)
    used = [person.typed() for _ in range(2)]
    assert [nodes.login(place, person, typed) for place, typed in enumerate(used)] == [ACCEPT] * 2
    fresh = person.typed()

    nodes.postgres.stop(mode)
    try:
        for place, program in enumerate(nodes.programs):
            with nodes.nas(place, mode) as nas:
                nas.send(nas.request(person.uid, fresh))
                (dropped,) = program.wait_for(lambda line: line.get("client") == mode)
                assert (dropped["event"], dropped["why"]) == ("dropped", "backend-unavailable")
                assert dropped["detail"].startswith("database: ")
                assert nas.silent()
    finally:
        nodes.postgres.start()

    assert nodes.login(0, person, fresh) == ACCEPT
    assert nodes.login(1, person, person.typed()) == ACCEPT
    assert [nodes.login(place, person, typed) for place, typed in enumerate(used)] == [REJECT] * 2


def test_a_database_restarted_between_two_logins_is_not_noticed(nodes: Nodes) -> None:
    people = [next(nodes.people) for _ in range(2)]
    assert [nodes.login(place, person, person.typed()) for place, person in enumerate(people)] == [ACCEPT] * 2

    nodes.postgres.stop()
    nodes.postgres.start()

    assert [nodes.login(place, person, person.typed()) for place, person in enumerate(people)] == [ACCEPT] * 2
