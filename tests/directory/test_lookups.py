from concurrent.futures import ThreadPoolExecutor

from radius2fa.directory.lookups import Lookups
from radius2fa.login.ports import Entry, NotFound
from tests.directory.conftest import Clock

ALICE = Entry("one", "uid=alice,dc=x", "alice", "Alice")


def test_a_lookup_is_remembered_for_its_time(clock: Clock) -> None:
    lookups = Lookups(60, clock)
    assert lookups.recall("Alice") is None
    lookups.remember("Alice", ALICE)
    clock.advance(59)
    assert lookups.recall("Alice") is ALICE
    clock.advance(1)
    assert lookups.recall("Alice") is None


def test_that_there_is_nobody_is_remembered_too(clock: Clock) -> None:
    lookups = Lookups(60, clock)
    lookups.remember("nobody", NotFound.UNKNOWN)
    assert lookups.recall("nobody") is NotFound.UNKNOWN


def test_names_are_remembered_as_typed(clock: Clock) -> None:
    lookups = Lookups(60, clock)
    lookups.remember("Alice", ALICE)
    assert lookups.recall("alice") is None


def test_the_oldest_lookup_gives_way(clock: Clock) -> None:
    lookups = Lookups(60, clock, most=2)
    for name in ("a", "b", "a", "c"):
        lookups.remember(name, ALICE)
    assert [lookups.recall(name) for name in "abc"] == [ALICE, None, ALICE]


def test_0_seconds_remember_nothing(clock: Clock) -> None:
    lookups = Lookups(0, clock)
    lookups.remember("Alice", ALICE)
    assert lookups.recall("Alice") is None
    assert lookups.just_made("Alice") is True


def test_a_lookup_is_just_made_for_a_second(clock: Clock) -> None:
    lookups = Lookups(60, clock)
    assert lookups.just_made("Alice") is False
    lookups.remember("Alice", ALICE)
    assert lookups.just_made("Alice") is True
    clock.advance(1)
    assert lookups.just_made("Alice") is False


def test_sixteen_threads_never_leave_more_than_the_most(clock: Clock) -> None:
    lookups = Lookups(60, clock, most=10)

    def fill(thread: int) -> None:
        for number in range(500):
            lookups.remember(f"{thread}-{number % 20}", ALICE)
            lookups.recall(f"{thread}-{number % 20}")

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(fill, range(16)))
    known = [lookups.recall(f"{thread}-{number}") for thread in range(16) for number in range(20)]
    assert known.count(ALICE) == 10
