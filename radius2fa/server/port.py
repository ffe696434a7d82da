"""Owns the way of one datagram: client, codec, duplicates, worker thread, reply."""

import secrets
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from radius2fa.login.attempt import Accept, Challenge, Outcome, Reject
from radius2fa.login.ports import Result, Unavailable
from radius2fa.login.stages import Stopwatch
from radius2fa.radius import attributes, credentials, reply
from radius2fa.radius.duplicates import Duplicates, Held, Ticket
from radius2fa.radius.packet import BadDatagram, Code, Request, decode
from radius2fa.radius.reply import Reply, encode
from radius2fa.server.answer import Arrival, decide, reply_to
from radius2fa.server.drops import Drops, Silence
from radius2fa.server.habits import Habits
from radius2fa.server.inforce import InForce
from radius2fa.server.listener import Address, Ancillary, Listener, Source
from radius2fa.server.login import Login, Observer
from radius2fa.server.reactor import Reactor
from radius2fa.server.workers import GivenUp, Job, Workers
from radius2fa.traced import traced


class _Term:
    """The time of one InForce: how many requests are under way by it, and what to call when the last one has ended."""

    __slots__ = ("_over", "_under_way", "in_force")

    def __init__(self, in_force: InForce) -> None:
        self.in_force = in_force
        self._under_way = 0
        self._over: Callable[[], None] | None = None

    def enter(self) -> None:
        self._under_way += 1

    def leave(self) -> None:
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
class _Exchange:
    """One request under way, and what its reply needs."""

    request: Request
    ticket: Ticket
    listener: Listener
    source: Source
    arrival: Arrival
    arrived: float
    term: _Term

    @property
    def in_force(self) -> InForce:
        """What it began under."""
        return self.term.in_force


_CODES = {code: code.name.lower().replace("_", "-") for code in Code}
_RESULTS = {Accept: Result.ACCEPT, Challenge: Result.CHALLENGE, Reject: Result.REJECT}


class AccessPort:
    """The authentication port. All its methods run in the reactor thread; only `decide` runs in a worker."""

    def __init__(
        self,
        in_force: InForce,
        *,
        workers: Workers,
        reactor: Reactor,
        log: FilteringBoundLogger,
        observers: Sequence[Observer] = (),
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Go by `in_force` until another is taken; `clock` is monotonic, `now` gives Unix seconds."""
        self._term = _Term(in_force)
        self._workers = workers
        self._reactor = reactor
        self._log = log
        self._observers = observers
        self._clock = clock
        self._now = now
        self._duplicates = Duplicates()
        self.drops = Drops(log, clock)
        self.habits = Habits()
        # By client, code, and whether there was a Message-Authenticator; and by client.
        self.requests: Counter[tuple[str, str, bool]] = Counter()
        self.repeats: Counter[str] = Counter()
        self._waiting = 0

    @property
    def under_way(self) -> int:
        """Requests that are worked at, or whose Reject waits for its hour."""
        return self._workers.busy + self._waiting

    @property
    def held(self) -> int:
        """Replies that wait for their hour."""
        return self._waiting

    def take(self, in_force: InForce, over: Callable[[], None]) -> None:
        """Go by another from the next datagram on; call `over` when the last request from before has ended."""
        before, term = self._term, _Term(in_force)
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
                request = decode(octets, client)
            except BadDatagram as bad:
                self.drops.drop(bad.cause, client.name, octets, address[0], bad.detail)
                return
            self._begin(request, octets, listener, listener.source(address, ancillary))
        except Exception as bug:  # noqa: BLE001 - the outermost edge: a bug costs one datagram
            self.drops.drop(Silence.BUG, "", b"", address[0], traced(bug))

    def _begin(self, request: Request, octets: bytes, listener: Listener, source: Source) -> None:
        client = request.client
        self.habits.note(client.name, self._now(), signed=request.signed)
        self.requests[client.name, _CODES[request.code], request.signed] += 1
        arrived = self._clock()
        # The local address belongs to the socket's identity: a wildcard listener is one socket for several addresses.
        socket = f"{listener.fileno()} {source.local.hex()}"
        key = (socket, source.address[0], source.address[1], request.identifier)
        begun = self._duplicates.begin(key, request.authenticator, client.name, arrived)
        match begun:
            case bytes():
                self.repeats[client.name] += 1
                listener.write(begun, source)
            case Held.IN_PROGRESS:
                self.drops.drop(Silence.IN_PROGRESS, client.name, octets, source.host)
            case Held.FULL:
                self.drops.drop(Silence.OVERLOAD, client.name, octets, source.host)
            case Ticket():
                term = self._term
                deadline = arrived + term.in_force.patience.patience
                watch = Stopwatch(self._clock, arrived)
                arrival = Arrival(secrets.token_hex(8), self._now(), deadline, watch)
                self._submit(_Exchange(request, begun, listener, source, arrival, arrived, term))

    def _submit(self, exchange: _Exchange) -> None:
        request, arrival, in_force = exchange.request, exchange.arrival, exchange.in_force

        def work() -> Outcome | None:
            if request.code is Code.STATUS_SERVER:
                in_force.health.check(arrival.deadline)
                return None
            return decide(request, in_force.rules[request.client.name], arrival, in_force.house)

        job = Job(
            client=request.client.name,
            urgent=request.first(attributes.STATE) is not None,
            expires=arrival.deadline,
            work=work,
            done=lambda outcome: self._decided(exchange, outcome),
            failed=lambda fault: self._failed(exchange, fault),
        )
        if self._workers.submit(job):
            exchange.term.enter()
        else:
            self._duplicates.forget(exchange.ticket)
            self._drop(exchange, Silence.OVERLOAD)

    def _decided(self, exchange: _Exchange, outcome: Outcome | None) -> None:
        """Answer; a Reject and a Challenge wait for their hour, without holding a thread."""
        try:
            if outcome is None:
                self._send(exchange, reply.status())
            else:
                self._tell(exchange, outcome)
                answer = reply_to(outcome, exchange.request.client.name, exchange.arrival, exchange.in_force.answers)
                waits = exchange.arrived + exchange.in_force.patience.waits(outcome) - self._clock()
                if waits > 0:
                    self._waiting += 1
                    self._reactor.callLater(waits, self._send_waiting, exchange, answer)
                    return
                self._send(exchange, answer)
        except Exception as bug:  # noqa: BLE001 - the outermost edge: a bug is silence
            self._failed(exchange, bug)
        else:
            exchange.term.leave()

    def _send_waiting(self, exchange: _Exchange, answer: Reply) -> None:
        self._waiting -= 1
        try:
            self._send(exchange, answer)
        finally:
            exchange.term.leave()

    def _send(self, exchange: _Exchange, answer: Reply) -> None:
        encoded = encode(answer, exchange.request, secrets.token_bytes)
        if encoded.left_out:
            self._log.warning(
                "reply too long", client=exchange.request.client.name, id=exchange.arrival.id, left_out=encoded.left_out
            )
        if self._duplicates.answered(exchange.ticket, encoded.octets, self._clock()):
            exchange.listener.write(encoded.octets, exchange.source)

    def _failed(self, exchange: _Exchange, fault: BaseException) -> None:
        """Be silent, so that the client asks another server; forget the request, so that it may be tried again."""
        self._duplicates.forget(exchange.ticket)
        match fault:
            case GivenUp():
                self._drop(exchange, Silence.LATE)
            case Unavailable():
                self._drop(exchange, Silence.UNAVAILABLE, str(fault))
            case _:
                self._drop(exchange, Silence.BUG, traced(fault))
        exchange.term.leave()

    def _drop(self, exchange: _Exchange, cause: Silence, detail: str = "") -> None:
        request = exchange.request
        header = bytes((request.code, request.identifier))
        self.drops.drop(cause, request.client.name, header, exchange.source.host, detail)

    def _tell(self, exchange: _Exchange, outcome: Outcome) -> None:
        milliseconds = (self._clock() - exchange.arrived) * 1000
        subject, token, policy, factor = None, None, None, None
        if isinstance(outcome, Accept):
            subject, token, policy, factor = outcome.subject, outcome.token, outcome.policy, outcome.factor
        login = Login(
            id=exchange.arrival.id,
            when=exchange.arrival.when,
            client=exchange.request.client.name,
            name=credentials.name_of(exchange.request),
            address=exchange.source.host,
            result=_RESULTS[type(outcome)],
            reason=None if isinstance(outcome, Accept) else outcome.reason,
            subject=subject,
            token=token,
            milliseconds=milliseconds,
            policy=policy,
            factor=factor,
            stages=exchange.arrival.watch.read(),
        )
        for observe in self._observers:
            observe(login)
