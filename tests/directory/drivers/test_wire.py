"""The octets under ldap3: deadlines for whole exchanges, and a largest answer."""

import socket
import ssl
import threading
from collections.abc import Iterator

import pytest

from radius2fa.directory.drivers.wire import Wire
from radius2fa.directory.link import LONGEST_ANSWER, Broken
from radius2fa.directory.tls import Tls, client_context
from tests.directory.conftest import Clock
from tests.servers.tls import Authority


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a connection over the loopback: ours, and the server's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def server(pair: tuple[socket.socket, socket.socket]) -> socket.socket:
    return pair[1]


@pytest.fixture
def wire(pair: tuple[socket.socket, socket.socket], clock: Clock) -> Wire:
    made = Wire(pair[0], clock)
    made.begin(clock.soon())
    return made


def test_octets_go_both_ways(wire: Wire, server: socket.socket) -> None:
    wire.sendall(b"request")
    assert server.recv(100) == b"request"
    server.sendall(b"answer")
    assert wire.recv(3) + wire.recv(100) == b"answer"


def test_tcp_nodelay_is_set(pair: tuple[socket.socket, socket.socket], clock: Clock) -> None:
    assert pair[0].getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 0
    Wire(pair[0], clock)
    assert pair[0].getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


def test_octets_that_tls_has_read_and_nobody_has_asked_for_are_no_silence(
    pair: tuple[socket.socket, socket.socket], clock: Clock, authority: Authority
) -> None:
    """Both were in one record: there is nothing more to be read from the socket itself."""
    ours, theirs = pair
    shown = authority.issue("wire")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown.certificate, shown.key)
    context.num_tickets = 0  # they come unasked behind the handshake
    secure: list[ssl.SSLSocket] = []
    server = threading.Thread(target=lambda: secure.append(context.wrap_socket(theirs, server_side=True)))
    server.start()
    wire = Wire(ours, clock)
    wire.begin(clock.soon())
    wire.secure(client_context(Tls(authority.ca_file)), "127.0.0.1")
    server.join()
    with secure[0]:
        assert wire.silent()
        secure[0].sendall(b"answer and more")
        assert wire.recv(6) == b"answer"
        assert not wire.silent()
        assert wire.recv(100) == b" and more"
        assert wire.silent()
    wire.close()


def test_an_answer_that_keeps_coming_ends_at_the_deadline(wire: Wire, server: socket.socket, clock: Clock) -> None:
    """An octet a second, each of them within any time-out for a read; the fifth comes too late."""
    wire.sendall(b"request")
    for _ in range(4):
        server.sendall(b"x")
        assert wire.recv(100) == b"x"
        clock.advance(1)
    server.sendall(b"x")
    with pytest.raises(Broken, match="no answer in time") as broken:
        wire.recv(100)
    assert (broken.value.sent, broken.value.late) == (True, True)


def test_silence_ends_at_the_deadline(wire: Wire, clock: Clock) -> None:
    wire.begin(clock.soon(0.05))
    with pytest.raises(Broken, match="no answer in time") as broken:
        wire.recv(100)
    assert (broken.value.sent, broken.value.late) == (True, True)


def test_nothing_is_sent_after_the_deadline(wire: Wire, server: socket.socket, clock: Clock) -> None:
    clock.advance(5)
    with pytest.raises(Broken, match="no answer in time") as broken:
        wire.sendall(b"request")
    assert (broken.value.sent, broken.value.late) == (False, True)
    wire.close()
    assert server.recv(100) == b""


def test_a_request_that_nobody_reads_ends_at_the_deadline(wire: Wire, clock: Clock) -> None:
    wire.begin(clock.soon(0.1))
    with pytest.raises(Broken, match="no answer in time") as broken:
        wire.sendall(bytes(1 << 26))
    assert (broken.value.sent, broken.value.late) == (True, True)


def test_an_answer_has_a_largest_size_and_the_next_one_is_counted_anew(
    wire: Wire, server: socket.socket, clock: Clock
) -> None:
    piece = b"x" * 4096
    for _ in range(2):
        wire.begin(clock.soon())
        for _ in range(LONGEST_ANSWER // len(piece)):
            server.sendall(piece)
            received = wire.recv(len(piece))
            while len(received) < len(piece):
                received += wire.recv(len(piece) - len(received))
    server.sendall(b"x")
    with pytest.raises(Broken, match="an answer of an impossible length"):
        wire.recv(1)


def test_an_answer_may_be_given_another_largest_size(
    pair: tuple[socket.socket, socket.socket], server: socket.socket, clock: Clock
) -> None:
    wire = Wire(pair[0], clock, longest=3)
    wire.begin(clock.soon())
    server.sendall(b"four")
    assert wire.recv(3) == b"fou"
    with pytest.raises(Broken, match="an answer of an impossible length"):
        wire.recv(1)


def test_the_end_of_the_stream_is_broken(wire: Wire, server: socket.socket) -> None:
    server.close()
    with pytest.raises(Broken, match="the server closed the connection") as broken:
        wire.recv(100)
    assert (broken.value.sent, broken.value.late) == (True, False)


def test_a_closed_wire_is_broken_and_may_be_shut_down_and_closed_again(wire: Wire) -> None:
    wire.close()
    for use in (lambda: wire.sendall(b"x"), lambda: wire.recv(1)):
        with pytest.raises(Broken, match="the connection broke: Bad file descriptor"):
            use()
    with pytest.raises(OSError, match="Bad file descriptor"):
        wire.shutdown(socket.SHUT_RDWR)
    wire.close()


def test_a_word_that_nobody_asked_for_is_noticed(wire: Wire, server: socket.socket) -> None:
    assert wire.silent() is True
    server.sendall(b"farewell")
    assert wire.silent() is False


def test_a_fault_passes_through_ldap3_as_it_is() -> None:
    """ldap3 makes other exceptions, with other words, of every OSError."""
    assert issubclass(Broken, OSError) is False
