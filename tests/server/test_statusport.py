"""The status port over real sockets; the test itself stands for the reactor, and says when to read and write."""

import io
import json
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock

from radius2fa.config.model import Log
from radius2fa.server.localsocket import CannotListen
from radius2fa.server.logs import open_log
from radius2fa.server.statusport import StatusPort

BIG = {"filling": "x" * 4_000_000}  # more than the kernel takes at once


class Loop(Clock):
    """Twisted's own clock, and what it would watch."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: list[Any] = []
        self.writers: list[Any] = []

    def addReader(self, reader: Any) -> None:  # noqa: N802 - Twisted's name
        self.readers.append(reader)

    def addWriter(self, writer: Any) -> None:  # noqa: N802 - as above
        self.writers.append(writer)

    def removeReader(self, reader: Any) -> None:  # noqa: N802 - as above
        if reader in self.readers:
            self.readers.remove(reader)

    def removeWriter(self, writer: Any) -> None:  # noqa: N802 - as above
        if writer in self.writers:
            self.writers.remove(writer)

    def callFromThread(self, *_: Any) -> Any:  # noqa: N802 - as above
        raise AssertionError("a status port has no thread")

    callInThread = callFromThread  # noqa: N815 - as above


class Desk:
    """A status port, and people who ask it."""

    def __init__(self, folder: Path, opened: ExitStack) -> None:
        self.path = folder / "status.sock"
        self.loop = Loop()
        self.told: Callable[[], Mapping[str, object]] = lambda: {"answer": 42}
        self.stream = io.StringIO()
        self.port = StatusPort(self.path, self._tell, self.loop, open_log(Log(format="json"), self.stream))
        self.port.start()
        self._opened = opened

    def connect(self) -> socket.socket:
        reader = self._opened.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        reader.settimeout(5)
        reader.connect(str(self.path))
        return reader

    def asked(self) -> socket.socket:
        """A reader whom the port has taken note of."""
        reader = self.connect()
        for each in self.loop.readers:
            each.doRead()
        return reader

    def _tell(self) -> Mapping[str, object]:
        return self.told()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with ExitStack() as opened:
        desk = Desk(tmp_path, opened)
        yield desk
        desk.port.close()


def all_of(reader: socket.socket) -> bytes:
    """Read until the end."""
    return b"".join(iter(lambda: reader.recv(1 << 20), b""))


def test_whoever_connects_is_told_how_it_is_at_that_moment(desk: Desk) -> None:
    assert json.loads(all_of(desk.asked())) == {"answer": 42}
    desk.told = lambda: {"answer": 43, "who": "Zoë"}
    octets = all_of(desk.asked())
    assert json.loads(octets) == {"answer": 43, "who": "Zoë"}
    assert octets.isascii()
    assert (desk.loop.writers, desk.loop.calls) == ([], [])


def test_what_somebody_sends_is_not_read(desk: Desk) -> None:
    reader = desk.connect()
    reader.sendall(b"GET / HTTP/1.1\r\n\r\n")
    desk.port.doRead()
    assert json.loads(reader.recv(4096)) == {"answer": 42}


def test_nobody_there_is_nothing_to_do(desk: Desk) -> None:
    desk.port.doRead()
    assert desk.lines == []


def test_a_reader_who_has_gone_costs_nothing(desk: Desk) -> None:
    desk.connect().close()
    desk.port.doRead()
    assert json.loads(all_of(desk.asked())) == {"answer": 42}
    assert (desk.lines, desk.loop.calls) == ([], [])


def test_a_long_answer_is_written_as_it_is_read(desk: Desk) -> None:
    desk.told = lambda: BIG
    reader = desk.asked()
    octets = bytearray()
    while desk.loop.writers:
        octets += reader.recv(1 << 20)
        desk.loop.writers[0].doWrite()
    octets += all_of(reader)
    assert json.loads(octets) == BIG
    assert desk.loop.calls == []


def test_who_does_not_read_is_dropped_after_2_seconds(desk: Desk) -> None:
    desk.told = lambda: BIG
    reader = desk.asked()
    desk.loop.advance(1.9)
    (writer,) = desk.loop.writers
    writer.doWrite()  # the kernel takes no more
    assert desk.loop.writers == [writer]
    desk.loop.advance(0.1)
    assert (desk.loop.writers, desk.loop.calls, writer.fileno()) == ([], [], -1)
    assert 0 < len(all_of(reader)) < 4_000_000


def test_who_goes_in_the_middle_is_forgotten(desk: Desk) -> None:
    desk.told = lambda: BIG
    desk.asked().close()
    desk.loop.writers[0].doWrite()
    assert (desk.loop.writers, desk.loop.calls) == ([], [])
    desk.asked().close()
    desk.loop.writers[0].connectionLost(None)  # as the reactor says it
    assert (desk.loop.writers, desk.loop.calls) == ([], [])


def test_no_more_than_four_are_waited_for(desk: Desk) -> None:
    desk.told = lambda: BIG
    slow = [desk.asked() for _ in range(4)]
    assert len(all_of(desk.asked())) < 4_000_000
    assert len(desk.loop.writers) == 4
    desk.told = lambda: {"answer": 42}  # which needs no waiting
    assert json.loads(all_of(desk.asked())) == {"answer": 42}
    desk.told = lambda: BIG
    slow[0].close()
    desk.loop.writers[0].doWrite()
    desk.asked()
    assert len(desk.loop.writers) == 4


def test_a_bug_in_the_telling_costs_one_answer(desk: Desk) -> None:
    desk.told = lambda: {"answer": {}["question"]}  # type: ignore[misc]
    assert all_of(desk.asked()) == b""
    (line,) = desk.lines
    assert line["event"] == "internal error"
    assert line["why"].startswith("KeyError in <lambda> (test_statusport.py:")
    desk.told = lambda: {"answer": 42}
    assert json.loads(all_of(desk.asked())) == {"answer": 42}


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_without_a_descriptor_it_pauses_for_a_second(desk: Desk) -> None:
    """Or the reactor would call it for the same connection again and again, and do nothing else."""
    reader = desk.connect()
    with no_descriptor_left():
        desk.port.doRead()
    assert desk.loop.readers == []
    desk.loop.advance(1.0)
    assert desk.loop.readers == [desk.port]
    desk.port.doRead()
    assert json.loads(all_of(reader)) == {"answer": 42}


def test_a_pause_does_not_outlive_it(desk: Desk) -> None:
    desk.connect()
    with no_descriptor_left():
        desk.port.doRead()
    desk.port.close()
    desk.loop.advance(1.0)
    assert desk.loop.readers == []


def test_closing_drops_readers_and_removes_the_socket(desk: Desk) -> None:
    desk.told = lambda: BIG
    reader = desk.asked()
    desk.port.close()
    assert len(all_of(reader)) < 4_000_000
    assert (desk.loop.readers, desk.loop.writers, desk.loop.calls) == ([], [], [])
    assert not desk.path.exists()


def test_a_second_one_cannot_have_its_place(desk: Desk) -> None:
    with pytest.raises(CannotListen, match=r"another process listens there$"):
        StatusPort(desk.path, dict, desk.loop, open_log(Log(), desk.stream))
    desk.port.doRead()  # who knocked has gone
    assert json.loads(all_of(desk.asked())) == {"answer": 42}


PROGRAM = """\
import sys
from pathlib import Path
from twisted.internet import reactor
from radius2fa.config.model import Log
from radius2fa.server.logs import open_log
from radius2fa.server.statusport import StatusPort

port = StatusPort(Path(sys.argv[1]), lambda: {"filling": "x" * 4_000_000}, reactor, open_log(Log()))
port.start()
reactor.addSystemEventTrigger("before", "shutdown", port.close)
reactor.callWhenRunning(print, "ready", flush=True)
reactor.run()
"""


def test_twisteds_own_reactor_serves_who_reads_slowly_and_who_goes_away(tmp_path: Path) -> None:
    path = tmp_path / "status.sock"
    command = [sys.executable, "-c", PROGRAM, str(path)]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server,
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as slow,
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as late,
    ):
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        slow.settimeout(5)
        slow.connect(str(path))
        for _ in range(8):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as hasty:
                hasty.connect(str(path))
                assert hasty.recv(10, socket.MSG_WAITALL) == b'{"filling"'
        late.settimeout(5)
        late.connect(str(path))  # if four of them had stayed, it would be one too many
        assert (json.loads(all_of(slow)), json.loads(all_of(late))) == (BIG, BIG)
        server.terminate()
        _, said = server.communicate(timeout=10)
    assert (said, path.exists()) == ("", False)
