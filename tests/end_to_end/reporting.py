"""A steady load of accounting for one test, on loopback only, in a process of its own: each report is sent once.

    python -m tests.end_to_end.reporting < ORDER.json        prints one JSON object

An order holds `source`, an address of a client of the server, its `secret`, the `port`, and how `many` reports leave at
what `rate` a second. After the last one the answers are waited for, `patience` seconds at most.
"""

import json
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.end_to_end.house import House
from tests.radius.wire import Asked, accounting_request, check_acknowledgement

PATIENCE = 20.0
SOCKETS = 128  # 32768 identifiers, so that none is used twice


@contextmanager
def reports(house: House, client: str, many: int, rate: int, patience: float = PATIENCE) -> Iterator[dict[str, Any]]:
    """Send reports; what came of them is in the mapping afterwards."""
    order = {
        "source": house.clients[client]["addresses"][0],
        "secret": house.secret(client),
        "port": house.program.accounting_port,
        "many": many,
        "rate": rate,
        "patience": patience,
    }
    outcome: dict[str, Any] = {}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.end_to_end.reporting"],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "begun\n"
        yield outcome
        outcome |= json.loads(process.communicate(timeout=60)[0])
    assert process.returncode == 0


class Reporter:
    """Sends reports and counts the answers that are right."""

    def __init__(self, order: dict[str, Any]) -> None:
        self.order = order
        self.sockets = []
        for _ in range(SOCKETS):
            end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            end.bind((order["source"], 0))
            end.connect(("127.0.0.1", order["port"]))
            self.sockets.append(end)
        secret = order["secret"].encode()
        self.asked = [
            accounting_request(
                (40, b"\0\0\0\x03"), (44, b"load-%d" % number), secret=secret, identifier=number // SOCKETS % 256
            )
            for number in range(order["many"])
        ]
        self.waiting: dict[tuple[socket.socket, int], Asked] = {}
        self.answered = 0

    def run(self) -> dict[str, int]:
        began, sent = time.monotonic(), 0
        while sent < len(self.asked):
            due = min(int((time.monotonic() - began) * self.order["rate"]), len(self.asked))
            for number in range(sent, due):
                end, asked = self.sockets[number % SOCKETS], self.asked[number]
                self.waiting[end, asked.identifier] = asked
                end.send(asked.octets)
            sent = due
            self.read(0.002)
        until = time.monotonic() + self.order["patience"]
        while self.waiting and time.monotonic() < until:
            self.read(0.1)
        return {"sent": sent, "answered": self.answered}

    def read(self, seconds: float) -> None:
        for end in select.select(self.sockets, [], [], seconds)[0]:
            octets = end.recv(4096)
            check_acknowledgement(octets, self.waiting.pop((end, octets[1])))
            self.answered += 1


if __name__ == "__main__":
    reporter = Reporter(json.loads(sys.stdin.readline()))
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    sys.stdout.write(json.dumps(reporter.run()) + "\n")
