"""Owns the way of one datagram of a login: what is decided, and how it is answered."""

import secrets
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from structlog.typing import FilteringBoundLogger

from radius2fa.login.attempt import Accept, Challenge, Outcome, Reject
from radius2fa.login.ports import Result
from radius2fa.radius import attributes, credentials, reply
from radius2fa.radius.packet import Code, Request, decode
from radius2fa.radius.reply import Reply, encode
from radius2fa.server.answer import decide, reply_to
from radius2fa.server.anyport import AnyPort, Exchange
from radius2fa.server.habits import Habits
from radius2fa.server.inforce import InForce
from radius2fa.server.login import Login, Observer
from radius2fa.server.reactor import Reactor
from radius2fa.server.workers import Rank, Workers

_CODES = {code: code.name.lower().replace("_", "-") for code in Code}
_RESULTS = {Accept: Result.ACCEPT, Challenge: Result.CHALLENGE, Reject: Result.REJECT}


class AccessPort(AnyPort):
    """The authentication port."""

    name = "authentication"
    _decode = staticmethod(decode)

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
        super().__init__(in_force, workers=workers, log=log, clock=clock, now=now)
        self._reactor = reactor
        self._observers = observers
        self.habits = Habits()
        # By client, code, and whether there was a Message-Authenticator.
        self.requests: Counter[tuple[str, str, bool]] = Counter()
        self._waiting = 0

    @property
    def under_way(self) -> int:
        """Requests that are worked at, of either port, or whose Reject waits for its hour."""
        return self._workers.busy + self._waiting

    @property
    def held(self) -> int:
        """Replies that wait for their hour."""
        return self._waiting

    def _note(self, request: Request) -> None:
        client = request.client.name
        self.habits.note(client, self._now(), signed=request.signed)
        self.requests[client, _CODES[request.code], request.signed] += 1

    def _rank(self, request: Request) -> Rank:
        return Rank.ORDINARY if request.first(attributes.STATE) is None else Rank.URGENT

    def _work(self, exchange: Exchange) -> Outcome | None:
        request, arrival, in_force = exchange.request, exchange.arrival, exchange.in_force
        if request.code is Code.STATUS_SERVER:
            in_force.health.check(arrival.deadline)
            return None
        return decide(request, in_force.rules[request.client.name], arrival, in_force.house)

    def _answer(self, exchange: Exchange, result: Outcome | None) -> None:
        """Answer; a Reject and a Challenge wait for their hour, without holding a thread."""
        if result is None:
            self._reply(exchange, reply.status())
            return
        self._tell(exchange, result)
        answer = reply_to(result, exchange.request.client.name, exchange.arrival, exchange.in_force.answers)
        waits = exchange.arrived + exchange.in_force.patience.waits(result) - self._clock()
        if waits > 0:
            self._reactor.callLater(waits, self._reply_waiting, exchange, answer)
            self._waiting += 1
            exchange.term.enter()
        else:
            self._reply(exchange, answer)

    def _reply_waiting(self, exchange: Exchange, answer: Reply) -> None:
        self._waiting -= 1
        try:
            self._reply(exchange, answer)
        finally:
            exchange.term.leave()

    def _reply(self, exchange: Exchange, answer: Reply) -> None:
        encoded = encode(answer, exchange.request, secrets.token_bytes)
        if encoded.left_out:
            self._log.warning(
                "reply too long", client=exchange.request.client.name, id=exchange.arrival.id, left_out=encoded.left_out
            )
        self._send(exchange, encoded.octets)

    def _traits(self, exchange: Exchange) -> Mapping[str, str]:
        return {"id": exchange.arrival.id}

    def _tell(self, exchange: Exchange, outcome: Outcome) -> None:
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
