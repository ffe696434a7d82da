"""Owns the server as a whole: the parts put together, started and ended."""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger
from twisted.internet.defer import Deferred

from radius2fa.config.model import Settings
from radius2fa.directory.directories import Directories, Opened
from radius2fa.directory.figures import DirectoryFigures
from radius2fa.login.ports import Unavailable
from radius2fa.radius.packet import Drop
from radius2fa.server.accountingport import AccountingPort
from radius2fa.server.activation import Inherited
from radius2fa.server.anyport import AnyPort
from radius2fa.server.condition import Asking, Figures, Reporting, Work
from radius2fa.server.health import Health
from radius2fa.server.listener import Listener, ListenFailed
from radius2fa.server.listeners import Bound, Listeners, close
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
    listeners: Bound
    accounting_listeners: Bound


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
        self.accounting = AccountingPort(
            self.setup.in_force,
            write=store.accounting.write,
            health=Health((lambda _: store.probe(),), time.monotonic),
            workers=self.workers,
            log=log,
        )
        self._given = dict(given or {})
        self._listeners = Listeners("server.listen", self.port.receive, reactor, self._given)
        self._accounting_listeners = Listeners(
            "server.accounting_listen", self.accounting.receive, reactor, self._given
        )
        self._ports: tuple[AnyPort, ...] = (self.port, self.accounting)
        self._stopping = False
        self._observe(directory.opened)

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """The addresses and ports that are bound for logins."""
        return self._listeners.addresses

    @property
    def drops(self) -> Counter[tuple[str, str]]:
        """Datagrams that got no answer at either port, by cause and client."""
        return self.port.drops.counts + self.accounting.drops.counts

    def listening(self) -> dict[str, list[str]]:
        """Return the addresses and ports that are bound, for a log line: for logins, and for accounting if there is."""
        shown = {
            "listen": _shown(self._listeners.addresses),
            "accounting": _shown(self._accounting_listeners.addresses),
        }
        return shown if shown["accounting"] else {"listen": shown["listen"]}

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
            drops=self._dropped(),
            accounting=Reporting(
                self._accounting_listeners.addresses, self.workers.busy_last, dict(self.accounting.acknowledged)
            ),
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
            repeats={
                (client, each.name): count for each in self._ports for client, count in dict(each.repeats).items()
            },
            drops=self._dropped(),
            acknowledged=dict(self.accounting.acknowledged),
            in_progress=self.workers.busy_before_last,
            accounting_in_progress=self.workers.busy_last,
            waiting=self.workers.waiting,
            held=port.held,
            threads=server.threads,
            backlog=server.backlog,
        )

    def _dropped(self) -> dict[tuple[str, str, str], int]:
        """Return the datagrams that got no answer, by cause, client and port. From any thread."""
        return {(*key, port.name): count for port in self._ports for key, count in dict(port.drops.counts).items()}

    def start(self) -> None:
        """Bind every listener, then read.

        Raises:
            ListenFailed: an address cannot be bound; none is then.

        """
        self._part_with_unused()
        first = self._ready(self.setup)
        self.workers.start()
        self._listeners.read(first.listeners)
        self._accounting_listeners.read(first.accounting_listeners)
        self._sweep()

    def prepare(self, read: Settings, keys: KeyRing) -> Successor:
        """Make ready what takes the place of the setup, from a configuration that was read and master keys.

        Runs beside the reactor thread, and changes nothing of what is in force. What is ready has to be taken.

        Raises:
            ListenFailed: a new address cannot be bound.
            UnusableReplies, BadKeyFile, Unavailable, ValueError: as `Setup.next`.

        """
        return self._ready(self.setup.next(read, keys))

    def _ready(self, setup: Setup) -> Successor:
        """Bind the addresses that have no listener yet; where one cannot be bound, none is."""
        server = setup.settings.server
        listeners = self._listeners.bind(server.listen)
        try:
            return Successor(setup, listeners, self._accounting_listeners.bind(server.accounting_listen))
        except ListenFailed:
            close(listeners)
            raise

    def take(self, successor: Successor) -> bool:
        """Put in force what is ready, in one step; False when the service is about to end, and nothing is taken.

        Requests under way keep to what they began under. What only they need is closed when the last one has ended.
        """
        before, setup = self.setup, successor.setup
        if self._stopping:
            close((*successor.listeners, *successor.accounting_listeners))
            return False
        server = setup.settings.server
        going = self._listeners.leave(server.listen)
        accounting_going = self._accounting_listeners.leave(server.accounting_listen)
        self.setup = setup
        setup.store.take_pen()
        self._observe(setup.fresh(before))
        self.workers.limit(server.backlog, server.client_backlog)
        self.port.take(setup.in_force, lambda: self._part_with(before.fresh(setup), going))
        self.accounting.take(setup.in_force, lambda: self._accounting_listeners.part_with(accounting_going))
        self._listeners.read(successor.listeners)
        self._accounting_listeners.read(successor.accounting_listeners)
        return True

    def stop(self) -> Deferred[None]:
        """Take no new request, finish those under way, then close. Fires within five seconds."""
        done: Deferred[None] = Deferred()
        self._stopping = True
        self._listeners.pause()
        self._accounting_listeners.pause()
        until = time.monotonic() + _GRACE

        def glance() -> None:
            if self.port.under_way and time.monotonic() < until:
                self._reactor.callLater(_GLANCE, glance)
                return
            self.workers.stop()
            self._listeners.close()
            self._accounting_listeners.close()
            done.callback(None)

        glance()
        return done

    def _part_with_unused(self) -> None:
        """Tell of the sockets that were given for addresses which the configuration does not have, and close them.

        Before any is bound: systemd holds them too, so one may be in the way.
        """
        server = self.setup.settings.server
        wanted = {(listen.host, listen.port) for listen in (*server.listen, *server.accounting_listen)}
        for host, port in self._given.keys() - wanted:
            remedy = "Let the socket's unit and `listen` say the same."
            self._log.warning("socket not used", listen=f"{host} port {port}", remedy=remedy)
            self._given.pop((host, port)).close()

    def _observe(self, directories: Iterable[Opened]) -> None:
        for each in directories:
            each.directory.observe(log_changes(self._log))

    def _part_with(self, directories: Sequence[Opened], listeners: Sequence[Listener]) -> None:
        """Close what nobody uses any more; directories in a thread, since they say good-bye to their servers."""
        self._listeners.part_with(listeners)
        for each in directories:
            self._reactor.callInThread(each.directory.close)

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


def _shown(addresses: Sequence[tuple[str, int]]) -> list[str]:
    return [f"{host} port {port}" for host, port in addresses]
