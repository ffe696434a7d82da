"""Owns the figures that a running server tells of a directory."""

from dataclasses import dataclass
from typing import Protocol

from radius2fa.directory.servers import ServerState


@dataclass(frozen=True, slots=True)
class LookupFigures:
    """How the memory of look-ups does: how many of at most `capacity` can be recalled now, each for `limit` seconds.

    `hits` were answered from memory, `misses` went to the directory, since the process began. Threads that count at the
    same moment may lose a count.
    """

    remembered: int
    capacity: int
    limit: float
    hits: int
    misses: int


@dataclass(frozen=True, slots=True)
class DirectoryFigures:
    """What one directory is doing, and how its servers are, in order of preference."""

    name: str
    driver: str
    lookups: LookupFigures
    servers: tuple[ServerState, ...]


class Figured(Protocol):
    """A directory that tells its figures, from any thread, without waiting for anything."""

    def figures(self) -> DirectoryFigures:
        """Return them as of now."""
        ...
