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

# A server cannot be blamed for an answer that it had less time for: the login's deadline was all but over.
_FAIR = 0.1  # seconds


Place = tuple[Endpoint, int]
"""A server, and the era of it in which a connection was opened."""


class Pool:
    """Connections to all servers, opened by `dial` when they are needed."""

    def __init__(
        self, servers: Servers, dial: Callable[[Endpoint, float], Connection], clock: Callable[[], float]
    ) -> None:
        """Start without a connection. `dial` takes a server and a deadline (of `clock`), and raises Broken."""
        self._servers = servers
        self._dial = dial
        self._clock = clock
        self._lock = Lock()  # for the lists of idle connections, and never while a server is waited for
        self._idle: dict[Place, list[Connection]] = {}
        self._closed = False

    def run(self, ask: Callable[[Connection], T], deadline: float, *, repeatable: bool) -> T:
        """Return what `ask` returns, from the first server that answers.

        A server that fails is out until a probe finds it well. The next one is asked only if the request never left, or
        is `repeatable`: a bind is not, since a wrong password must not count twice.

        Raises:
            Unavailable: when no server answered, with the cause for each.

        """
        causes: dict[Endpoint, str] = {}
        for endpoint in self._servers.to_ask(deadline):
            if self._clock() >= deadline:
                causes.setdefault(endpoint, "no time left")
                continue
            try:
                return self._ask(endpoint, ask, deadline, repeatable=repeatable)
            except Broken as broken:
                causes[endpoint] = broken.cause
                if broken.sent and not repeatable:
                    break
        else:
            causes = self._servers.causes() | causes
        raise Unavailable("directory", "; ".join(f"{each.url}: {cause}" for each, cause in causes.items()))

    def close(self) -> None:
        """Close every connection: the idle ones now, those in use when their answer has come. From any thread."""
        with self._lock:
            self._closed = True
            idle = [connection for kept in self._idle.values() for connection in kept]
            self._idle.clear()
        for connection in idle:
            connection.close()

    def _ask(self, endpoint: Endpoint, ask: Callable[[Connection], T], deadline: float, *, repeatable: bool) -> T:
        """Ask one server; once more, by a fresh connection, where a kept one broke and that is no harm."""
        began, place = self._clock(), (endpoint, self._servers.era(endpoint))
        kept = self._take(place)
        if kept is not None:
            try:
                return self._use(kept, place, ask)
            except Broken as broken:
                if broken.late or (broken.sent and not repeatable):
                    self._blame(endpoint, broken, began, deadline, doubtful=True)
                    raise
        try:
            self._drop_outdated()
            return self._use(self._dial(endpoint, deadline), place, ask)
        except Broken as broken:
            self._blame(endpoint, broken, began, deadline, doubtful=False)
            raise

    def _blame(self, endpoint: Endpoint, broken: Broken, began: float, deadline: float, *, doubtful: bool) -> None:
        now = self._clock()
        if now < deadline or now - began >= _FAIR:
            self._servers.failed(endpoint, broken.cause, began, doubtful=doubtful)

    def _use(self, connection: Connection, place: Place, ask: Callable[[Connection], T]) -> T:
        """Keep the connection if all went well, and close it otherwise, whatever happened."""
        try:
            answer = ask(connection)
        except BaseException:
            connection.close()
            raise
        with self._lock:
            if not self._closed:
                self._idle.setdefault(place, []).append(connection)
                return answer
        connection.close()
        return answer

    def _take(self, place: Place) -> Connection | None:
        """Return the connection that was used last, so that the others can grow old; None where none is alive."""
        while True:
            with self._lock:
                if self._closed:
                    raise Unavailable("directory", "it has been closed")
                kept = self._idle.get(place)
                connection = kept.pop() if kept else None
            if connection is None or connection.usable():
                return connection
            connection.close()

    def _drop_outdated(self) -> None:
        """Close what was kept from before an outage, which our side alone may know of, and to servers that are gone."""
        with self._lock:
            outdated = [place for place in self._idle if place[1] != self._servers.era(place[0])]
            connections = [connection for place in outdated for connection in self._idle.pop(place)]
        for connection in connections:
            connection.close()
