import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from radius2fa.server.listener import _SO_RCVBUFFORCE, Address, Ancillary, Listener, ListenFailed, Source


class Readers:
    """Stands for the reactor: the test itself says when to read."""

    def __init__(self) -> None:
        self.reading: list[Any] = []

    def addReader(self, reader: Any) -> None:  # noqa: N802 - Twisted's name
        self.reading.append(reader)

    def removeReader(self, reader: Any) -> None:  # noqa: N802 - as above
        if reader in self.reading:
            self.reading.remove(reader)

    def callLater(self, *_: Any) -> Any:  # noqa: N802 - as above
        raise AssertionError("a listener needs no timer")

    callFromThread = callInThread = callLater  # noqa: N815 - as above


class Inbox:
    def __init__(self) -> None:
        self.got: list[tuple[bytes, Source]] = []
        self.reactor = Readers()
        self.listeners: list[Listener] = []

    def listen(self, host: str) -> Listener:
        listener = Listener(host, 0, self.receive, self.reactor)
        self.listeners.append(listener)
        listener.start()
        return listener

    def receive(self, listener: Listener, octets: bytes, address: Address, ancillary: Ancillary) -> None:
        self.got.append((octets, listener.source(address, ancillary)))

    def read(self, listener: Listener, count: int) -> None:
        until = time.monotonic() + 5
        while len(self.got) < count and time.monotonic() < until:
            listener.doRead()
        assert len(self.got) == count


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    inbox = Inbox()
    yield inbox
    for listener in inbox.listeners:
        listener.close()


Client = Callable[[str], socket.socket]


@pytest.fixture
def client() -> Iterator[Client]:
    opened = []

    def bind(host: str) -> socket.socket:
        sender = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        sender.settimeout(5)
        sender.bind((host, 0))
        opened.append(sender)
        return sender

    yield bind
    for sender in opened:
        sender.close()


@pytest.mark.parametrize(
    ("bound", "asked", "sender"),
    [
        ("127.0.0.1", "127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.77", "127.0.0.3"),  # the kernel alone would answer this one from 127.0.0.1
        ("::1", "::1", "::1"),
        ("::", "::1", "::1"),
    ],
)
def test_a_reply_leaves_from_the_address_that_was_asked(
    inbox: Inbox, client: Client, bound: str, asked: str, sender: str
) -> None:
    listener = inbox.listen(bound)
    port = listener.address[1]
    peer = client(sender)
    peer.sendto(b"request", (asked, port))
    inbox.read(listener, 1)
    octets, source = inbox.got[0]
    assert octets == b"request"
    assert source.host == sender
    assert listener.write(b"reply", source) is True
    reply, address = peer.recvfrom(4096)
    assert reply == b"reply"
    assert address[:2] == (asked, port)


def test_both_families_listen_on_everything_side_by_side(inbox: Inbox) -> None:
    port = inbox.listen("0.0.0.0").address[1]
    second = Listener("::", port, inbox.receive, inbox.reactor)
    inbox.listeners.append(second)
    assert second.address == ("::", port)


def test_a_burst_of_300_datagrams_is_kept_while_nobody_reads(inbox: Inbox, client: Client) -> None:
    listener = inbox.listen("127.0.0.1")
    peer = client("127.0.0.1")
    for number in range(300):
        peer.sendto(b"%04d" % number + bytes(400), listener.address)
    inbox.read(listener, 300)
    assert [int(octets[:4]) for octets, _ in inbox.got] == list(range(300))


def test_a_longer_datagram_is_known_by_its_length(inbox: Inbox, client: Client) -> None:
    listener = inbox.listen("127.0.0.1")
    client("127.0.0.1").sendto(bytes(9000), listener.address)
    inbox.read(listener, 1)
    assert len(inbox.got[0][0]) == 4097


def test_a_client_that_is_gone_costs_nothing(inbox: Inbox, client: Client) -> None:
    listener = inbox.listen("127.0.0.1")
    peer = client("127.0.0.1")
    peer.sendto(b"request", listener.address)
    inbox.read(listener, 1)
    peer.close()
    assert listener.write(b"reply", inbox.got[0][1]) is True
    client("127.0.0.1").sendto(b"another", listener.address)
    inbox.read(listener, 2)
    assert inbox.got[1][0] == b"another"


def test_a_reply_that_the_kernel_refuses_is_lost_not_raised(inbox: Inbox, client: Client) -> None:
    listener = inbox.listen("127.0.0.1")
    client("127.0.0.1").sendto(b"request", listener.address)
    inbox.read(listener, 1)
    assert listener.write(bytes(70_000), inbox.got[0][1]) is False


def test_an_address_that_is_taken_is_named(inbox: Inbox) -> None:
    port = inbox.listen("127.0.0.1").address[1]
    with pytest.raises(ListenFailed, match=rf"^127\.0\.0\.1:{port}: Address already in use$"):
        Listener("127.0.0.1", port, inbox.receive, inbox.reactor)


def test_an_address_of_another_host_is_named(inbox: Inbox) -> None:
    with pytest.raises(ListenFailed, match=r"^\[2001:db8::1\]:1812: Cannot assign requested address$"):
        Listener("2001:db8::1", 1812, inbox.receive, inbox.reactor)


def test_a_closed_listener_gives_its_port_back(inbox: Inbox) -> None:
    listener = inbox.listen("127.0.0.1")
    port = listener.address[1]
    listener.close()
    assert inbox.reactor.reading == []
    again = Listener("127.0.0.1", port, inbox.receive, inbox.reactor)
    inbox.listeners.append(again)
    assert again.address == ("127.0.0.1", port)


def test_a_listener_that_is_about_to_go_reads_all_that_has_come_also_beyond_a_batch() -> None:
    inbox = Inbox()
    listener = inbox.listen("127.0.0.1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nas:
        for number in range(200):
            nas.sendto(b"%d" % number, listener.address)
    listener.drain()
    assert [octets for octets, _ in inbox.got] == [b"%d" % number for number in range(200)]
    listener.close()


def test_a_given_socket_keeps_the_larger_buffer_that_somebody_with_privileges_gave_it(inbox: Inbox) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as given:
        given.bind(("127.0.0.1", 0))
        with suppress(PermissionError):
            given.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 32 << 20)
        before = given.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        Listener("127.0.0.1", given.getsockname()[1], inbox.receive, inbox.reactor, given)
        assert given.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) >= before
