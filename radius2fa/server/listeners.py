"""Owns the listeners of one port: which are open, and which stay, come and go with another configuration."""

from collections.abc import Sequence

from radius2fa.config.model import Listen
from radius2fa.server.activation import Inherited
from radius2fa.server.listener import Listener, ListenFailed, Receive
from radius2fa.server.reactor import Reactor

Bound = tuple[tuple[Listen, Listener], ...]
"""Listeners that are bound and not read from yet, each with its address in the configuration."""


class Listeners:
    """The listeners of one port. All methods run in the reactor thread, but for `bind`."""

    def __init__(self, key: str, receive: Receive, reactor: Reactor, given: Inherited) -> None:
        """Hand every datagram to `receive`. `key` is that of the addresses in the configuration.

        Sockets that were `given` for one are taken out there, and need not be bound.
        """
        self._key = key
        self._receive = receive
        self._reactor = reactor
        self._given = given
        self._open: Bound = ()
        self._leaving: list[Listener] = []

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """The addresses and ports that are bound."""
        return tuple(listener.address for _, listener in self._open)

    def bind(self, wanted: Sequence[Listen]) -> Bound:
        """Bind the addresses that have no listener yet. What is bound has to be taken, or closed.

        Raises:
            ListenFailed: one cannot be bound; none is then. The text names the key.

        """
        bound: list[tuple[Listen, Listener]] = []
        try:
            for listen in self._parted(wanted)[1]:
                bound.append((listen, self._listener(listen)))  # noqa: PERF401 - what was bound before a failure is closed
        except ListenFailed as failed:
            close(bound)
            raise ListenFailed(f"{self._key}: {failed}") from None
        return tuple(bound)

    def leave(self, wanted: Sequence[Listen]) -> list[Listener]:
        """Read what has come by the listeners that are not wanted any more, and no more from them; return them.

        They are there for the answers that are still to leave, until they are closed.
        """
        staying, _, going = self._parted(wanted)
        for listener in going:
            listener.drain()
            listener.pause()
        self._open = tuple(staying)
        self._leaving += going
        return going

    def read(self, bound: Bound) -> None:
        """Read from these too."""
        self._open += bound
        for _, listener in bound:
            listener.start()

    def pause(self) -> None:
        """Read no more."""
        for _, listener in self._open:
            listener.pause()

    def part_with(self, left: Sequence[Listener]) -> None:
        """Close listeners whose last answer has left."""
        for listener in left:
            listener.close()
            self._leaving.remove(listener)

    def close(self) -> None:
        """Close all."""
        close(self._open)
        self.part_with(tuple(self._leaving))
        self._open = ()

    def _listener(self, listen: Listen) -> Listener:
        given = self._given.pop((listen.host, listen.port), None)
        return Listener(listen.host, listen.port, self._receive, self._reactor, given)

    def _parted(self, wanted: Sequence[Listen]) -> tuple[list[tuple[Listen, Listener]], list[Listen], list[Listener]]:
        """Return the listeners that stay, the addresses that have none yet, and the listeners that go."""
        here = list(self._open)
        staying: list[tuple[Listen, Listener]] = []
        missing: list[Listen] = []
        for listen in wanted:
            found = next((each for each in here if each[0] == listen), None)
            if found is None:
                missing.append(listen)
            else:
                here.remove(found)
                staying.append(found)
        return staying, missing, [listener for _, listener in here]


def close(bound: Sequence[tuple[Listen, Listener]]) -> None:
    """Close listeners that nobody took."""
    for _, listener in bound:
        listener.close()
