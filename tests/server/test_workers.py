import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from radius2fa.server.workers import GivenUp, Job, Rank, Workers

LIMIT = 5.0  # seconds that a test waits before it fails


class Desk:
    """Plays the reactor thread: takes what the workers deliver, and calls it when asked."""

    def __init__(self) -> None:
        self.calls: queue.Queue[tuple[Any, ...]] = queue.Queue()
        self.results: list[Any] = []
        self.now = 100.0

    def deliver(self, call: Callable[..., Any], *args: Any) -> None:
        self.calls.put((call, args))

    def finish(self, count: int) -> None:
        awaited = len(self.results) + count
        while len(self.results) < awaited:
            call, args = self.calls.get(timeout=LIMIT)
            call(*args)

    def job(
        self, work: Callable[[], Any], *, client: str = "vpn", rank: Rank = Rank.ORDINARY, expires: float = 200.0
    ) -> Job:
        return Job(client, rank, expires, work, self.results.append, self.results.append)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def single(desk: Desk) -> Iterator[Workers]:
    workers = Workers(1, backlog=4, client_backlog=3, clock=lambda: desk.now, deliver=desk.deliver)
    workers.start()
    yield workers
    workers.stop()


def held(desk: Desk, workers: Workers) -> threading.Event:
    """Occupy the one thread until the event is set."""
    begun, go = threading.Event(), threading.Event()

    def work() -> str:
        begun.set()
        assert go.wait(LIMIT)
        return "held"

    assert workers.submit(desk.job(work)) is True
    assert begun.wait(LIMIT)
    return go


def test_a_result_arrives_where_it_was_asked_for(desk: Desk, single: Workers) -> None:
    single.submit(desk.job(lambda: 6 * 7))
    desk.finish(1)
    assert desk.results == [42]
    assert single.busy == 0


def test_an_exception_arrives_and_the_thread_lives_on(desk: Desk, single: Workers) -> None:
    fault = OSError("gone")

    def fail() -> None:
        raise fault

    single.submit(desk.job(fail))
    single.submit(desk.job(lambda: "next"))
    desk.finish(2)
    assert desk.results == [fault, "next"]


def test_one_call_serves_all_that_has_ended(desk: Desk, single: Workers) -> None:
    second = threading.Event()
    single.submit(desk.job(lambda: "first"))
    call, args = desk.calls.get(timeout=LIMIT)
    single.submit(desk.job(lambda: "second"))
    single.submit(desk.job(second.set))  # begins when the second has been handed over
    assert second.wait(LIMIT)
    call(*args)
    assert desk.results[:2] == ["first", "second"]
    single.submit(desk.job(lambda: "fourth"))
    desk.finish(4 - len(desk.results))
    assert desk.results == ["first", "second", None, "fourth"]


def test_a_bug_in_the_reactor_thread_costs_one_result_and_none_behind_it(desk: Desk, single: Workers) -> None:
    go = held(desk, single)
    single.submit(Job("vpn", Rank.ORDINARY, expires=200.0, work=int, done=lambda _: 1 / 0, failed=desk.results.append))
    behind = threading.Event()
    single.submit(desk.job(lambda: "behind"))
    single.submit(desk.job(behind.set, client="other"))
    go.set()
    assert behind.wait(LIMIT)
    with pytest.raises(ZeroDivisionError):
        desk.finish(3)
    desk.finish(2)
    assert desk.results == ["held", "behind", None]


def test_jobs_go_by_their_rank(desk: Desk, single: Workers) -> None:
    go = held(desk, single)
    single.submit(desk.job(lambda: "accounting", rank=Rank.LAST))
    single.submit(desk.job(lambda: "first leg"))
    single.submit(desk.job(lambda: "second leg", rank=Rank.URGENT))
    go.set()
    desk.finish(4)
    assert desk.results == ["held", "second leg", "first leg", "accounting"]


def test_what_waited_longer_than_its_client_is_given_up_unworked(desk: Desk, single: Workers) -> None:
    worked = []
    go = held(desk, single)
    single.submit(desk.job(lambda: worked.append(1), expires=101.0))
    desk.now = 101.5
    go.set()
    desk.finish(2)
    assert [type(result) for result in desk.results] == [str, GivenUp]
    assert worked == []


def test_one_client_cannot_fill_the_backlog(desk: Desk, single: Workers) -> None:
    go = held(desk, single)
    taken = [single.submit(desk.job(lambda: "vpn")) for _ in range(3)]
    assert taken == [True, True, False]  # three of this client, the held one among them
    assert single.submit(desk.job(lambda: "wifi", client="wifi")) is True
    assert single.submit(desk.job(lambda: "wifi", client="wifi")) is False  # four in all
    go.set()
    desk.finish(4)
    assert single.busy == 0
    assert single.submit(desk.job(lambda: "again")) is True
    desk.finish(1)


def test_the_last_rank_keeps_out_no_other_and_no_other_keeps_it_out(desk: Desk, single: Workers) -> None:
    go = held(desk, single)  # of an ordinary job
    behind = [single.submit(desk.job(int, rank=Rank.LAST)) for _ in range(4)]
    assert behind == [True, True, True, False]  # three of this client
    assert [single.submit(desk.job(int, client=each, rank=Rank.LAST)) for each in ("wifi", "wiki")] == [True, False]
    before = [single.submit(desk.job(int, rank=rank)) for rank in (Rank.URGENT, Rank.ORDINARY, Rank.URGENT)]
    assert before == [True, True, False]
    assert (single.busy, single.busy_last, single.waiting) == (7, 4, 6)
    go.set()
    desk.finish(7)
    assert (single.busy, single.busy_last, single.waiting) == (0, 0, 0)
    assert single.submit(desk.job(int, rank=Rank.LAST)) is True
    desk.finish(1)


def test_many_threads_take_each_job_once(desk: Desk) -> None:
    workers = Workers(16, backlog=5000, client_backlog=5000, clock=lambda: 0.0, deliver=desk.deliver)
    workers.start()
    for number in range(2000):
        workers.submit(desk.job(lambda number=number: number, rank=Rank(number % 3)))  # type: ignore[misc]
    desk.finish(2000)
    workers.stop()
    assert sorted(desk.results) == list(range(2000))
