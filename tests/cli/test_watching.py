import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from radius2fa.cli.watching import EVERY, watch
from tests.cli.helpdesk import Helpdesk

LIMIT = 20.0  # seconds


class Clock:
    """Waits for nobody, and ends the watching at the third pause."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if len(self.pauses) == 3:
            raise KeyboardInterrupt


def test_it_is_shown_every_two_seconds_until_ctrl_c(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    watch(lambda: print(f"look {len(clock.pauses)}"), clock.pause)  # noqa: T201 - what is watched
    assert clock.pauses == [EVERY] * 3 == [2.0] * 3
    assert capsys.readouterr().out == "look 0\nlook 1\nlook 2\n"


def read_to_the_end(terminal: int, process: subprocess.Popen[bytes]) -> bytes:
    """Return all that a program writes to a terminal; Ctrl-C is pressed when it has looked twice.

    What a terminal does not take, the program waits for.
    """
    shown, pressed, until = b"", False, time.monotonic() + LIMIT
    while time.monotonic() < until and select.select([terminal], [], [], LIMIT)[0]:
        try:
            shown += os.read(terminal, 65536)
        except OSError:  # the other side is closed
            return shown
        if not pressed and shown.count(b"As of ") >= 2:
            process.send_signal(signal.SIGINT)
            pressed = True
    process.kill()
    return shown


def test_on_a_terminal_it_is_redrawn_and_ctrl_c_ends_it_well(desk: Helpdesk) -> None:
    ours, theirs = pty.openpty()
    program = Path(sys.executable).with_name("radius2fa")
    # Whoever runs the tests in the background may have them ignore Ctrl-C, and so the program.
    command = ["env", "--default-signal=INT", str(program), "--config", str(desk.config), "status", "--watch"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "40"}
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        shown = read_to_the_end(ours, process)
        assert process.wait(LIMIT) == 0
    os.close(ours)
    assert b"\x1b[?1049h" in shown  # the alternate screen (xterm)
    assert len(re.findall(rb"No server is running here", shown)) >= 2


def test_json_is_not_watched(desk: Helpdesk) -> None:
    assert desk.run("status", "--watch", "--json").exit_code == 64
