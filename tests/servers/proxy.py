"""A TCP proxy on the loopback in front of a directory: it counts what passes, and makes trouble where it is told to."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import count
from types import TracebackType
from typing import Self

GARBAGE = b"HTTP/1.1 400 Bad Request\r\n\r\n" * 20
_NAMES = {0x42: "unbind", 0x60: "bind", 0x63: "search", 0x77: "extended"}  # tags of RFC 4511 section 4
_ENDS = {0x61, 0x65, 0x78}  # of what ends an exchange: BindResponse, SearchResultDone, ExtendedResponse
_SEQUENCE, _TLS_HANDSHAKE = 0x30, 0x16


class Kind(Enum):
    """What becomes of an answer, and of all that come behind it on its connection."""

    CUT = auto()  # the connection is broken off (RST) in its place
    MIDDLE = auto()  # it ends in the middle, and so does the connection
    STALL = auto()  # it never comes
    GARBAGE = auto()  # something comes that is no LDAP
    SLOW = auto()  # it comes octet by octet


@dataclass(frozen=True, slots=True)
class Operation:
    """A request that passed, on which connection; of a bind the DN. `name` is "tls" where a handshake begins."""

    connection: int
    name: str
    dn: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """Trouble with the answers to the first request that `at` picks on a connection; to all requests, without one."""

    kind: Kind
    at: Callable[[Operation], bool] | None = None


class _Reader:
    """Puts octets together to LDAPMessages (RFC 4511 section 5.1), up to where TLS or something else begins."""

    def __init__(self) -> None:
        self._octets = b""
        self._opaque = False

    def read(self, octets: bytes) -> list[tuple[int, bytes]]:
        """Return the operation's tag and value of each message that is whole by now."""
        found: list[tuple[int, bytes]] = []
        self._octets += b"" if self._opaque else octets
        while self._octets:
            if self._octets[0] != _SEQUENCE:
                self._opaque = True
                return [*found, (self._octets[0], b"")]
            message = _element(self._octets)
            if message is None:
                break
            _, value, self._octets = message
            _, _, rest = _element(value) or (0, b"", b"")  # the message id
            tag, body, _ = _element(rest) or (0, b"", b"")
            found.append((tag, body))
        return found


@dataclass
class _Pair:
    """One connection of a client's, and ours to the server."""

    number: int
    client: socket.socket
    server: socket.socket
    fault: Fault | None
    asked: _Reader = field(default_factory=_Reader)
    answered: _Reader = field(default_factory=_Reader)

    def end(self) -> None:
        for each in (self.client, self.server):
            with contextlib.suppress(OSError):  # it may have ended already
                each.shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.client.close()
        self.server.close()


class Proxy:
    """Passes all on to `port`, until `fault` is set. Use as a context manager.

    `operations` are the requests that passed, as far as they came in the clear, and `met` those that met a
    fault. `connections` are counted, and so is how many exchanges are under way at once, at most: `peak`. Each
    answer waits at the `gate`, if there is one, and for `latency` seconds.
    """

    def __init__(self, port: int, *, pace: float = 0.1) -> None:
        self.fault: Fault | None = None
        self.gate: threading.Barrier | None = None
        self.latency = 0.0
        self.connections = 0
        self.peak = 0
        self.operations: list[Operation] = []
        self.met: list[Operation] = []
        self._under_way = 0
        self._server = ("127.0.0.1", port)
        self._pace = pace
        self._numbers = count(1)
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._pairs: list[_Pair] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])

    @property
    def uri(self) -> str:
        """`ldap://localhost`, which is a name in the certificates of the tests."""
        return f"ldap://localhost:{self.port}"

    def __enter__(self) -> Self:
        self._run(self._accept, self._listener)
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self._ending.set()
        if self.gate:
            self.gate.abort()
        self.down()
        for thread in self._threads:
            thread.join(5)

    def down(self) -> None:
        """Refuse connections from now on, and end those that there are."""
        with contextlib.suppress(OSError):  # it is down already
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def up(self) -> None:
        """Take connections again, on the same port."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._run(self._accept, self._listener)

    def cut(self) -> None:
        """End all connections, and go on taking others."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            pair.end()

    def binds(self, *, but: str = "") -> list[str]:
        """The DNs of all binds so far, without those of one account."""
        with self._lock:
            return [each.dn for each in self.operations if each.name == "bind" and each.dn != but]

    def by_connection(self) -> list[list[Operation]]:
        """The operations of each connection, in order."""
        with self._lock:
            operations = list(self.operations)
        numbers = dict.fromkeys(each.connection for each in operations)
        return [[each for each in operations if each.connection == number] for number in numbers]

    def _run(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            try:
                server = socket.create_connection(self._server, 5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._pass(_Pair(next(self._numbers), client, server, None))

    def _pass(self, pair: _Pair) -> None:
        if self.fault and self.fault.at is None:
            if self.fault.kind is Kind.CUT:
                pair.reset()
                return
            pair.fault = self.fault
        with self._lock:
            self._pairs.append(pair)
        self._run(self._requests, pair)
        self._run(self._answers, pair)

    def _requests(self, pair: _Pair) -> None:
        with contextlib.suppress(OSError):  # one of the two went away
            while octets := pair.client.recv(65536):
                self._note(pair, pair.asked.read(octets))
                pair.server.sendall(octets)
        pair.end()

    def _note(self, pair: _Pair, messages: list[tuple[int, bytes]]) -> None:
        for tag, body in messages:
            name = "tls" if tag == _TLS_HANDSHAKE else _NAMES.get(tag, hex(tag))
            operation = Operation(pair.number, name, _name_in(body) if name == "bind" else "")
            with self._lock:
                self.operations.append(operation)
                self._under_way += name in ("bind", "search", "extended")
                self.peak = max(self.peak, self._under_way)
            if self.fault and self.fault.at and self.fault.at(operation):
                pair.fault = self.fault
                self.met.append(operation)

    def _answers(self, pair: _Pair) -> None:
        with contextlib.suppress(OSError), pair.client, pair.server:  # one of the two went away
            while octets := pair.server.recv(65536):
                ends = sum(tag in _ENDS for tag, _ in pair.answered.read(octets))
                if ends and self.gate:
                    self.gate.wait()
                if self.latency:
                    self._ending.wait(self.latency)
                with self._lock:
                    self._under_way -= ends
                if not self._hand_over(pair, octets):
                    break
        pair.end()

    def _hand_over(self, pair: _Pair, octets: bytes) -> bool:
        """Do with an answer as the fault says; tell whether the connection goes on."""
        match pair.fault.kind if pair.fault else None:
            case None:
                pair.client.sendall(octets)
            case Kind.CUT:
                pair.reset()
            case Kind.MIDDLE:
                pair.client.sendall(octets[: len(octets) // 2])
            case Kind.GARBAGE:
                pair.client.sendall(GARBAGE)
            case Kind.SLOW:
                for octet in octets:
                    pair.client.sendall(bytes([octet]))
                    self._ending.wait(self._pace)
        return pair.fault is None or pair.fault.kind not in (Kind.CUT, Kind.MIDDLE)


def _element(octets: bytes) -> tuple[int, bytes, bytes] | None:
    """Return the tag and value of the first element, and what is behind it; None where it is not whole yet."""
    if len(octets) < 2:
        return None
    size, start = octets[1], 2
    if size & 0x80:
        start += size & 0x7F
        size = int.from_bytes(octets[2:start], "big")
    if len(octets) < start + size:
        return None
    return octets[0], octets[start : start + size], octets[start + size :]


def _name_in(bind: bytes) -> str:
    """Return the DN of a BindRequest: its second element, behind the version."""
    _, _, rest = _element(bind) or (0, b"", b"")
    _, name, _ = _element(rest) or (0, b"", b"")
    return name.decode()
