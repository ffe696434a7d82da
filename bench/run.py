"""Owns the benchmark's command line: what is run, how it is judged, and the table at the end."""

import argparse
import hmac
import json
import os
import platform
import signal
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

from rich.console import Console
from rich.table import Table

from bench import importing, measure, record
from bench.judge import JUDGES, Line, median
from bench.measure import Size
from bench.peer import freeradius as peer
from bench.server import CACHE_SECONDS, radius2fa
from bench.world import Turns, World, world

PARTS = (
    "ready",
    "rate",
    "steady",
    "flood",
    "growth",
    "tokens",
    "latency",
    "outage",
    "portal",
    "record",
    "archive",
    "policy",
    "import",
)
DRIVERS = ("ldap3", "libldap")  # the first is the program's default
LIMIT = 20 * 60  # seconds for the whole run, whatever happens


def main() -> None:
    """Run what was asked for, print what came out."""
    given = arguments()
    console = Console()
    bound()
    size = measure.QUICK if given.quick else measure.FULL
    machine = describe()
    console.print(f"{machine['cpu']}, {machine['cores']} cores, load {machine['load']}, Python {machine['python']}")
    speed = [reference()]
    started = time.monotonic()
    found = run(given.only, size, given.driver, console)
    if "rate" in found:
        console.print(passes(found["rate"]))
    console.print(targets([line for part in PARTS if part in found for line in JUDGES[part](found[part])]))
    speed.append(reference())
    console.print(f"An HMAC-SHA-1 cost {speed[0]} us of CPU before the run and {speed[1]} us after it.")
    notes(console, found, quick=given.quick)
    console.print(f"{time.monotonic() - started:.0f} s in all")
    if given.json:
        given.json.write_text(
            json.dumps({"machine": machine, "hmac_us": speed, "quick": given.quick, **found}, indent=2) + "\n"
        )


def arguments() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(prog="bench", description="Measure radius2fa on this machine, on loopback.")
    parser.add_argument("--quick", action="store_true", help="small numbers, to see that it works")
    parser.add_argument("--only", type=parts, default=PARTS, metavar="PARTS", help=f"some of {','.join(PARTS)}")
    parser.add_argument(
        "--driver", choices=DRIVERS, help="the LDAP library; both in the part `rate` if none is chosen, else ldap3"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE")
    return parser.parse_args()


def parts(text: str) -> tuple[str, ...]:
    """Return the parts that a comma-separated list names."""
    chosen = text.split(",")
    if unknown := set(chosen) - set(PARTS):
        raise argparse.ArgumentTypeError(f"no such part: {', '.join(sorted(unknown))}")
    return tuple(part for part in PARTS if part in chosen)


def bound() -> None:
    """See to it that the run ends, and that whatever ends it lets the servers be stopped and the folder removed."""

    def leave(number: int, _frame: object) -> NoReturn:
        for other in signals:
            signal.signal(other, signal.SIG_IGN)  # the way out is bounded, and is gone once
        sys.exit(f"bench: {'it took too long' if number == signal.SIGALRM else signal.Signals(number).name}")

    signals = (signal.SIGALRM, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in signals:
        signal.signal(number, leave)
    signal.alarm(LIMIT)


def describe() -> dict:
    """Return what is worth knowing of the machine."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%d"),
    }


def reference() -> float:
    """Return the CPU microseconds of one HMAC, median of some rounds: what the machine's neighbours leave of it now."""
    rounds, each = 9, 2_000
    costs = []
    for _ in range(rounds):
        start = time.thread_time()
        for number in range(each):
            hmac.digest(b"a key of 20 octets..", number.to_bytes(8, "big"), "sha1")
        costs.append((time.thread_time() - start) / each)
    return round(1e6 * statistics.median(costs), 2)


def run(chosen: tuple[str, ...], size: Size, driver: str | None, console: Console) -> dict:
    """Do the chosen parts in their order and return the figures of each."""
    found: dict = {}
    one, both = driver or DRIVERS[0], DRIVERS if driver is None else (driver,)

    def part(name: str, words: str, work: Callable[[], dict]) -> None:
        if name in chosen:
            console.print(f"{name}: {words}")
            found[name] = work()

    with world(size.people) as people:
        part("ready", f"{size.starts} starts", lambda: measure.ready(people, one, size))
        beside = f"left out: {peer.INSTALL}" if peer.missing() else "beside it, by turns"
        words = f"{size.people:,} logins cold, {size.rounds} x {size.logins:,} warm, {' and '.join(both)}"
        part("rate", f"{words}; FreeRADIUS {beside}", lambda: measure.rate(people, both, size))
        if {"steady", "flood"} & set(chosen):
            with_one_server(people, one, size, part)
        few, many = f"{size.few_tokens:,}", f"{size.many_tokens:,}"
        part("growth", f"{few} tokens against {many}", lambda: measure.growth(people, one, size))
        part("tokens", "one token each against eight", lambda: measure.tokens(people, one, size))
        part("latency", "a directory 50 ms away", lambda: measure.latency(people, one, size))
        words = f"the directory is stopped for {size.outage_seconds:g} s"
        part("outage", words, lambda: measure.outage(people, one, size))
        words = f"{size.steady_rate} logins/s, alone and beside {size.portal_rate} pages/s"
        part("portal", words, lambda: measure.portal(people, one, size))
        words = "with the audit record and figures for Prometheus, against without"
        part("record", words, lambda: record.record(people, one, size))
        words = f"the proof and the backup of {size.archived:,} rows"
        part("archive", words, lambda: record.archive(people, one, size))
    part("policy", "200 rules", measure.policy)
    part("import", f"{size.imported:,} tokens", lambda: importing.importing(size.imported))
    return found


def with_one_server(people: World, driver: str, size: Size, part: Callable) -> None:
    """Do the parts that share a server, whose look-ups are warm."""
    turns = Turns(people.crowd)
    with radius2fa(people, "main", people.crowd, driver) as server:
        measure.drive(server, turns.take(size.people, 15), window=measure.WINDOW)
        words = f"{size.steady_rate} logins/s for {size.steady_seconds} s"
        part("steady", words, lambda: measure.steady(server, turns, size))
        words = f"{size.steady_rate} logins/s for {size.flood_seconds} s beside {size.flood_rate:,} datagrams/s"
        part("flood", words, lambda: measure.flood(server, turns, size))


def passes(found: dict) -> Table:
    """Return the table of the closed loop: the medians of its passes."""
    grid = Table(f"{measure.WINDOW} in flight", title="Rate", title_justify="left")
    for heading in ("logins/s", "p50 ms", "p99 ms", "CPU us", "MB"):
        grid.add_column(heading, justify="right")
    rows = [row for name, each in found["drivers"].items() for row in both_passes(name, each)]
    for name, of in (*rows, ("FreeRADIUS", found["peer"])):
        if of:
            figures = (f"{median(of, 'per_second'):.0f}", f"{median(of, 'p50_ms'):.1f}", f"{median(of, 'p99_ms'):.1f}")
            grid.add_row(name, *figures, f"{median(of, 'cpu_us'):.0f}", f"{of[-1]['resident_mb']:.0f}")
    return grid


def both_passes(driver: str, found: dict) -> Iterator[tuple[str, list[dict]]]:
    """Yield the rows of a driver."""
    yield f"{driver}, cold", [found["cold"]]
    yield f"{driver}, warm", found["warm"]


def targets(lines: list[Line]) -> Table:
    """Return the table of what was aimed at."""
    words = {True: "[green]met[/]", False: "[red]not met[/]", None: ""}
    grid = Table("what", "figure", "target", "", title="Targets", title_justify="left")
    for line in lines:
        grid.add_row(line.name, line.figure, line.target, words[line.met])
    return grid


def notes(console: Console, found: dict, *, quick: bool) -> None:
    """Print what has to be known to read the figures."""
    console.print(
        "Read the figures as ratios within one run: the machine and whatever else it does are in all of them."
    )
    if "rate" in found:
        console.print(
            f"The server keeps look-ups for {CACHE_SECONDS} s here (60 s by default), so that a warm pass is one."
        )
    if found.get("rate", {}).get("peer"):
        console.print(
            "FreeRADIUS does less for a login: one seed for everybody, no one-time use (a code works again and again), "
            "no failures counted, no record written."
        )
    if quick:
        console.print("A short run: it shows that everything works; its figures mean little.")


if __name__ == "__main__":
    main()
