"""A syslog server: it keeps the messages that it gets by UDP, TCP or TLS, as RFC 5426, 6587 and 5425 part them."""

import re
import socket
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tests.servers.tls import Authority, Certificate

# RFC 5424 section 6, as its ABNF has it.
_MESSAGE = re.compile(
    rb"<(?P<priority>[0-9]{1,3})>1 (?P<time>-|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?Z)"
    rb" (?P<host>[!-~]{1,255}) (?P<program>[!-~]{1,48}) (?P<process>[!-~]{1,128}) (?P<name>[!-~]{1,32})"
    rb" (?P<data>-|(?:\[[^\]]+\])+) \xef\xbb\xbf(?P<text>.*)",
    re.DOTALL,
)


@dataclass(frozen=True)
class Message:
    """The parts of a message."""

    priority: int
    host: str
    program: str
    process: str
    name: str
    data: str
    text: str

    @classmethod
    def read(cls, octets: bytes) -> "Message":
        found = _MESSAGE.fullmatch(octets)
        assert found is not None, octets
        parts = {name: value.decode() for name, value in found.groupdict().items() if name not in ("priority", "time")}
        return cls(priority=int(found["priority"]), **parts)


class Collector:
    """Listens on a port of the loopback. Use as a context manager; `port` 0 is any."""

    def __init__(
        self,
        transport: str,
        certificate: Certificate | None = None,
        *,
        port: int = 0,
        clients: Authority | None = None,
    ) -> None:
        self._context = None
        if certificate:
            self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self._context.load_cert_chain(certificate.certificate, certificate.key)
        if self._context and clients:
            self._context.verify_mode = ssl.CERT_REQUIRED
            self._context.load_verify_locations(clients.ca_file)
        self._udp = transport == "udp"
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if self._udp else socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", port))
        self.port = int(self._listener.getsockname()[1])
        self._raw: list[bytes] = []
        self._news = threading.Condition()
        self._open: list[socket.socket] = []
        if not self._udp:
            self._listener.listen()
        self._thread = threading.Thread(target=self._take if self._udp else self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        for each in (self._listener, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def wait_for(self, count: int) -> list[Message]:
        """Return the messages, once there are so many."""
        return [Message.read(octets) for octets in self.octets(count)]

    def octets(self, count: int) -> list[bytes]:
        with self._news:
            assert self._news.wait_for(lambda: len(self._raw) >= count, 10), f"{len(self._raw)} instead of {count}"
            return list(self._raw)

    def _keep(self, octets: bytes) -> None:
        with self._news:
            self._raw.append(octets)
            self._news.notify_all()

    def _take(self) -> None:
        with suppress(OSError):
            while octets := self._listener.recv(65536):
                self._keep(octets)

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._open.append(connection)
                with suppress(OSError):
                    self._read(self._context.wrap_socket(connection, server_side=True) if self._context else connection)

    def _read(self, connection: socket.socket) -> None:
        self._open.append(connection)
        stream = connection.makefile("rb")
        while digits := b"".join(iter(lambda: stream.read(1).strip(b" "), b"")):  # up to the space, or the end
            self._keep(stream.read(int(digits)))
