"""Runs `radius2fa demo` as a user does, on a pipe or a terminal, and waits for what it shows."""

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

COMMAND = (sys.executable, "-c", "from radius2fa.cli.main import run; run()", "demo")
PATIENCE = 20.0  # seconds; a deadline, no delay


class Demo:
    """A running demo. `text` is all that it has written so far."""

    def __init__(self, process: subprocess.Popen[bytes], descriptor: int) -> None:
        self.process = process
        self.text = ""
        self._descriptor = descriptor

    def wait_for(self, seen: Callable[[str], bool]) -> str:
        """Read on until `seen` is content with the text, and return that."""
        deadline = time.monotonic() + PATIENCE
        while not seen(self.text):
            ready, _, _ = select.select([self._descriptor], [], [], max(0.0, deadline - time.monotonic()))
            octets = os.read(self._descriptor, 65536) if ready else b""
            assert octets, f"not seen; the demo has shown:\n{self.text}"
            self.text += octets.decode(errors="replace")
        return self.text

    def wait_for_line(self, part: str, after: int = 0) -> str:
        """Return the first whole line behind the place `after` that holds `part`."""
        text = self.wait_for(lambda text: "\n" in text[after:].partition(part)[2])[after:]
        return next(line for line in text.splitlines() if part in line)

    def commands(self, program: str) -> list[str]:
        """Return the latest block's lines for `program`, as somebody would copy them."""
        self.wait_for(lambda text: "Waiting for logins" in text)
        latest = self.text[self.text.rindex("Try it in another terminal") :]
        return [line for line in latest.splitlines() if line.startswith(f"{program} ")]

    def end(self, number: int = signal.SIGINT) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@contextmanager
def demo(*options: str, folder: Path, environment: Mapping[str, str] | None = None) -> Iterator[Demo]:
    """Start it with its output on a pipe. `folder` is where it may put temporary files."""
    with subprocess.Popen(
        [*COMMAND, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "TMPDIR": str(folder), **(environment or {})},
    ) as process:
        try:
            yield Demo(process, process.stdout.fileno())
        finally:
            process.kill()


@contextmanager
def demo_on_terminal(*options: str, folder: Path, environment: Mapping[str, str] | None = None) -> Iterator[Demo]:
    """Start it on a terminal of its own, of 80 columns and 50 rows. Closing `terminal` closes the window."""
    terminal, inner = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, *options],
        stdin=inner,
        stdout=inner,
        stderr=inner,
        start_new_session=True,
        env={
            **os.environ,
            "TMPDIR": str(folder),
            "TERM": "xterm-256color",
            "COLUMNS": "80",
            "LINES": "50",
            **(environment or {}),
        },
    ) as process:
        os.close(inner)
        try:
            yield Demo(process, terminal)
        finally:
            process.kill()
            os.close(terminal)
