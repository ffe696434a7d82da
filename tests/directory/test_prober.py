"""The probes of a server that is out: what ends them, and that no thread is left."""

import threading
from collections.abc import Callable

import pytest

from radius2fa.directory.endpoint import Endpoint
from radius2fa.directory.ldap import LdapDirectory
from radius2fa.directory.link import Broken
from radius2fa.directory.prober import Probe, Prober, until_well
from radius2fa.directory.servers import Servers
from radius2fa.login.ports import Unavailable
from tests.directory.conftest import Clock, Tools
from tests.directory.test_servers import ONE, TWO, World
from tests.servers.faulty_ldap import FaultyLdap, result, silence


def scripted(*faults: Exception | None) -> tuple[Probe, list[Endpoint]]:
    """A probe that fails so, one after the other, and what was probed."""
    left, probed = list(faults), []

    def probe(endpoint: Endpoint) -> None:
        probed.append(endpoint)
        fault = left.pop(0)
        if fault is not None:
            raise fault

    return probe, probed


def broken(cause: str) -> Broken:
    return Broken(cause, sent=False)


def threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "radius2fa-probe"]


def test_a_server_is_probed_until_it_is_well() -> None:
    world = World(ONE, TWO)
    world.fail(ONE)
    probe, probed = scripted(broken("no route"), broken("refused"), None)
    until_well(world.servers, ONE, probe)
    assert probed == [ONE] * 3
    assert world.told[-1] == ("ldap://one", True, "refused")
    assert world.now == pytest.approx(1000.3)


def test_a_server_that_has_vanished_is_probed_no_more() -> None:
    world = World(ONE, TWO)
    world.fail(ONE)
    world.meanwhile = lambda: world.endpoints.remove(ONE)
    probe, probed = scripted(broken("no route"))
    until_well(world.servers, ONE, probe)
    assert probed == [ONE]


def test_a_server_that_answers_and_refuses_the_service_account_is_well() -> None:
    """That is a fault of the configuration, which each login tells."""
    world = World(ONE, TWO)
    world.fail(ONE)
    until_well(world.servers, ONE, scripted(Unavailable("directory", "refused"))[0])
    assert world.well() == [True, True]


def test_a_bug_in_a_probe_ends_no_probing_and_is_told_without_its_text() -> None:
    world = World(ONE, TWO)
    world.fail(ONE)
    until_well(world.servers, ONE, scripted(KeyError("a secret"), None)[0])
    cause = world.told[-1][2]
    assert cause.startswith("KeyError in probe")
    assert "secret" not in cause


def over(probe: Probe, clock: Callable[[], float]) -> tuple[Servers, Prober]:
    prober = Prober(probe)
    return Servers(lambda: [ONE, TWO], clock, known=[ONE, TWO], patience=5, probing=prober.begin), prober


def test_a_thread_probes_and_ends_when_all_is_well(clock: Clock) -> None:
    before = threads()
    probe, probed = scripted(broken("no route"), None)
    servers, prober = over(probe, clock)
    servers.failed(ONE, "broke", clock())
    prober.join()
    assert probed == [ONE, ONE]
    assert [state.well for state in servers.states()] == [True, True]
    assert threads() == before


def test_a_login_that_waits_goes_on_as_soon_as_a_server_is_well(clock: Clock) -> None:
    go_on = threading.Event()
    servers, prober = over(lambda _endpoint: go_on.wait(5), clock)
    servers.failed(ONE, "broke", clock())
    servers.failed(TWO, "broke", clock())
    assert [each.daemon for each in threads()] == [True, True], "neither keeps the other waiting"
    threading.Timer(0.05, go_on.set).start()
    assert set(servers.to_ask(clock.soon(5))) <= {ONE, TWO}
    assert any(state.well for state in servers.states())
    prober.join()


def test_a_login_that_begins_to_wait_wakes_whoever_pauses_between_probes() -> None:
    """Here nobody's pause ends by itself, only by news."""
    now = 1000.0
    news_came: list[bool] = []
    failed = threading.Event()

    def probe(_endpoint: Endpoint) -> None:
        if not failed.is_set():
            failed.set()
            raise broken("no route")

    servers = Servers(
        lambda: [ONE],
        lambda: now,
        patience=1000,
        probing=Prober(probe).begin,
        wait=lambda news, _seconds: news_came.append(news.wait(3)),
    )
    assert list(servers.to_ask(now)) == [ONE, ONE]
    servers.failed(ONE, "broke", now)
    assert failed.wait(5)
    now += 0.5
    assert list(servers.to_ask(now + 1000)) == [ONE]
    assert set(news_came) == {True}


def test_the_end_ends_the_threads(clock: Clock) -> None:
    before = threads()
    probe, _ = scripted(*[broken("no route")] * 1000)
    servers, prober = over(probe, clock)
    servers.failed(ONE, "broke", clock())
    assert len(threads()) == len(before) + 1
    servers.close()
    prober.join()
    assert threads() == before


def test_where_no_thread_can_be_had_logins_find_out_by_themselves(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_thread(_self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_thread)
    servers, prober = over(scripted()[0], clock)
    servers.failed(ONE, "broke", clock())
    assert [state.well for state in servers.states()] == [True, True]
    prober.join()


def test_a_probe_does_what_a_login_s_search_does(faulty: FaultyLdap, clock: Clock, tools: Tools) -> None:
    """It binds as the service account, and reads the base entry; busy is not well, and refused is."""
    with FaultyLdap() as second:
        directory = LdapDirectory(tools.settings(faulty.uri, second.uri, cache_seconds=0), clock)
        endpoint = next(directory._servers.to_ask(clock.soon()))
        directory._probe(endpoint)
        assert (faulty.service_binds, len(faulty.searches), faulty.searches[0].scope) == (1, 1, 0)
        for answer, fault in ((51, Broken), (52, Broken)):
            faulty.on_search = result("searchResDone", answer)
            with pytest.raises(fault):
                directory._probe(endpoint)
        faulty.on_service_bind = result("bindResponse", 49)
        with pytest.raises(Unavailable, match="was refused"):
            directory._probe(endpoint)
        directory.close()


def test_a_directory_that_is_closed_leaves_no_thread(faulty: FaultyLdap, clock: Clock, tools: Tools) -> None:
    before = threads()
    faulty.on_service_bind = silence
    with FaultyLdap() as second:
        directory = LdapDirectory(tools.settings(faulty.uri, second.uri, timeout=0.3, cache_seconds=0), clock)
        directory.find("alice", clock.soon())
        assert len(threads()) == len(before) + 1
        directory.close()
        assert threads() == before
