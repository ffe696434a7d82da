"""StartTLS without a library's connection: its octets, and what may not be taken for an answer to it."""

import socket
from collections.abc import Iterator

import pytest
from ldap3.operation.extended import extended_operation
from ldap3.protocol.rfc4511 import LDAPMessage
from ldap3.utils.asn1 import encode

from radius2fa.directory.drivers.start_tls import ask_for_tls
from radius2fa.directory.drivers.wire import Wire
from radius2fa.directory.link import Broken
from tests.directory.conftest import Clock
from tests.directory.drivers.messages import integer, long_form, notice_of_disconnection
from tests.servers.faulty_ldap import entries, result

SUCCESS = bytes.fromhex("0a010004000400")


@pytest.fixture
def ends(clock: Clock) -> Iterator[tuple[Wire, socket.socket]]:
    """Ours, and the server's."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        wire = Wire(ours, clock)
        wire.begin(clock.soon(0.5))
        yield wire, theirs


def test_the_request_is_what_ldap3_would_send(ends: tuple[Wire, socket.socket]) -> None:
    wire, server = ends
    server.sendall(result("extendedResp", 0)(1))
    ask_for_tls(wire)
    message = LDAPMessage()
    message["messageID"] = 1
    message["protocolOp"].setComponentByName("extendedReq", extended_operation("1.3.6.1.4.1.1466.20037"))
    assert server.recv(100) == encode(message)


@pytest.mark.parametrize(
    "answer",
    [
        result("extendedResp", 0)(1),
        long_form(0x30, integer(1), long_form(0x78, SUCCESS, b"\x8a\x161.3.6.1.4.1.1466.20037")),
    ],
)
def test_a_success_is_one_however_it_is_written_and_however_it_comes(
    ends: tuple[Wire, socket.socket], answer: bytes
) -> None:
    """Active Directory writes lengths in four octets, and names the operation in its answer."""
    wire, server = ends
    server.sendall(answer)
    ask_for_tls(wire)
    assert wire.silent() is True


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (result("extendedResp", 2, "unsupported\xff")(1), r"StartTLS was refused: protocolError \(2\): unsupportedÿ"),
        (result("extendedResp", 0)(2), "another question"),
        (result("bindResponse", 0)(1), "another question"),
        (entries(("uid=a", {}))(1), "cannot be read"),
        (notice_of_disconnection(), "another question"),
        (result("extendedResp", 0)(1) + b"0", "another question"),
        (result("extendedResp", 0)(1) + result("bindResponse", 0)(2), "another question"),
        (b"HTTP/1.1 400 Bad Request\r\n", "cannot be read"),
        (bytes.fromhex("300c0201017804000000000000000000"), "cannot be read"),
        (b"\x30\x82\x10\x00" + b"\x30\x80" * 2048, "cannot be read"),
        (bytes.fromhex("300c020101"), "no answer in time"),
    ],
)
def test_anything_but_one_success_is_none(ends: tuple[Wire, socket.socket], answer: bytes, cause: str) -> None:
    """More than the answer may be somebody's between us and the server, who answers what we shall ask under TLS."""
    wire, server = ends
    server.sendall(answer)
    with pytest.raises(Broken, match=cause):
        ask_for_tls(wire)
