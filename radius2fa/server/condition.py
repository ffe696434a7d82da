"""Owns what the running server tells of itself: the document that `radius2fa status` asks for."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from radius2fa import __version__
from radius2fa.config.differences import Values
from radius2fa.config.model import Client
from radius2fa.directory.figures import DirectoryFigures
from radius2fa.directory.servers import ServerState
from radius2fa.server.habits import Habit
from radius2fa.server.reloaded import Reloaded


@dataclass(frozen=True, slots=True)
class Moment:
    """A time by both clocks: in Unix seconds, and in monotonic seconds, which directories count in."""

    unix: float
    monotonic: float

    def written(self, monotonic: float) -> str:
        """Return another time, in monotonic seconds, in ISO 8601 and UTC."""
        return _iso(self.unix - self.monotonic + monotonic)


@dataclass(frozen=True, slots=True)
class Work:
    """What the worker threads do: so many `busy` requests wait or are worked at, `waiting` of them wait for a thread.

    `held` replies wait for their hour, without a thread.
    """

    threads: int
    busy: int
    waiting: int
    held: int
    backlog: int


@dataclass(frozen=True, slots=True)
class Asking:
    """A client, what is seen of it, and how many of its unsigned requests got no answer."""

    client: Client
    habit: Habit | None
    refused_unsigned: int


@dataclass(frozen=True, slots=True)
class Reporting:
    """Accounting: `in_progress` of the busy requests, and those acknowledged, by client and what was reported."""

    listeners: Sequence[tuple[str, int]]
    in_progress: int
    acknowledged: Mapping[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class Figures:
    """What the server is doing. `started` is when the process began to serve, in Unix seconds."""

    started: float
    listeners: Sequence[tuple[str, int]]
    work: Work
    clients: Sequence[Asking]
    drops: Mapping[tuple[str, str, str], int]
    accounting: Reporting
    directories: Sequence[DirectoryFigures]
    reloaded: Reloaded | None
    master_keys: Sequence[str]
    configuration: Values


def condition(figures: Figures, now: Moment) -> dict[str, object]:
    """Return it, fit for JSON.

    Readers of other versions read this too: keys may come, and none may change its meaning. In the configuration,
    digests stand in the place of secrets, made with the first of the master keys.
    """
    return {
        "version": __version__,
        "python": platform.python_version(),
        "process": os.getpid(),
        "started": _iso(figures.started),
        "listeners": _listeners(figures.listeners),
        "work": asdict(figures.work),
        "clients": [_client(each) for each in figures.clients],
        "drops": [
            {"client": client or None, "cause": str(cause), "count": count, "port": port}
            for (cause, client, port), count in sorted(figures.drops.items())
        ],
        "accounting": _accounting(figures.accounting),
        "directories": [_directory(each, now) for each in figures.directories],
        "reload": _reload(figures.reloaded),
        "master_keys": list(figures.master_keys),
        "configuration": figures.configuration,
    }


def _listeners(listeners: Sequence[tuple[str, int]]) -> list[dict[str, object]]:
    return [{"address": address, "port": port} for address, port in listeners]


def _accounting(reporting: Reporting) -> dict[str, object]:
    return {
        "listeners": _listeners(reporting.listeners),
        "in_progress": reporting.in_progress,
        "acknowledged": [
            {"client": client, "status": status, "count": count}
            for (client, status), count in sorted(reporting.acknowledged.items())
        ],
    }


def _client(asking: Asking) -> dict[str, object]:
    """Describe a client and its habit: requests with and without Message-Authenticator, the latter also if refused."""
    client, habit = asking.client, asking.habit
    return {
        "name": client.name,
        "addresses": [str(each) for each in client.addresses],
        "last_request": _iso(habit.last) if habit else None,
        "message_authenticator": {
            "required": client.require_message_authenticator,
            "with": habit.signed if habit else 0,
            "without": (habit.unsigned if habit else 0) + asking.refused_unsigned,
        },
    }


def _reload(reloaded: Reloaded | None) -> dict[str, object] | None:
    if reloaded is None:
        return None
    return {
        "at": _iso(reloaded.when),
        "result": "refused" if reloaded.faults else "taken",
        "faults": list(reloaded.faults),
        "changed": list(reloaded.changed),
        "needs_restart": list(reloaded.waiting),
    }


def _directory(figures: DirectoryFigures, now: Moment) -> dict[str, object]:
    lookups = figures.lookups
    return {
        "name": figures.name,
        "driver": figures.driver,
        "lookups": {
            "remembered": lookups.remembered,
            "capacity": lookups.capacity,
            "limit_seconds": lookups.limit,
            "hits": lookups.hits,
            "misses": lookups.misses,
        },
        "servers": [_server(each, now) for each in figures.servers],
    }


def _server(state: ServerState, now: Moment) -> dict[str, object]:
    """Describe a server; `cause` is that of its last failure, also where it is well again, "" for none."""
    return {
        "url": state.url,
        "state": "well" if state.well else "failed",
        "since": now.written(state.since),
        "cause": state.cause,
    }


def _iso(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).isoformat(timespec="seconds")
