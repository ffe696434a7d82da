"""SIGKILL at any moment: what was answered stays used, what was asked can still be answered, the database opens."""

import random
import selectors
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field

import pytest

from tests.end_to_end.crowd import crowd, crowd_ldif
from tests.end_to_end.house import House, Ready, client
from tests.end_to_end.people import Person
from tests.end_to_end.radius import ACCEPT, CHALLENGE, LIMIT, REJECT, STATE, Nas, at_once
from tests.radius.wire import Answer, Asked, check_reply
from tests.servers.slapd import Slapd

KILLS = 50
LIVES = 2  # servers that are killed side by side, each with a database of its own, so that every core has work
PEOPLE = 24  # who log in at the same time; half of them are challenged
LONGEST = 60  # answers between a start and the kill
AT_ONCE = 200  # logins that are tried again in one go: with their challenges, fewer than the backlog holds
EARLIER = 8  # of what was used in earlier rounds, so much is tried again in each

CLIENTS = (client("appended", "127.0.0.1"), client("challenge", "127.0.0.2", code="challenge"))
# What is tried again counts as a failure, and must lock nobody here.
PATIENT = (("[lockout]", {"failures": 1000, "lock_after": 100_000}),)


@dataclass(frozen=True)
class Used:
    """A login that was answered by an Accept."""

    person: Person
    client: str
    typed: bytes = field(repr=False)
    state: bytes | None = field(repr=False)


@dataclass
class Member:
    """Somebody who logs in again and again.

    `state` is of a challenge that waits for its answer; `typed` is what was sent and may not have been answered.
    """

    person: Person
    client: str
    state: bytes | None = field(default=None, repr=False)
    typed: bytes | None = field(default=None, repr=False)

    def next_request(self, nas: Nas) -> Asked:
        """Make a login, the first leg of one, or the answer to a challenge."""
        if self.client == "challenge" and self.state is None:
            return nas.request(self.person.uid, self.person.password)
        self.typed = self.person.code() if self.state else self.person.typed()
        return self.request(nas)

    def request(self, nas: Nas) -> Asked:
        """Make the login that may not have been answered."""
        return nas.request(self.person.uid, self.typed, state=self.state)

    def take(self, answer: Answer) -> Used | None:
        """Return what an Accept has used up. But for a Challenge, nothing waits for an answer any more."""
        if answer.code == CHALLENGE:
            self.state = answer.one(STATE)
            return None
        sent = Used(self.person, self.client, self.typed or b"", self.state)
        self.state = self.typed = None
        return sent if answer.code == ACCEPT else None


class Life:
    """A server that is killed and started again, and all that its clients remember."""

    def __init__(self, house: House, people: Iterable[Person], seed: int) -> None:
        self.house = house
        self.members = [Member(each, ("appended", "challenge")[place % 2]) for place, each in enumerate(people)]
        self.used: list[Used] = []
        self._chance = random.Random(seed)  # noqa: S311 - no secret

    def die(self) -> None:
        """Work, be killed in the midst of it, start, and see whether all that was answered is remembered."""
        before = len(self.used)
        earlier = self._chance.sample(self.used, min(EARLIER, before))
        self._work_until_killed(self._chance.randint(1, LONGEST))
        self.house.program.start()
        self.assert_refused(earlier + self.used[before:])
        self._settle()

    def _work_until_killed(self, answers: int) -> None:
        """Let everybody log in, again and again, until so many answers have come and the server is killed."""
        with ExitStack() as stack, selectors.DefaultSelector() as waiting:
            asked: dict[Nas, tuple[Member, Asked]] = {}

            def ask(nas: Nas, member: Member) -> None:
                asked[nas] = member, member.next_request(nas)
                nas.send(asked[nas][1])

            for member in self.members:
                nas = stack.enter_context(self.house.nas(member.client))
                waiting.register(nas, selectors.EVENT_READ, nas)
                ask(nas, member)
            while answers > 0:
                for key, _ in self._ready(waiting):
                    self._take(asked[key.data][0], check_reply(key.data.receive(), asked[key.data][1]))
                    ask(key.data, asked[key.data][0])
                    answers -= 1
            self.house.program.kill()
            for nas, (member, request) in asked.items():
                for octets in nas.pending():  # it left before the kill
                    self._take(member, check_reply(octets, request))

    def _ready(self, waiting: selectors.BaseSelector) -> list[tuple[selectors.SelectorKey, int]]:
        ready = waiting.select(LIMIT)
        assert ready, f"no answer within {LIMIT} s\n{self.house.program.output[-2000:]}"
        return ready

    def _take(self, member: Member, answer: Answer, allowed: tuple[int, ...] = (ACCEPT, CHALLENGE)) -> None:
        """Remember an answer. To a fresh code, it is never a refusal."""
        assert answer.code in allowed
        used = member.take(answer)
        if used is not None:
            self.used.append(used)

    def assert_refused(self, used: Iterable[Used]) -> None:
        """Try logins again that were accepted; and their challenges, with a code that is good."""
        with ExitStack() as stack:
            requests = []
            for one in used:
                answers = [one.typed] if one.state is None else [one.typed, one.person.codes[one.person.used]]
                for typed in answers:
                    nas = stack.enter_context(self.house.nas(one.client))
                    requests.append((nas, nas.request(one.person.uid, typed, state=one.state)))
            assert [reply.code for reply in at_once(requests)] == [REJECT] * len(requests)

    def _settle(self) -> None:
        """Send again what got no answer, as every client does: it was done before the kill, or is done now.

        Either way its code is used up afterwards.
        """
        with ExitStack() as stack:
            members = [member for member in self.members if member.typed is not None]
            sockets = [stack.enter_context(self.house.nas(member.client)) for member in members]
            requests = [(nas, member.request(nas)) for nas, member in zip(sockets, members, strict=True)]
            for member, reply in zip(members, at_once(requests), strict=True):
                self._take(member, reply.answer, (ACCEPT, REJECT))
        counters = dict(self.house.query("SELECT id, counter FROM token"))
        assert {each.person.token: each.person.used for each in self.members} == counters

    def journal_is_whole(self) -> bool:
        """Tell whether every Accept that was answered is in the journal."""
        rows = self.house.query("SELECT name, count(*) FROM journal WHERE result = 'accept' GROUP BY name")
        answered = Counter(used.person.uid for used in self.used)
        return answered <= Counter(dict(rows))


@pytest.fixture
def directory() -> Iterator[tuple[Slapd, list[Person]]]:
    people = crowd(PEOPLE * LIVES, "mortal")
    with Slapd(seed=crowd_ldif(people), log=False) as server:
        yield server, people


def test_nothing_is_forgotten_by_fifty_kills(
    tmp_path_factory: pytest.TempPathFactory, directory: tuple[Slapd, list[Person]], ready: Ready
) -> None:
    slapd, people = directory

    def live(seed: int) -> Life:
        mine = people[seed::LIVES]
        quick = {"reject_delay": 0.0, "reject_jitter": 0.0}
        with House(tmp_path_factory.mktemp("life"), slapd, ready, clients=CLIENTS, server=quick, more=PATIENT) as house:
            house.enrol(mine)
            life = Life(house, mine, seed)
            for _ in range(KILLS // LIVES):
                life.die()
            for start in range(0, len(life.used), AT_ONCE):
                life.assert_refused(life.used[start : start + AT_ONCE])
            house.program.kill()
            assert life.journal_is_whole()
        with closing(sqlite3.connect(house.program.database)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return life

    with ThreadPoolExecutor(LIVES) as pool:
        lives = list(pool.map(live, range(LIVES)))

    assert min(len(life.used) for life in lives) > KILLS
