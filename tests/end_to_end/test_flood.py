"""A flood of datagrams that deserve no answer: honest clients are answered, and the log stays readable."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.end_to_end.crowd import crowd, crowd_ldif
from tests.end_to_end.flooding import RATE
from tests.end_to_end.house import House, Ready, client
from tests.end_to_end.people import Person
from tests.end_to_end.radius import ACCEPT, at_once
from tests.servers.slapd import Slapd

SECONDS = 3.0
LOGINS = 100
BATCH = 10  # logins in the same instant
LINE_EVERY = 5.0  # seconds, for each cause and client

# The flood comes from the first one's address too.
CLIENTS = (client("flooded", "127.0.0.1"), client("honest", "127.0.0.2"))


@contextmanager
def flood(port: int) -> Iterator[list[str]]:
    """Flood a port; what was sent, and in how many seconds, is in the list afterwards."""
    told: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-m", "tests.end_to_end.flooding", str(port)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        yield told
        told += process.communicate(timeout=30)[0].split()
    assert process.returncode == 0


def logins(house: House, people: list[Person]) -> list[int]:
    """Let people log in in the same instant, by both clients in turn."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(house.nas(("flooded", "honest")[place % 2])) for place in range(len(people))]
        pairs = zip(sockets, people, strict=True)
        return [reply.code for reply in at_once((nas, nas.request(each.uid, each.typed())) for nas, each in pairs)]


def test_honest_logins_are_answered_within_a_flood_and_the_log_stays_small(folder: Path, ready: Ready) -> None:
    people = crowd(LOGINS, "honest")
    codes: list[int] = []
    with Slapd(seed=crowd_ldif(people)) as slapd, House(folder, slapd, ready, clients=CLIENTS) as house:
        house.enrol(people)
        with flood(house.program.port) as told:
            began = time.monotonic()
            while len(codes) < LOGINS or time.monotonic() - began < SECONDS:
                start = len(codes) % LOGINS
                codes += logins(house, people[start : start + BATCH])
        assert house.program.stop() == 0
        (stopped,) = house.program.wait_for(lambda line: line.get("event") == "stopped")

    assert codes == [ACCEPT] * len(codes)
    sent, seconds = int(told[0]), float(told[1])
    assert sent > RATE * SECONDS / 2
    assert sent / 2 < sum(stopped["dropped"].values()) <= sent
    lines = house.program.events("dropped")
    assert len(lines) <= len(stopped["dropped"]) * (1 + seconds // LINE_EVERY)
    others = [line["event"] for line in house.program.lines if line["event"] not in ("dropped", "accepted")]
    assert others == ["ready", "stopping", "stopped"]
