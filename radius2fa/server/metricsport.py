"""Owns the port that Prometheus asks: one small request of HTTP, one page of figures, and the connection ends.

Nobody has to say who they are: the port is of this machine only, unless the configuration insists. The page is made in
a thread, so that the reactor goes on with logins.
"""

import re
from collections.abc import Callable
from typing import Any

from structlog.typing import FilteringBoundLogger
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from radius2fa.config.model import Listen
from radius2fa.server.listener import ListenFailed
from radius2fa.server.reactor import Call
from radius2fa.traced import traced

PATH = "/metrics"
_TYPE = "text/plain; version=0.0.4; charset=utf-8"  # what every Prometheus reads
_LONGEST = 8192  # octets of a request
_PATIENCE = 10.0  # seconds for a request to come and its page to be taken
_MOST = 8  # connections at once
_REQUEST = re.compile(rb"(GET|HEAD) ([!-~]{1,200}) HTTP/1\.[01]\r?\n")
_TEXT = "text/plain; charset=utf-8"

Page = Callable[[], bytes]
"""Makes the page. Called in a thread."""


class MetricsPort(Factory):
    """Answers whoever connects. All but the making of pages is for the reactor thread."""

    noisy = False

    def __init__(self, page: Page, reactor: Any, log: FilteringBoundLogger) -> None:  # noqa: ANN401 - Twisted's has no type
        """Bind nothing yet."""
        self._page = page
        self._reactor = reactor
        self._log = log
        self._port: Any = None
        self._open: dict[_Visit, None] = {}  # in the order in which they came

    def start(self, listen: Listen) -> None:
        """Bind, and answer.

        Raises:
            ListenFailed: the address is no address of this host, is taken, or needs a privilege.

        """
        try:
            self._port = self._reactor.listenTCP(listen.port, self, interface=listen.host)
        except CannotListenError as fault:
            why = getattr(fault.socketError, "strerror", None) or fault.socketError
            raise ListenFailed(f"{listen.host} port {listen.port}: {why}") from None

    @property
    def address(self) -> tuple[str, int]:
        """The bound address and port."""
        host = self._port.getHost()
        return host.host, host.port

    def close(self) -> None:
        """Answer no more."""
        if self._port is not None:
            self._port.stopListening()
        for visit in tuple(self._open):
            visit.cut()

    def buildProtocol(self, addr: IAddress | None) -> "_Visit | None":  # noqa: ARG002, N802 - Twisted's signature
        """Take a connection. Where there are too many, the oldest one makes way that has not asked for anything yet."""
        if len(self._open) >= _MOST:
            idle = next((visit for visit in self._open if not visit.asked), None)
            if idle is None:
                return None
            self.leave(idle)
            idle.cut()
        return _Visit(self)

    def enter(self, visit: "_Visit") -> Call:
        """Note that a connection is there, and return the call that ends it."""
        self._open[visit] = None
        call: Call = self._reactor.callLater(_PATIENCE, visit.cut)
        return call

    def leave(self, visit: "_Visit") -> None:
        """Note that it has gone."""
        self._open.pop(visit, None)

    def make(self, done: Callable[[bytes | None], None]) -> None:
        """Have a page made; `done` gets it in the reactor thread, None where there is a bug."""

        def work() -> None:
            page = None
            try:
                page = self._page()
            except Exception as bug:  # noqa: BLE001 - the outermost edge: a bug costs one page
                self._log.error("internal error", why=traced(bug))
            self._reactor.callFromThread(done, page)

        self._reactor.callInThread(work)


class _Visit(Protocol):
    """One connection, which gets one answer."""

    def __init__(self, port: MetricsPort) -> None:
        self._owner = port
        self._wire: Any = None  # Twisted's transport; None once it is gone
        self._limit: Call | None = None
        self._came = b""
        self.asked = False

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        self._wire = self.transport
        self._limit = self._owner.enter(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002, N802 - Twisted's signature
        self._wire = None
        if self._limit and self._limit.active():
            self._limit.cancel()
        self._owner.leave(self)

    def cut(self) -> None:
        """End it at once."""
        if self._wire:
            self._wire.abortConnection()

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        if self.asked:  # one request, one answer
            return
        self._came += data
        if len(self._came) > _LONGEST:
            self.asked = True
            self._answer("431 Request Header Fields Too Large", b"too long\n")
        elif b"\r\n\r\n" in self._came:
            self.asked = True
            self._request()

    def _request(self) -> None:
        match = _REQUEST.match(self._came)
        if match is None:
            self._answer("400 Bad Request", b"GET and HEAD of HTTP/1.1 only\n")
        elif match[2].partition(b"?")[0].decode("ascii") != PATH:
            self._answer("404 Not Found", f"The figures are at {PATH}\n".encode())
        else:
            head = match[1] == b"HEAD"
            self._owner.make(lambda page: self._answer_with(page, head=head))

    def _answer_with(self, page: bytes | None, *, head: bool) -> None:
        if page is None:
            self._answer("500 Internal Server Error", b"see the log\n")
        else:
            self._answer("200 OK", page, _TYPE, head=head)

    def _answer(self, status: str, body: bytes, kind: str = _TEXT, *, head: bool = False) -> None:
        if not self._wire:  # whoever asked has gone meanwhile
            return
        lines = (
            f"HTTP/1.1 {status}",
            f"Content-Type: {kind}",
            f"Content-Length: {len(body)}",
            "Cache-Control: no-store",
            "X-Content-Type-Options: nosniff",
            "Connection: close",
            "",
            "",
        )
        self._wire.write("\r\n".join(lines).encode("ascii") + (b"" if head else body))
        self._wire.loseConnection()
