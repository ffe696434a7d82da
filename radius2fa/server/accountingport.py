"""Owns the way of one datagram of accounting: the record, and then the acknowledgement."""

import time
from collections import Counter
from collections.abc import Callable, Mapping

from structlog.typing import FilteringBoundLogger

from radius2fa.radius import accounting
from radius2fa.radius.accounting import AccountingRecord
from radius2fa.radius.packet import Code, Request
from radius2fa.server.anyport import AnyPort, Exchange
from radius2fa.server.health import Health
from radius2fa.server.inforce import InForce
from radius2fa.server.workers import Rank, Workers

_STATUS_SERVER = "status-server"


class AccountingPort(AnyPort):
    """The accounting port.

    What is acknowledged has been recorded (RFC 2866 section 4.1); what cannot be is silence, and the client repeats it.
    """

    name = "accounting"
    _decode = staticmethod(accounting.decode)

    def __init__(
        self,
        in_force: InForce,
        *,
        write: Callable[[AccountingRecord], None],
        health: Health,
        workers: Workers,
        log: FilteringBoundLogger,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Go by `in_force` until another is taken; `clock` is monotonic, `now` gives Unix seconds.

        `write` makes a record durable, or raises Unavailable; `health` is that of what it writes to.
        """
        super().__init__(in_force, workers=workers, log=log, clock=clock, now=now)
        self._write = write
        self._health = health
        self.acknowledged: Counter[tuple[str, str]] = Counter()  # by client, and the word for what was reported

    def _note(self, request: Request) -> None:
        """Nothing: what is of interest is counted when it is acknowledged."""

    def _rank(self, request: Request) -> Rank:  # noqa: ARG002 - all alike
        return Rank.LAST

    def _work(self, exchange: Exchange) -> AccountingRecord | None:
        if exchange.request.code is Code.STATUS_SERVER:
            self._health.check(exchange.arrival.deadline)
            return None
        record = accounting.record_of(exchange.request, exchange.arrival.when)
        self._write(record)
        return record

    def _answer(self, exchange: Exchange, result: AccountingRecord | None) -> None:
        if result is not None:
            self._log.info("accounting", **_told(result, exchange.source.host))
        if self._send(exchange, accounting.acknowledge(exchange.request)):
            what = _STATUS_SERVER if result is None else result.status.word
            self.acknowledged[exchange.request.client.name, what] += 1

    def _traits(self, exchange: Exchange) -> Mapping[str, str]:
        session, login = accounting.session_of(exchange.request)
        return {name: value for name, value in (("session", session), ("login", login)) if value}


def _told(record: AccountingRecord, address: str) -> dict[str, object]:
    """Return the fields of the log line; what the client did not tell is left out."""
    fields: dict[str, object] = {
        "status": record.status.word,
        "user": record.name,
        "client": record.client,
        "address": address,
        "session": record.session,
        "login": record.login,
        "input_octets": record.input_octets,
        "output_octets": record.output_octets,
        "seconds": record.seconds,
        "cause": record.cause,
        "framed": None if record.address is None else str(record.address),
        "source": record.source,
    }
    return {name: value for name, value in fields.items() if value not in {None, ""}}
