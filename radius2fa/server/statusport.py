"""Owns the local socket that tells how the server does: whoever connects gets one JSON document; nothing is read."""

import socket
from collections.abc import Callable, Mapping
from json import dumps
from pathlib import Path

from structlog.typing import FilteringBoundLogger
from twisted.internet.interfaces import IReadDescriptor, IWriteDescriptor
from zope.interface import implementer

from radius2fa.server import localsocket
from radius2fa.server.reactor import Reactor
from radius2fa.traced import traced

# A document fits into the kernel's buffer, and is gone as soon as it is written. Where it does not, a reader has so
# many seconds, and no more than a few may be at it.
_PATIENCE = 2.0
_MOST = 4
# Seconds until it is tried again to take a connection, where the process has no descriptor left for it: the reactor
# would ask at once, again and again.
_PAUSE = 1.0

Document = Callable[[], Mapping[str, object]]


@implementer(IReadDescriptor)
class StatusPort:
    """Tells everybody who connects what `document` returns at that moment. All in the reactor thread.

    Nothing that happens here reaches the logins: what goes wrong costs one reader their answer.
    """

    def __init__(self, path: Path, document: Document, reactor: Reactor, log: FilteringBoundLogger) -> None:
        """Listen at the path, and answer from `start` on.

        Raises:
            CannotListen: the path cannot be had.

        """
        self._document = document
        self._reactor = reactor
        self._log = log
        self._place = localsocket.listen(path)
        self._socket = self._place.listening
        self._telling: set[_Telling] = set()

    def start(self) -> None:
        """Begin to answer."""
        self._reactor.addReader(self)

    def close(self) -> None:
        """Answer no more, and remove the socket."""
        self._reactor.removeReader(self)
        for telling in tuple(self._telling):
            telling.close()
        self._place.close()

    def doRead(self) -> None:  # noqa: N802 - Twisted's name
        """Take a connection, and tell it."""
        try:
            connection, _ = self._socket.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError:
            self._reactor.removeReader(self)
            self._reactor.callLater(_PAUSE, self._resume)
            return
        connection.settimeout(0)  # it does not block
        try:
            self._tell(connection)
        except Exception as bug:  # noqa: BLE001 - the outermost edge: a bug costs one answer
            connection.close()
            self._log.error("internal error", why=traced(bug))

    def _tell(self, connection: socket.socket) -> None:
        octets = dumps(self._document()).encode()
        try:
            left = _send(connection, memoryview(octets))
        except OSError:  # the reader has gone
            connection.close()
            return
        if left and len(self._telling) < _MOST:
            self._telling.add(_Telling(connection, left, self._reactor, self._telling.discard))
        else:
            connection.close()

    def _resume(self) -> None:
        if self.fileno() >= 0:
            self._reactor.addReader(self)

    def fileno(self) -> int:
        """Return the descriptor, for the reactor; -1 once it is closed."""
        return self._socket.fileno()

    def logPrefix(self) -> str:  # noqa: N802 - Twisted's name
        """Return the name in Twisted's log."""
        return "status"

    def connectionLost(self, reason: object) -> None:  # noqa: N802 - Twisted's name
        """Do nothing: a socket that listens has no connection to lose."""


@implementer(IWriteDescriptor)
class _Telling:
    """A connection whose reader has not been told all yet."""

    def __init__(
        self, connection: socket.socket, left: memoryview, reactor: Reactor, ended: Callable[["_Telling"], None]
    ) -> None:
        """Write what is `left` as fast as it is read, and close; call `ended` then, or when patience ends."""
        self._socket = connection
        self._left = left
        self._reactor = reactor
        self._ended = ended
        self._limit = reactor.callLater(_PATIENCE, self.close)
        reactor.addWriter(self)

    def doWrite(self) -> None:  # noqa: N802 - Twisted's name
        """Write what the kernel takes now."""
        try:
            self._left = _send(self._socket, self._left)
        except OSError:  # the reader has gone
            self._left = memoryview(b"")
        if not self._left:
            self.close()

    def close(self) -> None:
        """Write no more."""
        self._reactor.removeWriter(self)
        if self._limit.active():
            self._limit.cancel()
        self._socket.close()
        self._ended(self)

    def fileno(self) -> int:
        """Return the descriptor, for the reactor; -1 once it is closed."""
        return self._socket.fileno()

    def logPrefix(self) -> str:  # noqa: N802 - Twisted's name
        """Return the name in Twisted's log."""
        return "status"

    def connectionLost(self, reason: object) -> None:  # noqa: ARG002, N802 - Twisted's signature
        """Note that the reader has gone."""
        self.close()


def _send(connection: socket.socket, octets: memoryview) -> memoryview:
    """Return what is left of the octets when the kernel has taken what it can hold.

    Raises:
        OSError: the reader has gone.

    """
    try:
        return octets[connection.send(octets) :]
    except BlockingIOError:
        return octets
