"""Owns the bound on how often somebody may try something: many tries at once, then one now and then."""

from collections import OrderedDict
from threading import Lock

_MOST = 10_000  # addresses that are remembered


class Limits:
    """`burst` tries at once of one address or person, then one each `seconds_each`. For all threads."""

    def __init__(self, burst: int, seconds_each: float) -> None:
        """Begin with everybody's tries unused."""
        self._span = burst * seconds_each
        self._each = seconds_each
        self._until: OrderedDict[str, float] = OrderedDict()
        self._lock = Lock()

    def allows(self, address: str, when: float) -> bool:
        """Take one try at `when` (monotonic seconds), and tell whether there was one left."""
        with self._lock:
            until = max(self._until.pop(address, when), when) + self._each
            allowed = until - when <= self._span
            self._until[address] = until if allowed else until - self._each
            if len(self._until) > _MOST:
                self._until.popitem(last=False)
            return allowed
