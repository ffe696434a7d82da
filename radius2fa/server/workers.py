"""Owns the threads: a bounded backlog of blocking work, one hop out of the reactor thread and one back."""

import queue
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Any


class Rank(IntEnum):
    """Which jobs go first. Those of the last rank have a backlog of their own, so that they keep out no other."""

    URGENT = 0  # RFC 5080 section 2.2.3: a login in its second leg has been paid for already
    ORDINARY = 1
    LAST = 2


@dataclass(frozen=True, slots=True)
class Job:
    """Blocking work for one client, and what to call with its result in the reactor thread.

    A job that has not begun at `expires` (monotonic seconds) is given up: nobody waits for it any more.
    """

    client: str
    rank: Rank
    expires: float
    work: Callable[[], Any]
    done: Callable[[Any], None]
    failed: Callable[[BaseException], None]


class GivenUp(Exception):  # noqa: N818 - it says what happened
    """The job waited longer than its client does, and was not begun."""


class _Ticket(Enum):
    """What a thread waits for: one JOB for each job in any queue, and one END for each thread at last."""

    JOB = 1
    END = 2


@dataclass(slots=True)
class _Backlog:
    """How many jobs wait or are worked at, altogether and of each client."""

    jobs: int = 0
    by_client: Counter[str] = field(default_factory=Counter)


class Workers:
    """A fixed number of threads.

    `submit` and the callbacks of jobs run in the reactor thread; `deliver` takes a call there (callFromThread).
    """

    def __init__(
        self,
        threads: int,
        *,
        backlog: int,
        client_backlog: int,
        clock: Callable[[], float],
        deliver: Callable[..., Any],
    ) -> None:
        """Start no thread yet. At most `backlog` jobs, `client_backlog` of one client, may wait or be worked at.

        As many of the last rank may do so besides.
        """
        self._backlog = backlog
        self._client_backlog = client_backlog
        self._clock = clock
        self._deliver = deliver
        self._waiting: dict[Rank, deque[Job]] = {rank: deque() for rank in Rank}
        self._tickets: queue.SimpleQueue[_Ticket] = queue.SimpleQueue()
        self._ended: deque[tuple[Job, Callable[[Any], None], Any]] = deque()
        self._called = False  # whether the reactor thread has been called to what has ended
        before, last = _Backlog(), _Backlog()
        self._backlogs = {Rank.URGENT: before, Rank.ORDINARY: before, Rank.LAST: last}
        # Daemons: what hangs on a socket at the very end must not keep the process alive past its five seconds.
        self._threads = [
            threading.Thread(target=self._run, name=f"worker-{number}", daemon=True) for number in range(threads)
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    @property
    def busy(self) -> int:
        """Jobs that wait or are worked at."""
        return self.busy_before_last + self.busy_last

    @property
    def busy_before_last(self) -> int:
        """Those of them that are of any other rank than the last."""
        return self._backlogs[Rank.ORDINARY].jobs

    @property
    def busy_last(self) -> int:
        """Those of them that are of the last rank."""
        return self._backlogs[Rank.LAST].jobs

    @property
    def waiting(self) -> int:
        """Jobs that wait for a thread."""
        return sum(map(len, self._waiting.values()))

    def limit(self, backlog: int, client_backlog: int) -> None:
        """Take other limits; what is held beyond them is worked off all the same."""
        self._backlog = backlog
        self._client_backlog = client_backlog

    def submit(self, job: Job) -> bool:
        """Take a job; False: the backlog is full, drop it at once."""
        held = self._backlogs[job.rank]
        if held.jobs >= self._backlog or held.by_client[job.client] >= self._client_backlog:
            return False
        held.jobs += 1
        held.by_client[job.client] += 1
        self._waiting[job.rank].append(job)
        self._tickets.put(_Ticket.JOB)
        return True

    def stop(self) -> None:
        """Let every thread end after the work that is queued before."""
        for _ in self._threads:
            self._tickets.put(_Ticket.END)

    def _run(self) -> None:
        while self._tickets.get() is _Ticket.JOB:
            job = self._next()
            if self._clock() > job.expires:
                self._end(job, job.failed, GivenUp())
                continue
            try:
                result = job.work()
            except BaseException as fault:  # noqa: BLE001 - the outermost edge of the thread: it must live on
                self._end(job, job.failed, fault)
            else:
                self._end(job, job.done, result)

    def _next(self) -> Job:
        """Return a job; whoever holds a ticket finds one, though not always at the first look."""
        while True:
            for jobs in self._waiting.values():
                try:
                    return jobs.popleft()
                except IndexError:
                    continue

    def _end(self, job: Job, call: Callable[[Any], None], result: Any) -> None:  # noqa: ANN401 - as the job's own
        """Hand a result over. One call serves all that have ended by the time it comes."""
        self._ended.append((job, call, result))
        if not self._called:
            self._called = True
            self._deliver(self._finish_all)

    def _finish_all(self) -> None:
        self._called = False  # first of all: what ends from here on calls again, perhaps for nothing
        try:
            while self._ended:
                self._finish(*self._ended.popleft())
        except BaseException:  # a bug costs the one result, not those behind it
            self._deliver(self._finish_all)
            raise

    def _finish(self, job: Job, call: Callable[[Any], None], result: Any) -> None:  # noqa: ANN401 - as the job's own
        held = self._backlogs[job.rank]
        held.jobs -= 1
        held.by_client[job.client] -= 1
        if not held.by_client[job.client]:
            del held.by_client[job.client]
        call(result)
