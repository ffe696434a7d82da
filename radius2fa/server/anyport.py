"""Owns what both ports do with a datagram: client, codec, duplicates, worker thread, and silence where one fails."""

import secrets
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from structlog.typing import FilteringBoundLogger

from radius2fa.login.ports import Unavailable
from radius2fa.login.stages import Stopwatch
from radius2fa.radius.clients import Client
from radius2fa.radius.duplicates import Duplicates, Held, Ticket
from radius2fa.radius.packet import BadDatagram, Request
from radius2fa.server.answer import Arrival
from radius2fa.server.drops import Drops, Silence
from radius2fa.server.inforce import InForce
from radius2fa.server.listener import Address, Ancillary, Listener, Source
from radius2fa.server.workers import GivenUp, Job, Rank, Workers
from radius2fa.traced import traced


class Term:
    """The time of one InForce: how many requests are under way by it, and what to call when the last one has ended."""

    __slots__ = ("_over", "_under_way", "in_force")

    def __init__(self, in_force: InForce) -> None:
        """Begin; no request is under way yet."""
        self.in_force = in_force
        self._under_way = 0
        self._over: Callable[[], None] | None = None

    def enter(self) -> None:
        """Count a request that has begun."""
        self._under_way += 1

    def leave(self) -> None:
        """Count one that has ended."""
        self._under_way -= 1
        self._look()

    def end(self, over: Callable[[], None]) -> None:
        """Begin no further request, and call `over` when none is under way."""
        self._over = over
        self._look()

    def _look(self) -> None:
        if self._over is not None and not self._under_way:
            over, self._over = self._over, None
            over()


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request under way, and what its reply needs."""

    request: Request
    ticket: Ticket
    listener: Listener
    source: Source
    arrival: Arrival
    arrived: float
    term: Term

    @property
    def in_force(self) -> InForce:
        """What it began under."""
        return self.term.in_force


class AnyPort(ABC):
    """What both ports have in common. All methods run in the reactor thread, but for `_work`."""

    name: ClassVar[str]  # the word for the port in figures

    def __init__(
        self,
        in_force: InForce,
        *,
        workers: Workers,
        log: FilteringBoundLogger,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Go by `in_force` until another is taken; `clock` is monotonic, `now` gives Unix seconds."""
        self._term = Term(in_force)
        self._workers = workers
        self._log = log
        self._clock = clock
        self._now = now
        self._duplicates = Duplicates()
        self.drops = Drops(log, clock)
        self.repeats: Counter[str] = Counter()  # by client

    def take(self, in_force: InForce, over: Callable[[], None]) -> None:
        """Go by another from the next datagram on; call `over` when the last request from before has ended."""
        before, term = self._term, Term(in_force)
        term.enter()  # for the one before: what both have is not over before that is

        def ended() -> None:
            over()
            term.leave()

        self._term = term
        before.end(ended)

    def receive(self, listener: Listener, octets: bytes, address: Address, ancillary: Ancillary) -> None:
        """Take a datagram. Never raises: whatever happens here, the next datagram is read."""
        try:
            client = self._term.in_force.clients.by_address(address[0])
            if client is None:  # before a single octet is parsed (RFC 2865 section 3)
                self.drops.drop(Silence.UNKNOWN_CLIENT, "", octets, address[0])
                return
            try:
                request = self._decode(octets, client)
            except BadDatagram as bad:
                self.drops.drop(bad.cause, client.name, octets, address[0], bad.detail)
                return
            self._begin(request, listener, listener.source(address, ancillary))
        except Exception as bug:  # noqa: BLE001 - the outermost edge: a bug costs one datagram
            self.drops.drop(Silence.BUG, "", b"", address[0], traced(bug))

    @abstractmethod
    def _decode(self, octets: bytes, client: Client) -> Request:
        """Return the request in a datagram; raises BadDatagram where it must not be answered."""

    @abstractmethod
    def _note(self, request: Request) -> None:
        """Count a request, whatever comes of it."""

    @abstractmethod
    def _rank(self, request: Request) -> Rank:
        """Return what goes before it."""

    @abstractmethod
    def _work(self, exchange: Exchange) -> Any:  # noqa: ANN401 - each port's own
        """Do what blocks, in a worker thread; raises Unavailable where the answer is silence."""

    @abstractmethod
    def _answer(self, exchange: Exchange, result: Any) -> None:  # noqa: ANN401 - as above
        """Answer, once the work has been done."""

    @abstractmethod
    def _traits(self, exchange: Exchange) -> Mapping[str, str]:
        """Return by what an administrator can follow a request, for the line that says why it was dropped."""

    def _begin(self, request: Request, listener: Listener, source: Source) -> None:
        self._note(request)
        client = request.client.name
        arrived = self._clock()
        # The local address belongs to the socket's identity: a wildcard listener is one socket for several addresses.
        socket = f"{listener.fileno()} {source.local.hex()}"
        key = (socket, source.address[0], source.address[1], request.identifier)
        begun = self._duplicates.begin(key, request.authenticator, client, arrived)
        match begun:
            case bytes():
                self.repeats[client] += 1
                listener.write(begun, source)
            case Held.IN_PROGRESS:
                self._drop(request, source, Silence.IN_PROGRESS)
            case Held.FULL:
                self._drop(request, source, Silence.OVERLOAD)
            case Ticket():
                term = self._term
                deadline = arrived + term.in_force.patience.patience
                watch = Stopwatch(self._clock, arrived)
                arrival = Arrival(secrets.token_hex(8), self._now(), deadline, watch)
                self._submit(Exchange(request, begun, listener, source, arrival, arrived, term))

    def _submit(self, exchange: Exchange) -> None:
        job = Job(
            client=exchange.request.client.name,
            rank=self._rank(exchange.request),
            expires=exchange.arrival.deadline,
            work=lambda: self._work(exchange),
            done=lambda result: self._done(exchange, result),
            failed=lambda fault: self._failed(exchange, fault),
        )
        if self._workers.submit(job):
            exchange.term.enter()
        else:
            self._duplicates.forget(exchange.ticket)
            self._drop(exchange.request, exchange.source, Silence.OVERLOAD, traits=self._traits(exchange))

    def _done(self, exchange: Exchange, result: Any) -> None:  # noqa: ANN401 - as above
        try:
            self._answer(exchange, result)
        except Exception as bug:  # noqa: BLE001 - the outermost edge: a bug is silence
            self._failed(exchange, bug)
        else:
            exchange.term.leave()

    def _send(self, exchange: Exchange, octets: bytes) -> bool:
        """Send the reply and remember it; False where nobody waits for it any more."""
        waited_for = self._duplicates.answered(exchange.ticket, octets, self._clock())
        if waited_for:
            exchange.listener.write(octets, exchange.source)
        return waited_for

    def _failed(self, exchange: Exchange, fault: BaseException) -> None:
        """Be silent, so that the client asks another server; forget the request, so that it may be tried again."""
        self._duplicates.forget(exchange.ticket)
        match fault:
            case GivenUp():
                cause, detail = Silence.LATE, ""
            case Unavailable():
                cause, detail = Silence.UNAVAILABLE, str(fault)
            case _:
                cause, detail = Silence.BUG, traced(fault)
        self._drop(exchange.request, exchange.source, cause, detail, self._traits(exchange))
        exchange.term.leave()

    def _drop(
        self,
        request: Request,
        source: Source,
        cause: Silence,
        detail: str = "",
        traits: Mapping[str, str] | None = None,
    ) -> None:
        header = bytes((request.code, request.identifier))
        self.drops.drop(cause, request.client.name, header, source.host, detail, traits)
