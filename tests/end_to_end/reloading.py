"""A steady load of logins for one test, by the benchmark's generator, in a process of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.end_to_end.house import House
from tests.end_to_end.people import Person

PATIENCE = 30.0  # seconds after which a login that has no answer is lost: each is sent once only


class Reloading:
    """Rewrites the configuration of a running house, and lets the server read it again."""

    def __init__(self, house: House) -> None:
        self.program = house.program
        self.written = house.program.config.read_text()

    def write(self, text: str) -> None:
        """Put another configuration in the place of this one, in one step."""
        new = self.program.config.with_suffix(".new")
        new.write_text(text)
        new.chmod(0o600)
        new.replace(self.program.config)

    def change(self, old: str, new: str) -> str:
        """Write the configuration as it was at first, with something else in the place of something."""
        assert old in self.written
        text = self.written.replace(old, new, 1)
        self.write(text)
        return text

    def ended(self) -> list[dict[str, Any]]:
        """The log lines of the ends of reloads so far."""
        return [*self.program.events("reloaded"), *self.program.events("not reloaded")]

    def hang_up(self, times: int = 1) -> None:
        """SIGHUP."""
        for _ in range(times):
            os.kill(self.program.pid, signal.SIGHUP)

    def reload(self) -> dict[str, Any]:
        """SIGHUP; return the log line of what came of it."""
        before = len(self.ended())
        self.hang_up()
        lines = self.program.wait_for(lambda line: line.get("event") in ("reloaded", "not reloaded"), before + 1)
        return lines[-1]


@contextmanager
def load(house: House, client: str, logins: list[tuple[Person, bytes]], rate: int) -> Iterator[dict[str, Any]]:
    """Send logins at so many a second; what came of them is in the mapping afterwards."""
    order = {
        "port": house.program.port,
        "secret": house.secret(client),
        "logins": [[person.uid, typed.decode()] for person, typed in logins],
        "rate": rate,
        "repeats": 0,
        "patience": PATIENCE,
    }
    outcome: dict[str, Any] = {}
    with subprocess.Popen(
        [sys.executable, "-m", "bench.load"],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        process.stdin.write(json.dumps(order))
        process.stdin.close()
        process.stdin = None
        yield outcome
        outcome |= json.loads(process.communicate(timeout=60)[0])
    assert process.returncode == 0
