"""Which connection is used again, and which never."""

import contextlib
import threading
from collections.abc import Callable
from itertools import count

import pytest

from radius2fa.directory.endpoint import Endpoint
from radius2fa.directory.link import Broken
from radius2fa.directory.pool import Pool
from radius2fa.login.ports import Unavailable
from tests.directory.test_servers import ONE, START, TWO, World

SOON = START + 10


class Line:
    """A connection that does nothing but be open, until it is closed."""

    def __init__(self, number: int, endpoint: Endpoint) -> None:
        self.number = number
        self.endpoint = endpoint
        self.alive = True
        self.closed = False

    def usable(self) -> bool:
        return self.alive

    def close(self) -> None:
        assert not self.closed, "closed twice"
        self.closed = True


class Exchange:
    """A pool over the servers of a World, and all the lines that it has opened."""

    def __init__(self, *endpoints: Endpoint) -> None:
        self.world = World(*endpoints)
        self.lines: list[Line] = []
        self.dead: set[Endpoint] = set()
        numbers = count(1)

        def dial(endpoint: Endpoint, _deadline: float) -> Line:
            if endpoint in self.dead:
                raise Broken("refused", sent=False)
            self.lines.append(Line(next(numbers), endpoint))
            return self.lines[-1]

        self.pool = Pool(self.world.servers, dial, lambda: self.world.now)  # type: ignore[arg-type] # a Line is no more

    def ask(self, answer: Callable[[Line], object] = lambda line: line.number, *, repeatable: bool = True) -> object:
        return self.pool.run(answer, SOON, repeatable=repeatable)  # type: ignore[arg-type] # as above


def fails_with(fault: BaseException, *numbers: int) -> Callable[[Line], object]:
    """Answers with the line's number, and fails on these lines."""

    def answer(line: Line) -> int:
        if line.number in numbers:
            raise fault
        return line.number

    return answer


def broken(*, sent: bool = True, late: bool = False) -> Broken:
    return Broken("odd", sent=sent, late=late)


def test_a_connection_is_used_again_the_last_one_first() -> None:
    exchange = Exchange(ONE)

    def ask_meanwhile(line: Line) -> object:
        return line.number, exchange.ask()

    assert exchange.ask(ask_meanwhile) == (1, 2)
    assert [exchange.ask() for _ in range(3)] == [1, 1, 1]
    assert [line.closed for line in exchange.lines] == [False, False]


def test_a_connection_that_is_not_usable_any_more_is_closed() -> None:
    exchange = Exchange(ONE)
    exchange.ask()
    exchange.lines[0].alive = False
    assert exchange.ask() == 2
    assert exchange.lines[0].closed


@pytest.mark.parametrize("fault", [broken(), broken(late=True), ValueError("a bug"), KeyboardInterrupt()])
def test_a_connection_on_which_anything_odd_happened_is_closed_and_never_used_again(fault: BaseException) -> None:
    exchange = Exchange(ONE, TWO)
    exchange.ask()
    with contextlib.suppress(ValueError, KeyboardInterrupt):
        exchange.ask(fails_with(fault, 1))
    assert exchange.lines[0].closed
    assert exchange.ask() == 2
    assert exchange.ask() == 2


def test_a_fresh_connection_that_breaks_is_closed_and_its_server_is_out() -> None:
    exchange = Exchange(ONE, TWO)
    assert exchange.ask(fails_with(broken(), 1)) == 2
    assert [line.closed for line in exchange.lines] == [True, False]
    assert [line.endpoint for line in exchange.lines] == [ONE, TWO]
    assert exchange.world.told == [("ldap://one", False, "odd")]


def test_a_kept_connection_that_breaks_is_no_failure_of_its_server_where_a_fresh_one_works() -> None:
    exchange = Exchange(ONE, TWO)
    exchange.ask()
    assert exchange.ask(fails_with(broken(), 1)) == 2
    assert [line.endpoint for line in exchange.lines] == [ONE, ONE]
    assert (exchange.world.told, exchange.world.probing) == ([], [])


@pytest.mark.parametrize(
    ("fault", "repeatable"),
    [(broken(late=True), True), (broken(late=True), False), (broken(), False)],
)
def test_a_kept_connection_that_cannot_be_replaced_in_time_is_a_doubt_about_its_server(
    fault: Broken, *, repeatable: bool
) -> None:
    exchange = Exchange(ONE, TWO)
    exchange.ask()
    if repeatable:
        assert exchange.ask(fails_with(fault, 1)) == 2
    else:
        with pytest.raises(Unavailable, match=r"^directory: ldap://one: odd$"):
            exchange.ask(fails_with(fault, 1), repeatable=False)
        assert len(exchange.lines) == 1, "it may have been sent: nobody is asked again"
    assert (exchange.world.probing, exchange.world.told) == ([ONE], [])
    exchange.world.servers.probed(ONE, "no route")
    assert exchange.world.told == [("ldap://one", False, "no route")]


def test_what_never_left_is_sent_by_a_fresh_connection_or_to_the_next_server_even_if_it_must_not_be_repeated() -> None:
    exchange = Exchange(ONE, TWO)
    exchange.ask()
    unsent = fails_with(broken(sent=False), 1, 2)
    assert exchange.ask(unsent, repeatable=False) == 3
    assert [line.endpoint for line in exchange.lines] == [ONE, ONE, TWO]


def test_connections_from_before_an_outage_are_closed() -> None:
    """The server may know nothing of them: each would cost somebody a time-out."""
    exchange = Exchange(ONE, TWO)
    exchange.ask()
    exchange.world.fail(ONE)
    exchange.world.servers.probed(ONE, "")
    assert exchange.ask() == 2
    assert [line.closed for line in exchange.lines] == [True, False]


def test_a_connection_that_was_in_use_during_an_outage_is_not_used_again() -> None:
    exchange = Exchange(ONE, TWO)

    def through_an_outage(line: Line) -> int:
        exchange.world.fail(ONE)
        exchange.world.servers.probed(ONE, "")
        return line.number

    assert exchange.ask(through_an_outage) == 1
    assert exchange.ask() == 2
    assert exchange.lines[0].closed


def test_connections_to_a_server_that_has_vanished_are_closed() -> None:
    exchange = Exchange(ONE, TWO)
    exchange.ask()
    exchange.world.endpoints = [TWO]
    assert exchange.ask() == 2
    assert [(line.endpoint, line.closed) for line in exchange.lines] == [(ONE, True), (TWO, False)]


def test_where_all_fail_each_server_s_cause_is_named_in_the_order_of_preference() -> None:
    exchange = Exchange(ONE, TWO)
    exchange.world.fail(ONE)
    exchange.dead = {TWO}
    with pytest.raises(Unavailable) as fault:
        exchange.ask()
    assert fault.value.cause == "ldap://one: one broke; ldap://two: refused"


def test_a_server_is_asked_twice_at_most() -> None:
    """It answers the probes that are made meanwhile, and fails us."""
    exchange = Exchange(ONE)
    exchange.world.meanwhile = lambda: exchange.world.servers.probed(ONE, "")
    asked: list[int] = []

    def answer(line: Line) -> None:
        asked.append(line.number)
        raise broken()

    with pytest.raises(Unavailable):
        exchange.ask(answer)
    assert asked == [1, 2]


def test_after_the_end_a_connection_in_use_is_closed_with_its_answer_and_none_is_opened() -> None:
    exchange = Exchange(ONE)

    def end_meanwhile(line: Line) -> int:
        exchange.pool.close()
        return line.number

    assert exchange.ask(end_meanwhile) == 1
    assert exchange.lines[0].closed
    with pytest.raises(Unavailable, match="it has been closed"):
        exchange.ask()
    assert len(exchange.lines) == 1


def test_the_end_closes_what_is_idle() -> None:
    exchange = Exchange(ONE)
    exchange.ask()
    exchange.pool.close()
    assert exchange.lines[0].closed


def test_no_thread_waits_for_another_s_server() -> None:
    """Each asks while all the others do: that is over only when all are under way at once."""
    exchange = Exchange(ONE)
    together = threading.Barrier(8, timeout=10)

    def ask_together(line: Line) -> int:
        together.wait()
        return line.number

    numbers: list[object] = []
    threads = [threading.Thread(target=lambda: numbers.append(exchange.ask(ask_together))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(15)
    assert sorted(map(str, numbers)) == [str(number) for number in range(1, 9)]
