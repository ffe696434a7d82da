"""Owns how long the stages of an attempt take, as measured by a stopwatch that the attempt brings along."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """What an attempt waits for: a thread, the directory's look-up, rule and code, the bind, the store."""

    QUEUE = "queue"
    LOOK_UP = "look_up"
    CODE = "code"
    BIND = "bind"
    STORE = "store"


@dataclass(frozen=True, slots=True)
class Stages:
    """Milliseconds of each stage; None where the attempt did not come to it, or nobody measured."""

    queue: float | None = None
    look_up: float | None = None
    code: float | None = None
    bind: float | None = None
    store: float | None = None


NO_STAGES = Stages()


class Stopwatch:
    """Adds up what each stage of one attempt takes."""

    __slots__ = ("_clock", "_since", "_spent")

    def __init__(self, clock: Callable[[], float] | None = None, since: float = 0.0) -> None:
        """Take a clock (monotonic seconds), and when the attempt began by it. Without a clock, nothing is measured."""
        self._clock = clock
        self._since = since
        self._spent: dict[str, float] = {}

    def lap(self, stage: Stage) -> None:
        """Say that all since the last lap was this stage."""
        if self._clock is None:
            return
        now = self._clock()
        self._spent[stage] = self._spent.get(stage, 0.0) + now - self._since
        self._since = now

    def read(self) -> Stages:
        """Return what has been measured so far, to the microsecond."""
        if not self._spent:
            return NO_STAGES
        return Stages(**{stage: round(seconds * 1000, 3) for stage, seconds in self._spent.items()})
