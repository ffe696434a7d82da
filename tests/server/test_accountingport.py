"""The way of a datagram of accounting over a store that may be down; everything else is the real thing."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radius2fa.config.model import Log
from radius2fa.login.ports import Unavailable
from radius2fa.radius.accounting import AccountingRecord, Status
from radius2fa.radius.clients import Client, Clients
from radius2fa.radius.duplicates import Duplicates
from radius2fa.server.accountingport import AccountingPort
from radius2fa.server.health import Health
from radius2fa.server.listener import Source
from radius2fa.server.logs import open_log
from radius2fa.server.patience import Patience
from radius2fa.server.workers import Workers
from tests.fakes.directory import FakeDirectory
from tests.fakes.ledger import FakeLedger
from tests.radius.wire import (
    Asked,
    accounting_request,
    attribute,
    authenticated,
    check_acknowledgement,
    packet,
    request,
    status_server,
)
from tests.server.test_port import Reactor, Wire, an_in_force

START = ((40, b"\0\0\0\x01"), (1, b"alice"), (44, b"00C0FFEE"))
STOP = ((40, b"\0\0\0\x02"), (1, b"alice"), (44, b"00C0FFEE"))


class Desk:
    """An accounting port, hands that send datagrams to it, and what it wrote down."""

    def __init__(self, backlog: int = 10) -> None:
        self.reactor = Reactor()
        self.wire = Wire()
        self.stream = io.StringIO()
        self.records: list[AccountingRecord] = []
        self.fault: Exception | None = None
        log = open_log(Log(format="json"), self.stream)
        self.clock = self.reactor.seconds
        self.workers = Workers(
            1, backlog=backlog, client_backlog=backlog, clock=self.clock, deliver=self.reactor.callFromThread
        )
        self.in_force = an_in_force(FakeDirectory(), FakeLedger(), Health((), self.clock))
        self.port = AccountingPort(
            self.in_force,
            write=self.write,
            health=Health((self.probe,), self.clock),
            workers=self.workers,
            log=log,
            clock=self.clock,
            now=lambda: 1000.0,
        )

    def write(self, record: AccountingRecord) -> None:
        assert self.wire.sent == [], "recorded first, then answered"
        if self.fault is not None:
            raise self.fault
        self.records.append(record)

    def probe(self, _: float) -> None:
        if self.fault is not None:
            raise self.fault

    def send(self, octets: bytes, host: str = "192.0.2.1", port: int = 40000) -> None:
        self.port.receive(self.wire, octets, (host, port), [(0, 8, b"local")])  # type: ignore[arg-type]

    def work(self) -> None:
        """Let all jobs come back from their thread."""
        while self.workers.busy:
            call, args = self.reactor.mailbox.get(timeout=5)
            call(*args)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]

    def why(self) -> list[str]:
        return [line["why"] for line in self.lines if line["event"] == "dropped"]


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    desk.workers.start()
    yield desk
    desk.workers.stop()


def test_a_start_is_recorded_told_and_acknowledged(desk: Desk) -> None:
    asked = accounting_request(*START, (33, b"one"), (25, b"0123456789abcdef"))
    desk.send(asked.octets)
    desk.work()
    ((octets, to),) = desk.wire.sent
    assert check_acknowledgement(octets, asked) == ((33, b"one"),)
    assert to == Source(("192.0.2.1", 40000), b"local")
    (record,) = desk.records
    assert (record.when, record.name, record.login) == (1000.0, "alice", "0123456789abcdef")
    (line,) = desk.lines
    del line["time"]
    assert line == {
        "level": "info",
        "event": "accounting",
        "status": "start",
        "user": "alice",
        "client": "vpn",
        "address": "192.0.2.1",
        "session": "00C0FFEE",
        "login": "0123456789abcdef",
    }


def test_the_line_of_a_stop_has_the_figures_zero_among_them(desk: Desk) -> None:
    figures = ((42, bytes(4)), (43, b"\0\0\0\x09"), (46, b"\0\0\0\x3c"), (49, b"\0\0\0\x01"), (8, bytes((10, 8, 0, 6))))
    desk.send(accounting_request(*STOP, *figures, (31, b"203.0.113.5")).octets)
    desk.work()
    (line,) = desk.lines
    assert {key: line[key] for key in ("input_octets", "output_octets", "seconds", "cause", "framed", "source")} == {
        "input_octets": 0,
        "output_octets": 9,
        "seconds": 60,
        "cause": "user-request",
        "framed": "10.8.0.6",
        "source": "203.0.113.5",
    }


def test_a_repetition_gets_the_same_octets_and_no_second_record(desk: Desk) -> None:
    asked = accounting_request(*START, signed=True)
    desk.send(asked.octets)
    desk.work()
    desk.send(asked.octets)
    desk.work()
    (first, _), (second, _) = desk.wire.sent
    assert first == second
    assert len(desk.records) == 1


def test_a_repetition_while_the_first_is_recorded_is_dropped() -> None:
    desk = Desk()  # its worker has not begun
    asked = accounting_request(*START)
    desk.send(asked.octets)
    desk.send(asked.octets)
    assert desk.why() == ["repeat-while-in-progress"]
    desk.workers.start()
    desk.work()
    desk.workers.stop()
    assert (len(desk.wire.sent), len(desk.records)) == (1, 1)


def test_another_request_under_the_same_identifier_takes_its_place() -> None:
    """Both are recorded; only the one that somebody waits for is answered."""
    desk = Desk()
    first, second = accounting_request(*START), accounting_request(*STOP)
    desk.send(first.octets)
    desk.send(second.octets)
    desk.workers.start()
    desk.work()
    desk.workers.stop()
    ((octets, _),) = desk.wire.sent
    assert check_acknowledgement(octets, second) == ()
    assert len(desk.records) == 2


def test_another_secret_is_silence_and_a_line_that_says_what_to_do(desk: Desk) -> None:
    desk.send(accounting_request(*START, secret=b"another").octets)
    (line,) = desk.lines
    assert (line["event"], line["received"], line["client"]) == ("dropped", "ACCOUNTING_REQUEST id=7", "vpn")
    assert line["why"] == "wrong-request-authenticator"
    assert "shared secret" in line["remedy"]
    assert (desk.wire.sent, desk.records, desk.workers.busy) == ([], [], 0)


def test_strangers_are_dropped_before_anything_is_parsed(desk: Desk) -> None:
    desk.send(b"\x04", host="203.0.113.1")
    assert desk.why() == ["unknown-client"]


def test_a_store_that_is_down_is_silence_and_the_repetition_is_recorded(desk: Desk) -> None:
    asked = accounting_request(*START, (25, b"0123456789abcdef"))
    desk.fault = Unavailable("database", "disk I/O error")
    desk.send(asked.octets)
    desk.work()
    (line,) = desk.lines
    assert (line["why"], line["detail"]) == ("backend-unavailable", "database: disk I/O error")
    assert (line["session"], line["login"]) == ("00C0FFEE", "0123456789abcdef"), "by which it can be followed"
    assert desk.wire.sent == []
    desk.fault = None
    desk.send(asked.octets)
    desk.work()
    assert (len(desk.wire.sent), len(desk.records)) == (1, 1)


def test_a_bug_costs_one_request_and_its_text_is_not_told(desk: Desk) -> None:
    desk.fault = ZeroDivisionError("alice")
    desk.send(accounting_request(*START).octets)
    desk.work()
    (line,) = desk.lines
    assert line["why"] == "internal-error"
    assert "ZeroDivisionError" in line["detail"]
    assert "alice" not in json.dumps(line)
    desk.send(None)  # type: ignore[arg-type] # what no listener hands over
    assert desk.port.drops.counts == {("internal-error", "vpn"): 1, ("internal-error", ""): 1}


def test_what_waited_longer_than_its_client_is_not_recorded() -> None:
    desk = Desk()
    desk.send(accounting_request(*START).octets)
    desk.reactor.advance(4.1)
    desk.workers.start()
    desk.work()
    desk.workers.stop()
    assert (desk.why(), desk.records, desk.wire.sent) == (["waited-too-long"], [], [])


def test_beyond_the_backlog_requests_are_dropped_and_their_repetitions_are_taken() -> None:
    desk = Desk(backlog=1)
    second = accounting_request(*STOP, identifier=8)
    desk.send(accounting_request(*START).octets)
    desk.send(second.octets)
    assert desk.why() == ["overload"]
    assert desk.lines[0]["session"] == "00C0FFEE"
    desk.workers.start()
    desk.work()
    desk.wire.sent.clear()
    desk.send(second.octets)
    desk.work()
    desk.workers.stop()
    assert len(desk.wire.sent) == 1
    assert len(desk.records) == 2


def test_a_client_with_too_many_under_way_is_dropped() -> None:
    desk = Desk()
    desk.port._duplicates = Duplicates(1)
    for identifier in (7, 8):
        desk.send(accounting_request(*START, identifier=identifier).octets)
    assert desk.why() == ["overload"]


def test_status_server_is_acknowledged_while_the_store_is_well(desk: Desk) -> None:
    asked, again = status_server((33, b"one")), status_server(identifier=8)
    desk.send(asked.octets)
    desk.work()
    ((octets, _),) = desk.wire.sent
    assert [type_ for type_, _ in check_acknowledgement(octets, asked)] == [80, 33]
    assert (desk.records, desk.lines) == ([], [])
    desk.fault = Unavailable("database", "disk I/O error")
    desk.reactor.advance(1.0)  # a look at the store is good for a second
    desk.send(again.octets)
    desk.work()
    (line,) = desk.lines
    assert (line["received"], line["why"]) == ("STATUS_SERVER id=8", "backend-unavailable")
    assert len(desk.wire.sent) == 1


def test_status_server_without_a_signature_is_silence(desk: Desk) -> None:
    desk.send(request(12, (), signed=False).octets)
    assert (desk.why(), desk.wire.sent) == (["no-message-authenticator"], [])


def test_what_is_acknowledged_is_counted_by_client_and_status_and_repetitions_apart(desk: Desk) -> None:
    interim = ((40, b"\0\0\0\x03"),)
    for identifier, attributes in enumerate((START, STOP, START, interim)):
        desk.send(accounting_request(*attributes, identifier=identifier).octets)
        desk.work()
        desk.wire.sent.clear()
    desk.send(accounting_request(*START, identifier=0).octets)
    desk.send(status_server(identifier=9).octets)
    desk.work()
    assert desk.port.acknowledged == {
        ("vpn", "start"): 2,
        ("vpn", "stop"): 1,
        ("vpn", "interim-update"): 1,
        ("vpn", "status-server"): 1,
    }
    assert desk.port.repeats == {"vpn": 1}


def test_a_request_keeps_to_the_secret_it_began_under_and_the_next_goes_by_the_new_one() -> None:
    desk = Desk()
    over: list[None] = []
    first = accounting_request(*START)
    second = accounting_request(*STOP, identifier=8, secret=b"another secret")
    desk.send(first.octets)
    other = Clients([Client("vpn", (ip_network("192.0.2.0/24"),), b"another secret")])
    desk.port.take(replace(desk.in_force, clients=other), lambda: over.append(None))
    desk.send(second.octets)
    assert over == []
    desk.workers.start()
    desk.work()
    desk.workers.stop()
    for (octets, _), asked in zip(desk.wire.sent, (first, second), strict=True):
        check_acknowledgement(octets, asked)
    assert over == [None]


def test_how_long_a_client_waits_is_what_is_in_force() -> None:
    desk = Desk()
    desk.port.take(replace(desk.in_force, patience=Patience(9.0, 1.0, 0.25)), list)
    desk.send(accounting_request(*START).octets)
    desk.reactor.advance(8.9)
    desk.workers.start()
    desk.work()
    desk.workers.stop()
    assert len(desk.wire.sent) == 1


def test_a_bug_on_the_way_back_is_silence_and_its_request_is_over(desk: Desk) -> None:
    over: list[None] = []
    desk.wire.write = None  # type: ignore[assignment, method-assign] # cannot be called
    desk.send(accounting_request(*START).octets)
    desk.port.take(desk.in_force, lambda: over.append(None))
    desk.work()
    assert desk.why() == ["internal-error"]
    assert over == [None]


ATTRIBUTES = st.lists(st.tuples(st.sampled_from((1, 25, 33, 40, 41, 44, 79, 80)) | st.integers(0, 255), st.binary()))
NEARLY = st.builds(
    lambda code, attributes, identifier: authenticated(
        packet(code, identifier, bytes(16), b"".join(attribute(*each) for each in attributes))
    ),
    st.sampled_from((1, 4, 4, 12, 40)),
    ATTRIBUTES.map(lambda each: [START[0], *((type_, value[:253]) for type_, value in each)]),
    st.integers(0, 255),
)


@given(st.lists(st.binary(max_size=100) | NEARLY, max_size=5), st.data())
def test_whatever_comes_costs_one_datagram_and_only_what_is_proven_is_recorded(
    datagrams: list[bytes], data: st.DataObject
) -> None:
    desk = Desk()
    desk.workers.start()
    for octets in datagrams:
        came = octets
        if octets and data.draw(st.booleans()):
            at = data.draw(st.integers(0, len(octets) - 1))
            came = octets[:at] + data.draw(st.binary(max_size=1)) + octets[at + 1 :]
        desk.send(came)
        desk.work()
        whole = came[: int.from_bytes(came[2:4])]
        assert not desk.records or authenticated(whole) == whole
        for answer, _ in desk.wire.sent:
            check_acknowledgement(answer, Asked(whole))
        desk.records.clear()
        desk.wire.sent.clear()
    desk.send(accounting_request(*STOP).octets, port=40001)
    desk.work()
    desk.workers.stop()
    assert {cause for cause, _ in desk.port.drops.counts} & {"internal-error", "overload"} == set()
    assert [record.status for record in desk.records] == [Status.STOP]
