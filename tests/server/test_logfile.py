import io
import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from radius2fa.config.model import Log, Syslog
from radius2fa.server.logfile import CannotLog, LogFile
from radius2fa.server.logs import start_log
from tests.servers.collector import Collector

HOSTILE = (
    "a\nlevel=error event=forged",
    "a\r\nb",
    "\x1b[2J\x1b]0;title\x07",
    "\x00\x7f\x9b31m",
    "a\u202egnp.exe\u2066",
    "\u2028\u2029\x85",
    "\udcff\ud800",
    "\ufeff\u200b",
    '"}\\',
    "' event='forged",
    "x" * 65536,
    "\U0001f600" * 65536,
)


@pytest.mark.parametrize("format_", ["readable", "json"])
@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_name_injects_anything_on_any_way_out(tmp_path: Path, format_: str, hostile: str) -> None:
    """Not as a value, not within a list, and not as the name of what happened."""
    path = tmp_path / "lines.log"
    with Collector("tcp") as collector:
        syslog = {"server": "127.0.0.1", "port": collector.port, "transport": "tcp"}
        settings = Log.model_validate({"format": format_, "file": path, "syslog": syslog})
        opened = start_log(settings, "radius2fa", io.StringIO())
        opened.log.info("accepted", user=hostile, several=[hostile], table={hostile: hostile})
        opened.log.info(hostile)
        opened.close()
        sent = collector.octets(2)
    written = path.read_bytes()
    assert written.endswith(b"\n")
    lines = written.decode().split("\n")[:-1]
    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)
    assert all(re.fullmatch(rb"[ -~]*\xef\xbb\xbf[ -~]*", octets) and len(octets) <= 8192 for octets in sent)
    if format_ == "json":
        assert json.loads(lines[0])["event"] == "accepted"
        if len(hostile) < 1000:
            assert json.loads(lines[0])["user"] == hostile
    else:
        assert len(re.findall(r"(?:^| )event=", re.sub(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", "", lines[0]))) == 1


def test_a_value_too_long_is_cut_and_says_so(tmp_path: Path) -> None:
    opened = start_log(Log(format="json", file=tmp_path / "lines.log"), "radius2fa")
    opened.log.info("accepted", user="x" * 65536)
    user = json.loads((tmp_path / "lines.log").read_text())["user"]
    assert user == "x" * 4096 + "... (65536 characters)"


def test_a_file_that_is_moved_away_gets_a_new_one_in_its_place(tmp_path: Path) -> None:
    path, moved = tmp_path / "lines.log", tmp_path / "lines.log.1"
    file = LogFile(path)
    file.write("one\n")
    path.rename(moved)
    file.write("two\n")
    path.unlink()
    file.write("three\n")
    assert (moved.read_text(), path.read_text(), file.lost) == ("one\n", "three\n", 0)
    assert path.stat().st_mode & 0o777 == 0o600


def test_logrotate_s_way_of_a_new_file_at_once_is_seen(tmp_path: Path) -> None:
    """With `create`, the name leads to a new, empty file before a line is written."""
    path = tmp_path / "lines.log"
    file = LogFile(path)
    file.write("one\n")
    path.rename(tmp_path / "lines.log.1")
    path.touch()
    file.write("two\n")
    assert path.read_text() == "two\n"


def test_level_and_form_change_for_all_ways_out_while_it_is_open(tmp_path: Path) -> None:
    path = tmp_path / "lines.log"
    with Collector("tcp") as collector:
        syslog = {"server": "127.0.0.1", "port": collector.port, "transport": "tcp"}
        settings = Log.model_validate({"level": "warning", "format": "json", "file": path, "syslog": syslog})
        opened = start_log(settings, "radius2fa")
        opened.log.info("one")
        opened.take(settings.model_copy(update={"level": "debug", "format": "readable"}))
        opened.log.debug("two")
        opened.take(settings)
        opened.log.info("three")
        opened.log.warning("four")
        opened.close()
        assert [message.name for message in collector.wait_for(2)] == ["two", "four"]
    readable, asjson = path.read_text().splitlines()
    assert readable.endswith("level='debug' event='two'")
    assert json.loads(asjson)["event"] == "four"


def test_a_pipe_whose_reader_is_slow_or_gone_keeps_nobody_waiting(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(CannotLog, match="No such device or address"):  # nobody reads it yet: fifo(7)
        LogFile(path)
    reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    file = LogFile(path)
    for _ in range(100):
        file.write("x" * 4000 + "\n")  # 64 KiB is what a pipe holds
    full = file.lost
    assert 0 < full < 100
    os.close(reading)
    file.write("line\n")
    assert file.lost == full + 1


def test_a_folder_that_was_removed_costs_lines_until_it_is_back(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    file = LogFile(folder / "lines.log")
    (folder / "lines.log").unlink()
    folder.rmdir()
    file.write("one\n")
    folder.mkdir()
    file.write("two\n")
    assert ((folder / "lines.log").read_text(), file.lost) == ("two\n", 1)


def test_a_reopened_file_leaks_no_descriptor(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "lines.log")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        (tmp_path / "lines.log").unlink()
        file.write("line\n")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_two_processes_share_a_file_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "lines.log"
    program = (
        "import sys; from pathlib import Path; from radius2fa.server.logfile import LogFile\n"
        "file = LogFile(Path(sys.argv[1]))\nfor _ in range(2000): file.write(sys.argv[2] * 300 + '\\n')"
    )
    running = [subprocess.Popen([sys.executable, "-c", program, str(path), letter]) for letter in "ab"]
    assert [each.wait(60) for each in running] == [0, 0]
    assert sorted(set(path.read_text().split("\n"))) == ["", "a" * 300, "b" * 300]


def test_a_file_that_cannot_be_opened_is_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(CannotLog, match=re.escape(f"{tmp_path}/none/lines.log: No such file or directory")):
        start_log(Log(file=tmp_path / "none" / "lines.log"), "radius2fa")


def test_a_syslog_server_that_cannot_be_proven_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    syslog = Syslog.model_validate({"server": "localhost", "ca_file": tmp_path / "ca.pem"})
    with pytest.raises(CannotLog, match=r"log\.syslog: ca_file: .* holds no certificate"):
        start_log(Log(syslog=syslog), "radius2fa")


def test_a_full_disk_costs_lines_and_no_login() -> None:
    file = LogFile(Path("/dev/full"))  # full(4)
    file.write("line\n")
    file.write("line\n")
    assert file.lost == 2


def test_a_line_that_is_there_in_part_is_not_gone_on_with(tmp_path: Path) -> None:
    """As where a disk fills up: 15 octets have room, then none, then all that come (setrlimit(2))."""
    path = tmp_path / "lines.log"
    file = LogFile(path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (15, hard))
    try:
        for line in ("one line\n", "another line\n", "lost\n"):
            file.write(line)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    file.write("the last\n")
    assert (path.read_text(), file.lost) == ("one line\nanothe\nthe last\n", 2)


def test_a_reader_of_standard_error_that_has_gone_costs_lines_and_no_login() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w", encoding="utf-8") as pipe:  # noqa: PTH123 - a descriptor has no path
        opened = start_log(Log(), "radius2fa", pipe)
        opened.log.info("accepted")
        assert opened.lost() == {"stderr": 1}
        os.dup2(os.open(os.devnull, os.O_WRONLY), writing)  # or closing it would fail


def test_only_lines_of_the_level_go_to_the_syslog_server() -> None:
    with Collector("udp") as collector:
        syslog: dict[str, Any] = {"server": "127.0.0.1", "port": collector.port, "transport": "udp"}
        opened = start_log(
            Log.model_validate({"level": "warning", "syslog": syslog}), "radius2fa-portal", io.StringIO()
        )
        opened.log.info("accepted")
        opened.log.warning("dropped", why="overload")
        opened.close()
        (message,) = collector.wait_for(1)
    assert (message.program, message.name) == ("radius2fa-portal", "dropped")
    assert json.loads(message.text) == {"event": "dropped", "why": "overload"}
    assert opened.lost() == {"stderr": 0, "syslog": 0}
