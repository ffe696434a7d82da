"""Owns the way of one datagram: client, codec, duplicates, worker thread, reply."""

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from radius2fa.login.attempt import Accept, Challenge, ClientRules, Outcome, Reject
from radius2fa.login.case import House
from radius2fa.login.ports import Result, Unavailable
from radius2fa.login.stages import Stopwatch
from radius2fa.radius import attributes, credentials, reply
from radius2fa.radius.clients import Clients
from radius2fa.radius.duplicates import Duplicates, Held, Ticket
from radius2fa.radius.packet import BadDatagram, Code, Request, decode
from radius2fa.radius.reply import Reply, encode
from radius2fa.server.answer import Answers, Arrival, decide, reply_to
from radius2fa.server.drops import Drops, Silence
from radius2fa.server.health import Health
from radius2fa.server.listener import Address, Ancillary, Listener, Source
from radius2fa.server.login import Login, Observer
from radius2fa.server.reactor import Reactor
from radius2fa.server.workers import GivenUp, Job, Workers
from radius2fa.traced import traced


@dataclass(frozen=True, slots=True)
class Patience:
    """How long everybody waits, in seconds: a client for any answer, and a Reject and a Challenge for their hour.

    A Reject leaves between `delay` and `delay + jitter` after its request came, so that its time tells no reason. A
    Challenge leaves `challenge` after it: where the password alone is enough for some, theirs has been tried before.
    """

    patience: float
    delay: float
    jitter: float
    challenge: float = 0.0

    def waits(self, outcome: Outcome) -> float:
        """Return how long after its request an answer leaves at the earliest."""
        match outcome:
            case Accept():
                return 0.0
            case Challenge():
                return self.challenge
            case Reject():
                return self.delay + self.jitter * secrets.randbelow(1000) / 1000


@dataclass(frozen=True, slots=True)
class _Exchange:
    """One request under way, and what its reply needs."""

    request: Request
    ticket: Ticket
    listener: Listener
    source: Source
    arrival: Arrival
    arrived: float


_RESULTS = {Accept: Result.ACCEPT, Challenge: Result.CHALLENGE, Reject: Result.REJECT}


class AccessPort:
    """The authentication port. All its methods run in the reactor thread; only `decide` runs in a worker."""

    def __init__(
        self,
        *,
        clients: Clients,
        rules: Mapping[str, ClientRules],
        house: House,
        answers: Answers,
        patience: Patience,
        workers: Workers,
        health: Health,
        reactor: Reactor,
        log: FilteringBoundLogger,
        observers: Sequence[Observer] = (),
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`rules` holds the decision's view of each client, by name; `clock` is monotonic, `now` gives Unix seconds."""
        self._clients = clients
        self._rules = rules
        self._house = house
        self._answers = answers
        self._patience = patience
        self._workers = workers
        self._health = health
        self._reactor = reactor
        self._log = log
        self._observers = observers
        self._clock = clock
        self._now = now
        self._duplicates = Duplicates()
        self.drops = Drops(log, clock)
        self._waiting = 0

    @property
    def under_way(self) -> int:
        """Requests that are worked at, or whose Reject waits for its hour."""
        return self._workers.busy + self._waiting

    def receive(self, listener: Listener, octets: bytes, address: Address, ancillary: Ancillary) -> None:
        """Take a datagram. Never raises: whatever happens here, the next datagram is read."""
        try:
            client = self._clients.by_address(address[0])
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
        arrived = self._clock()
        # The local address belongs to the socket's identity: a wildcard listener is one socket for several addresses.
        socket = f"{listener.fileno()} {source.local.hex()}"
        key = (socket, source.address[0], source.address[1], request.identifier)
        begun = self._duplicates.begin(key, request.authenticator, client.name, arrived)
        match begun:
            case bytes():
                listener.write(begun, source)
            case Held.IN_PROGRESS:
                self.drops.drop(Silence.IN_PROGRESS, client.name, octets, source.host)
            case Held.FULL:
                self.drops.drop(Silence.OVERLOAD, client.name, octets, source.host)
            case Ticket():
                watch = Stopwatch(self._clock, arrived)
                arrival = Arrival(secrets.token_hex(8), self._now(), arrived + self._patience.patience, watch)
                self._submit(_Exchange(request, begun, listener, source, arrival, arrived))

    def _submit(self, exchange: _Exchange) -> None:
        request, arrival = exchange.request, exchange.arrival

        def work() -> Outcome | None:
            if request.code is Code.STATUS_SERVER:
                self._health.check(arrival.deadline)
                return None
            return decide(request, self._rules[request.client.name], arrival, self._house)

        job = Job(
            client=request.client.name,
            urgent=request.first(attributes.STATE) is not None,
            expires=arrival.deadline,
            work=work,
            done=lambda outcome: self._decided(exchange, outcome),
            failed=lambda fault: self._failed(exchange, fault),
        )
        if not self._workers.submit(job):
            self._duplicates.forget(exchange.ticket)
            self._drop(exchange, Silence.OVERLOAD)

    def _decided(self, exchange: _Exchange, outcome: Outcome | None) -> None:
        """Answer; a Reject and a Challenge wait for their hour, without holding a thread."""
        try:
            if outcome is None:
                self._send(exchange, reply.status())
                return
            self._tell(exchange, outcome)
            answer = reply_to(outcome, exchange.request.client.name, exchange.arrival, self._answers)
            waits = exchange.arrived + self._patience.waits(outcome) - self._clock()
            if waits <= 0:
                self._send(exchange, answer)
                return
            self._waiting += 1
            self._reactor.callLater(waits, self._send_waiting, exchange, answer)
        except Exception as bug:  # noqa: BLE001 - the outermost edge: a bug is silence
            self._failed(exchange, bug)

    def _send_waiting(self, exchange: _Exchange, answer: Reply) -> None:
        self._waiting -= 1
        self._send(exchange, answer)

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
