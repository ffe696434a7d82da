"""How commits are shared, on a writer that only counts: what SQLite does with it stands in test_sqlite.py."""

import threading
from collections.abc import Callable
from typing import cast

import pytest
from sqlalchemy import Connection

from radius2fa.login.ports import Unavailable
from radius2fa.store.commit import GroupCommit

DEADLINE = 30.0  # seconds after which a test is stuck


class Paper:
    """A writer that notes what is done. While `gate` is closed, nothing begins."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self.began = threading.Event()
        self.waits: list[float] = []
        self.connection = cast("Connection", self)
        self.failing: Exception | None = None
        self.unsettled: Exception | None = None

    def begin(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.began.set()
        if not self.gate.wait(DEADLINE):
            raise Unavailable("database", "locked")
        self.done.append("begin")

    def settle(self) -> None:
        if self.unsettled is not None:
            raise self.unsettled

    def commit(self) -> None:
        if self.failing is not None:
            raise self.failing
        self.done.append("commit")

    def rollback(self) -> None:
        self.done.append("rollback")

    def note(self, what: str) -> str:
        self.done.append(what)
        return what.upper()


def note(what: str) -> Callable[[Connection], str]:
    return lambda connection: cast("Paper", connection).note(what)


def broken(_: Connection) -> str:
    raise ValueError("this job is broken")


class Crowd:
    """Threads that each run a job, begun one after the other, each when the one before has queued."""

    def __init__(self, commits: GroupCommit) -> None:
        self._commits = commits
        self._threads: list[threading.Thread] = []
        self.outcomes: dict[int, object] = {}

    def send(self, job: Callable[[Connection], object]) -> None:
        number = len(self._threads)
        waiting = len(self._commits._queue)
        thread = threading.Thread(target=self._run, args=(number, job))
        self._threads.append(thread)
        thread.start()
        while len(self._commits._queue) == waiting and thread.is_alive():
            thread.join(0.001)

    def _run(self, number: int, job: Callable[[Connection], object]) -> None:
        try:
            self.outcomes[number] = self._commits.run(job)
        except Exception as error:  # noqa: BLE001 - the outcome
            self.outcomes[number] = error

    def join(self) -> dict[int, object]:
        for thread in self._threads:
            thread.join(DEADLINE)
        return self.outcomes


@pytest.fixture
def paper() -> Paper:
    return Paper()


@pytest.fixture
def commits(paper: Paper) -> GroupCommit:
    return GroupCommit(paper, DEADLINE, lambda: 0.0)


def test_a_lone_job_has_a_transaction_of_its_own_in_its_own_thread(paper: Paper, commits: GroupCommit) -> None:
    assert commits.run(lambda _: threading.get_ident()) == threading.get_ident()
    assert commits.run(note("a")) == "A"
    assert paper.done == ["begin", "commit", "begin", "a", "commit"]


def test_jobs_that_wait_for_the_writer_share_one_commit(paper: Paper, commits: GroupCommit) -> None:
    paper.gate.clear()
    crowd = Crowd(commits)
    for letter in "abcd":
        crowd.send(note(letter))
    paper.gate.set()
    assert crowd.join() == {0: "A", 1: "B", 2: "C", 3: "D"}
    assert paper.done == ["begin", "a", "b", "c", "d", "commit"]


def test_a_job_that_comes_while_others_are_written_goes_into_the_next_commit(
    paper: Paper, commits: GroupCommit
) -> None:
    crowd = Crowd(commits)

    def slow(connection: Connection) -> str:
        late.start()
        while not commits._queue:
            late.join(0.001)
        return note("slow")(connection)

    late = threading.Thread(target=lambda: crowd.send(note("late")))
    assert commits.run(slow) == "SLOW"
    late.join(DEADLINE)
    assert crowd.join() == {0: "LATE"}
    assert paper.done == ["begin", "slow", "commit", "begin", "late", "commit"]


def test_a_failing_job_fails_alone(paper: Paper, commits: GroupCommit) -> None:
    paper.gate.clear()
    crowd = Crowd(commits)
    for job in (note("a"), broken, note("c")):
        crowd.send(job)
    paper.gate.set()
    outcomes = crowd.join()
    assert (outcomes[0], outcomes[2]) == ("A", "C")
    assert repr(outcomes[1]) == "ValueError('this job is broken')"
    assert " ".join(paper.done) == "begin a rollback begin a commit begin rollback begin c commit"


def test_a_lone_job_that_fails_is_not_run_again(paper: Paper, commits: GroupCommit) -> None:
    with pytest.raises(ValueError, match="this job is broken"):
        commits.run(broken)
    assert paper.done == ["begin", "rollback"]
    assert commits.run(note("a")) == "A"


def test_a_commit_that_fails_fails_every_job_in_it(paper: Paper, commits: GroupCommit) -> None:
    paper.gate.clear()
    crowd = Crowd(commits)
    crowd.send(note("a"))
    crowd.send(note("b"))
    paper.failing = Unavailable("database", "disk full")
    paper.gate.set()
    assert [str(outcome) for outcome in crowd.join().values()] == ["database: disk full"] * 2
    assert paper.done == ["begin", "a", "b", "rollback"]
    paper.failing = None
    assert commits.run(note("c")) == "C"


def test_a_job_waits_no_longer_than_the_timeout_for_the_leader(paper: Paper) -> None:
    commits = GroupCommit(paper, 0.05, lambda: 0.0)
    paper.gate.clear()
    crowd = Crowd(commits)
    crowd.send(note("a"))
    with pytest.raises(Unavailable, match=r"database: its one writer was busy for 0\.05 s"):
        commits.run(note("b"))
    paper.gate.set()
    assert crowd.join() == {0: "A"}
    assert paper.done == ["begin", "a", "commit"]


def test_a_job_that_is_being_written_when_its_time_is_up_is_waited_for(paper: Paper) -> None:
    commits = GroupCommit(paper, 0.05, lambda: 0.0)
    taken, go_on = threading.Event(), threading.Event()

    def slow(_: Connection) -> str:
        taken.set()
        go_on.wait(DEADLINE)
        return "slow"

    paper.gate.clear()
    crowd = Crowd(commits)
    crowd.send(slow)
    crowd.send(note("b"))
    paper.gate.set()
    assert taken.wait(DEADLINE)
    crowd._threads[1].join(0.1)  # its own time is up after half of that
    assert crowd.outcomes == {}
    go_on.set()
    assert crowd.join() == {0: "slow", 1: "B"}


def test_when_the_leader_cannot_begin_the_next_one_leads_for_as_long_as_it_may_still_wait(paper: Paper) -> None:
    now = iter([0.0, 0.0, 4.0, 10.0])  # two jobs come, at 0 and (having begun at 0) at 4; the second leads at 10
    commits = GroupCommit(paper, DEADLINE, lambda: next(now))
    paper.gate.clear()
    crowd = Crowd(commits)
    failing = paper.begin

    def begin(seconds: float) -> None:
        failing(seconds)
        if len(paper.waits) == 1:
            raise Unavailable("database", "database is locked")

    paper.begin = begin  # type: ignore[method-assign] # the first time, somebody else has the lock
    crowd.send(note("a"))
    assert paper.began.wait(DEADLINE)
    crowd.send(note("b"))
    paper.gate.set()
    outcomes = crowd.join()
    assert (str(outcomes[0]), outcomes[1]) == ("database: database is locked", "B")
    assert paper.waits == [30.0, 24.0]


def test_an_interrupted_leader_leaves_nobody_waiting(paper: Paper, commits: GroupCommit) -> None:
    def interrupted(_: Connection) -> None:
        crowd.send(note("b"))  # queues behind this transaction
        raise KeyboardInterrupt

    crowd = Crowd(commits)
    with pytest.raises(KeyboardInterrupt):
        commits.run(interrupted)
    assert crowd.join() == {0: "B"}
    assert paper.done == ["begin", "rollback", "begin", "b", "commit"]


def test_jobs_in_an_interrupted_transaction_are_told_so(paper: Paper, commits: GroupCommit) -> None:
    def interrupted(_: Connection) -> None:
        raise KeyboardInterrupt

    crowd = Crowd(commits)

    def begin(_: float) -> None:
        crowd.send(note("b"))

    paper.begin = begin  # type: ignore[method-assign] # another job comes before the batch is taken
    with pytest.raises(KeyboardInterrupt):
        commits.run(interrupted)
    assert [str(outcome) for outcome in crowd.join().values()] == ["database: the transaction was interrupted"]
