"""Owns the way of one datagram of accounting: client, codec, duplicates, the record, and then the acknowledgement."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from radius2fa.login.ports import Unavailable
from radius2fa.radius import accounting
from radius2fa.radius.accounting import AccountingRecord
from radius2fa.radius.clients import Clients
from radius2fa.radius.duplicates import Duplicates, Held, Ticket
from radius2fa.radius.packet import BadDatagram, Request
from radius2fa.server.drops import Drops, Silence
from radius2fa.server.listener import Address, Ancillary, Listener, Source
from radius2fa.server.workers import GivenUp, Job, Workers
from radius2fa.traced import traced


@dataclass(frozen=True, slots=True)
class _Report:
    """One request under way, and what its acknowledgement needs."""

    request: Request
    record: AccountingRecord
    ticket: Ticket
    listener: Listener
    source: Source


class AccountingPort:
    """The accounting port. All its methods run in the reactor thread; only `write` runs in a worker.

    What is acknowledged has been recorded (RFC 2866 section 4.1); what cannot be is silence, and the client repeats it.
    """

    def __init__(
        self,
        *,
        clients: Clients,
        write: Callable[[AccountingRecord], None],
        patience: float,
        workers: Workers,
        drops: Drops,
        log: FilteringBoundLogger,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`write` makes a record durable, or raises Unavailable. `patience` is how long a client waits, in seconds.

        `clock` is monotonic, `now` gives Unix seconds.
        """
        self._clients = clients
        self._write = write
        self._patience = patience
        self._workers = workers
        self._drops = drops
        self._log = log
        self._clock = clock
        self._now = now
        self._duplicates = Duplicates()

    def take(self, clients: Clients) -> None:
        """Go by these clients from now on."""
        self._clients = clients

    def receive(self, listener: Listener, octets: bytes, address: Address, ancillary: Ancillary) -> None:
        """Take a datagram. Never raises: whatever happens here, the next datagram is read."""
        try:
            client = self._clients.by_address(address[0])
            if client is None:  # before a single octet is parsed (RFC 2865 section 3)
                self._drops.drop(Silence.UNKNOWN_CLIENT, "", octets, address[0])
                return
            try:
                request = accounting.decode(octets, client)
            except BadDatagram as bad:
                self._drops.drop(bad.cause, client.name, octets, address[0], bad.detail)
                return
            self._begin(request, listener, listener.source(address, ancillary))
        except Exception as bug:  # noqa: BLE001 - the outermost edge: a bug costs one datagram
            self._drops.drop(Silence.BUG, "", b"", address[0], traced(bug))

    def _begin(self, request: Request, listener: Listener, source: Source) -> None:
        # As on the authentication port: of a wildcard listener, each local address is a socket of its own.
        socket = f"{listener.fileno()} {source.local.hex()}"
        key = (socket, source.address[0], source.address[1], request.identifier)
        begun = self._duplicates.begin(key, request.authenticator, request.client.name, self._clock())
        match begun:
            case bytes():
                listener.write(begun, source)
            case Held.IN_PROGRESS:
                self._drop(request, source, Silence.IN_PROGRESS)
            case Held.FULL:
                self._drop(request, source, Silence.OVERLOAD)
            case Ticket():
                record = accounting.record_of(request, self._now())
                self._submit(_Report(request, record, begun, listener, source))

    def _submit(self, report: _Report) -> None:
        job = Job(
            client=report.request.client.name,
            urgent=False,
            expires=self._clock() + self._patience,
            work=lambda: self._write(report.record),
            done=lambda _: self._recorded(report),
            failed=lambda fault: self._failed(report, fault),
        )
        if not self._workers.submit(job):
            self._duplicates.forget(report.ticket)
            self._drop(report.request, report.source, Silence.OVERLOAD)

    def _recorded(self, report: _Report) -> None:
        self._log.info("accounting", **_told(report))
        octets = accounting.acknowledge(report.request)
        if self._duplicates.answered(report.ticket, octets, self._clock()):
            report.listener.write(octets, report.source)

    def _failed(self, report: _Report, fault: BaseException) -> None:
        """Be silent, and forget the request, so that its repetition is recorded."""
        self._duplicates.forget(report.ticket)
        match fault:
            case GivenUp():
                self._drop(report.request, report.source, Silence.LATE)
            case Unavailable():
                self._drop(report.request, report.source, Silence.UNAVAILABLE, str(fault))
            case _:
                self._drop(report.request, report.source, Silence.BUG, traced(fault))

    def _drop(self, request: Request, source: Source, cause: Silence, detail: str = "") -> None:
        header = bytes((request.code, request.identifier))
        self._drops.drop(cause, request.client.name, header, source.host, detail)


def _told(report: _Report) -> dict[str, object]:
    """Return the fields of the log line; what the client did not tell is left out."""
    record = report.record
    fields: dict[str, object] = {
        "status": record.status.word,
        "user": record.name,
        "client": record.client,
        "address": report.source.host,
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
