"""The way to a syslog server, over real sockets."""

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from radius2fa.config.model import Syslog
from radius2fa.server.syslog import SyslogSender
from tests.servers.collector import Collector
from tests.servers.tls import Authority, Certificate

TIME = "2026-11-24T10:00:00.123456Z"


class Beside:
    """What the sender says of itself in the log beside."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self._news = threading.Condition()

    def __call__(self, level: str, line: Any) -> None:
        with self._news:
            self.lines.append({"level": level, **line})
            self._news.notify_all()

    def wait_for(self, event: str) -> dict[str, Any]:
        def found() -> list[dict[str, Any]]:
            return [line for line in self.lines if line["event"] == event]

        with self._news:
            assert self._news.wait_for(lambda: bool(found()), 10), self.lines
            return found()[0]


def line(number: int) -> dict[str, object]:
    return {"event": "accepted", "level": "info", "time": TIME, "number": number}


@contextmanager
def sending(port: int, transport: str, beside: Beside, *, most: int = 100, **keys: Any) -> Iterator[SyslogSender]:
    settings = Syslog.model_validate({"server": "localhost", "port": port, "transport": transport, **keys})
    sender = SyslogSender(settings, "radius2fa", beside, most=most, first_pause=0.02)
    sender.start()
    try:
        yield sender
    finally:
        sender.stop()


@pytest.fixture
def beside() -> Beside:
    return Beside()


def numbers(collector: Collector, count: int) -> list[int]:
    return [json.loads(each.text)["number"] for each in collector.wait_for(count)]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_lines_come_in_their_order_in_clear_text(beside: Beside, transport: str) -> None:
    with Collector(transport) as collector:
        with sending(collector.port, transport, beside, server="127.0.0.1") as sender:
            for number in range(50):
                sender(line(number))
        assert numbers(collector, 50) == list(range(50))
        assert collector.wait_for(50)[49].data == '[meta sequenceId="50"]'
    assert (beside.lines, sender.lost) == ([], 0)


def test_lines_come_by_tls_to_a_server_that_proves_its_name(beside: Beside, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    own = authority.issue("sender", ("sender",))
    with Collector("tls", authority.issue("server", ("localhost",)), clients=authority) as collector:
        keys = {"ca_file": authority.ca_file, "client_certificate": own.certificate, "client_key": own.key}
        with sending(collector.port, "tls", beside, **keys) as sender:
            sender(line(1))
            sender(line(2))
        assert numbers(collector, 2) == [1, 2]


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("another name", "Hostname mismatch"),
        ("another authority", "unable to get local issuer certificate"),
        ("expired", "certificate has expired"),
    ],
)
def test_a_server_that_does_not_prove_its_name_hears_nothing(
    beside: Beside, tmp_path: Path, fault: str, why: str
) -> None:
    (tmp_path / "other").mkdir()
    authority, other = Authority(tmp_path), Authority(tmp_path / "other")
    names = ("elsewhere.example.org",) if fault == "another name" else ("localhost",)
    until = datetime.now(UTC) - timedelta(hours=1) if fault == "expired" else None
    with Collector("tls", authority.issue("server", names, until=until)) as collector:
        ca_file = other.ca_file if fault == "another authority" else authority.ca_file
        with sending(collector.port, "tls", beside, ca_file=ca_file) as sender:
            sender(line(1))
            told = beside.wait_for("syslog server failed")
        assert (told["level"], told["server"]) == ("warning", f"localhost port {collector.port}")
        assert why in told["why"]
        assert collector.octets(0) == []
    assert sender.lost == 1


def test_what_could_not_be_sent_is_sent_when_the_server_is_back(beside: Beside) -> None:
    with Collector("tcp") as gone:
        port = gone.port
        with sending(port, "tcp", beside, server="127.0.0.1") as sender:
            sender(line(0))
            assert numbers(gone, 1) == [0]
            gone.__exit__(None, None, None)
            for number in range(1, 4):
                sender(line(number))
            beside.wait_for("syslog server failed")
            with Collector("tcp", port=port) as back:
                assert numbers(back, 3) == [1, 2, 3]
                beside.wait_for("syslog server back")
    assert sender.lost == 0


def test_lines_that_find_no_place_are_counted_and_told_to_both_sides(beside: Beside) -> None:
    with Collector("tcp") as free:
        port = free.port
    with sending(port, "tcp", beside, server="127.0.0.1", most=10) as sender:
        sender(line(0))
        beside.wait_for("syslog server failed")  # this one is held by the thread
        for number in range(1, 31):
            sender(line(number))
        assert sender.lost == 20
        with Collector("tcp", port=port) as back:
            messages = back.wait_for(12)
            told = beside.wait_for("log lines lost")
            assert (told["level"], told["lines"]) == ("error", 20)
            assert [json.loads(each.text).get("number") for each in messages[:11]] == list(range(11))
            assert json.loads(messages[11].text)["lines"] == 20
            assert messages[11].data == '[meta sequenceId="32"]'  # a gap of 20


def test_a_server_that_takes_nothing_keeps_nobody_waiting(beside: Beside) -> None:
    """It accepts connections, and reads not one octet: all buffers fill, the line of waiting lines too."""
    with Collector("tcp") as port_of:
        port = port_of.port
    with (
        socket.create_server(("127.0.0.1", port)),
        sending(port, "tcp", beside, server="127.0.0.1", most=1000) as sender,
    ):
        filling = {**line(0), "why": "x" * 4000}
        began = time.monotonic()
        slowest = 0.0
        for _ in range(20_000):
            before = time.monotonic()
            sender(filling)
            slowest = max(slowest, time.monotonic() - before)
        assert sender.lost > 0
        assert slowest < 0.5
        assert time.monotonic() - began < 10


def test_the_end_does_not_wait_for_a_server_that_is_away(beside: Beside) -> None:
    with Collector("tcp") as free:
        port = free.port
    with sending(port, "tcp", beside, server="127.0.0.1") as sender:
        sender(line(0))
        beside.wait_for("syslog server failed")
        began = time.monotonic()
    assert time.monotonic() - began < 3


def test_a_file_with_no_certificate_is_refused_at_the_start(beside: Beside, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    settings = Syslog.model_validate({"server": "localhost", "ca_file": tmp_path / "ca.pem"})
    with pytest.raises(ValueError, match=r"ca_file: .* holds no certificate in PEM"):
        SyslogSender(settings, "radius2fa", beside)


def test_no_line_is_lost_by_what_cannot_be_written_as_json(beside: Beside) -> None:
    made: list[Callable[[], object]] = [object, lambda: b"\xff\n"]
    with Collector("udp") as collector:
        with sending(collector.port, "udp", beside, server="127.0.0.1") as sender:
            for make in made:
                sender({**line(0), "value": make()})
        assert len(collector.wait_for(2)) == 2


class Late:
    """A server of TLS that begins to read half a second late. `octets` and `end` are what it got, at the end."""

    def __init__(self, certificate: Certificate) -> None:
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(certificate.certificate, certificate.key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.port = int(self._listener.getsockname()[1])
        self.octets = 0
        self.end = ""
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with self._listener, self._listener.accept()[0] as raw:
            stream = self._context.wrap_socket(raw, server_side=True, suppress_ragged_eofs=False)
            time.sleep(0.5)  # it is busy
            try:
                while octets := stream.recv(65536):
                    self.octets += len(octets)
                self.end = "close_notify"
                stream.unwrap().close()
            except OSError as fault:
                self.end = repr(fault)

    def wait(self) -> None:
        self._thread.join(10)


@pytest.mark.parametrize("count", [1, 200])
def test_at_the_end_tls_is_closed_by_a_word_when_all_has_been_taken(beside: Beside, tmp_path: Path, count: int) -> None:
    """RFC 5425 section 4.4: a sender MUST send a close_notify alert. What was not read until then must not be lost."""
    authority = Authority(tmp_path)
    server = Late(authority.issue("server", ("localhost",)))
    filling = {**line(0), "why": "x" * 4000}
    with sending(server.port, "tls", beside, most=1000, ca_file=authority.ca_file) as sender:
        for _ in range(count):
            sender(filling)
    server.wait()
    assert server.end == "close_notify"
    assert server.octets > count * 4000


def test_a_server_that_ends_each_connection_at_once_is_not_stormed(beside: Beside) -> None:
    """As a proxy does whose servers are away: it takes a line, which is lost, and ends the connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connections = []

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connections.append(listener.accept()[0])
                    connections[-1].recv(65536)
                    connections[-1].close()

        threading.Thread(target=serve, daemon=True).start()
        with sending(listener.getsockname()[1], "tcp", beside, server="127.0.0.1", most=1000) as sender:
            for number in range(500):
                sender(line(number))
                time.sleep(0.002)  # or many would go at once
            told = beside.wait_for("syslog server failed")
        listener.shutdown(socket.SHUT_RDWR)
    assert told["why"] in ("the server ended it as soon as it had begun", "Connection reset by peer", "Broken pipe")
    assert 2 <= len(connections) < 20
