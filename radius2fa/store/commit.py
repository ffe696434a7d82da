"""Owns the sharing of commits: jobs that meet at SQLite's one writer go into one transaction.

The first thread to come leads: it begins the transaction, runs every job that has queued by then, commits, and wakes
the threads that brought them. Those that come meanwhile queue, and one of them leads next. A lone thread runs its own
job.
"""

import os
from collections.abc import Callable
from threading import Lock
from typing import Protocol, TypeVar, cast

from sqlalchemy import Connection

from radius2fa.login.ports import Unavailable

T = TypeVar("T")


class Writer(Protocol):
    """The one connection that writes."""

    @property
    def connection(self) -> Connection:
        """The connection, within `begin` and `commit`."""
        ...

    def begin(self, seconds: float) -> None:
        """Begin a transaction once no other process writes, waiting at most so long."""
        ...

    def settle(self) -> None:
        """Write what the jobs have left to the end of the transaction."""
        ...

    def commit(self) -> None:
        """Make what was written durable."""
        ...

    def rollback(self) -> None:
        """Undo what was written since `begin`, whatever state the transaction is in. Never raises."""
        ...


class _Pending:
    """A job and, once its bell has rung, its outcome; or the order to lead."""

    __slots__ = ("bell", "deadline", "error", "job", "leads", "result")

    def __init__(self, job: Callable[[Connection], object], deadline: float) -> None:
        self.job = job
        self.deadline = deadline
        self.bell = Lock()
        self.bell.acquire()  # free when the bell has rung
        self.leads = False
        self.result: object = None
        self.error: Exception | None = Unavailable("database", "the transaction was interrupted")


class GroupCommit:
    """Runs jobs on the one writer, and answers each after the commit that holds it."""

    def __init__(self, writer: Writer, timeout: float, clock: Callable[[], float]) -> None:
        """Take the writer, the seconds that a job waits for it, and the clock (monotonic seconds) that they are of."""
        self._writer = writer
        self._timeout = timeout
        self._clock = clock
        self._mutex = Lock()  # guards the next two; held for moments only
        self._queue: list[_Pending] = []
        self._led = False

    def run(self, job: Callable[[Connection], T]) -> T:
        """Run the job in a transaction, perhaps with others', and return its result once that is durable.

        A job may be run twice: when another one in its transaction fails, each is run again in one of its own.

        Raises:
            Unavailable: the writer was not free within the timeout.
            Exception: whatever the job or the commit raised. Nothing of the job is kept then.

        """
        mine = _Pending(job, self._clock() + self._timeout)
        if self._enqueue(mine) or self._told_to_lead(mine):
            self._lead(mine)
        if mine.error is not None:
            raise mine.error
        return cast("T", mine.result)

    def _enqueue(self, mine: _Pending) -> bool:
        with self._mutex:
            self._queue.append(mine)
            first, self._led = not self._led, True
            return first

    def _told_to_lead(self, mine: _Pending) -> bool:
        if not mine.bell.acquire(timeout=self._timeout):
            with self._mutex:
                if mine in self._queue and not mine.leads:
                    self._queue.remove(mine)
                    raise Unavailable("database", f"its one writer was busy for {self._timeout:g} s")
            mine.bell.acquire()  # too late to leave; whoever has the job is bounded by deadlines of its own
        return mine.leads

    def _lead(self, mine: _Pending) -> None:
        try:
            batch = self._begin(mine)
            try:
                if batch:
                    self._work(batch)
            finally:
                for pending in batch:
                    if pending is not mine:
                        pending.bell.release()
        except BaseException:  # a Ctrl-C in a command
            self._writer.rollback()
            raise
        finally:
            self._hand_over(mine)

    def _begin(self, mine: _Pending) -> list[_Pending]:
        """Begin the transaction and take what has queued, or nothing when it cannot begin.

        Then only the leader has waited too long: the next one tries for as long as its own job may wait.
        """
        os.sched_yield()  # whoever is about to come gets here first: half as many commits, and syncs, under load
        try:
            self._begin_for(mine)
        except Exception as error:  # noqa: BLE001 - raised again by run()
            mine.error = error
            return []
        with self._mutex:
            batch, self._queue = self._queue, []
            return batch

    def _begin_for(self, pending: _Pending) -> None:
        self._writer.begin(max(0.0, pending.deadline - self._clock()))

    def _work(self, batch: list[_Pending]) -> None:
        try:
            results = [pending.job(self._writer.connection) for pending in batch]
            self._writer.settle()
        except Exception as error:  # noqa: BLE001 - raised again by run()
            self._writer.rollback()
            if len(batch) == 1:
                batch[0].error = error
                return
            for pending in batch:
                self._alone(pending)
        else:
            self._commit(batch, results)

    def _alone(self, pending: _Pending) -> None:
        """Run one job of a batch that has failed, in a transaction of its own."""
        try:
            self._begin_for(pending)
            result = pending.job(self._writer.connection)
            self._writer.settle()
        except Exception as error:  # noqa: BLE001 - raised again by run()
            self._writer.rollback()
            pending.error = error
        else:
            self._commit([pending], [result])

    def _commit(self, batch: list[_Pending], results: list[object]) -> None:
        try:
            self._writer.commit()
        except Exception as error:  # noqa: BLE001 - raised again by run()
            self._writer.rollback()
            for pending in batch:
                pending.error = error
        else:
            for pending, result in zip(batch, results, strict=True):
                pending.result, pending.error = result, None

    def _hand_over(self, mine: _Pending) -> None:
        with self._mutex:
            self._queue = [pending for pending in self._queue if pending is not mine]  # it could not begin
            if self._queue:
                self._queue[0].leads = True
                self._queue[0].bell.release()
            else:
                self._led = False
