from dataclasses import replace
from typing import Any

import pytest

from radius2fa.login.attempt import Accept, Attempt, CodeMode
from radius2fa.login.authenticate import authenticate
from radius2fa.login.stages import NO_STAGES, Stage, Stages, Stopwatch
from tests.login.world import CODE, NOW, PASSWORD, SOURCE, World


class Slow:
    """Stands before a directory or a ledger whose every method takes its own time, by a clock that it moves on."""

    def __init__(self, real: Any, clock: list[float], seconds: dict[str, float]) -> None:
        self._real, self._clock, self._seconds = real, clock, seconds

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._real, name)

        def slow(*arguments: Any) -> Any:
            self._clock[0] += self._seconds[name]
            return real(*arguments)

        return slow


DIRECTORY = {"find": 0.002, "bind": 0.030}
LEDGER = {"standing": 0.001, "repeated": 0.004, "held": 0.008, "accept": 0.1, "refuse": 0.1, "ask": 0.1}


@pytest.fixture
def clock() -> list[float]:
    return [50.0]


@pytest.fixture
def world(clock: list[float]) -> World:
    world = World(CodeMode.EITHER)
    directory = Slow(world.house.directory, clock, DIRECTORY)
    world.house = replace(world.house, directory=directory, ledger=Slow(world.ledger, clock, LEDGER))
    return world


def tried(world: World, clock: list[float], password: bytes, state: bytes | None = None) -> tuple[Any, Stages]:
    """What comes of an attempt that waited 5 ms for a thread, and what its stopwatch shows in the end."""
    watch = Stopwatch(lambda: clock[0], clock[0])
    clock[0] += 0.005
    watch.lap(Stage.QUEUE)
    attempt = Attempt("id", world.client, "alice", password, state, SOURCE, None, NOW, 99.0, watch)
    return authenticate(attempt, world.house), watch.read()


def test_each_stage_is_written_down_as_it_was_when_the_row_was(world: World, clock: list[float]) -> None:
    outcome, at_last = tried(world, clock, PASSWORD + CODE)
    assert isinstance(outcome, Accept)
    assert world.ledger.records[-1].stages == Stages(queue=5.0, look_up=2.0, code=0.0, bind=30.0, store=1.0)
    assert at_last == Stages(queue=5.0, look_up=2.0, code=0.0, bind=30.0, store=101.0)  # with the commit


def test_both_legs_of_a_challenge_are_measured_each_by_itself(world: World, clock: list[float]) -> None:
    challenge, _ = tried(world, clock, PASSWORD)
    assert world.ledger.records[-1].stages == Stages(queue=5.0, look_up=2.0, code=0.0, store=1.0)
    tried(world, clock, CODE, challenge.state)
    assert world.ledger.records[-1].stages == Stages(queue=5.0, look_up=2.0, code=0.0, bind=30.0, store=9.0)


def test_who_is_unknown_has_no_stage_behind_the_look_up(world: World, clock: list[float]) -> None:
    world.directory.rename("alice", "alicia")
    tried(world, clock, PASSWORD + CODE)
    record = world.ledger.records[-1]
    assert (record.person, record.stages.look_up, record.stages.bind) == (None, 2.0, None)


def test_without_a_clock_nothing_is_measured() -> None:
    world = World()
    world.login(CODE)
    assert (world.ledger.records[-1].stages, world.ledger.records[-1].person) == (NO_STAGES, "alice")
