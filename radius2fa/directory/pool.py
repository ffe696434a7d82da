"""Owns the kept connections for one purpose, and the way from a server that fails to the next one.

A connection is used by one thread at a time, so there are never more of them to a server than threads at work.
"""

from collections.abc import Callable
from threading import Lock
from typing import TypeVar

from radius2fa.directory.endpoint import Endpoint
from radius2fa.directory.link import Broken, Connection
from radius2fa.directory.servers import Servers
from radius2fa.login.ports import Unavailable

T = TypeVar("T")


class Pool:
    """Connections to all servers, opened by `dial` when they are needed."""

    def __init__(self, servers: Servers, dial: Callable[[Endpoint, float], Connection]) -> None:
        """Start without a connection. `dial` takes a server and a deadline, and raises Broken."""
        self._servers = servers
        self._dial = dial
        self._lock = Lock()
        self._idle: dict[Endpoint, list[Connection]] = {}
        self._closed = False

    def run(self, ask: Callable[[Connection], T], deadline: float, *, repeatable: bool) -> T:
        """Return what `ask` returns, from the first server that answers.

        A server whose connection breaks is passed over. The next one is asked only if the request never left, or is
        `repeatable`: a bind is not, since a wrong password must not count twice.

        Raises:
            Unavailable: when no server answered.

        """
        causes = []
        for endpoint in self._servers.in_order():
            try:
                return self._ask(endpoint, ask, deadline, repeatable=repeatable)
            except Broken as broken:
                self._servers.failed(endpoint)
                causes.append(f"{endpoint.url}: {broken.cause}")
                if broken.sent and not repeatable:
                    break
        raise Unavailable("directory", "; ".join(causes))

    def close(self) -> None:
        """Close every connection: the idle ones now, those in use when their answer has come. From any thread."""
        with self._lock:
            self._closed = True
            idle = [connection for kept in self._idle.values() for connection in kept]
            self._idle.clear()
        for connection in idle:
            connection.close()

    def _ask(self, endpoint: Endpoint, ask: Callable[[Connection], T], deadline: float, *, repeatable: bool) -> T:
        kept = self._take(endpoint)
        if kept is not None:
            try:
                return self._use(kept, endpoint, ask)
            except Broken as broken:
                if broken.late or (broken.sent and not repeatable):
                    raise
        return self._use(self._dial(endpoint, deadline), endpoint, ask)

    def _use(self, connection: Connection, endpoint: Endpoint, ask: Callable[[Connection], T]) -> T:
        try:
            answer = ask(connection)
        except BaseException:
            connection.close()
            raise
        with self._lock:
            if not self._closed:
                self._idle.setdefault(endpoint, []).append(connection)
                return answer
        connection.close()
        return answer

    def _take(self, endpoint: Endpoint) -> Connection | None:
        """Return the connection that was used last, so that the others can grow old; None where none is alive."""
        while True:
            with self._lock:
                if self._closed:
                    raise Unavailable("directory", "it has been closed")
                kept = self._idle.get(endpoint)
                connection = kept.pop() if kept else None
            if connection is None or connection.usable():
                return connection
            connection.close()
