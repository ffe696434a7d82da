"""Owns the memory of recent lookups: from a typed name to its entry, or to nobody. Never of a password's verdict."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from radius2fa.directory.figures import LookupFigures
from radius2fa.login.ports import Entry, NotFound


@dataclass(frozen=True, slots=True)
class _Lookup:
    answer: Entry | NotFound
    asked: float


class Lookups:
    """At most `most` lookups, each for `seconds`; 0 seconds switches the memory off. Safe to use from all threads.

    A lookup's age counts from when the directory was asked: what it told is no younger than that, however long the
    answer took. So neither an entry nor the groups in it are ever recalled when they are older than `seconds`.
    """

    def __init__(self, seconds: float, clock: Callable[[], float], most: int = 10_000) -> None:
        """Start empty. `clock` gives monotonic seconds."""
        self._seconds = seconds
        self._clock = clock
        self._most = most
        self._lock = Lock()  # for changes; a dictionary may be read meanwhile
        self._by_name: dict[str, _Lookup] = {}
        self._hits = 0
        self._misses = 0

    def recall(self, name: str) -> Entry | NotFound | None:
        """Return what the name led to, or None where that is not known or too long ago."""
        lookup = self._by_name.get(name)
        if lookup is None or self._clock() - lookup.asked >= self._seconds:
            self._misses += 1  # without the lock: a lost count does no harm, a wait would
            return None
        self._hits += 1
        return lookup.answer

    def remember(self, name: str, answer: Entry | NotFound, asked: float) -> None:
        """Keep an answer of the directory, which was asked at `asked` (of the clock, before the search was sent).

        It does not take the place of one that was asked for later. Where there are too many, the oldest gives way.
        """
        if self._seconds == 0:
            return
        with self._lock:
            known = self._by_name.get(name)
            if known is not None and known.asked > asked:
                return
            self._by_name.pop(name, None)  # so that the dictionary stays in the order of age, but for slow answers
            self._by_name[name] = _Lookup(answer, asked)
            while len(self._by_name) > self._most:
                del self._by_name[next(iter(self._by_name))]

    def just_made(self, name: str) -> bool:
        """Tell whether the directory was asked for this name less than a second ago: it would say the same again."""
        if self._seconds == 0:
            return True
        lookup = self._by_name.get(name)
        return lookup is not None and self._clock() - lookup.asked < 1

    def figures(self) -> LookupFigures:
        """Return how it does; what is too old to be recalled is not counted."""
        with self._lock:
            lookups = list(self._by_name.values())
        now = self._clock()
        remembered = sum(now - lookup.asked < self._seconds for lookup in lookups)
        return LookupFigures(remembered, self._most, self._seconds, self._hits, self._misses)
