"""Every fault at every place of a login, with a real slapd behind a proxy that makes it."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from radius2fa.directory.ldap import LdapDirectory
from radius2fa.login.ports import BindResult, Entry, NotFound, Unavailable
from tests.directory.conftest import Clock, Tools
from tests.servers.proxy import Fault, Kind, Operation, Proxy
from tests.servers.slapd import ADMIN, Slapd, person_dn, person_ldif
from tests.servers.tls import Authority

THREADS = 16
RECOVERS_WITHIN = 2.0  # seconds
PEOPLE = [f"person{number}" for number in range(2 * THREADS)]

At = Callable[[Operation], bool] | None
PLACES: dict[str, At] = {
    "connect": None,
    "tls": lambda operation: operation.name == "tls",
    "start tls": lambda operation: operation.name == "extended",
    "service bind": lambda operation: operation.dn == ADMIN,
    "search": lambda operation: operation.name == "search",
}


def is_user(operation: Operation) -> bool:
    return operation.name == "bind" and operation.dn != ADMIN


@pytest.fixture(scope="module")
def server(authority: Authority) -> Iterator[Slapd]:
    seed = "".join(person_ldif(uid, f"password of {uid}") for uid in ["alice", *PEOPLE])
    with Slapd(seed=seed, authority=authority) as running:
        yield running


@pytest.fixture
def first(server: Slapd) -> Iterator[Proxy]:
    with Proxy(server.port) as proxy:
        yield proxy


@pytest.fixture
def second(server: Slapd) -> Iterator[Proxy]:
    with Proxy(server.port) as proxy:
        yield proxy


@pytest.fixture
def opened(clock: Clock, tools: Tools, driver: str) -> Iterator[Callable[..., LdapDirectory]]:
    made: list[LdapDirectory] = []

    def open_with(*proxies: Proxy, **settings: object) -> LdapDirectory:
        values = {"driver": driver, "cache_seconds": 0, "connect_timeout": 0.4, "timeout": 0.4, **settings}
        made.append(LdapDirectory(tools.settings(*(each.uri for each in proxies), **values), clock))  # type: ignore[arg-type]
        return made[-1]

    yield open_with
    for directory in made:
        directory.close()


Open = Callable[..., LdapDirectory]


def password(uid: str) -> bytes:
    return f"password of {uid}".encode()


def log_in(directory: LdapDirectory, clock: Clock, uid: str = "alice", typed: bytes = b"") -> BindResult:
    deadline = clock.soon()
    entry = directory.find(uid, deadline)
    assert isinstance(entry, Entry)
    verdict = directory.bind(entry, typed or password(uid), deadline)
    assert clock() < deadline
    return verdict


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", Kind)
def test_a_fault_before_the_password_was_sent_costs_no_login(
    server: Slapd, opened: Open, first: Proxy, second: Proxy, clock: Clock, *, place: str, kind: Kind
) -> None:
    tls = {"ca_file": server.ca_file} if "tls" in place else {}
    directory = opened(first, second, **tls)
    first.fault = Fault(kind, PLACES[place])
    before = server.binds(person_dn("alice"))
    assert log_in(directory, clock) is BindResult.OK
    assert log_in(directory, clock, typed=b"wrong") is BindResult.WRONG_PASSWORD
    assert [state.well for state in directory.figures().servers] == [False, True]
    assert server.binds(person_dn("alice")) == before + 2


@pytest.mark.parametrize("kind", Kind)
def test_a_fault_on_a_kept_connection_costs_no_login_either(
    opened: Open, first: Proxy, second: Proxy, clock: Clock, kind: Kind
) -> None:
    directory = opened(first, second)
    assert log_in(directory, clock) is BindResult.OK
    first.fault = Fault(kind, PLACES["search"])
    for _ in range(2):
        assert log_in(directory, clock) is BindResult.OK
    assert_nothing_follows_a_fault(first)


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("kind", Kind)
def test_a_bind_that_was_sent_is_never_sent_again(
    opened: Open, first: Proxy, second: Proxy, clock: Clock, *, kind: Kind, kept: bool
) -> None:
    directory = opened(first, second)
    entry = directory.find("alice", clock.soon())
    assert isinstance(entry, Entry)
    if kept:
        directory.bind(entry, b"wrong", clock.soon())
    before = first.binds(but=ADMIN)
    first.fault = Fault(kind, is_user)
    with pytest.raises(Unavailable):
        directory.bind(entry, password("alice"), clock.soon())
    assert first.binds(but=ADMIN) == [*before, entry.dn]
    assert second.binds(but=ADMIN) == []

    first.fault = None
    assert log_in(directory, clock) is BindResult.OK
    assert_nothing_follows_a_fault(first)


def assert_nothing_follows_a_fault(proxy: Proxy) -> None:
    """Assert that a connection on which something odd happened was left: at most a farewell came behind it."""
    met = {operation.connection: operation for operation in reversed(proxy.met)}  # the first one of each connection
    assert met
    for operations in proxy.by_connection():
        odd = met.get(operations[0].connection)
        if odd is not None:
            names = [each.name for each in operations]
            left = names[-1:] if names[-1] == "unbind" else []
            assert operations[len(operations) - len(left) - 1] is odd


@pytest.mark.parametrize("kind", Kind)
def test_a_single_server_with_a_fault_is_unavailable_in_time_and_works_again_without_it(
    opened: Open, first: Proxy, clock: Clock, kind: Kind
) -> None:
    directory = opened(first)
    first.fault = Fault(kind)
    for _ in range(2):
        deadline = clock.soon()
        with pytest.raises(Unavailable, match=f"^directory: {first.uri}: "):
            directory.find("alice", deadline)
        assert clock() < deadline
    first.fault = None
    returned = clock()
    while not directory.figures().servers[0].well:
        with contextlib.suppress(Unavailable):  # a probe from before may be under way, and has its time-out
            log_in(directory, clock)
    assert log_in(directory, clock) is BindResult.OK
    assert clock() - returned < RECOVERS_WITHIN


def test_a_single_server_that_is_away_for_a_moment_costs_no_login(opened: Open, first: Proxy, clock: Clock) -> None:
    directory = opened(first, connect_timeout=2.0)
    assert log_in(directory, clock) is BindResult.OK
    first.down()
    threading.Timer(0.3, first.up).start()
    assert log_in(directory, clock) is BindResult.OK


# Many at once


def test_each_bind_s_verdict_belongs_to_its_own_password_and_no_search_has_a_user_s_rights(
    opened: Open, first: Proxy, clock: Clock
) -> None:
    """Every other password is somebody else's right one."""
    directory = opened(first, timeout=10.0)

    def many_logins(thread: int) -> list[tuple[BindResult, BindResult]]:
        verdicts = []
        for turn in range(15):
            uid, other = PEOPLE[(thread + turn) % len(PEOPLE)], PEOPLE[(thread + turn + 1) % len(PEOPLE)]
            right = turn % 2 == 0
            entry = directory.find(uid, clock.soon(20))
            assert isinstance(entry, Entry)
            assert entry.name == uid
            verdict = directory.bind(entry, password(uid if right else other), clock.soon(20))
            verdicts.append((verdict, BindResult.OK if right else BindResult.WRONG_PASSWORD))
        return verdicts

    with ThreadPoolExecutor(THREADS) as threads:
        verdicts = [each for found in threads.map(many_logins, range(THREADS)) for each in found]

    assert len(verdicts) == THREADS * 15
    assert [verdict for verdict, expected in verdicts if verdict is not expected] == []
    for operations in first.by_connection():
        names = [each.name for each in operations if each.name != "unbind"]
        if operations[0].dn == ADMIN:
            assert set(names[1:]) == {"search"}, "the service account binds once, and then searches"
        else:
            assert set(names) == {"bind"}, "where users bind, nobody searches"
    assert first.connections <= 2 * THREADS


def test_no_login_waits_for_another_and_each_is_one_bind_and_at_most_one_search(
    opened: Open, first: Proxy, clock: Clock
) -> None:
    """No answer is handed over before sixteen exchanges are under way: if any two had to wait, all would for ever."""
    directory = opened(first, timeout=10.0, cache_seconds=60)
    first.gate = threading.Barrier(THREADS, timeout=10)
    first.latency = 0.05
    turns = 5

    def many_logins(thread: int) -> set[BindResult]:
        return {log_in(directory, clock, PEOPLE[thread]) for _ in range(turns)}

    with ThreadPoolExecutor(THREADS) as threads:
        assert list(threads.map(many_logins, range(THREADS))) == [{BindResult.OK}] * THREADS

    assert first.peak == THREADS
    names = [each.name for each in first.operations]
    assert (names.count("search"), len(first.binds(but=ADMIN))) == (THREADS, THREADS * turns)
    assert first.binds().count(ADMIN) == THREADS


def test_an_unknown_name_costs_one_search_and_no_bind(opened: Open, first: Proxy, clock: Clock) -> None:
    directory = opened(first, cache_seconds=60)
    for _ in range(3):
        assert directory.find("nobody", clock.soon()) is NotFound.UNKNOWN
    assert [each.name for each in first.operations] == ["bind", "search"]
