"""Owns what the running server tells of itself: the document that `radius2fa status` asks for."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from radius2fa import __version__
from radius2fa.directory.figures import DirectoryFigures, Figured
from radius2fa.directory.servers import ServerState


@dataclass(frozen=True, slots=True)
class Moment:
    """A time by both clocks: in Unix seconds, and in monotonic seconds, which directories count in."""

    unix: float
    monotonic: float

    def written(self, monotonic: float) -> str:
        """Return another time, in monotonic seconds, in ISO 8601 and UTC."""
        return _iso(self.unix - self.monotonic + monotonic)


def condition(started: float, directories: Iterable[Figured], now: Moment) -> dict[str, object]:
    """Return it, fit for JSON. `started` is when the process began to serve, in Unix seconds.

    Readers of other versions read this too: keys may come, and none may change its meaning.
    """
    return {
        "version": __version__,
        "process": os.getpid(),
        "started": _iso(started),
        "directories": [_directory(each.figures(), now) for each in directories],
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
