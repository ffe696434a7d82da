"""Two servers with one master key on one PostgreSQL: whatever holds on one of them holds on both."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from radius2fa.store.schema import HEAD, REVISIONS
from tests.end_to_end.crowd import crowd, crowd_ldif
from tests.end_to_end.house import Ready, client
from tests.end_to_end.nodes import Nodes, OnPostgres, both, enrol, programs_on, running
from tests.end_to_end.people import Person
from tests.end_to_end.radius import ACCEPT, REJECT, Nas, at_once
from tests.radius.wire import accounting_request, check_acknowledgement
from tests.servers.postgres import Postgres
from tests.servers.program import Program
from tests.servers.slapd import Slapd

SOCKETS = 50
THREADS = 16
QUICK = {"threads": THREADS, "reject_delay": 0.1, "reject_jitter": 0.0, "accounting_listen": ["127.0.0.1:0"]}
FAILURES = 5  # in a row, until everything is refused

# A client for each place of the code, and one for each way to stop the database: of each client, the log tells the
# first silence at once.
ADDRESSES = {
    "appended": "127.0.0.1",
    "challenge": "127.0.0.2",
    "fast": "127.0.0.3",
    "immediate": "127.0.0.4",
    "reporting": "127.0.0.5",
}
CLIENTS = {
    name: client(name, address, code="challenge" if name == "challenge" else "appended")
    for name, address in ADDRESSES.items()
}


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server


@pytest.fixture(scope="module")
def people() -> list[Person]:
    return crowd(24, "member")


@pytest.fixture(scope="module")
def directory(people: list[Person]) -> Iterator[Slapd]:
    with Slapd(seed=crowd_ldif(people)) as server:
        yield server


@pytest.fixture(scope="module")
def database(postgres: Postgres) -> OnPostgres:
    """A database without tables."""
    return OnPostgres(postgres, postgres.create())


@pytest.fixture(scope="module")
def programs(
    tmp_path_factory: pytest.TempPathFactory, database: OnPostgres, directory: Slapd, ready: Ready
) -> list[Program]:
    folders = [tmp_path_factory.mktemp("node") for _ in range(2)]
    return programs_on(database, folders, directory, ready.key, clients=CLIENTS, server=QUICK)


@pytest.fixture(scope="module")
def upgrades(programs: list[Program]) -> list[str]:
    """What both programs say who make the tables at the same time."""
    return both(lambda program: program.run("db", "upgrade").stdout, *programs)


@pytest.fixture(scope="module")
def nodes(
    programs: list[Program],
    database: OnPostgres,
    ready: Ready,
    people: list[Person],
    upgrades: list[str],  # noqa: ARG001 - which made the tables
) -> Iterator[Nodes]:
    """Both of them start at the same time."""
    enrol(people, database, ready.key)
    with running(programs) as (first, second):
        yield Nodes((first, second), database, CLIENTS)


@pytest.fixture(scope="module")
def newcomers(people: list[Person]) -> Iterator[Person]:
    """People with tokens, whom no test has taken yet."""
    return iter(people)


@pytest.fixture
def person(newcomers: Iterator[Person]) -> Person:
    """Somebody whom no other test knows."""
    return next(newcomers)


def codes_of(nodes: Nodes, person: Person, password: bytes, state: bytes | None = None) -> list[int]:
    """Send one login from 50 sockets in one instant, to both nodes in turn."""
    name = "appended" if state is None else "challenge"
    with ExitStack() as stack:
        sockets = [stack.enter_context(nodes.nas(place, name)) for place in range(SOCKETS)]
        asked = [(nas, nas.request(person.uid, password, state=state)) for nas in sockets]
        return [reply.code for reply in at_once(asked)]


def test_two_upgrades_of_an_empty_database_at_once_make_its_tables_once(nodes: Nodes, upgrades: list[str]) -> None:
    said = sorted(output.splitlines()[-1] for output in upgrades)

    assert said == [f"{len(REVISIONS)} step(s) done.", "The tables are up to date; nothing was to be done."]
    assert nodes.query("SELECT version_num FROM alembic_version") == [(HEAD,)]


@pytest.mark.parametrize("turn", range(10))
def test_a_code_from_fifty_sockets_at_two_nodes_is_accepted_once(nodes: Nodes, person: Person, turn: int) -> None:

    codes = codes_of(nodes, person, person.typed())

    assert sorted(codes) == [ACCEPT] + [REJECT] * (SOCKETS - 1), f"turn {turn}"
    assert nodes.query("SELECT counter FROM token WHERE id = ?", person.token) == [(1,)]
    assert sorted(map(str, nodes.reasons(person))) == ["None"] + ["code-already-used"] * (SOCKETS - 1)


@pytest.mark.parametrize(("begins", "ends"), [(0, 1), (1, 0)])
def test_a_challenge_of_one_node_is_answered_on_the_other(nodes: Nodes, person: Person, begins: int, ends: int) -> None:
    state = nodes.challenge(begins, person)

    assert nodes.login(ends, person, person.code(), state) == ACCEPT
    assert [nodes.login(place, person, person.code(), state) for place in (begins, ends)] == [REJECT] * 2
    assert nodes.reasons(person)[-2:] == ["state-unknown"] * 2


def test_a_challenge_answered_at_two_nodes_at_once_is_accepted_once(nodes: Nodes, person: Person) -> None:
    state = nodes.challenge(0, person)

    codes = codes_of(nodes, person, person.code(), state)

    assert sorted(codes) == [ACCEPT] + [REJECT] * (SOCKETS - 1)


def test_failures_count_over_both_nodes_and_a_lock_holds_and_ends_on_both(nodes: Nodes, person: Person) -> None:
    wrong = [person.password + code for code in person.wrong_codes(FAILURES)]
    assert [nodes.login(place, person, guess) for place, guess in enumerate(wrong)] == [REJECT] * FAILURES

    right = person.typed()
    assert [nodes.login(place, person, right) for place in (0, 1)] == [REJECT] * 2
    assert nodes.reasons(person) == ["wrong-code"] * FAILURES + ["locked-out"] * 2

    nodes.programs[0].run("user", "unlock", person.uid)

    assert nodes.login(1, person, right) == ACCEPT, "the code was not burned by the refusals"
    assert nodes.login(0, person, person.typed()) == ACCEPT


def test_guesses_at_two_nodes_at_once_are_stopped_by_the_lock(nodes: Nodes, person: Person) -> None:
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
def test_a_restart_of_the_database_under_the_servers_is_survived_and_forgets_nothing(
    nodes: Nodes, postgres: Postgres, person: Person, mode: str
) -> None:
    """With "immediate", the database ends as in a power failure."""
    used = [person.typed() for _ in range(2)]
    assert [nodes.login(place, person, typed) for place, typed in enumerate(used)] == [ACCEPT] * 2
    fresh = person.typed()

    postgres.stop(mode)
    try:
        for place, program in enumerate(nodes.programs):
            with nodes.nas(place, mode) as nas:
                nas.send(nas.request(person.uid, fresh))
                (dropped,) = program.wait_for(lambda line: line.get("client") == mode)
                assert (dropped["event"], dropped["why"]) == ("dropped", "backend-unavailable")
                assert dropped["detail"].startswith("database: ")
                assert nas.silent()
    finally:
        postgres.start()

    assert nodes.login(0, person, fresh) == ACCEPT
    assert nodes.login(1, person, person.typed()) == ACCEPT
    assert [nodes.login(place, person, typed) for place, typed in enumerate(used)] == [REJECT] * 2


def test_a_report_while_the_database_is_stopped_is_silence_and_its_repetition_is_recorded_once(
    nodes: Nodes, postgres: Postgres
) -> None:
    program, ours = nodes.programs[0], CLIENTS["reporting"]
    secret = str(ours["secret"])
    asked = accounting_request((40, b"\0\0\0\x02"), (44, b"outage"), secret=secret.encode())
    with Nas(ADDRESSES["reporting"], ("127.0.0.1", program.accounting_port), secret) as nas:
        postgres.stop("immediate")
        try:
            nas.send(asked)
            (dropped,) = program.wait_for(lambda line: line.get("client") == "reporting")
            assert (dropped["why"], dropped["session"]) == ("backend-unavailable", "outage")
            assert nas.silent()
        finally:
            postgres.start()
        check_acknowledgement(nas.ask(asked).octets, asked)
        check_acknowledgement(nas.ask(asked).octets, asked)
    assert nodes.query("SELECT count(*) FROM accounting WHERE session = 'outage'") == [(1,)]


def test_a_database_restarted_between_two_logins_is_not_noticed(
    nodes: Nodes, postgres: Postgres, newcomers: Iterator[Person]
) -> None:
    people = [next(newcomers) for _ in range(2)]
    assert [nodes.login(place, person, person.typed()) for place, person in enumerate(people)] == [ACCEPT] * 2

    postgres.stop()
    postgres.start()

    assert [nodes.login(place, person, person.typed()) for place, person in enumerate(people)] == [ACCEPT] * 2
