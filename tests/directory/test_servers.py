from radius2fa.directory.endpoint import parse_url
from radius2fa.directory.servers import PASSED_OVER, Servers
from tests.directory.conftest import Clock

ONE, TWO, THREE = (parse_url(f"ldap://{name}") for name in ("one", "two", "three"))


def test_servers_are_asked_in_the_order_of_preference(clock: Clock) -> None:
    assert Servers(lambda: [ONE, TWO, THREE], clock).in_order() == [ONE, TWO, THREE]


def test_a_server_that_failed_is_asked_last_for_a_while(clock: Clock) -> None:
    servers = Servers(lambda: [ONE, TWO, THREE], clock)
    servers.failed(ONE)
    assert servers.in_order() == [TWO, THREE, ONE]
    clock.advance(PASSED_OVER + 1)
    assert servers.in_order() == [ONE, TWO, THREE]


def test_when_all_have_failed_all_are_asked_in_the_order_of_preference(clock: Clock) -> None:
    servers = Servers(lambda: [ONE, TWO], clock)
    servers.failed(ONE)
    servers.failed(TWO)
    assert servers.in_order() == [ONE, TWO]
