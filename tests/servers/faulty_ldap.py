"""A small LDAP server on the loopback that does what no good server does. Its octets are made by pyasn1."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from ldap3.protocol.rfc4511 import LDAPMessage
from ldap3.utils.asn1 import encode

from tests.servers.slapd import ADMIN

SUCCESS = 0
REFERRAL = 10
INVALID_CREDENTIALS = 49
BUSY = 51

_RESET = b"reset"

Answer = Callable[[int], bytes | None]
"""From a message id to the octets to send: b"" hangs up, None never answers."""


def result(kind: str, code: int, diagnosis: str = "", referral: str = "") -> Callable[[int], bytes]:
    """Answer with a result: `kind` is "bindResponse", "searchResDone" or "extendedResp"."""

    def answer(message_id: int) -> bytes:
        message = LDAPMessage()
        message["messageID"] = message_id
        body = message["protocolOp"][kind]
        body["resultCode"] = code
        body["matchedDN"] = ""
        body["diagnosticMessage"] = diagnosis
        if referral:
            body["referral"][0] = referral
        return bytes(encode(message))

    return answer


def entries(
    *found: tuple[str, dict[str, list[bytes]]], code: int = SUCCESS, elsewhere: str = ""
) -> Callable[[int], bytes]:
    """Answer a search with entries, perhaps a reference elsewhere, and a result."""

    def answer(message_id: int) -> bytes:
        octets = b"".join(_entry(message_id, dn, attributes) for dn, attributes in found)
        if elsewhere:
            message = LDAPMessage()
            message["messageID"] = message_id
            message["protocolOp"]["searchResRef"][0] = elsewhere
            octets += bytes(encode(message))
        return octets + result("searchResDone", code)(message_id)

    return answer


def octets(raw: bytes) -> Callable[[int], bytes]:
    """Answer with these octets, whatever was asked."""
    return lambda _message_id: raw


def silence(_message_id: int) -> None:
    """Never answer."""


def hang_up(_message_id: int) -> bytes:
    """Close the connection without an answer."""
    return b""


def in_turn(*answers: Answer) -> Answer:
    """Answer differently each time, and hang up when there are no more answers."""
    left = list(answers)
    return lambda message_id: left.pop(0)(message_id) if left else b""


@dataclass(frozen=True, slots=True)
class Asked:
    """A search, as it was asked for."""

    base: str
    scope: int
    aliases: int
    size_limit: int
    time_limit: int
    attributes: tuple[str, ...]


def reset(_message_id: int) -> bytes:
    """Break the connection off (RST) without an answer."""
    return _RESET


class FaultyLdap:
    """Says success to everything, unless told otherwise by `on_bind`, `on_service_bind`, `on_search`, `on_extended`.

    With a `pace` it sends an octet in so many seconds. Keeps what it was asked: `binds` (DN and password),
    `service_binds` (how many), `searches` (the requests), `connections` (how many). Use as a context manager.
    """

    def __init__(self) -> None:
        self.on_bind: Answer = result("bindResponse", SUCCESS)
        self.on_search: Answer = result("searchResDone", SUCCESS)
        self.on_extended: Answer = result("extendedResp", SUCCESS)
        self.on_service_bind: Answer = result("bindResponse", SUCCESS)
        self.service_binds = 0
        self.binds: list[tuple[str, bytes]] = []
        self.searches: list[Asked] = []
        self.connections = 0
        self.pace = 0.0
        self._ending = threading.Event()
        self._streams: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])

    @property
    def uri(self) -> str:
        """Where it listens."""
        return f"ldap://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._run(self._accept)
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self._ending.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop_connections()
        for thread in self._threads:
            thread.join(5)

    def drop_connections(self) -> None:
        """Close all connections, and go on listening."""
        for stream in self._streams:
            with contextlib.suppress(OSError):  # it may have ended already
                stream.shutdown(socket.SHUT_RDWR)
        self._streams.clear()

    def _run(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                stream, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._streams.append(stream)
            self._run(self._serve, stream)

    def _serve(self, stream: socket.socket) -> None:
        with stream:
            while True:
                try:
                    message = _read_message(stream)
                    answer = self._answer(message) if message else b""
                    if answer is _RESET:
                        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    if answer in (b"", _RESET):
                        return
                    self._send(stream, answer or b"")
                except (OSError, ValueError):  # the other side went away, or on to TLS
                    return

    def _send(self, stream: socket.socket, answer: bytes) -> None:
        if not self.pace:
            stream.sendall(answer)
            return
        for octet in answer:
            stream.sendall(bytes([octet]))
            self._ending.wait(self.pace)

    def _answer(self, message: bytes) -> bytes | None:
        (_, message_id), (operation, body) = _elements(message)[:2]
        asked = int.from_bytes(message_id, "big")
        match operation:
            case 0x60:
                (_, _version), (_, dn), (_, password) = _elements(body)
                return self._bind(asked, dn.decode(), password)
            case 0x63:
                self.searches.append(_search(body))
                return self.on_search(asked)
            case 0x77:
                return self.on_extended(asked)
            case _:
                return b""

    def _bind(self, asked: int, dn: str, password: bytes) -> bytes | None:
        if dn == ADMIN:
            self.service_binds += 1
            return self.on_service_bind(asked)
        self.binds.append((dn, password))
        return self.on_bind(asked)


def _read_message(stream: socket.socket) -> bytes:
    """The value of the next LDAPMessage, or b"" at the end of the stream."""
    head = stream.recv(2, socket.MSG_WAITALL)
    if len(head) < 2 or head[0] != 0x30:
        return b""
    size = head[1]
    if size & 0x80:
        size = int.from_bytes(stream.recv(size & 0x7F, socket.MSG_WAITALL), "big")
    return stream.recv(size, socket.MSG_WAITALL)


def _elements(octets: bytes) -> list[tuple[int, bytes]]:
    """The elements of a value: pyasn1 cannot read the filters of ldap3's grammar."""
    found = []
    while octets:
        tag, size, rest = octets[0], octets[1], octets[2:]
        if size & 0x80:
            count = size & 0x7F
            size, rest = int.from_bytes(rest[:count], "big"), rest[count:]
        found.append((tag, rest[:size]))
        octets = rest[size:]
    return found


def _search(body: bytes) -> Asked:
    base, scope, aliases, size_limit, time_limit, _types_only, _filter, attributes = (
        each for _, each in _elements(body)
    )
    numbers = (int.from_bytes(each, "big") for each in (scope, aliases, size_limit, time_limit))
    return Asked(base.decode(), *numbers, tuple(each.decode() for _, each in _elements(attributes)))


def _entry(message_id: int, dn: str, attributes: dict[str, list[bytes]]) -> bytes:
    message = LDAPMessage()
    message["messageID"] = message_id
    body = message["protocolOp"]["searchResEntry"]
    body["object"] = dn
    for at, (name, values) in enumerate(attributes.items()):
        body["attributes"][at]["type"] = name
        for place, value in enumerate(values):
            body["attributes"][at]["vals"][place] = value
    return bytes(encode(message))
