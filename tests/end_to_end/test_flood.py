"""Floods: honest clients are answered, and the log stays readable, whatever comes that deserves no answer.

And the one that is honest: a gateway that restarts reports all its sessions at once, and lets people in meanwhile.
"""

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from tests.end_to_end.crowd import crowd, crowd_ldif
from tests.end_to_end.flooding import RATE
from tests.end_to_end.house import House, Ready, client
from tests.end_to_end.people import Person
from tests.end_to_end.radius import ACCEPT, at_once
from tests.end_to_end.reloading import load
from tests.end_to_end.reporting import reports
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


BACKLOG = 512  # of one client, by default
REPORTS, REPORT_RATE = 20_000, 10_000  # more than can be recorded
LOGIN_RATE = 50


def test_more_accounting_than_a_client_may_have_waiting_keeps_out_none_of_its_logins(
    folder: Path, slapd: Slapd, ready: Ready
) -> None:
    server = {"accounting_listen": ["127.0.0.1:0"]}
    with House(folder, slapd, ready, clients=CLIENTS, server=server) as house:
        people = [house.person() for _ in range(BATCH)]
        with closing(sqlite3.connect(house.program.database, isolation_level=None)) as other, ExitStack() as stack:
            other.execute("BEGIN IMMEDIATE")  # so that nothing is recorded for now
            with reports(house, "flooded", BACKLOG + 100, 100_000, patience=1.0):
                (line,) = house.program.wait_for(lambda line: line.get("why") == "overload")
                assert line["received"].startswith("ACCOUNTING_REQUEST")
                sockets = [stack.enter_context(house.nas("flooded")) for _ in people]
                for nas, each in zip(sockets, people, strict=True):
                    nas.send(nas.request(each.uid, each.typed()))
                other.execute("ROLLBACK")
            assert [nas.receive()[0] for nas in sockets] == [ACCEPT] * BATCH


def test_logins_go_before_a_flood_of_accounting_of_the_same_client(folder: Path, ready: Ready) -> None:
    people = crowd(LOGINS, "hurried")
    server = {"accounting_listen": ["127.0.0.1:0"]}
    with Slapd(seed=crowd_ldif(people)) as slapd, House(folder, slapd, ready, clients=CLIENTS, server=server) as house:
        house.enrol(people)
        logins = [(person, person.typed()) for person in people]
        with (
            reports(house, "flooded", REPORTS, REPORT_RATE, patience=1.0) as reported,
            load(house, "flooded", logins, LOGIN_RATE) as got,
        ):
            pass
        recorded = house.query("SELECT count(*) FROM accounting")[0][0]
    print(got, reported)  # noqa: T201 - figures, for whoever asks with -s
    assert got["sent"] == got["accept"] == LOGINS
    assert 0 < reported["answered"] <= recorded
