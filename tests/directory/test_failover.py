"""Servers that fail, and what becomes of the logins meanwhile."""

import threading
from collections.abc import Iterator
from queue import SimpleQueue

import pytest

from radius2fa.directory.ldap import LdapDirectory
from radius2fa.directory.servers import ServerChange
from radius2fa.login.ports import BindResult, Entry, NotFound, Unavailable
from tests.directory.conftest import Clock, Tools
from tests.servers.faulty_ldap import (
    BUSY,
    INVALID_CREDENTIALS,
    Answer,
    FaultyLdap,
    entries,
    hang_up,
    in_turn,
    result,
    silence,
)
from tests.servers.slapd import Slapd, free_port, person_dn, person_ldif

News = SimpleQueue[ServerChange]
ALICE = Entry("1b4e28ba-2fa1-11d2-883f-0016d3cca427", person_dn("alice"), "alice", "alice", directory="main")
FOUND = entries((ALICE.dn, {"entryUUID": [ALICE.subject.encode()], "uid": [b"alice"]}))


@pytest.fixture
def second() -> Iterator[FaultyLdap]:
    """The server that is well."""
    with FaultyLdap() as server:
        server.on_search = FOUND
        yield server


@pytest.fixture
def news() -> News:
    return News()


@pytest.fixture
def directory(
    faulty: FaultyLdap, second: FaultyLdap, clock: Clock, tools: Tools, news: News
) -> Iterator[LdapDirectory]:
    """Over a first server, and a second one that is well. Nothing is remembered; changes are `news`."""
    settings = tools.settings(faulty.uri, second.uri, timeout=0.3, cache_seconds=0)
    made = LdapDirectory(settings, clock)
    made.observe(news.put)
    yield made
    made.close()


@pytest.fixture
def nowhere(second: FaultyLdap, clock: Clock, tools: Tools) -> Iterator[LdapDirectory]:
    """Over a first server that does not run."""
    url = f"ldap://127.0.0.1:{free_port()}"
    made = LdapDirectory(tools.settings(url, second.uri, cache_seconds=0), clock)
    yield made
    made.close()


def test_the_second_server_serves_while_the_first_does_not_run(nowhere: LdapDirectory, clock: Clock) -> None:
    assert nowhere.find("alice", clock.soon()) == ALICE
    assert nowhere.bind(ALICE, b"password", clock.soon()) is BindResult.OK
    nowhere.probe(clock.soon())


@pytest.mark.parametrize("url", ["ldap://nonexistent.invalid", "ldap://a..b"])
def test_the_second_server_serves_while_the_first_has_no_address(
    second: FaultyLdap, clock: Clock, tools: Tools, url: str
) -> None:
    directory = LdapDirectory(tools.settings(url, second.uri), clock)
    assert directory.bind(ALICE, b"password", clock.soon()) is BindResult.OK
    directory.close()


def test_when_all_fail_each_cause_is_named(clock: Clock, tools: Tools) -> None:
    ports = free_port(), free_port()
    directory = LdapDirectory(tools.settings(*(f"ldap://127.0.0.1:{port}" for port in ports)), clock)
    expected = "; ".join(f"ldap://127.0.0.1:{port}: no connection: Connection refused" for port in ports)
    for _ in range(2):
        with pytest.raises(Unavailable) as failure:
            directory.find("alice", clock.soon())
        assert (failure.value.backend, failure.value.cause) == ("directory", expected)
    directory.close()


@pytest.mark.parametrize("answer", [silence, hang_up, result("bindResponse", BUSY)])
def test_a_search_goes_to_the_second_server_when_the_first_takes_no_service_account(
    faulty: FaultyLdap, directory: LdapDirectory, clock: Clock, answer: Answer
) -> None:
    faulty.on_service_bind = answer
    assert directory.find("alice", clock.soon()) == ALICE


@pytest.mark.parametrize("answer", [silence, hang_up, result("searchResDone", BUSY), result("searchResDone", 52)])
def test_a_search_that_the_first_server_does_not_answer_goes_to_the_second(
    faulty: FaultyLdap, second: FaultyLdap, directory: LdapDirectory, clock: Clock, answer: Answer
) -> None:
    faulty.on_search = answer
    assert directory.find("alice", clock.soon()) == ALICE
    assert len(second.searches) == 1


@pytest.mark.parametrize("answer", [silence, hang_up, result("bindResponse", BUSY), result("bindResponse", 52)])
def test_a_bind_that_was_sent_is_not_sent_to_another_server(
    faulty: FaultyLdap, second: FaultyLdap, directory: LdapDirectory, clock: Clock, answer: Answer
) -> None:
    """A wrong password would count twice; the next login goes to the second server at once."""
    faulty.on_bind = answer
    faulty.on_service_bind = hang_up  # no probe finds it well again
    with pytest.raises(Unavailable):
        directory.bind(ALICE, b"password", clock.soon())
    assert (len(faulty.binds), len(second.binds)) == (1, 0)
    assert directory.bind(ALICE, b"password", clock.soon()) is BindResult.OK
    assert (len(faulty.binds), len(second.binds)) == (1, 1)


def test_a_wrong_password_is_never_tried_on_another_server(
    faulty: FaultyLdap, second: FaultyLdap, directory: LdapDirectory, clock: Clock
) -> None:
    faulty.on_bind = result("bindResponse", INVALID_CREDENTIALS)
    assert directory.bind(ALICE, b"password", clock.soon()) is BindResult.WRONG_PASSWORD
    assert (len(faulty.binds), second.binds) == (1, [])


def test_a_server_that_failed_is_asked_by_no_login_until_a_probe_has_found_it_well(
    faulty: FaultyLdap, second: FaultyLdap, directory: LdapDirectory, clock: Clock, news: News
) -> None:
    faulty.on_service_bind = hang_up
    for _ in range(3):
        assert directory.find("alice", clock.soon()) == ALICE
        assert directory.bind(ALICE, b"password", clock.soon()) is BindResult.OK
    assert (len(second.searches), len(second.binds), faulty.binds) == (3, 3, [])
    cause = "the server closed the connection"
    assert news.get(timeout=5) == ServerChange("main", faulty.uri, well=False, cause=cause)
    assert [(state.url, state.well) for state in directory.figures().servers] == [
        (faulty.uri, False),
        (second.uri, True),
    ]

    faulty.on_search = FOUND
    faulty.on_service_bind = result("bindResponse", 0)

    assert news.get(timeout=5) == ServerChange("main", faulty.uri, well=True, cause=cause)
    assert directory.find("alice", clock.soon()) == ALICE
    assert directory.bind(ALICE, b"password", clock.soon()) is BindResult.OK
    assert (len(second.searches), len(second.binds), len(faulty.binds)) == (3, 3, 1), "it is preferred again"


def test_a_server_that_answers_probes_and_fails_logins_is_tried_less_and_less(
    faulty: FaultyLdap, directory: LdapDirectory, clock: Clock, news: News
) -> None:
    """It takes the service account, and no user: each time that it is back costs somebody a login."""
    faulty.on_search = FOUND
    faulty.on_bind = hang_up
    for _ in range(3):
        with pytest.raises(Unavailable):
            directory.bind(ALICE, b"password", clock.soon())
        assert news.get(timeout=5).well is False
        for _ in range(20):
            if directory.figures().servers[0].well:
                break
            assert directory.bind(ALICE, b"password", clock.soon()) is BindResult.OK
        clock.advance(30)
        assert news.get(timeout=5).well is True
    assert len(faulty.binds) == 3


def test_kept_connections_are_used_again(faulty: FaultyLdap, directory: LdapDirectory, clock: Clock) -> None:
    faulty.on_search = FOUND
    for _ in range(5):
        directory.find("alice", clock.soon())
        directory.bind(ALICE, b"password", clock.soon())
    assert (faulty.connections, faulty.service_binds, len(faulty.binds)) == (2, 1, 5)


def test_a_kept_connection_that_the_server_closed_is_opened_again_and_no_login_fails(
    faulty: FaultyLdap, second: FaultyLdap, directory: LdapDirectory, clock: Clock
) -> None:
    faulty.on_search = FOUND
    directory.find("alice", clock.soon())
    directory.bind(ALICE, b"password", clock.soon())
    faulty.drop_connections()
    assert directory.find("alice", clock.soon()) == ALICE
    assert directory.bind(ALICE, b"password", clock.soon()) is BindResult.OK
    assert (faulty.connections, len(faulty.binds), second.connections) == (4, 2, 0)


def test_a_kept_connection_that_breaks_under_a_search_is_opened_again(
    faulty: FaultyLdap, second: FaultyLdap, directory: LdapDirectory, clock: Clock
) -> None:
    faulty.on_search = FOUND
    directory.find("alice", clock.soon())
    faulty.on_search = in_turn(hang_up, FOUND)
    assert directory.find("alice", clock.soon()) == ALICE
    assert (faulty.connections, second.connections) == (2, 0)


def test_a_kept_connection_that_breaks_under_a_bind_ends_the_login(
    faulty: FaultyLdap, second: FaultyLdap, directory: LdapDirectory, clock: Clock
) -> None:
    directory.bind(ALICE, b"password", clock.soon())
    faulty.on_bind = hang_up
    with pytest.raises(Unavailable, match="closed the connection"):
        directory.bind(ALICE, b"password", clock.soon())
    assert (len(faulty.binds), len(second.binds)) == (2, 0)


def test_a_connection_that_was_idle_for_a_minute_is_not_trusted(
    faulty: FaultyLdap, directory: LdapDirectory, clock: Clock
) -> None:
    directory.bind(ALICE, b"password", clock.soon())
    clock.advance(61)
    directory.bind(ALICE, b"password", clock.soon())
    assert faulty.connections == 2


def test_a_server_that_sends_octet_by_octet_does_not_hold_a_thread(
    faulty: FaultyLdap, directory: LdapDirectory, clock: Clock
) -> None:
    """Each octet comes within the time-out; the answer does not."""
    faulty.pace = 0.1
    start = clock()
    with pytest.raises(Unavailable, match="no answer in time"):
        directory.bind(ALICE, b"password", clock.soon())
    assert clock() - start < 1


def test_nothing_is_asked_after_the_deadline(
    faulty: FaultyLdap, second: FaultyLdap, directory: LdapDirectory, clock: Clock
) -> None:
    for ask in (directory.probe, lambda deadline: directory.bind(ALICE, b"password", deadline)):
        with pytest.raises(Unavailable, match="no time left"):
            ask(clock())
    assert (faulty.connections, second.connections) == (0, 0)


def test_nothing_is_asked_of_a_kept_connection_after_the_deadline(
    faulty: FaultyLdap, directory: LdapDirectory, clock: Clock
) -> None:
    directory.bind(ALICE, b"password", clock.soon())
    with pytest.raises(Unavailable, match="no time left"):
        directory.bind(ALICE, b"password", clock())
    assert len(faulty.binds) == 1


def test_a_server_is_not_blamed_for_a_login_that_left_it_no_time(
    faulty: FaultyLdap, directory: LdapDirectory, clock: Clock, news: News
) -> None:
    faulty.on_bind = silence
    with pytest.raises(Unavailable, match="no answer in time"):
        directory.bind(ALICE, b"password", clock.soon(0.05))
    assert ([state.well for state in directory.figures().servers], news.empty()) == ([True, True], True)
    with pytest.raises(Unavailable, match="no answer in time"):
        directory.bind(ALICE, b"password", clock.soon(0.2))
    assert news.get(timeout=5).well is False


def test_a_deadline_shorter_than_the_time_outs_is_kept(
    faulty: FaultyLdap, second: FaultyLdap, clock: Clock, tools: Tools
) -> None:
    faulty.on_search = second.on_search = silence
    directory = LdapDirectory(tools.settings(faulty.uri, second.uri, timeout=20), clock)
    start = clock()
    with pytest.raises(Unavailable):
        directory.find("alice", clock.soon(0.3))
    assert clock() - start < 2
    directory.close()


def test_slapd_may_be_restarted_without_a_login_failing(clock: Clock, tools: Tools) -> None:
    with Slapd(seed=person_ldif("alice", "password"), tls=True) as server:
        settings = tools.settings(server.ldaps_uri, ca_file=server.ca_file, cache_seconds=0)
        directory = LdapDirectory(settings, clock)
        for _ in range(3):
            entry = directory.find("alice", clock.soon())
            assert isinstance(entry, Entry)
            assert directory.bind(entry, b"password", clock.soon()) is BindResult.OK
            server.stop()
            server.start()
        assert server.binds(person_dn("alice")) == 3
        directory.close()


def test_a_directory_that_was_away_works_again_at_once_when_it_is_back(clock: Clock, tools: Tools) -> None:
    with Slapd(seed=person_ldif("alice", "password")) as server:
        directory = LdapDirectory(tools.settings(server.uri, cache_seconds=0), clock)
        directory.probe(clock.soon())
        server.stop()
        for _ in range(2):
            with pytest.raises(Unavailable, match="Connection refused"):
                directory.probe(clock.soon())
        server.start()
        entry = directory.find("alice", clock.soon())
        assert isinstance(entry, Entry)
        assert directory.bind(entry, b"password", clock.soon()) is BindResult.OK
        directory.close()


def test_a_stalled_slapd_holds_no_thread_and_works_again_when_it_goes_on(clock: Clock, tools: Tools) -> None:
    with Slapd(seed=person_ldif("alice", "password")) as server:
        directory = LdapDirectory(tools.settings(server.uri, cache_seconds=0, timeout=0.3), clock)
        entry = directory.find("alice", clock.soon())
        assert isinstance(entry, Entry)
        server.stall()
        failures: list[str] = []

        def log_in() -> None:
            try:
                directory.bind(entry, b"password", clock.soon())
            except Unavailable as failure:
                failures.append(failure.cause)

        threads = [threading.Thread(target=log_in) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(5)
        assert failures == [f"{server.uri}: no answer in time"] * 8
        server.resume()
        assert directory.bind(entry, b"password", clock.soon()) is BindResult.OK
        directory.close()


def test_connections_are_never_more_than_threads_at_work(faulty: FaultyLdap, clock: Clock, tools: Tools) -> None:
    directory = LdapDirectory(tools.settings(faulty.uri, timeout=20, cache_seconds=0), clock)
    together = threading.Barrier(16)

    def log_in() -> None:
        together.wait(10)
        for _ in range(20):
            assert directory.find("alice", clock.soon(20)) is NotFound.UNKNOWN
            directory.bind(ALICE, b"password", clock.soon(20))

    threads = [threading.Thread(target=log_in) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(faulty.binds) == 16 * 20
    assert faulty.connections <= 32
    directory.close()
