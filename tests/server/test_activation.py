"""Which of the sockets that systemd passes are taken: real ones, at descriptors of their own."""

import os
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from radius2fa.server.activation import inherited
from radius2fa.server.listener import ListenFailed

FIRST = 900  # as 3 is for a program that starts
PID = 4711
Make = Callable[[], socket.socket]


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def udp(host: str = "127.0.0.1", *, alone: bool = True) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    if ":" in host:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, alone)
    made.bind((host, 0))
    return made


def passed(opened: ExitStack, *sockets: socket.socket) -> dict[str, str]:
    """Put sockets where systemd would, and return the environment that tells of them."""
    for descriptor, each in enumerate(sockets, FIRST):
        os.dup2(each.fileno(), descriptor, inheritable=True)
        each.close()
        opened.callback(closed, descriptor)
    return {"LISTEN_PID": str(PID), "LISTEN_FDS": str(len(sockets))}


def closed(descriptor: int) -> None:
    if is_open(descriptor):
        os.close(descriptor)


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def test_udp_sockets_are_known_by_their_addresses_and_go_to_no_child(opened: ExitStack) -> None:
    four, six = udp(), udp("::1")
    addresses = {four.getsockname(): FIRST, six.getsockname()[:2]: FIRST + 1}
    found = inherited(passed(opened, four, six), PID, FIRST)
    for each in found.values():
        opened.enter_context(each)
    assert {address: each.fileno() for address, each in found.items()} == addresses
    assert [each.get_inheritable() for each in found.values()] == [False, False]


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"LISTEN_FDS": "1"},
        {"LISTEN_PID": "4712", "LISTEN_FDS": "1"},
        {"LISTEN_PID": "4711"},
        {"LISTEN_PID": "4711", "LISTEN_FDS": "-1"},
        {"LISTEN_PID": "4711", "LISTEN_FDS": "0"},
    ],
)
def test_what_was_passed_to_nobody_or_another_is_left_alone(opened: ExitStack, environment: dict[str, str]) -> None:
    passed(opened, udp())
    assert inherited(environment, PID, FIRST) == {}
    assert is_open(FIRST)


def stream() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.bind(("127.0.0.1", 0))
    return made


def local() -> socket.socket:
    return socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)


def both() -> socket.socket:
    return udp("::", alone=False)


@pytest.mark.parametrize("make", [stream, local, both])
def test_another_kind_of_socket_is_refused_by_its_number_and_what_to_do(opened: ExitStack, make: Make) -> None:
    environment = passed(opened, udp(), make())
    words = (
        f"descriptor {FIRST + 1}, which systemd passed, is no UDP socket of IPv4 or IPv6 alone. "
        "In its unit, write ListenDatagram= with an address, and BindIPv6Only=ipv6-only."
    )
    with pytest.raises(ListenFailed, match=f"^{re.escape(words)}$"):
        inherited(environment, PID, FIRST)
    assert [is_open(FIRST), is_open(FIRST + 1)] == [False, False]


def test_what_is_no_socket_is_refused(opened: ExitStack) -> None:
    environment = passed(opened, udp()) | {"LISTEN_FDS": "2"}
    with pytest.raises(ListenFailed, match=f"^descriptor {FIRST + 1}, which systemd passed, is no socket: Bad file"):
        inherited(environment, PID, FIRST)
    assert not is_open(FIRST)


def test_two_for_one_address_are_refused(opened: ExitStack) -> None:
    first = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    second = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for each in (first, second):
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    first.bind(("127.0.0.1", 0))
    second.bind(first.getsockname())
    with pytest.raises(ListenFailed, match=rf"^descriptor {FIRST + 1}, .* has the address of an earlier one\."):
        inherited(passed(opened, first, second), PID, FIRST)
    assert [is_open(FIRST), is_open(FIRST + 1)] == [False, False]
