import random
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock

import pytest

from radius2fa.directory.figures import LookupFigures
from radius2fa.directory.ldap import LdapDirectory
from radius2fa.directory.lookups import Lookups
from radius2fa.login.ports import BindResult, Entry, NotFound
from tests.directory.conftest import Clock, Tools
from tests.servers.faulty_ldap import INVALID_CREDENTIALS, FaultyLdap, entries, result

ALICE = Entry("one", "uid=alice,dc=x", "alice", "Alice")
MOVED = Entry("one", "uid=alice,ou=moved,dc=x", "alice", "Alice")


def test_a_lookup_is_remembered_for_its_time(clock: Clock) -> None:
    lookups = Lookups(60, clock)
    assert lookups.recall("Alice") is None
    lookups.remember("Alice", ALICE, clock())
    clock.advance(59)
    assert lookups.recall("Alice") is ALICE
    clock.advance(1)
    assert lookups.recall("Alice") is None


def test_its_time_begins_when_the_directory_is_asked_not_when_it_answers(clock: Clock) -> None:
    lookups = Lookups(60, clock)
    asked = clock()
    clock.advance(20)
    lookups.remember("Alice", ALICE, asked)
    clock.advance(30)
    assert lookups.recall("Alice") is ALICE
    clock.advance(10)
    assert lookups.recall("Alice") is None


def test_a_slow_answer_does_not_take_the_place_of_what_was_asked_for_later(clock: Clock) -> None:
    lookups = Lookups(60, clock)
    before = clock()
    clock.advance(1)
    lookups.remember("Alice", MOVED, clock())
    lookups.remember("Alice", ALICE, before)
    assert lookups.recall("Alice") is MOVED


def test_what_was_asked_for_later_takes_the_place(clock: Clock) -> None:
    lookups = Lookups(60, clock)
    lookups.remember("Alice", ALICE, clock())
    clock.advance(1)
    lookups.remember("Alice", NotFound.UNKNOWN, clock())
    assert lookups.recall("Alice") is NotFound.UNKNOWN


def test_that_there_is_nobody_is_remembered_too(clock: Clock) -> None:
    lookups = Lookups(60, clock)
    lookups.remember("nobody", NotFound.UNKNOWN, clock())
    assert lookups.recall("nobody") is NotFound.UNKNOWN


def test_names_are_remembered_as_typed(clock: Clock) -> None:
    lookups = Lookups(60, clock)
    lookups.remember("Alice", ALICE, clock())
    assert lookups.recall("alice") is None


def test_the_oldest_lookup_gives_way(clock: Clock) -> None:
    lookups = Lookups(60, clock, most=2)
    for name in ("a", "b", "a", "c"):
        lookups.remember(name, ALICE, clock())
    assert [lookups.recall(name) for name in "abc"] == [ALICE, None, ALICE]


def test_ten_thousand_names_are_remembered_and_no_more(clock: Clock) -> None:
    lookups = Lookups(60, clock)
    for number in range(10_001):
        lookups.remember(f"name{number}", ALICE, clock())
    assert (lookups.figures().remembered, lookups.figures().capacity) == (10_000, 10_000)
    assert (lookups.recall("name0"), lookups.recall("name1")) == (None, ALICE)


def test_0_seconds_remember_nothing(clock: Clock) -> None:
    lookups = Lookups(0, clock)
    lookups.remember("Alice", ALICE, clock())
    assert lookups.recall("Alice") is None
    assert lookups.just_made("Alice") is True
    assert lookups.figures() == LookupFigures(remembered=0, capacity=10_000, limit=0, hits=0, misses=1)


def test_a_lookup_is_just_made_for_a_second(clock: Clock) -> None:
    lookups = Lookups(60, clock)
    assert lookups.just_made("Alice") is False
    lookups.remember("Alice", ALICE, clock())
    assert lookups.just_made("Alice") is True
    clock.advance(1)
    assert lookups.just_made("Alice") is False


def test_what_was_answered_from_memory_is_counted_and_what_was_not(clock: Clock) -> None:
    lookups = Lookups(60, clock)
    lookups.recall("Alice")
    lookups.remember("Alice", ALICE, clock())
    lookups.remember("nobody", NotFound.UNKNOWN, clock())
    for name in ("Alice", "Alice", "nobody", "bob"):
        lookups.recall(name)
    assert lookups.figures() == LookupFigures(remembered=2, capacity=10_000, limit=60, hits=3, misses=2)
    clock.advance(60)
    lookups.recall("Alice")
    assert lookups.figures() == LookupFigures(remembered=0, capacity=10_000, limit=60, hits=3, misses=3)


def test_sixteen_threads_never_leave_more_than_the_most(clock: Clock) -> None:
    lookups = Lookups(60, clock, most=10)

    def fill(thread: int) -> None:
        for number in range(500):
            lookups.remember(f"{thread}-{number % 20}", ALICE, clock())
            lookups.recall(f"{thread}-{number % 20}")

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(fill, range(16)))
    known = [lookups.recall(f"{thread}-{number}") for thread in range(16) for number in range(20)]
    assert known.count(ALICE) == 10


@pytest.fixture
def hasty() -> Iterator[None]:
    """Threads change places as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


class Steps:
    """A clock on which every look is a second later than the one before, in whatever thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._now = 0.0

    def __call__(self) -> float:
        with self._lock:
            self._now += 1.0
            return self._now


@pytest.mark.usefixtures("hasty")
def test_no_thread_is_ever_told_of_groups_that_are_older_than_the_limit_or_than_newer_ones() -> None:
    """Each thread logs people in and looks them up afresh, as slowly as chance will have it.

    In place of a group, an entry says when it was asked for, and when the directory read it, which is the age of its
    groups.
    """
    limit, clock = 60.0, Steps()
    lookups = Lookups(limit, clock)
    newest, noted = dict.fromkeys(("alice", "bob", "carol"), 0.0), Lock()

    def look_up(name: str, chance: random.Random) -> None:
        asked = clock()
        read = clock()
        for _ in range(chance.choice((0, 0, 3, 30))):
            clock()  # the answer takes its time
        groups = frozenset({f"asked={asked}", f"read={read}"})
        lookups.remember(name, Entry(name, "dn", name, name, groups), asked)
        with noted:
            newest[name] = max(newest[name], asked)

    def log_in(thread: int) -> list[str]:
        chance, wrong = random.Random(thread), []  # noqa: S311 - so that a failure can be repeated
        for _ in range(1500):
            name = chance.choice(tuple(newest))
            with noted:
                known = newest[name]
            now = clock()
            entry = lookups.recall(name)
            if isinstance(entry, Entry):
                told = dict(each.split("=") for each in entry.groups)
                if float(told["read"]) <= now - limit:
                    wrong.append(f"{name} read at {told['read']}, used after {now}")
                if float(told["asked"]) < known:
                    wrong.append(f"{name} asked for at {told['asked']}, known since {known}")
            if entry is None or chance.random() < 0.2:
                look_up(name, chance)
        return wrong

    with ThreadPoolExecutor(8) as threads:
        assert [each for told in threads.map(log_in, range(8)) for each in told] == []
    figures = lookups.figures()
    assert 8 * 1500 * 0.9 < figures.hits + figures.misses <= 8 * 1500, "few are lost, none is counted twice"
    assert min(figures.hits, figures.misses) > 100, "both ways were gone"


UUID = {"entryUUID": [b"00000000-0000-4000-8000-000000000001"], "uid": [b"alice"]}
OLD, NEW = (f"uid=alice,ou={where},dc=example,dc=org" for where in ("old", "new"))


@pytest.fixture
def directory(faulty: FaultyLdap, tools: Tools, clock: Clock) -> Iterator[LdapDirectory]:
    made = LdapDirectory(tools.settings(faulty.uri, cache_seconds=60, name="staff", timeout=20), clock)
    yield made
    made.close()


def test_a_directorys_slow_answer_is_as_old_as_its_question(
    faulty: FaultyLdap, directory: LdapDirectory, clock: Clock
) -> None:
    def slow(message_id: int) -> bytes:
        clock.advance(15)
        return entries((OLD, UUID))(message_id)

    faulty.on_search = slow
    directory.find("alice", clock.soon(30))
    clock.advance(30)
    directory.find("alice", clock.soon(30))
    assert len(faulty.searches) == 1
    clock.advance(15)
    directory.find("alice", clock.soon(30))
    assert len(faulty.searches) == 2


def test_a_slow_lookup_does_not_undo_a_newer_one(faulty: FaultyLdap, directory: LdapDirectory, clock: Clock) -> None:
    """The first answer is under way when a login with a remembered entry makes a newer look-up, and gets its answer."""
    asked, go_on = Event(), Event()

    def held(message_id: int) -> bytes:
        faulty.on_search = entries((NEW, UUID))
        asked.set()
        assert go_on.wait(10)
        return entries((OLD, UUID))(message_id)

    faulty.on_search = held
    faulty.on_bind = result("bindResponse", INVALID_CREDENTIALS)
    with ThreadPoolExecutor(1) as thread:
        slow = thread.submit(directory.find, "alice", clock.soon())
        assert asked.wait(10)
        remembered = Entry("00000000-0000-4000-8000-000000000001", OLD, "alice", "alice")
        assert directory.bind(remembered, b"password", clock.soon()) is BindResult.WRONG_PASSWORD
        go_on.set()
        late = slow.result(10)
    assert isinstance(late, Entry)
    assert late.dn == OLD
    known = directory.find("alice", clock.soon())
    assert isinstance(known, Entry)
    assert known.dn == NEW
    assert len(faulty.searches) == 2


def test_a_directory_tells_its_name_its_driver_its_lookups_and_its_servers(
    faulty: FaultyLdap, directory: LdapDirectory, clock: Clock
) -> None:
    faulty.on_search = entries((OLD, UUID))
    for _ in range(3):
        directory.find("alice", clock.soon())
    figures = directory.figures()
    assert (figures.name, figures.driver) == ("staff", "ldap3")
    assert figures.lookups == LookupFigures(remembered=1, capacity=10_000, limit=60, hits=2, misses=1)
    assert [(each.url, each.well, each.cause) for each in figures.servers] == [(faulty.uri, True, "")]
