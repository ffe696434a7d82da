"""Owns the portal's web server as a whole: the parts put together, started and ended."""

from collections.abc import Callable
from typing import Any
from wsgiref.types import WSGIApplication

from structlog.typing import FilteringBoundLogger
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.web.wsgi import WSGIResource

from radius2fa.config.model import Portal
from radius2fa.portal.hosting.certificates import Certificates, UnusableCertificate
from radius2fa.portal.hosting.listening import listening
from radius2fa.portal.hosting.site import Bounds, PortalSite, TlsSite
from radius2fa.portal.hosting.threads import Threads
from radius2fa.portal.proxies import behind

# SIGTERM to end: 5 s are promised. What is under way gets most of them, the interpreter's own end the rest.
_GRACE = 4.0
_GLANCE = 0.02  # seconds between two looks at what is done, while stopping


class Host:
    """The web server. All but `reload` is for the reactor thread."""

    def __init__(
        self,
        portal: Portal,
        pages: WSGIApplication,
        *,
        reactor: Any,  # noqa: ANN401 - Twisted's has no type of its own
        clock: Callable[[], float],
        log: FilteringBoundLogger,
        bounds: Bounds = Bounds(),  # noqa: B008 - frozen
    ) -> None:
        """Put the parts together; nothing is bound or started yet. `clock` gives monotonic seconds.

        Raises:
            UnusableCertificate: certificate or key cannot be used.

        """
        self._portal = portal
        self._reactor = reactor
        self._clock = clock
        self._log = log
        self._certificates = Certificates(portal.certificate, portal.key) if portal.certificate and portal.key else None
        self._threads = Threads(portal.threads)
        https_only = bool(portal.url and portal.url.startswith("https:"))
        application = behind(pages, portal.trusted_proxies, https_only=https_only)
        resource: Any = WSGIResource(reactor, self._threads, application)  # mypy knows no zope interface
        self.site = PortalSite(
            resource, bounds=bounds, trusted=portal.trusted_proxies, reactor=reactor, clock=clock, log=log
        )
        self._ports: list[Any] = []

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """The addresses and ports that are bound."""
        return tuple((address.host, address.port) for address in (port.getHost() for port in self._ports))

    def start(self) -> None:
        """Bind every address, and answer.

        Raises:
            ListenFailed: an address cannot be bound; none is then.

        """
        opened = []
        try:
            for listen in self._portal.listen:
                opened.append(listening(listen))  # noqa: PERF401 - what was opened before a failure is closed
        except Exception:
            for one in opened:
                one.close()
            raise
        self._threads.start()
        for one in opened:
            with one:  # the reactor has a descriptor of its own
                self._ports.append(self._reactor.adoptStreamPort(one.fileno(), one.family, self._factory()))

    def _factory(self) -> Any:  # noqa: ANN401 - as the reactor
        certificates: Any = self._certificates
        site: Any = self.site
        return TlsSite(certificates, isClient=False, wrappedFactory=site, clock=self._reactor) if certificates else site

    def reload(self) -> None:
        """Read the certificate again, from any thread; while it cannot be used, the one before is shown."""
        if self._certificates is None:
            return
        try:
            self._certificates.reload()
        except UnusableCertificate as wrong:
            self._log.error("certificate not taken", why=str(wrong))
        else:
            self._log.info("certificate read again")

    def stop(self) -> Deferred[None]:
        """Take no new request, finish those under way, then close. Fires within five seconds."""
        done: Deferred[None] = Deferred()
        until = self._clock() + _GRACE
        closing = gatherResults([maybeDeferred(port.stopListening) for port in self._ports], consumeErrors=True)
        self.site.stop()

        def glance(_: object = None) -> None:
            if self.site.under_way and self._clock() < until:
                self._reactor.callLater(_GLANCE, glance)
                return
            self.site.cut()
            self._threads.stop()
            self._reactor.callLater(0, done.callback, None)  # after what was cut has gone

        closing.addBoth(glance)
        return done
