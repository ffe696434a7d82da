"""Owns the server as a whole: the parts put together, started and ended."""

import time
from collections.abc import Sequence

from structlog.typing import FilteringBoundLogger
from twisted.internet.defer import Deferred

from radius2fa.config.model import Settings
from radius2fa.directory.directories import Directories
from radius2fa.login.ports import Unavailable
from radius2fa.radius.clients import Clients
from radius2fa.server.accountingport import AccountingPort
from radius2fa.server.health import Health
from radius2fa.server.listener import Listener
from radius2fa.server.login import Observer
from radius2fa.server.port import AccessPort
from radius2fa.server.reactor import Reactor
from radius2fa.server.wiring import answers, client_rules, house, patience, radius_client
from radius2fa.server.workers import Workers
from radius2fa.store.engine import Store

# SIGTERM to end: 5 s are promised. What is in flight gets most of them, the interpreter's own end the rest.
_GRACE = 4.0
# Seconds between two looks at what is done, while stopping; and between two removals of what has expired.
_GLANCE = 0.02
_SWEEP = 60.0


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
    ) -> None:
        """Put the parts together; nothing is bound or started yet.

        Raises:
            UnusableReplies: attributes or values of the policies cannot be sent (`check` finds the same).

        """
        self._settings = settings
        self._store = store
        self._directory = directory
        self._reactor = reactor
        self._log = log
        server = settings.server
        self._workers = Workers(
            server.threads,
            backlog=server.backlog,
            client_backlog=server.client_backlog,
            clock=time.monotonic,
            deliver=reactor.callFromThread,
        )
        clients = Clients(radius_client(client) for client in settings.client)
        self.port = AccessPort(
            clients=clients,
            rules={client.name: client_rules(client) for client in settings.client},
            house=house(settings, store, directory),
            answers=answers(settings),
            patience=patience(settings),
            workers=self._workers,
            health=Health((directory.probe, lambda _: store.probe()), time.monotonic),
            reactor=reactor,
            log=log,
            observers=observers,
        )
        self._accounting = AccountingPort(
            clients=clients,
            write=store.accounting.write,
            patience=server.patience,
            workers=self._workers,
            drops=self.port.drops,
            log=log,
        )
        self._listeners: list[Listener] = []
        self._accounting_listeners: list[Listener] = []
        self._stopping = False

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """The addresses and ports that are bound for logins."""
        return tuple(listener.address for listener in self._listeners)

    @property
    def accounting_addresses(self) -> tuple[tuple[str, int], ...]:
        """The addresses and ports that are bound for accounting."""
        return tuple(listener.address for listener in self._accounting_listeners)

    @property
    def _every_listener(self) -> list[Listener]:
        return self._listeners + self._accounting_listeners

    def start(self) -> None:
        """Bind every listener, then read.

        Raises:
            ListenFailed: an address cannot be bound; none is then.

        """
        try:
            for listen in self._settings.server.listen:
                self._listeners.append(Listener(listen.host, listen.port, self.port.receive, self._reactor))
            for listen in self._settings.server.accounting_listen:
                self._accounting_listeners.append(
                    Listener(listen.host, listen.port, self._accounting.receive, self._reactor)
                )
        except Exception:
            self._close()
            raise
        self._workers.start()
        for listener in self._every_listener:
            listener.start()
        self._sweep()

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
            self._workers.stop()
            self._close()
            done.callback(None)

        glance()
        return done

    def _close(self) -> None:
        for listener in self._every_listener:
            listener.close()
        self._listeners.clear()
        self._accounting_listeners.clear()

    def _sweep(self) -> None:
        """Have what has expired removed from the store, now and then, in a thread beside the logins."""
        if not self._stopping:
            self._reactor.callInThread(self._sweep_store)
            self._reactor.callLater(_SWEEP, self._sweep)

    def _sweep_store(self) -> None:
        try:
            self._store.sweep(time.time())
        except Unavailable as fault:
            self._log.warning("not swept", why=str(fault))
