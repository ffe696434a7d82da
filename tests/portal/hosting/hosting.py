"""The portal's web server in a thread of the test, on a port of the loopback, with pages of the test's own."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import closing
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from wsgiref.types import WSGIApplication

import structlog
from twisted.internet.epollreactor import EPollReactor

from radius2fa.config.model import Portal
from radius2fa.portal.hosting.host import Host
from radius2fa.portal.hosting.site import Bounds

URL = "http://localhost"
PATIENCE = 10.0


@dataclass(frozen=True)
class Answer:
    """What a browser got."""

    status: int
    headers: Message
    body: bytes

    @classmethod
    def of(cls, response: HTTPResponse) -> "Answer":
        return cls(response.status, response.headers, response.read())


class Hosting:
    """A `Host` that runs. Use as a context manager. `log` are the lines that it wrote."""

    def __init__(self, pages: WSGIApplication, *, bounds: Bounds = Bounds(), **portal: Any) -> None:  # noqa: B008 - frozen
        self.log: list[Mapping[str, Any]] = []
        log: Any = structlog.wrap_logger(None, processors=[self._note], wrapper_class=structlog.BoundLogger)
        self.ahead = 0.0  # of the clock, in seconds
        self.port = 0
        self._reactor: Any = EPollReactor()  # type: ignore[no-untyped-call]  # one of its own: a reactor runs only once
        settings = Portal.model_validate({"url": URL, "listen": ["127.0.0.1:0"], **portal})
        self.host = Host(settings, pages, reactor=self._reactor, clock=self.clock, log=log, bounds=bounds)
        self._thread = threading.Thread(target=self._run)
        self._is_stopping = False

    def __enter__(self) -> Self:
        self.host.start()
        self.port = self.host.addresses[0][1]
        self._reactor.addSystemEventTrigger("before", "shutdown", self.host.stop)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def clock(self) -> float:
        return time.monotonic() + self.ahead

    def stop(self) -> float:
        """End it as SIGTERM does, and return how long that took."""
        begin = time.monotonic()
        self.stopping()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        return time.monotonic() - begin

    def stopping(self) -> None:
        """Begin to end it."""
        if not self._is_stopping:
            self._is_stopping = True
            self._reactor.callFromThread(self._reactor.stop)

    def there(self, call: Callable[[], Any]) -> Any:
        """Call something in the reactor thread, and return what comes of it."""
        results: list[Any] = []
        done = threading.Event()

        def calling() -> None:
            results.append(call())
            done.set()

        self._reactor.callFromThread(calling)
        assert done.wait(PATIENCE)
        return results[0]

    def connect(self, source: str = "127.0.0.1") -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE, (source, 0))

    def get(self, path: str = "/", **headers: str) -> "Answer":
        return self.ask("GET", path, headers=headers)

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> "Answer":
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)) as connection:
            connection.request(method, path, body, dict(headers or {}))
            return Answer.of(connection.getresponse())

    def _run(self) -> None:
        self._reactor.run(installSignalHandlers=False)
        self.dispose()

    def dispose(self) -> None:
        """Give back what the reactor itself has open, when no page calls it any more, but for one that hangs."""
        for thread in self.host._threads._threads:
            if thread.is_alive():
                thread.join(0.5)
        for reader in self._reactor.removeAll():
            reader.connectionLost(None)
        for waker in self._reactor._internalReaders:
            waker.connectionLost(None)
        self._reactor._poller.close()

    def _note(self, _: object, method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        self.log.append({"level": method, **event})
        raise structlog.DropEvent


def trusting(ca_file: Path) -> ssl.SSLContext:
    """Return what a browser knows that trusts one authority."""
    return ssl.create_default_context(cafile=ca_file)


def until(true: Callable[[], bool]) -> None:
    """Wait for what another thread is about to do."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)  # nothing tells
