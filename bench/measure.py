"""Owns the measurements: one function for each part of the run, which returns its figures."""

import statistics
import time
import timeit
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address, ip_network

from bench.outage import seconds_until_accepted
from bench.peer import freeradius as peer
from bench.process import beside, cpu, figures, overrun, resident
from bench.server import PAGES, pages, radius2fa
from bench.world import SECRET, Person, Server, Turns, World, totp
from radius2fa.login.policy import Rule, Rules
from radius2fa.login.ports import Entry
from radius2fa.store.adding import MOST_ACTIVE
from tests.servers.proxy import Proxy

WINDOW = 32  # logins in flight
WARM_UP = 200  # logins of the peer that are not counted; ours are the cold pass
ROUND_TRIP = 0.05  # seconds to a directory that is far away, and back


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything. Logins, people and tokens are numbers; the others seconds and datagrams a second."""

    people: int = 5_000
    starts: int = 3
    rounds: int = 5
    logins: int = 1_000
    steady_rate: int = 100
    steady_seconds: int = 15
    few_tokens: int = 1_000
    many_tokens: int = 100_000
    growth_steps: int = 3
    growth_logins: int = 250
    flood_rate: int = 20_000
    flood_seconds: int = 12
    imported: int = 100_000
    latency_logins: int = 1_000
    outage_seconds: float = 30
    portal_people: int = 24
    portal_rate: int = 50
    portal_seconds: int = 15
    archived: int = 1_000_000


FULL = Size()
QUICK = Size(
    people=600, starts=1, rounds=2, logins=150, steady_seconds=2, few_tokens=200, many_tokens=2_000, growth_steps=1,
    growth_logins=100, flood_seconds=2, imported=2_000, latency_logins=300, outage_seconds=10,
    portal_people=8, portal_seconds=3, archived=20_000,
)  # fmt: skip


def logins(crowd: list[Person], seed: bytes | None = None) -> list[list[str]]:
    """Return what these people send now."""
    when = time.time()
    return [[person.name, person.typed(when, seed)] for person in crowd]


def drive(server: Server, crowd: list[Person], seed: bytes | None = None, **how: float) -> dict:
    """Let these people log in once each, and return the generator's figures with the server's cost added."""
    before = cpu(server.pid)
    found = figures(
        beside("bench.load", order={"port": server.port, "secret": SECRET, "logins": logins(crowd, seed), **how})
    )
    return found | {
        "cpu_us": round(1e6 * (cpu(server.pid) - before) / len(crowd)),
        "resident_mb": round(resident(server.pid), 1),
    }


def ready(world: World, driver: str, size: Size) -> dict:
    """Start the server a few times and return the median of the seconds until its first answer."""
    seconds = []
    for _ in range(size.starts):
        with radius2fa(world, "ready", world.crowd, driver) as server:
            seconds.append(server.seconds)
    return {"seconds": round(statistics.median(seconds), 3), "all": [round(value, 3) for value in seconds]}


def rate(world: World, drivers: Sequence[str], size: Size) -> dict:
    """Drive a fresh server of each driver cold, then all of them warm and the peer, if it is installed, by turns.

    `drivers` of the figures holds those of each, with the ratio of each warm pass to the peer's of its round.
    """
    found: dict = {"drivers": {}, "peer": []}
    with ExitStack() as stack:
        servers = {name: stack.enter_context(radius2fa(world, f"rate-{name}", world.crowd, name)) for name in drivers}
        turns = {name: Turns(world.crowd) for name in drivers}
        for name, server in servers.items():
            cold = drive(server, turns[name].take(size.people, 15), window=WINDOW)
            found["drivers"][name] = {"cold": cold, "warm": [], "ratios": []}
        other = None if peer.missing() else stack.enter_context(peer.freeradius(world))
        if other:
            drive(other, world.crowd[:WARM_UP], peer.SEED, window=WINDOW)
        for _ in range(size.rounds):
            for name, server in servers.items():
                crowd = turns[name].take(size.logins, 8)
                found["drivers"][name]["warm"].append(drive(server, crowd, window=WINDOW))
            if other:  # the same people: the directory's caches are warm for both
                found["peer"].append(drive(other, crowd, peer.SEED, window=WINDOW))
    for each in found["drivers"].values():
        pairs = zip(each["warm"], found["peer"], strict=bool(found["peer"]))
        each["ratios"] = [round(ours["per_second"] / theirs["per_second"], 3) for ours, theirs in pairs]
    return found


def latency(world: World, driver: str, size: Size) -> dict:
    """Drive a server whose directory is far away, warm: each login waits for one round trip."""
    crowd = world.crowd[: size.latency_logins]
    with Proxy(world.directory.port) as far:
        far.latency = ROUND_TRIP
        with radius2fa(world, "latency", crowd, driver, url=f"ldap://127.0.0.1:{far.port}") as server:
            turns = Turns(crowd)
            drive(server, turns.take(len(crowd), 15), window=WINDOW)
            return drive(server, turns.take(len(crowd), 8), window=WINDOW)


def outage(world: World, driver: str, size: Size) -> dict:
    """Stop the directory for a while, and return the seconds from when it answers again to the first login let in.

    Look-ups are warm, and clients go on asking all the time.
    """
    crowd = world.crowd[: size.latency_logins]
    with radius2fa(world, "outage", crowd, driver) as server:
        drive(server, Turns(crowd).take(len(crowd), 8), window=WINDOW)
        seconds = seconds_until_accepted(server.port, crowd, world.directory, size.outage_seconds)
    return {"seconds": round(seconds, 2), "stopped": size.outage_seconds}


def steady(server: Server, turns: Turns, size: Size) -> dict:
    """Drive the server at a steady rate, whether it answers or not."""
    crowd = turns.take(size.steady_rate * size.steady_seconds)
    return drive(server, crowd, rate=size.steady_rate)


def portal(world: World, driver: str, size: Size) -> dict:
    """Drive the server at a steady rate, alone and beside people who look at the portal's pages, by turns."""
    visitors, crowd = world.crowd[: size.portal_people], world.crowd[size.portal_people :]
    with radius2fa(world, "portal", world.crowd, driver) as server, pages(world, "portal") as web:
        turns = Turns(crowd)
        drive(server, turns.take(len(crowd), 15), window=WINDOW)
        alone = steady(server, turns, size)
        people = [[person.name, person.password, totp(person.seed, time.time())] for person in visitors]
        order = {"port": web.port, "people": people, "paths": PAGES, "rate": size.portal_rate}
        browsing = beside("bench.browsing", order=order | {"seconds": size.portal_seconds})
        try:
            both = steady(server, turns, size)
            return {"alone": alone, "beside": both, "portal": figures(browsing), "resident_mb": resident(web.pid)}
        finally:
            browsing.kill()
            browsing.wait()


def flood(server: Server, turns: Turns, size: Size) -> dict:
    """Do the same beside a flood. A login that gets no answer is sent again, as clients do, and counted apart."""
    crowd = turns.take(size.steady_rate * size.flood_seconds)
    pouring = beside("bench.flood", str(server.port), str(size.flood_rate), str(size.flood_seconds + 2))
    try:
        time.sleep(1)  # the flood comes first
        honest = drive(server, crowd, rate=size.steady_rate, patience=2.5, repeats=2)
        return {"honest": honest, "flood": figures(pouring), "overrun": overrun(server.port)}
    finally:
        pouring.kill()
        pouring.wait()


def growth(world: World, driver: str, size: Size) -> dict:
    """Compare two servers, one with few tokens and one with many."""
    crowd = world.crowd[: size.few_tokens]
    with ExitStack() as stack:
        few = stack.enter_context(radius2fa(world, "few", crowd, driver))
        strangers = size.many_tokens - size.few_tokens
        many = stack.enter_context(radius2fa(world, "many", crowd, driver, strangers=strangers))
        found = compared(few, many, crowd, size)
        return found | {
            "resident_few_mb": round(resident(few.pid), 1),
            "resident_many_mb": round(resident(many.pid), 1),
        }


def tokens(world: World, driver: str, size: Size) -> dict:
    """Compare two servers, one whose users have one token each, and one whose users have as many as they may."""
    crowd = world.crowd[: size.few_tokens]
    with ExitStack() as stack:
        # One of its own: on the others the codes of now are used up.
        one = stack.enter_context(radius2fa(world, "one", crowd, driver))
        eight = stack.enter_context(radius2fa(world, "eight", crowd, driver, each=MOST_ACTIVE))
        return compared(one, eight, crowd, size)


def policy() -> dict:
    """Choose among 200 rules, the last of which matches, with each condition in turn; return the slowest."""
    entry = Entry("id", "uid=u,dc=example", "U", "u", frozenset(f"cn=group{number},dc=example" for number in range(30)))
    address = ip_address("192.0.2.1")
    condition: dict[str, Callable[[int], dict]] = {
        "users": lambda number: {"users": frozenset({f"other{number}"})},
        "groups": lambda number: {"groups": frozenset({f"cn=other{number},dc=example"})},
        "networks": lambda number: {"networks": tuple(ip_network(f"10.{part}.{number}.0/24") for part in range(3))},
    }
    slowest = {}
    for name, made in condition.items():
        rules = Rules.of([*(Rule(f"rule{number}", **made(number)) for number in range(199)), Rule("last")])
        assert rules.choose("vpn", entry, address).name == "last"
        runs = timeit.repeat(partial(rules.choose, "vpn", entry, address), number=1000, repeat=5)
        slowest[name] = round(1e6 * statistics.median(runs) / 1000, 1)
    return slowest


def compared(one: Server, other: Server, crowd: list[Person], size: Size) -> dict:
    """Compare two servers by logins of the same people, in alternation."""
    turns = Turns(crowd)
    warm_up = turns.take(len(crowd), 8)
    for server in (one, other):
        drive(server, warm_up, window=WINDOW)
    pairs = [pair for _ in range(size.growth_steps) for pair in steps(one, other, turns, size)]
    return {
        "one_us": round(statistics.median(mine["cpu_us"] for mine, _ in pairs)),
        "other_us": round(statistics.median(theirs["cpu_us"] for _, theirs in pairs)),
        "ratios": [round(theirs["cpu_us"] / mine["cpu_us"], 3) for mine, theirs in pairs],
        "refused": sum(each["sent"] - each["accept"] for pair in pairs for each in pair),
    }


def steps(one: Server, other: Server, turns: Turns, size: Size) -> Iterator[tuple[dict, dict]]:
    """Let everyone log in once on both servers, in small lots, and yield the figures of each lot on both."""
    for lot in range(size.few_tokens // size.growth_logins):
        crowd = turns.take(size.growth_logins, 4)
        # Whoever comes second finds the directory's caches warm: the order changes from lot to lot.
        order = (one, other) if lot % 2 == 0 else (other, one)
        found = {server.pid: drive(server, crowd, window=WINDOW) for server in order}
        yield found[one.pid], found[other.pid]
