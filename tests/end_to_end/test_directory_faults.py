"""An outage of the directory and its end, as a RADIUS client sees them."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.end_to_end.house import House, Ready, client, directory_section
from tests.end_to_end.people import Person
from tests.end_to_end.radius import ACCEPT
from tests.servers.proxy import Fault, Kind, Operation, Proxy
from tests.servers.slapd import Slapd

RECOVERS_WITHIN = 2.0  # seconds
PATIENCE = 2.5  # seconds

# Of each client, the log tells the first silence at once.
NAMES = ("well", "down", "repeating", *(f"fault-{kind.name.lower()}" for kind in Kind), "bound")
CLIENTS = {name: client(name, f"127.0.0.{number}") for number, name in enumerate(NAMES, 1)}


@pytest.fixture(scope="module")
def proxy(slapd: Slapd) -> Iterator[Proxy]:
    with Proxy(slapd.port) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def frail(tmp_path_factory: pytest.TempPathFactory, slapd: Slapd, ready: Ready, proxy: Proxy) -> Iterator[House]:
    """A house that reaches its one directory server by the proxy, and is never restarted."""
    urls = [f"ldap://127.0.0.1:{proxy.port}"]
    settings = directory_section(slapd, urls=urls, connect_timeout=0.4, timeout=0.6)
    folder = tmp_path_factory.mktemp("frail")
    server = {"patience": PATIENCE}
    with House(folder, slapd, ready, clients=CLIENTS.values(), directory=settings, server=server) as house:
        yield house


@pytest.fixture
def someone(frail: House) -> Person:
    return frail.person()


def assert_silent(house: House, name: str, person: Person, typed: bytes) -> None:
    """Ask as a client that nothing was said of yet: no answer, the log tells why, and that within the deadline."""
    with house.nas(name) as nas:
        began = time.monotonic()
        nas.send(nas.request(person.uid, typed))
        (dropped,) = house.program.wait_for(lambda line: line.get("event") == "dropped" and line.get("client") == name)
        assert (dropped["why"], dropped["detail"].split(":")[0]) == ("backend-unavailable", "directory")
        assert time.monotonic() - began < PATIENCE + 0.5
        assert nas.silent()


def assert_recovers(house: House, person: Person, typed: bytes) -> None:
    """Log in as a client does that repeats its request each second."""
    began = time.monotonic()
    assert house.radclient("well", person.uid, typed).name == "Access-Accept"
    assert time.monotonic() - began < RECOVERS_WITHIN


def test_an_outage_is_silence_and_its_end_is_enough(frail: House, proxy: Proxy, someone: Person) -> None:
    assert frail.radclient("well", someone.uid, someone.typed()).name == "Access-Accept"
    typed = someone.typed()
    proxy.down()
    assert_silent(frail, "down", someone, typed)
    proxy.up()
    assert_recovers(frail, someone, typed)
    assert frail.journal(someone.uid) == [("accept", None)] * 2, "nothing was burned or counted by the silence"


def test_a_client_that_repeats_its_request_through_an_outage_is_let_in_with_one_bind(
    frail: House, proxy: Proxy, someone: Person
) -> None:
    proxy.down()
    with ThreadPoolExecutor(1) as beside:
        login = beside.submit(frail.radclient, "repeating", someone.uid, someone.typed())
        frail.program.wait_for(lambda line: line.get("event") == "dropped" and line.get("client") == "repeating")
        before = len(proxy.binds())
        proxy.up()
        assert login.result().name == "Access-Accept"
    assert proxy.binds()[before:] == [someone.dn]


def test_connections_that_were_cut_between_two_logins_are_not_noticed(
    frail: House, proxy: Proxy, someone: Person
) -> None:
    with frail.nas("well") as nas:
        for _ in range(3):
            assert nas.login(someone.uid, someone.typed()).code == ACCEPT
            proxy.cut()


@pytest.mark.parametrize("kind", Kind)
def test_whatever_the_server_does_instead_of_answering_a_login_is_silence_in_time(
    frail: House, proxy: Proxy, someone: Person, kind: Kind
) -> None:
    typed = someone.typed()
    proxy.fault = Fault(kind)
    proxy.cut()
    try:
        assert_silent(frail, f"fault-{kind.name.lower()}", someone, typed)
    finally:
        proxy.fault = None
    assert_recovers(frail, someone, typed)


def test_a_password_that_was_sent_is_sent_again_only_with_the_client_s_next_request(
    frail: House, slapd: Slapd, proxy: Proxy, someone: Person
) -> None:
    def is_bind(operation: Operation) -> bool:
        return operation.name == "bind"

    typed = someone.typed()
    proxy.fault = Fault(Kind.STALL, is_bind)
    try:
        assert_silent(frail, "bound", someone, typed)
    finally:
        proxy.fault = None
    assert slapd.binds(someone.dn) == 1
    assert_recovers(frail, someone, typed)
    assert slapd.binds(someone.dn) == 2


def test_logins_go_by_the_second_server_while_the_first_does_anything_odd(
    tmp_path_factory: pytest.TempPathFactory, slapd: Slapd, ready: Ready
) -> None:
    """The first is out after one time-out, and the preferred one again soon after its fault has gone."""
    with Proxy(slapd.port) as first, Proxy(slapd.port) as second:
        urls = [f"ldap://127.0.0.1:{each.port}" for each in (first, second)]
        settings = directory_section(slapd, urls=urls, connect_timeout=0.4, timeout=0.6)
        with House(
            tmp_path_factory.mktemp("two"), slapd, ready, clients=[client("well", "127.0.0.1")], directory=settings
        ) as house:
            people = [house.person() for _ in range(4)]
            first.fault = Fault(Kind.STALL)
            for person in people[:3]:
                assert house.radclient("well", person.uid, person.typed()).name == "Access-Accept"
            assert (first.binds(), second.binds()) == ([], [each.dn for each in people[:3]])
            first.fault = None
            last = people[3]
            for _ in range(40):
                assert house.radclient("well", last.uid, last.typed()).name == "Access-Accept"
                if first.binds() or threading.Event().wait(0.1):
                    break
            assert first.binds() == [last.dn]
