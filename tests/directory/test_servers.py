"""Which servers are well: the whole of it without a thread, and without any time passing."""

from collections.abc import Callable, Iterable
from threading import Condition

import pytest

from radius2fa.directory.endpoint import Endpoint, parse_url
from radius2fa.directory.servers import FIRST_PAUSE, LONGEST_PAUSE, LONGEST_REST, SOON, Servers, ServerState
from radius2fa.login.ports import Unavailable

ONE, TWO, THREE = (parse_url(f"ldap://{name}") for name in ("one", "two", "three"))
START = 1000.0


class World:
    """Servers, the seconds that they know of, and what becomes of them while somebody waits."""

    def __init__(self, *endpoints: Endpoint, patience: float = 0.8) -> None:
        self.endpoints: list[Endpoint] = list(endpoints)
        self.now = START
        self.probing: list[Endpoint] = []
        self.told: list[tuple[str, bool, str]] = []
        self.waits: list[float] = []
        self.meanwhile: Callable[[], object] = lambda: None
        self.servers = Servers(
            lambda: list(self.endpoints),
            lambda: self.now,
            known=endpoints,
            patience=patience,
            probing=lambda _servers, endpoint: self.probing.append(endpoint),
            on_change=lambda state: self.told.append((state.url, state.well, state.cause)),
            wait=self.wait,
        )

    def wait(self, _news: Condition, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds
        self.meanwhile()

    def order(self, deadline: float = START + 1000) -> list[Endpoint]:
        return list(self.servers.to_ask(deadline))

    def fail(self, *endpoints: Endpoint, doubtful: bool = False) -> None:
        for endpoint in endpoints:
            self.servers.failed(endpoint, f"{endpoint.host} broke", self.now, doubtful=doubtful)

    def seconds_to_the_probe(self, endpoint: Endpoint) -> float:
        before = self.now
        assert self.servers.wait_to_probe(endpoint)
        return round(self.now - before, 6)

    def well(self) -> list[bool]:
        return [state.well for state in self.servers.states()]


# The order


def test_servers_are_asked_in_the_order_of_preference() -> None:
    order = World(ONE, TWO, THREE).servers.to_ask(START + 1)
    assert [next(order) for _ in range(3)] == [ONE, TWO, THREE]


def test_a_server_that_failed_is_not_asked_until_a_probe_found_it_well_and_is_preferred_again_then() -> None:
    world = World(ONE, TWO, THREE)
    world.fail(ONE)
    world.now += 3600
    assert world.order()[:2] == [TWO, THREE]
    assert world.probing == [ONE]
    assert world.servers.probed(ONE, "") is True
    assert world.order()[0] == ONE


def test_a_server_that_fails_while_others_are_asked_is_left_out() -> None:
    world = World(ONE, TWO, THREE)
    order = world.servers.to_ask(START + 1)
    assert next(order) == ONE
    world.fail(TWO)
    assert next(order) == THREE


def test_when_all_that_were_asked_have_failed_those_that_are_well_by_then_are_asked_once_more() -> None:
    world = World(ONE, TWO)
    asked = []
    for endpoint in world.servers.to_ask(START + 10):
        asked.append(endpoint)
        world.fail(endpoint)
        world.meanwhile = lambda: world.servers.probed(TWO, "")
    assert asked == [ONE, TWO, TWO]


def test_where_no_server_is_well_a_login_waits_for_one() -> None:
    world = World(ONE, TWO, patience=0.8)
    world.fail(ONE, TWO)
    assert world.order() == []
    assert world.waits == [pytest.approx(0.8)]
    world.meanwhile = lambda: world.servers.probed(TWO, "")
    assert world.order() == [TWO]


def test_a_login_that_was_woken_for_nothing_waits_on() -> None:
    world = World(ONE, patience=0.8)
    world.fail(ONE)
    world.servers._wait = lambda _news, seconds: world.waits.append(seconds) or setattr(world, "now", world.now + 0.3)
    assert world.order() == []
    assert world.waits == [pytest.approx(0.8), pytest.approx(0.5), pytest.approx(0.2)]


def test_a_login_waits_for_no_server_past_its_deadline() -> None:
    world = World(ONE, patience=0.8)
    world.fail(ONE)
    assert world.order(deadline=START + 0.25) == []
    assert world.waits == [0.25]
    assert world.order(deadline=START) == []
    assert world.waits == [0.25]


def test_nobody_waits_after_the_end() -> None:
    world = World(ONE)
    world.fail(ONE)
    world.meanwhile = world.servers.close
    assert world.order() == []
    assert len(world.waits) == 1
    assert world.order() == []
    assert world.servers.wait_to_probe(ONE) is False
    assert len(world.waits) == 1


# Failures


def test_the_cause_of_each_server_that_is_out_is_known() -> None:
    world = World(ONE, TWO, THREE)
    world.fail(THREE, ONE)
    assert list(world.servers.causes().items()) == [(ONE, "one broke"), (THREE, "three broke")]
    world.servers.probed(ONE, "no route")
    world.servers.probed(THREE, "")
    assert world.servers.causes() == {ONE: "no route"}


def test_of_many_logins_that_fail_at_once_the_first_takes_the_server_out() -> None:
    world = World(ONE, TWO)
    world.fail(ONE, ONE, ONE)
    assert world.probing == [ONE]
    assert world.told == [("ldap://one", False, "one broke")]


def test_a_failure_of_what_began_before_the_server_s_return_is_none() -> None:
    """Sixteen threads may have waited for the same answer."""
    world = World(ONE, TWO)
    world.now += 5
    world.fail(ONE)
    world.now += 1
    world.servers.probed(ONE, "")
    world.servers.failed(ONE, "no answer in time", START + 5.9)
    assert world.well() == [True, True]
    world.servers.failed(ONE, "no answer in time", START + 6)
    assert world.well() == [False, True]


def test_a_doubt_is_told_only_when_a_probe_has_failed_too() -> None:
    world = World(ONE, TWO)
    world.fail(ONE, doubtful=True)
    assert world.order()[0] == TWO, "nobody has to find out by waiting"
    assert (world.probing, world.told, world.well()) == ([ONE], [], [True, True])
    world.servers.probed(ONE, "")
    assert (world.order()[0], world.told) == (ONE, [])
    world.fail(ONE, doubtful=True)
    world.servers.probed(ONE, "no route")
    world.servers.probed(ONE, "still none")
    assert (world.told, world.well()) == ([("ldap://one", False, "no route")], [False, True])


def test_a_connection_from_before_an_outage_is_of_another_era() -> None:
    world = World(ONE, TWO)
    first = world.servers.era(ONE)
    world.fail(ONE)
    world.servers.probed(ONE, "")
    second = world.servers.era(ONE)
    world.fail(ONE, doubtful=True)
    world.servers.probed(ONE, "")
    assert len({first, second, world.servers.era(ONE)}) == 3
    assert world.servers.era(TWO) == first
    assert world.servers.era(THREE) == -1


# Probes


def test_a_server_is_probed_at_once_and_then_after_pauses_that_grow_to_a_second() -> None:
    world = World(ONE, TWO)
    world.fail(ONE)
    pauses = []
    for _ in range(7):
        pauses.append(world.seconds_to_the_probe(ONE))
        assert world.servers.probed(ONE, "no route") is False
    assert pauses == [0, FIRST_PAUSE, 0.2, 0.4, 0.8, LONGEST_PAUSE, LONGEST_PAUSE]
    world.servers.probed(ONE, "")
    world.now += SOON + 1
    world.fail(ONE)
    assert world.seconds_to_the_probe(ONE) == 0


def test_a_server_that_a_login_waits_for_is_probed_more_often() -> None:
    world = World(ONE, TWO, patience=0.7)
    world.fail(ONE, TWO)
    for _ in range(5):
        world.servers.probed(ONE, "no route")
    pauses = []

    def meanwhile() -> None:
        world.now -= 0.7  # spent by what follows
        world.servers._wait = lambda _news, seconds: setattr(world, "now", world.now + seconds)
        for _ in range(3):
            pauses.append(world.seconds_to_the_probe(ONE))
            world.servers.probed(ONE, "no route")

    world.meanwhile = meanwhile
    world.order()
    assert pauses == [0.2, 0.2, 0.2]
    assert world.seconds_to_the_probe(ONE) == pytest.approx(0.9), "nobody waits any more"


def fail_after_each_return(world: World, times: int) -> list[float]:
    rests = []
    for _ in range(times):
        world.fail(ONE)
        rests.append(world.seconds_to_the_probe(ONE))
        world.servers.probed(ONE, "")
        world.now += 1.5
    return rests


def test_a_server_that_answers_probes_and_fails_logins_rests_longer_each_time() -> None:
    world = World(ONE, TWO)
    assert fail_after_each_return(world, 8) == [0, 1, 2, 4, 8, 16, LONGEST_REST, LONGEST_REST]
    world.now += SOON
    assert fail_after_each_return(world, 2) == [0, 1]


def test_a_server_does_not_rest_while_no_other_is_well() -> None:
    assert fail_after_each_return(World(ONE), 5) == [0] * 5
    world = World(ONE, TWO)
    fail_after_each_return(world, 5)
    world.fail(ONE)
    world.servers._wait = lambda _news, _seconds: world.fail(TWO)
    assert world.seconds_to_the_probe(ONE) == 0


# What there is, and what is told


def test_changes_are_told_once_each() -> None:
    world = World(ONE, TWO)
    world.fail(ONE)
    world.servers.probed(ONE, "no route")
    world.servers.probed(ONE, "")
    assert world.told == [("ldap://one", False, "one broke"), ("ldap://one", True, "no route")]


def test_nothing_is_told_or_begun_after_the_end() -> None:
    world = World(ONE, TWO)
    world.fail(ONE)
    world.servers.close()
    world.fail(TWO)
    world.servers.probed(ONE, "")
    assert (world.told, world.probing) == ([("ldap://one", False, "one broke")], [ONE])


def test_the_states_tell_how_each_server_is_and_since_when() -> None:
    world = World(ONE, TWO, THREE)
    world.now += 5
    world.fail(ONE, TWO)
    world.now += 5
    world.servers.probed(TWO, "")
    assert world.servers.states() == (
        ServerState("ldap://one", well=False, cause="one broke", since=START + 5),
        ServerState("ldap://two", well=True, cause="two broke", since=START + 10),
        ServerState("ldap://three", well=True, cause="", since=START),
    )


def test_what_is_known_of_a_server_that_vanished_is_forgotten() -> None:
    world = World(ONE, TWO)
    world.fail(ONE)
    world.endpoints = [TWO, THREE]
    assert world.order()[:2] == [TWO, THREE]
    assert [state.url for state in world.servers.states()] == ["ldap://two", "ldap://three"]
    assert world.servers.wait_to_probe(ONE) is False
    world.endpoints = [ONE, TWO]
    assert world.order()[:2] == [ONE, TWO]
    assert world.servers.states()[0] == ServerState("ldap://one", well=True, cause="", since=START)


def test_what_is_known_of_a_server_that_was_well_when_it_vanished_is_forgotten_with_the_next_failure() -> None:
    world = World(ONE, TWO)
    world.fail(ONE)
    world.servers.probed(ONE, "")
    world.endpoints = [TWO]
    assert world.order()[0] == TWO
    world.fail(TWO)
    world.endpoints = [ONE, TWO]
    assert world.order()[0] == ONE
    assert world.servers.states()[0].cause == ""


def test_no_probe_is_made_while_it_is_not_known_which_servers_there_are() -> None:
    world = World(ONE)
    world.fail(ONE)

    def untold() -> Iterable[Endpoint]:
        raise Unavailable("directory", "DNS: no answer yet")

    world.servers._endpoints = untold
    assert world.servers.wait_to_probe(ONE) is False
    with pytest.raises(Unavailable, match="DNS"):
        world.order()
    world.servers._endpoints = lambda: [ONE]
    assert world.order()[0] == ONE, "logins find out whether it is well"
