"""Owns the server as a whole: the parts put together, started and ended."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger
from twisted.internet.defer import Deferred

from radius2fa.config.model import Listen, Settings
from radius2fa.directory.directories import Directories, Opened
from radius2fa.directory.figures import DirectoryFigures
from radius2fa.login.ports import Unavailable
from radius2fa.radius.packet import Drop
from radius2fa.server.accountingport import AccountingPort
from radius2fa.server.activation import Inherited
from radius2fa.server.condition import Asking, Figures, Work
from radius2fa.server.listener import Listener
from radius2fa.server.load import Load
from radius2fa.server.login import Observer
from radius2fa.server.logs import log_changes
from radius2fa.server.port import AccessPort
from radius2fa.server.reactor import Reactor
from radius2fa.server.reloaded import Reloaded
from radius2fa.server.setup import Setup
from radius2fa.server.workers import Workers
from radius2fa.store.engine import Store
from radius2fa.store.seal import KeyRing

# SIGTERM to end: 5 s are promised. What is in flight gets most of them, the interpreter's own end the rest.
_GRACE = 4.0
# Seconds between two looks at what is done, while stopping; and between two removals of what has expired.
_GLANCE = 0.02
_SWEEP = 60.0
# How requests without a Message-Authenticator are dropped.
_UNSIGNED = (Drop.NO_MESSAGE_AUTHENTICATOR, Drop.UNSIGNED_PROXY_STATE)


@dataclass(frozen=True, slots=True)
class Successor:
    """What is ready to take the place of a setup, and the listeners for addresses that are new in it, already bound."""

    setup: Setup
    listeners: tuple[tuple[Listen, Listener], ...]


class Service:
    """The RADIUS server as a whole."""

    def __init__(
        self,
        settings: Settings,
        *,
        store: Store,
        directory: Directories,
        reactor: Reactor,
        log: FilteringBoundLogger,
        observers: Sequence[Observer] = (),
        given: Inherited | None = None,
    ) -> None:
        """Put the parts together; nothing is bound or started yet. `given` are sockets that are bound already.

        Raises:
            UnusableReplies: attributes or values of the policies cannot be sent (`check` finds the same).

        """
        self.setup = Setup.of(settings, store, directory)
        self._reactor = reactor
        self._log = log
        server = settings.server
        self.workers = Workers(
            server.threads,
            backlog=server.backlog,
            client_backlog=server.client_backlog,
            clock=time.monotonic,
            deliver=reactor.callFromThread,
        )
        self.port = AccessPort(
            self.setup.in_force,
            workers=self.workers,
            reactor=reactor,
            log=log,
            observers=observers,
        )
        self._accounting = AccountingPort(
            clients=self.setup.in_force.clients,
            write=store.accounting.write,
            patience=server.patience,
            workers=self.workers,
            drops=self.port.drops,
            log=log,
        )
        self._accounting_listeners: list[Listener] = []
        self._listeners: list[tuple[Listen, Listener]] = []
        self._leaving: list[Listener] = []
        self._given = given or {}
        self._stopping = False
        self._observe(directory.opened)

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """The addresses and ports that are bound for logins."""
        return tuple(listener.address for _, listener in self._listeners)

    @property
    def accounting_addresses(self) -> tuple[tuple[str, int], ...]:
        """The addresses and ports that are bound for accounting."""
        return tuple(listener.address for listener in self._accounting_listeners)

    @property
    def _every_listener(self) -> list[Listener]:
        return [*(listener for _, listener in self._listeners), *self._accounting_listeners]

    def figures(self, started: float, reloaded: Reloaded | None) -> Figures:
        """Return what the server is doing. `started` is when it began, in Unix seconds. In the reactor thread."""
        settings, port, counts = self.setup.settings, self.port, self.port.drops.counts
        return Figures(
            started=started,
            listeners=self.addresses,
            work=Work(
                settings.server.threads, self.workers.busy, self.workers.waiting, port.held, settings.server.backlog
            ),
            clients=[
                Asking(each, port.habits.of(each.name), sum(counts[cause, each.name] for cause in _UNSIGNED))
                for each in settings.client
            ],
            drops=counts,
            directories=self.directories(),
            reloaded=reloaded,
            master_keys=self.setup.store.keys.names,
            configuration=self.setup.values,
        )

    def directories(self) -> list[DirectoryFigures]:
        """Return how the directories are, from any thread."""
        return [each.directory.figures() for each in self.setup.directory.opened]

    def load(self) -> Load:
        """Return what the server has counted and is busy with, from any thread."""
        port, server = self.port, self.setup.settings.server
        return Load(
            requests=dict(port.requests),
            repeats=dict(port.repeats),
            drops=dict(port.drops.counts),
            in_progress=self.workers.busy,
            waiting=self.workers.waiting,
            held=port.held,
            threads=server.threads,
            backlog=server.backlog,
        )

    def start(self) -> None:
        """Bind every listener, then read.

        Raises:
            ListenFailed: an address cannot be bound; none is then.

        """
        try:
            for listen in self.setup.settings.server.listen:
                self._listeners.append((listen, self._bound(listen)))
            for listen in self.setup.settings.server.accounting_listen:
                self._accounting_listeners.append(
                    Listener(listen.host, listen.port, self._accounting.receive, self._reactor)
                )
        except Exception:
            self._close()
            raise
        self._part_with_unused()
        self.workers.start()
        for listener in self._every_listener:
            listener.start()
        self._sweep()

    def prepare(self, read: Settings, keys: KeyRing) -> Successor:
        """Make ready what takes the place of the setup, from a configuration that was read and master keys.

        Runs beside the reactor thread, and changes nothing of what is in force. What is ready has to be taken.

        Raises:
            ListenFailed: a new address cannot be bound.
            UnusableReplies, BadKeyFile, Unavailable, ValueError: as `Setup.next`.

        """
        setup = self.setup.next(read, keys)
        _, missing, _ = self._parted(setup)
        bound: list[tuple[Listen, Listener]] = []
        try:
            bound.extend((listen, self._bound(listen)) for listen in missing)
        except Exception:
            for _, listener in bound:
                listener.close()
            raise
        return Successor(setup, tuple(bound))

    def take(self, successor: Successor) -> bool:
        """Put in force what is ready, in one step; False when the service is about to end, and nothing is taken.

        Requests under way keep to what they began under. What only they need is closed when the last one has ended.
        """
        before, setup = self.setup, successor.setup
        if self._stopping:
            for _, listener in successor.listeners:
                listener.close()
            return False
        staying, _, going = self._parted(setup)
        for listener in going:
            listener.drain()
            listener.pause()
        self.setup = setup
        setup.store.take_pen()
        self._listeners = [*staying, *successor.listeners]
        self._leaving += going
        self._observe(setup.fresh(before))
        server = setup.settings.server
        self.workers.limit(server.backlog, server.client_backlog)
        self._accounting.take(setup.in_force.clients)
        self.port.take(setup.in_force, lambda: self._part_with(before.fresh(setup), going))
        for _, listener in successor.listeners:
            listener.start()
        return True

    def stop(self) -> Deferred[None]:
        """Take no new request, finish those under way, then close. Fires within five seconds."""
        done: Deferred[None] = Deferred()
        self._stopping = True
        for listener in self._every_listener:
            listener.pause()
        until = time.monotonic() + _GRACE

        def glance() -> None:
            if self.port.under_way and time.monotonic() < until:
                self._reactor.callLater(_GLANCE, glance)
                return
            self.workers.stop()
            self._close()
            done.callback(None)

        glance()
        return done

    def _bound(self, listen: Listen) -> Listener:
        given = self._given.pop((listen.host, listen.port), None)
        return Listener(listen.host, listen.port, self.port.receive, self._reactor, given)

    def _part_with_unused(self) -> None:
        """Close the sockets that were given for addresses which the configuration does not have."""
        for (host, port), given in self._given.items():
            remedy = "Let the socket's unit and `listen` say the same."
            self._log.warning("socket not used", listen=f"{host} port {port}", remedy=remedy)
            given.close()
        self._given.clear()

    def _parted(self, setup: Setup) -> tuple[list[tuple[Listen, Listener]], list[Listen], list[Listener]]:
        """Return the listeners that stay, the addresses that have none yet, and the listeners that go."""
        here = list(self._listeners)
        staying: list[tuple[Listen, Listener]] = []
        missing: list[Listen] = []
        for listen in setup.settings.server.listen:
            found = next((each for each in here if each[0] == listen), None)
            if found is None:
                missing.append(listen)
            else:
                here.remove(found)
                staying.append(found)
        return staying, missing, [listener for _, listener in here]

    def _observe(self, directories: Iterable[Opened]) -> None:
        for each in directories:
            each.directory.observe(log_changes(self._log))

    def _part_with(self, directories: Sequence[Opened], listeners: Sequence[Listener]) -> None:
        """Close what nobody uses any more; directories in a thread, since they say good-bye to their servers."""
        for listener in listeners:
            listener.close()
            self._leaving.remove(listener)
        for each in directories:
            self._reactor.callInThread(each.directory.close)

    def _close(self) -> None:
        for listener in (*self._every_listener, *self._leaving):
            listener.close()
        self._listeners.clear()
        self._accounting_listeners.clear()
        self._leaving.clear()

    def _sweep(self) -> None:
        """Have what has expired removed from the store, now and then, in a thread beside the logins."""
        if not self._stopping:
            self._reactor.callInThread(self._sweep_store)
            self._reactor.callLater(_SWEEP, self._sweep)

    def _sweep_store(self) -> None:
        try:
            self.setup.store.sweep(time.time())
        except Unavailable as fault:
            self._log.warning("not swept", why=str(fault))
