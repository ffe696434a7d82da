import socket
from collections.abc import Iterator

import pytest

from radius2fa.config.model import Listen
from radius2fa.server.activation import Inherited
from radius2fa.server.listener import ListenFailed
from radius2fa.server.listeners import Listeners
from tests.server.test_listener import Inbox

ONE, TWO = Listen(host="127.0.0.1", port=0), Listen(host="127.0.0.2", port=0)


class Desk:
    """The listeners of one port, and what came to them."""

    def __init__(self) -> None:
        self.inbox = Inbox()
        self.given: Inherited = {}
        self.listeners = Listeners("server.listen", self.inbox.receive, self.inbox.reactor, self.given)

    def want(self, *wanted: Listen) -> None:
        """Go by other addresses; what leaves is closed at once."""
        bound = self.listeners.bind(wanted)
        self.listeners.part_with(self.listeners.leave(wanted))
        self.listeners.read(bound)


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.listeners.close()
    assert desk.inbox.reactor.reading == []


def test_what_stays_is_not_opened_anew_and_what_is_new_comes_behind_it(desk: Desk) -> None:
    desk.want(ONE, TWO)
    first, second = desk.inbox.reactor.reading
    desk.want(TWO, ONE, ONE)
    assert desk.inbox.reactor.reading[:2] == [first, second]
    third = desk.inbox.reactor.reading[2]
    assert desk.listeners.addresses == (second.address, first.address, third.address)
    desk.want(TWO)
    assert desk.inbox.reactor.reading == [second]


def test_what_has_come_by_one_that_goes_is_read_and_can_still_be_answered(desk: Desk) -> None:
    desk.want(ONE)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nas:
        nas.settimeout(5)
        nas.sendto(b"request", desk.listeners.addresses[0])
        (going,) = desk.listeners.leave(())
        assert (desk.listeners.addresses, desk.inbox.reactor.reading) == ((), [])
        ((octets, source),) = desk.inbox.got
        assert octets == b"request"
        going.write(b"reply", source)
        assert nas.recv(100) == b"reply"
    desk.listeners.part_with([going])
    assert going.fileno() == -1


def test_where_one_cannot_be_bound_none_is_and_the_key_is_named(desk: Desk) -> None:
    desk.want(ONE)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.2", 0))
        free = other.getsockname()[1]
    wanted = [Listen(host="127.0.0.2", port=free), Listen(host="192.0.2.77", port=0)]
    with pytest.raises(ListenFailed, match=r"^server\.listen: 192\.0\.2\.77:0: Cannot assign requested address$"):
        desk.listeners.bind(wanted)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.2", free))
    assert len(desk.listeners.addresses) == 1


def test_a_socket_that_is_bound_already_is_taken_once(desk: Desk) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
        held.bind(("127.0.0.1", 0))
        listen = Listen(host="127.0.0.1", port=held.getsockname()[1])
        desk.given["127.0.0.1", listen.port] = held
        desk.want(listen)
        assert desk.listeners.addresses == (("127.0.0.1", listen.port),)
        assert [each.fileno() for each in desk.inbox.reactor.reading] == [held.fileno()]
        assert desk.given == {}
