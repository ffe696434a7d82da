"""Owns HTTP as the portal speaks it: what a browser may send, how long it may take, how many may be there at once.

Everything here runs in the reactor thread.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from ipaddress import ip_address
from typing import Any

from structlog.typing import FilteringBoundLogger
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.resource import IResource
from twisted.web.server import Request, Site

from radius2fa.login.place import place_of
from radius2fa.portal import hour
from radius2fa.portal.proxies import ALIVE, Network, Told, asker, is_proxy

_REFUSALS = {411: b"Length Required", 413: b"Content Too Large", 503: b"Service Unavailable"}
_LINGER = 2.0  # seconds in which what still comes is thrown away, or a browser would not see why it was refused
_LONGEST_PATH = 200  # characters, in the log


@dataclass(frozen=True, slots=True)
class Bounds:
    """What browsers may do before anything is known of them.

    A request has to come whole within `seconds`, counted from the connection or from the answer before. Its head has
    at most 16 KiB (Twisted's own bound), its body `body` octets. Of bodies above `large` octets no more than
    `large_at_once` come at once. There are `connections` at most, and `connections_of_one` of one machine that is not
    a proxy.
    """

    seconds: float = 30.0
    body: int = 2 << 20
    large: int = 64 << 10
    large_at_once: int = 8
    connections: int = 512
    connections_of_one: int = 128


class Channel(HTTPChannel):
    """One connection of a browser."""

    maxHeaders = 100
    abortTimeout = 10  # seconds until a connection is cut whose end the other side does not take

    site: "PortalSite"
    transport: Any
    peer = ""  # the address at the other end
    _refused = False
    _large = False

    def connectionMade(self) -> None:
        """Count it."""
        super().connectionMade()
        self.peer = str(self.getPeer().host)
        self.site.opened(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Count it no more."""
        super().connectionLost(reason)
        self._no_longer_large()
        self.site.closed(self)

    @property
    def under_way(self) -> bool:
        """Whether a page is being made for it."""
        return self._handlingRequest

    def resetTimeout(self) -> None:
        """Give no more time for an octet: or one every now and then would keep the connection for ever."""

    def headerReceived(self, line: bytes) -> bool:
        """Take a header, but for those that WSGI would take for another: both "A-B" and "A_B" are HTTP_A_B there."""
        return True if b"_" in line.partition(b":")[0] else super().headerReceived(line)

    def allHeadersReceived(self) -> None:
        """Look at what the head says of the body before any of that is read, or asked for by "100 Continue"."""
        code = self.site.refusal(self.length)
        if code is not None:
            self._refuse(code)
            return
        if self.length and self.length > self.site.bounds.large:
            self._large = True
            self.site.large += 1
        super().allHeadersReceived()

    def rawDataReceived(self, data: bytes) -> None:
        """Take a part of the body, unless that was refused."""
        if not self._refused:
            super().rawDataReceived(data)

    def requestDone(self, request: Request) -> None:
        """Note that a request has been answered."""
        self._no_longer_large()
        if self.site.stopping:
            self.persistent = 0
        super().requestDone(request)

    def loseConnection(self) -> None:
        """Close the connection when all is written; cut it if the other side does not read for long."""
        if self._abortingCall is None:
            self._abortingCall: Any = self.callLater(self.abortTimeout, self.forceAbortClient)
        super().loseConnection()

    def _refuse(self, code: int) -> None:
        self._refused = True
        self.setTimeout(None)
        status = b"%d %s" % (code, _REFUSALS[code])
        self.transport.write(
            b"HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s\n"
            % (status, len(status) + 1, status)
        )
        self.site.log_refused(self, code)
        self._abortingCall = self.callLater(_LINGER, self._end_refused)

    def _end_refused(self) -> None:
        self._abortingCall = None
        self.loseConnection()

    def _no_longer_large(self) -> None:
        if self._large:
            self._large = False
            self.site.large -= 1


class Visit(Request):
    """One request, and its answer, which may have an hour at which it leaves."""

    channel: Channel
    began: float | None = None
    _held: list[bytes] | None = None
    _all_held = False
    _leaving: Any = None

    def process(self) -> None:
        """Have the page made."""
        self.began = self.channel.site.clock()
        super().process()

    def write(self, data: bytes) -> None:
        """Write a part of the answer, at its hour."""
        if self._held is None and not self.startedWriting:
            self.responseHeaders.removeHeader(b"Server")
            if (seconds := self._seconds_to_wait()) > 0:
                self._held = []
                self._leaving = self.channel.callLater(seconds, self._leave)
        if self._held is None:
            super().write(data)
        else:
            self._held.append(data)

    def finish(self) -> None:
        """End the answer, at its hour."""
        if not self.startedWriting and self._held is None:
            self.write(b"")
        if self._held is None:
            super().finish()
        else:
            self._all_held = True

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Forget the answer, of which the browser has nothing, some or all: it need not wait for our end of it."""
        if self._leaving is not None and self._leaving.active():
            self._leaving.cancel()
        if self.began is not None and not self.finished:
            self.channel.site.log(self)
        super().connectionLost(reason)

    def _seconds_to_wait(self) -> float:
        found = self.responseHeaders.getRawHeaders(hour.NAME)
        self.responseHeaders.removeHeader(hour.NAME)
        return float(found[0]) - self.channel.site.clock() if found else 0.0

    def _leave(self) -> None:
        held, self._held = self._held or [], None
        super().write(b"".join(held))
        if self._all_held:
            super().finish()


class PortalSite(Site):
    """All connections, and the log of what they asked for."""

    protocol: Any = Channel
    requestFactory = Visit
    noisy = False

    def __init__(
        self,
        resource: IResource,
        *,
        bounds: Bounds,
        trusted: Sequence[Network],
        reactor: IReactorTime,
        clock: Callable[[], float],
        log: FilteringBoundLogger,
    ) -> None:
        """Serve a resource. `trusted` are the proxies, `clock` gives monotonic seconds."""
        super().__init__(resource, parsePOSTFormSubmission=False, timeout=bounds.seconds, reactor=reactor)
        self.bounds = bounds
        self.clock = clock
        self.large = 0
        self.stopping = False
        self._trusted = trusted
        self._log = log
        self._channels: set[Channel] = set()
        self._of_one: Counter[str] = Counter()

    @property
    def under_way(self) -> int:
        """How many pages are being made."""
        return sum(channel.under_way for channel in self._channels)

    def is_full(self, address: IAddress | None) -> bool:
        """Tell whether one more connection from there is too much."""
        host = getattr(address, "host", "")
        if len(self._channels) >= self.bounds.connections:
            return True
        return self._of_one[_machine(host)] >= self.bounds.connections_of_one and not is_proxy(host, self._trusted)

    def buildProtocol(self, addr: IAddress | None) -> Any:  # noqa: ANN401 - Twisted's
        """Return what serves a new connection, None to close it."""
        return None if self.is_full(addr) else super().buildProtocol(addr)

    def getContentFile(self, length: int | None) -> BytesIO:  # noqa: ARG002 - Twisted's signature
        """Return what takes a body: never a file, since bodies hold passwords and seeds."""
        return BytesIO()

    def refusal(self, length: int | None) -> int | None:
        """Return the status with which a request is refused for the length of its body, None if it is not.

        The length is None where the body comes in chunks: no browser does that, and WSGI knows of no such body.
        """
        if length is None:
            return 411
        if length > self.bounds.body:
            return 413
        return 503 if length > self.bounds.large and self.large >= self.bounds.large_at_once else None

    def opened(self, channel: Channel) -> None:
        """Count a connection."""
        self._channels.add(channel)
        self._of_one[_machine(channel.peer)] += 1

    def closed(self, channel: Channel) -> None:
        """Count a connection no more."""
        self._channels.discard(channel)
        machine = _machine(channel.peer)
        self._of_one[machine] -= 1
        if not self._of_one[machine]:
            del self._of_one[machine]

    def stop(self) -> None:
        """Close the connections that nothing is made for, and every other as soon as it has its answer."""
        self.stopping = True
        for channel in [one for one in self._channels if not one.under_way]:
            channel.loseConnection()

    def cut(self) -> None:
        """Cut every connection."""
        for channel in list(self._channels):
            channel.forceAbortClient()

    def startFactory(self) -> None:
        """Open no log file, as Twisted's own does."""

    def stopFactory(self) -> None:
        """Close none."""

    def log(self, request: Any) -> None:  # noqa: ANN401 - Twisted's signature
        """Write the line of a request that has been answered: neither what was asked behind "?", nor any header."""
        headers = request.requestHeaders
        told = Told(*(_header(headers, name) for name in ("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host")))
        path = request.path.decode("latin-1")[:_LONGEST_PATH]
        write = self._log.debug if path == ALIVE or path.startswith("/static/") else self._log.info
        write(
            "page" if request.startedWriting else "page without reader",
            method=request.method.decode("latin-1"),
            path=path,
            status=request.code,
            ms=round((self.clock() - request.began) * 1000, 1),
            address=asker(request.getClientAddress().host, told, self._trusted, https=False).address,
        )

    def log_refused(self, channel: Channel, code: int) -> None:
        """Write the line of a request that was refused by its head."""
        self._log.info("page refused", status=code, address=channel.peer)


class TlsSite(TLSMemoryBIOFactory):
    """The same behind TLS: too many connections are closed before it begins."""

    noisy = False

    def buildProtocol(self, addr: IAddress | None) -> Any:  # noqa: ANN401 - Twisted's
        """Return what serves a new connection, None to close it."""
        return None if self.wrappedFactory.is_full(addr) else super().buildProtocol(addr)


def _machine(host: str) -> str:
    """Return whose address that is, as guessing is counted too: of IPv6, one machine has a whole network of them."""
    try:
        return place_of("", host, ip_address(host))
    except ValueError:  # not of a network
        return host


def _header(headers: Any, name: str) -> str:  # noqa: ANN401 - Twisted's own type has no better one
    return ",".join(headers.getRawHeaders(name, []))
