"""Owns the memory of recent lookups: from a typed name to its entry, or to nobody. Never of a password's verdict."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from radius2fa.login.ports import Entry, NotFound


@dataclass(frozen=True, slots=True)
class _Lookup:
    answer: Entry | NotFound
    when: float


class Lookups:
    """At most `most` lookups, each for `seconds`; 0 seconds switches the memory off. Safe to use from all threads."""

    def __init__(self, seconds: float, clock: Callable[[], float], most: int = 10_000) -> None:
        """Start empty. `clock` gives monotonic seconds."""
        self._seconds = seconds
        self._clock = clock
        self._most = most
        self._lock = Lock()
        self._by_name: dict[str, _Lookup] = {}

    def recall(self, name: str) -> Entry | NotFound | None:
        """Return what the name led to, or None where that is not known or too long ago."""
        with self._lock:
            lookup = self._by_name.get(name)
        if lookup is None or self._clock() - lookup.when >= self._seconds:
            return None
        return lookup.answer

    def remember(self, name: str, answer: Entry | NotFound) -> None:
        """Keep an answer of the directory; the oldest one gives way."""
        if self._seconds == 0:
            return
        with self._lock:
            self._by_name.pop(name, None)  # so that the dictionary stays in the order of age
            self._by_name[name] = _Lookup(answer, self._clock())
            while len(self._by_name) > self._most:
                del self._by_name[next(iter(self._by_name))]

    def just_made(self, name: str) -> bool:
        """Tell whether the directory was asked for this name less than a second ago: it would say the same again."""
        if self._seconds == 0:
            return True
        with self._lock:
            lookup = self._by_name.get(name)
        return lookup is not None and self._clock() - lookup.when < 1
