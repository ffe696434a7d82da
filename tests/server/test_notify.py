import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from radius2fa.server.notify import keep_watched, notify, watch_interval
from tests.server.test_statusport import Loop


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(0)
        yield systemd


def heard(systemd: socket.socket) -> list[bytes]:
    words = []
    while True:
        try:
            words.append(systemd.recv(100))
        except BlockingIOError:
            return words


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_gets_the_word(tmp_path: Path, *, abstract: bool) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.settimeout(5)
        systemd.bind("\0" + path if abstract else path)
        notify("READY=1", {"NOTIFY_SOCKET": "@" + path if abstract else path})
        assert systemd.recv(100) == b"READY=1"


def fill(path: Path) -> None:
    """Send so many words that the socket there takes no more."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as others, suppress(BlockingIOError):
        others.settimeout(0)
        while True:
            others.sendto(b"x", str(path))


def test_a_systemd_that_takes_no_more_words_or_has_gone_holds_nobody_up(tmp_path: Path) -> None:
    """The reactor thread tells them: an end or a reload must not hang, or fail, because of a word."""
    where = {"NOTIFY_SOCKET": str(tmp_path / "notify")}
    notify("STOPPING=1", where)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        fill(tmp_path / "notify")
        begin = time.monotonic()
        notify("STOPPING=1", where)
        assert time.monotonic() - begin < 3


def test_without_systemd_nothing_happens() -> None:
    notify("READY=1", {})


def test_the_reactor_tells_that_it_is_alive_three_times_within_what_systemd_waits(
    tmp_path: Path, systemd: socket.socket
) -> None:
    loop = Loop()
    keep_watched(loop, {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "30000000"})
    assert heard(systemd) == [b"WATCHDOG=1"]
    loop.advance(9.9)
    assert heard(systemd) == []
    loop.pump([10.0, 10.0])
    assert heard(systemd) == [b"WATCHDOG=1"] * 2


def test_a_word_that_did_not_get_through_is_not_the_last(tmp_path: Path) -> None:
    loop, path = Loop(), tmp_path / "late"
    keep_watched(loop, {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "30000000"})
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(path))
        systemd.settimeout(0)
        loop.advance(10.0)
        assert heard(systemd) == [b"WATCHDOG=1"]


@pytest.mark.parametrize(
    ("environment", "interval"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": ""}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "3000000"}, 1.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "17"}, 1.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "18"}, None),
    ],
)
def test_only_the_process_that_is_watched_tells_it(environment: dict[str, str], interval: float | None) -> None:
    assert watch_interval(environment, 17) == interval


def test_a_process_that_is_not_watched_puts_nothing_off() -> None:
    loop = Loop()
    keep_watched(loop, {})
    assert loop.getDelayedCalls() == []


STUCK = """
import time
from twisted.internet import reactor
from radius2fa.server.notify import keep_watched
import os
def stuck(secret="canary"):
    print(flush=True)
    time.sleep(60)
reactor.callWhenRunning(keep_watched, reactor, os.environ)
reactor.callLater(1.0, stuck)
reactor.run()
"""


def test_a_stuck_reactor_tells_nothing_and_says_where_it_was_when_it_is_aborted(
    tmp_path: Path, systemd: socket.socket
) -> None:
    environment = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "300000"}
    process = subprocess.Popen(
        [sys.executable, "-c", STUCK], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n"  # it is stuck from now on
        assert len(heard(systemd)) >= 5
        systemd.settimeout(0.5)
        with pytest.raises(TimeoutError):
            systemd.recv(100)
        process.send_signal(signal.SIGABRT)
        _, told = process.communicate(timeout=10)
    assert process.returncode == -signal.SIGABRT
    assert b"in stuck\n" in told
    assert b"canary" not in told
