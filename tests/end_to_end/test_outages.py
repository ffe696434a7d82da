"""What breaks beside the server: it is silent in time, it loses no thread by it, and it recovers by itself."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime

import pytest

from tests.end_to_end.crowd import crowd, crowd_ldif, repeated
from tests.end_to_end.house import House, Ready, client, directory_section
from tests.end_to_end.people import Person
from tests.end_to_end.radius import ACCEPT, CHALLENGE, STATE, Nas, Reply, at_once
from tests.radius.wire import status_server
from tests.servers.slapd import Slapd, free_port

THREADS = 16
PATIENCE = 2.5  # seconds
RECOVERS_WITHIN = 2.0  # seconds
ENDS_WITHIN = 5.0  # seconds

# Each test breaks something for clients of its own: of each client, the log tells the first silence at once.
NAMES = (
    *(f"{broken}-{who}" for broken in ("stalled", "locked") for who in ("all", "last")),
    "well",
    "stopped",
    "stopped-new",
    "stopped-status",
    "locked",
    "locked-challenge",
)
CLIENTS = {
    name: client(name, f"127.0.0.{number}", code="challenge" if name.endswith("challenge") else "appended")
    for number, name in enumerate(NAMES, 1)
}


@pytest.fixture(scope="module")
def people() -> list[Person]:
    return crowd(4 * THREADS, "patient")


@pytest.fixture(scope="module")
def directory(people: list[Person]) -> Iterator[Slapd]:
    with Slapd(seed=crowd_ldif(people)) as server:
        yield server


@pytest.fixture(scope="module")
def frail(
    tmp_path_factory: pytest.TempPathFactory, directory: Slapd, ready: Ready, people: list[Person]
) -> Iterator[House]:
    """A house with short deadlines, that is never restarted."""
    short = directory_section(directory, connect_timeout=0.4, timeout=0.6)
    server = {"threads": THREADS, "patience": PATIENCE}
    folder = tmp_path_factory.mktemp("frail")
    with House(folder, directory, ready, clients=CLIENTS.values(), directory=short, server=server) as house:
        house.enrol(people)
        yield house


@pytest.fixture
def someone(frail: House) -> Person:
    """Somebody whom no other test knows."""
    return frail.person()


@contextmanager
def stopped(server: Slapd) -> Iterator[None]:
    server.stop()
    try:
        yield
    finally:
        server.start()


@contextmanager
def stalled(server: Slapd) -> Iterator[None]:
    server.stall()
    try:
        yield
    finally:
        server.resume()


@contextmanager
def locked(house: House) -> Iterator[None]:
    """Hold the database's one writer, as another process."""
    with closing(sqlite3.connect(house.program.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def logged(house: House, name: str) -> str:
    """Wait for the line that tells a client's first silence, and return its detail."""
    (dropped,) = house.program.wait_for(lambda line: line.get("event") == "dropped" and line.get("client") == name)
    assert dropped["why"] == "backend-unavailable"
    return str(dropped["detail"])


def assert_silent(house: House, name: str, person: Person, typed: bytes, backend: str = "directory") -> None:
    """Ask as a client that nothing was said of yet: no answer, and that within the deadline."""
    with house.nas(name) as nas:
        began = time.monotonic()
        nas.send(nas.request(person.uid, typed))
        assert logged(house, name).startswith(f"{backend}: ")
        assert time.monotonic() - began < PATIENCE
        assert nas.silent()


def login(house: House, person: Person, typed: bytes) -> Reply:
    with house.nas("well") as nas:
        return nas.login(person.uid, typed)


def test_a_stopped_directory_is_silence_and_its_start_is_enough(
    frail: House, directory: Slapd, someone: Person
) -> None:
    stranger = frail.person()
    assert login(frail, someone, someone.typed()).code == ACCEPT, "remembered by the server: only the bind is left"
    typed = someone.typed()
    with stopped(directory):
        assert_silent(frail, "stopped", someone, typed)
        assert_silent(frail, "stopped-new", stranger, stranger.typed())
        with frail.nas("stopped-status") as nas:
            nas.send(status_server(secret=nas.secret))
            assert logged(frail, "stopped-status").startswith("directory: ")
            assert nas.silent()

    first = login(frail, someone, typed)

    assert first.code == ACCEPT, "nothing was burned by the silence"
    assert first.seconds < RECOVERS_WITHIN
    assert login(frail, stranger, stranger.typed()).code == ACCEPT
    assert frail.journal(someone.uid) == [("accept", None)] * 2, "nothing was counted either"


def test_a_directory_that_is_restarted_between_two_logins_is_not_noticed(
    frail: House, directory: Slapd, someone: Person
) -> None:
    assert login(frail, someone, someone.typed()).code == ACCEPT
    with stopped(directory):
        pass

    assert login(frail, someone, someone.typed()).code == ACCEPT


@pytest.mark.parametrize("broken", ["stalled", "locked"])
def test_what_never_answers_holds_no_thread(frail: House, directory: Slapd, people: list[Person], broken: str) -> None:
    """A directory that takes connections and is held, a database that another process writes to and does not end.

    Four logins for each thread wait for it. When it answers again, all are answered.
    """
    with ExitStack() as stack:
        sockets = [stack.enter_context(frail.nas(f"{broken}-all")) for _ in people]
        requests = [(nas, nas.request(each.uid, each.typed())) for nas, each in zip(sockets, people, strict=True)]
        with stalled(directory) if broken == "stalled" else locked(frail):
            for nas, asked in requests:
                nas.send(asked)
            assert_silent_behind(frail, f"{broken}-last", people[0])
            assert [nas.silent() for nas in sockets] == [True] * len(people)

        replies = at_once(requests, again_after=2.0)  # the same octets, as clients repeat them

    assert [reply.code for reply in replies] == [ACCEPT] * len(people)


def assert_silent_behind(house: House, name: str, person: Person) -> None:
    """Ask behind more than the threads can hold: whether it was begun or given up, there is no answer."""
    with house.nas(name) as nas:
        nas.send(nas.request(person.uid, person.typed()))
        (dropped,) = house.program.wait_for(lambda line: line.get("client") == name)
        assert dropped["why"] in ("backend-unavailable", "waited-too-long")
        assert nas.silent()


def test_a_locked_database_is_silence_and_burns_nothing(frail: House, someone: Person) -> None:
    typed = someone.typed()
    with locked(frail):
        assert_silent(frail, "locked", someone, typed, backend="database")
        assert_silent(frail, "locked-challenge", someone, someone.password, backend="database")

    assert login(frail, someone, typed).code == ACCEPT
    with frail.nas("locked-challenge") as nas:
        first = nas.login(someone.uid, someone.password)
        assert first.code == CHALLENGE
        assert nas.login(someone.uid, someone.code(), state=first.answer.one(STATE)).code == ACCEPT


def test_logins_go_on_by_the_servers_that_are_left(tmp_path_factory: pytest.TempPathFactory, ready: Ready) -> None:
    """Of three servers, one refuses connections, one takes them and never answers. Time-outs are the default ones."""
    people = crowd(2, "traveller")
    seed = crowd_ldif(people)
    with Slapd(seed=seed) as second, Slapd(seed=seed) as third, ExitStack() as stack:
        urls = [f"ldap://127.0.0.1:{port}" for port in (free_port(), second.port, third.port)]
        house = stack.enter_context(
            House(
                tmp_path_factory.mktemp("servers"),
                third,
                ready,
                clients=[client("well", "127.0.0.1")],
                directory=directory_section(third, urls=urls),
                server={"patience": 4.0},
            )
        )
        house.enrol(people)
        nas = stack.enter_context(house.nas("well"))
        first, other = people
        with stalled(second):
            slow = nas.login(first.uid, first.typed())
            assert slow.code == ACCEPT
            assert slow.seconds < 4.0
            quick = nas.login(other.uid, other.typed())
            assert quick.code == ACCEPT
            assert quick.seconds < 1.0, "a server that failed is not asked before it is well again"
        assert (second.binds(first.dn), third.binds(first.dn)) == (0, 1)

        for _ in range(40):
            assert nas.login(first.uid, first.typed()).code == ACCEPT
            if second.binds(first.dn) or threading.Event().wait(0.1):
                break
        assert second.binds(first.dn) == 1, "it is preferred again, soon after it goes on"
        so_far = third.binds(first.dn)

        with stalled(second):
            asked = nas.request(first.uid, first.typed())
            nas.send(asked)
            logged(house, "well")
            assert nas.silent(), "the bind was sent: nobody else is asked, or a wrong password would count twice"
            again = nas.ask(asked)
        assert again.code == ACCEPT
        # The bind that was sent while it was held is logged by and by.
        assert_soon(lambda: (second.binds(first.dn), third.binds(first.dn)), (2, so_far + 1))


def assert_soon(observe: Callable[[], object], wanted: object) -> None:
    """Look until what another process writes down is as wanted."""
    until, pause = time.monotonic() + 10.0, threading.Event()
    while observe() != wanted and time.monotonic() < until:
        pause.wait(0.02)
    assert observe() == wanted


@contextmanager
def in_flight(
    tmp_path_factory: pytest.TempPathFactory, directory: Slapd, ready: Ready
) -> Iterator[tuple[House, Future[int], list[Nas]]]:
    """Logins that wait for a stalled directory, in a house that was told to stop meanwhile; and its exit code."""
    slow = directory_section(directory, timeout=7.0)
    clients = [client("well", "127.0.0.1")]
    folder = tmp_path_factory.mktemp("ending")
    with House(folder, directory, ready, clients=clients, directory=slow) as house, ExitStack() as stack:
        people = [house.person() for _ in range(8)]
        witness = stack.enter_context(house.nas("well"))
        earlier = witness.login("nobody at all", b"whatever 000000")
        sockets = [stack.enter_context(house.nas("well")) for _ in people]
        stack.enter_context(stalled(directory))
        for nas, person in zip(sockets, people, strict=True):
            nas.send(nas.request(person.uid, person.typed()))
        assert repeated(witness, earlier) == earlier.octets
        ended = stack.enter_context(ThreadPoolExecutor(1)).submit(house.program.stop)
        (stopping,) = house.program.wait_for(lambda line: line.get("event") == "stopping")
        assert stopping["under_way"] == len(people)
        yield house, ended, sockets


def seconds_to_end(house: House) -> float:
    """Return how long the server took, by its log: how long its interpreter takes to go is the machine's affair."""
    (stopped,) = house.program.wait_for(lambda line: line.get("event") == "stopped")
    (stopping,) = house.program.events("stopping")
    began, ended = (datetime.fromisoformat(line["time"]) for line in (stopping, stopped))
    return (ended - began).total_seconds()


def test_what_is_in_flight_at_sigterm_is_answered(
    tmp_path_factory: pytest.TempPathFactory, directory: Slapd, ready: Ready
) -> None:
    with in_flight(tmp_path_factory, directory, ready) as (house, ended, sockets):
        directory.resume()

        assert [nas.receive()[0] for nas in sockets] == [ACCEPT] * len(sockets)
        assert ended.result() == 0
        assert seconds_to_end(house) < ENDS_WITHIN


def test_a_directory_that_never_answers_does_not_keep_the_server_from_ending(
    tmp_path_factory: pytest.TempPathFactory, directory: Slapd, ready: Ready
) -> None:
    with in_flight(tmp_path_factory, directory, ready) as (house, ended, sockets):
        assert ended.result() == 0
        assert seconds_to_end(house) < ENDS_WITHIN
        assert [nas.silent() for nas in sockets] == [True] * len(sockets)
        assert "Traceback" not in house.program.output
