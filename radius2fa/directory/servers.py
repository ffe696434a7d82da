"""Owns which of the directory's servers are well, and which of them a login asks, in which order.

A server that failed is out: no login asks it, until a probe beside the logins (see `prober`) has found it well.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from threading import Condition

from radius2fa.directory.endpoint import Endpoint
from radius2fa.login.ports import Unavailable

# Seconds between the first probe, which is made at once, and the second; then twice as long each time.
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 1.0  # seconds: so long after its return a server is known to be well, where nobody waits for it
EAGER_PAUSE = 0.2  # seconds: the longest pause while a login waits

# A server that answers probes and fails logins would cost a few of them their time-outs, again and again. One that
# fails within so many seconds of its return rests before it is probed, twice as long each time.
SOON = 60.0  # seconds
FIRST_REST = 1.0  # seconds
LONGEST_REST = 30.0  # seconds


@dataclass(frozen=True, slots=True)
class ServerState:
    """What is known of a server: whether it is well, the cause of its last failure, "" for none.

    `since` is when it came to be so, in monotonic seconds. Of one that never failed that is when it was first seen.
    """

    url: str
    well: bool
    cause: str
    since: float


@dataclass(frozen=True, slots=True)
class ServerChange:
    """A directory's server went out, for a cause, or is back: then the cause is that of its last failure."""

    directory: str
    url: str
    well: bool
    cause: str


Probing = Callable[["Servers", Endpoint], None]
"""Sees to it that a server, which is out from now on, is probed until it is well. Returns at once."""

Wait = Callable[[Condition, float], object]
"""Waits for news, as `Condition.wait` does, at most so many seconds."""


@dataclass(slots=True)
class _Record:
    """What happened to a server that has failed since it was first seen. Changed under the lock."""

    since: float = -math.inf  # what was told last
    returned: float = -math.inf
    out: bool = False
    told: bool = False  # that it is out; not before the first probe, where there is a doubt
    cause: str = ""
    era: int = 0  # how often it was out
    failures: int = 0  # each soon after its return from the one before
    pause: float = 0.0
    probe_at: float = -math.inf
    rests_until: float = -math.inf

    def go_out(self, now: float) -> None:
        self.out, self.era = True, self.era + 1
        self.pause, self.probe_at = 0.0, now

    def count(self, now: float) -> None:
        self.failures = self.failures + 1 if now - self.since <= SOON else 1
        rest = FIRST_REST * 2 ** min(self.failures - 2, 10) if self.failures > 1 else 0.0
        self.rests_until = now + min(rest, LONGEST_REST)

    def put_off(self, now: float) -> None:
        self.pause = min(self.pause * 2 or FIRST_PAUSE, LONGEST_PAUSE)
        self.probe_at = now + self.pause


def _by_nobody(_servers: "Servers", _endpoint: Endpoint) -> None:
    """Leave it to whoever calls `probed`."""


def _untold(_state: ServerState) -> None:
    """Keep it to ourselves."""


class Servers:
    """The servers in order of preference, and how they are. Used from all threads; to ask for the order takes no lock.

    `endpoints` tells which servers there are, and may tell others each time: what is known of one that has vanished is
    forgotten. `known` are those that it is known to tell, so that `states` has them before anybody asks. `patience` is
    how many seconds a login waits where none is well. `on_change` hears of each change, in their order, and has to be
    quick.
    """

    def __init__(
        self,
        endpoints: Callable[[], Iterable[Endpoint]],
        clock: Callable[[], float],
        *,
        known: Iterable[Endpoint] = (),
        patience: float = 0.0,
        probing: Probing = _by_nobody,
        on_change: Callable[[ServerState], None] = _untold,
        wait: Wait = Condition.wait,
    ) -> None:
        """Start with all of them well. `clock` gives monotonic seconds."""
        self._endpoints = endpoints
        self._clock = clock
        self._patience = patience
        self._probing = probing
        self._on_change = on_change
        self._wait = wait
        self._began = clock()
        self._news = Condition()
        self._closed = False
        self._waiting = 0  # logins
        self._latest = tuple(known)
        self._records: dict[Endpoint, _Record] = {}

    def to_ask(self, deadline: float) -> Iterator[Endpoint]:
        """Yield the servers that are well, each when it is to be asked.

        Where none is, or all that were asked have failed, wait for one `patience` seconds, and not past `deadline`
        (monotonic seconds), and yield once more those that are well then.

        Raises:
            Unavailable: when it is not known which servers there are.

        """
        yield from self._well()
        self._wait_for_one(min(deadline, self._clock() + self._patience))
        yield from self._well()

    def failed(self, endpoint: Endpoint, cause: str, asked: float, *, doubtful: bool = False) -> None:
        """Take a server out, since an exchange with it that began at `asked` has failed.

        What began before its last return says nothing of it now. `doubtful` tells that the fault may be that of one
        connection, which was kept: nothing is told or counted then before a probe has failed, too.
        """
        with self._news:
            self._forget()
            now = self._clock()
            record = self._records.setdefault(endpoint, _Record())
            if self._closed or record.out or asked < record.returned:
                return
            record.cause = cause
            record.go_out(now)
            if not doubtful:
                record.count(now)
                self._tell(endpoint, record, now)
            self._news.notify_all()
        self._probing(self, endpoint)

    def wait_to_probe(self, endpoint: Endpoint) -> bool:
        """Wait until a server that is out may be probed; False when it need not be any more.

        A rest that it was given ends early when no other server is well.
        """
        with self._news:
            while not self._closed and (left := self._due(endpoint) - self._clock()) > 0:
                self._wait(self._news, left)
        try:
            if not self._closed and endpoint in self._current():
                return True
        except Unavailable:  # there are none that we know of
            pass
        with self._news:
            self._records.pop(endpoint, None)
        return False

    def probed(self, endpoint: Endpoint, cause: str) -> bool:
        """Note what came of a probe, "" when all went well; tell whether the server is well now, and probing over."""
        with self._news:
            record, now = self._records[endpoint], self._clock()
            if cause:
                record.cause = cause
                record.put_off(now)
                if not record.told:
                    record.count(now)
                    self._tell(endpoint, record, now)
                return False
            record.out, record.returned = False, now
            if record.told:
                self._tell(endpoint, record, now)
            self._news.notify_all()
            return True

    def era(self, endpoint: Endpoint) -> int:
        """Return a number that is another one after each outage, and below 0 for a server that is gone.

        A connection from an earlier era is not to be used.
        """
        if endpoint not in self._latest:
            return -1
        record = self._records.get(endpoint)
        return record.era if record else 0

    def causes(self) -> dict[Endpoint, str]:
        """Return the cause for each server that is out."""
        with self._news:
            return {each: self._records[each].cause for each in self._latest if not self._is_well(each)}

    def states(self) -> tuple[ServerState, ...]:
        """Return how each server is, in order of preference, without waiting for any."""
        with self._news:
            return tuple(_state(each, self._records.get(each), self._began) for each in self._latest)

    def close(self) -> None:
        """End all waiting. Nothing is probed or told any more."""
        with self._news:
            self._closed = True
            self._news.notify_all()

    def _current(self) -> tuple[Endpoint, ...]:
        """Return the servers that there are now. Never with the lock: DNS may be waited for."""
        self._latest = tuple(self._endpoints())
        return self._latest

    def _well(self) -> Iterator[Endpoint]:
        return filter(self._is_well, self._current())

    def _is_well(self, endpoint: Endpoint) -> bool:
        record = self._records.get(endpoint)
        return record is None or not record.out

    def _wait_for_one(self, until: float) -> None:
        with self._news:
            self._waiting += 1
            self._news.notify_all()  # those who pause between probes
            try:
                while self._nobody_is_well() and (left := until - self._clock()) > 0:
                    self._wait(self._news, left)
            finally:
                self._waiting -= 1

    def _nobody_is_well(self) -> bool:
        return not self._closed and not any(map(self._is_well, self._latest))

    def _due(self, endpoint: Endpoint) -> float:
        record = self._records[endpoint]
        if any(self._is_well(each) for each in self._latest if each != endpoint):
            return max(record.probe_at, record.rests_until)
        return record.probe_at - max(0.0, record.pause - EAGER_PAUSE) if self._waiting else record.probe_at

    def _tell(self, endpoint: Endpoint, record: _Record, now: float) -> None:
        """Tell of a change that was just made."""
        record.told, record.since = record.out, now
        if not self._closed:
            self._on_change(_state(endpoint, record, self._began))

    def _forget(self) -> None:
        """Forget the servers that have vanished; whoever probes one that is out forgets that one."""
        for each in self._records.keys() - set(self._latest):
            if self._is_well(each):
                del self._records[each]


def _state(endpoint: Endpoint, record: _Record | None, began: float) -> ServerState:
    if record is None:
        return ServerState(endpoint.url, well=True, cause="", since=began)
    return ServerState(endpoint.url, not record.told, record.cause, max(record.since, began))
