"""Owns the measurements of the audit record: what it costs a login, and a long one's proof and backup."""

import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from bench.measure import Size, drive, steady
from bench.process import beside, figures
from bench.server import PROGRAM, radius2fa
from bench.world import Turns, World
from radius2fa.config.model import Store as StoreSettings
from radius2fa.login.ports import Record, Result
from radius2fa.login.stages import Stages
from radius2fa.store import journal
from radius2fa.store.engine import address
from radius2fa.store.pen import Pen
from radius2fa.store.seal import KeyRing
from radius2fa.store.sqlite import Sqlite

WINDOW = 32  # logins in flight
AT_ONCE = 5_000  # rows of a transaction
WITHOUT = {part: (sys.executable, "-m", "bench.without", part) for part in ("chain", "record")}
METRICS = '\n[metrics]\nlisten = "127.0.0.1:0"\n'


def record(world: World, driver: str, size: Size) -> dict:
    """Drive three servers by turns: as it is, with figures; without them, with rows in no chain; and with no rows."""
    with ExitStack() as stack:
        full = stack.enter_context(radius2fa(world, "recorded", world.crowd, driver, more=METRICS))
        others = {
            part: stack.enter_context(radius2fa(world, f"without-{part}", world.crowd, driver, program=program))
            for part, program in WITHOUT.items()
        }
        turns = Turns(world.crowd)
        servers = [full, *others.values()]
        for server in servers:
            drive(server, turns.take(size.people, 15), window=WINDOW)
        found = []
        for number in range(2 * size.rounds):
            crowd = turns.take(size.logins, 10)
            order = servers if number % 2 == 0 else servers[::-1]
            found.append({server.pid: drive(server, crowd, window=WINDOW) for server in order})
    return {
        "refused": sum(each["sent"] - each["accept"] for one in found for each in one.values()),
        **{part: compared([(one[full.pid], one[server.pid]) for one in found]) for part, server in others.items()},
    }


def compared(pairs: list[tuple[dict, dict]]) -> dict:
    """Return the ratios of the rates and of the CPU."""
    return {
        "rates": [round(mine["per_second"] / theirs["per_second"], 3) for mine, theirs in pairs],
        "cpus": [round(mine["cpu_us"] / theirs["cpu_us"], 3) for mine, theirs in pairs],
    }


def archive(world: World, driver: str, size: Size) -> dict:
    """Write a long record, then time its proof, and its backup beside logins at a steady rate."""
    with radius2fa(world, "archive", world.crowd, driver) as server:
        folder = world.folder / "archive"
        write(folder, size.archived)
        turns = Turns(world.crowd)
        drive(server, turns.take(size.people, 15), window=WINDOW)
        alone = steady(server, turns, size)
        proof = figures(started(folder, "audit", "verify"))
        backup = started(folder, "backup", str(folder / "backup"))
        both = steady(server, turns, size)
        return {
            "rows": size.archived,
            "verify": proof,
            "backup": figures(backup),
            "octets": (folder / "backup").stat().st_size,
            "alone": alone,
            "beside": both,
        }


def write(folder: Path, rows: int) -> None:
    """Write so many logins into the record, as a server of another name would have."""
    key_file = folder / "master.key"
    settings = StoreSettings(url=f"sqlite:///{folder}/radius2fa.db", key_file=key_file)
    pen = Pen(KeyRing.read(key_file), "long-ago")
    database = Sqlite(address(settings), timeout=30, clock=time.monotonic, pen=pen)
    when = time.time() - rows
    for first in range(0, rows, AT_ONCE):
        logins = [login(number, when + number) for number in range(first, min(first + AT_ONCE, rows))]
        database.write(lambda connection, logins=logins: [journal.write(connection, each, pen) for each in logins])
    database.close()


def login(number: int, when: float) -> Record:
    """Return what an accepted login leaves."""
    name = f"u{number % 5000:05d}"
    return Record(
        id=f"{number:016x}",
        when=when,
        client="gateway",
        name=name,
        source="192.0.2.7",
        result=Result.ACCEPT,
        reason=None,
        subject=f"f4b1e6a0-0000-4000-8000-{number % 5000:012d}",
        token=f"0d2c1e5a-0000-4000-8000-{number % 5000:012d}",
        policy="staff",
        factor="totp",
        person=name,
        serial=f"S{number % 5000:07d}",
        stages=Stages(0.2, 0.4, 0.3, 2.5, 3.1),
    )


def started(folder: Path, *arguments: str) -> subprocess.Popen:
    """Start a command of the program; `process.figures` waits for what it took."""
    return beside("bench.command", str(PROGRAM), "--config", str(folder / "radius2fa.toml"), *arguments)
