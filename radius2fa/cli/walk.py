"""Owns the walk through a login that is only rehearsed: each step, what came of it, and how long it took."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from radius2fa.cli.deciding import Asker, rule_words, token_words
from radius2fa.login.attempt import Accept, Attempt, Challenge, CodeMode, Outcome, Reject
from radius2fa.login.authenticate import authenticate
from radius2fa.login.case import House, Judgement
from radius2fa.login.policy import Rule
from radius2fa.login.ports import BindResult, Directory, Entry, NotFound, Standing, Unavailable
from radius2fa.login.reason import Reason
from radius2fa.login.rehearsal import Rehearsal
from radius2fa.radius.attributes import ReplyAttribute, shown


@dataclass(frozen=True, slots=True)
class Typed:
    """What somebody types at a login. `code` is empty where they type none."""

    name: str
    password: bytes = field(repr=False)
    code: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a decision: what was looked at, what came of it, and how long it took."""

    what: str
    verdict: str
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a rehearsed login ends. `outcome` is "accept", "reject", "challenge" or "silence".

    `directory` is the one that the user was found in, None if they were not found.
    """

    outcome: str
    reason: Reason | None
    words: str
    steps: tuple[Step, ...]
    directory: str | None = None


def rehearse(house: House, asker: Asker, typed: Typed, patience: float, asked: str = "") -> Explanation:
    """Walk through the decision on a login, both legs where there are two, within `patience` seconds each.

    `asked` are the directories in which the name is looked for, in words; "" where there is only one.
    """
    walk = _Walk(house.directory, Rehearsal(house.ledger), time.monotonic, asked)
    walk.note("Client", f"{asker.client.name}: {_MODES[asker.client.code]}")
    house = replace(house, directory=walk, ledger=walk, tell=walk.tell)
    try:
        outcome = _decide(house, asker, typed, patience)
    except Unavailable as broken:
        words = f"No answer at all, so that the client asks another server: {broken}"
        return Explanation("silence", None, words, walk.steps, walk.directory)
    return replace(_ending(outcome, walk.steps), directory=walk.directory)


def _decide(house: House, asker: Asker, typed: Typed, patience: float) -> Outcome:
    def attempt(octets: bytes, state: bytes | None) -> Outcome:
        now, deadline = time.time(), time.monotonic() + patience
        client, source = asker.client, asker.source
        return authenticate(
            Attempt("explain", client, typed.name, octets, state, source, asker.address, now, deadline), house
        )

    if asker.client.code is CodeMode.APPENDED:
        delimiter = (asker.client.delimiter or b"") if typed.code else b""
        return attempt(typed.password + delimiter + typed.code, None)
    outcome = attempt(typed.password, None)
    return attempt(typed.code, outcome.state) if isinstance(outcome, Challenge) and typed.code else outcome


_MODES = {
    CodeMode.APPENDED: "the code is typed behind the password",
    CodeMode.CHALLENGE: "the code is asked for",
    CodeMode.EITHER: "the code is typed behind the password or asked for",
}


class _Walk:
    """Directory and ledger of a rehearsal, which tell of every step how it went and how long it took."""

    def __init__(self, directory: Directory, ledger: Rehearsal, clock: Callable[[], float], asked: str) -> None:
        self.directory: str | None = None
        self._directory = directory
        self._asked = asked
        self._clock = clock
        self._since = clock()
        self._steps: list[Step] = []
        self._ledger = ledger
        self.stock, self.repeated, self.held, self.ask = ledger.stock, ledger.repeated, ledger.held, ledger.ask
        self.refuse, self.accept = ledger.refuse, ledger.accept

    @property
    def steps(self) -> tuple[Step, ...]:
        return tuple(self._steps)

    def note(self, what: str, verdict: str) -> None:
        now = self._clock()
        self._steps.append(Step(what, verdict, (now - self._since) * 1000))
        self._since = now

    def tell(self, fact: Rule | Judgement) -> None:
        match fact:
            case Rule():
                self.note("Policy", rule_words(fact, time.time()))
            case Judgement(token, None):
                self.note("Code", f"right and unused: token {token}")
            case Judgement(token, reason):
                self.note("Code", f"{reason}{f' (token {token})' if token else ''}")

    def find(self, name: str, client: str | None, deadline: float) -> Entry | NotFound:
        if self._asked:
            self.note("Looked for in", self._asked)
        found = self._directory.find(name, client, deadline)
        self.directory = None if isinstance(found, NotFound) else found.directory
        self.note(f"Directory {self.directory}" if self._asked and self.directory else "Directory", _found_words(found))
        return found

    def bind(self, entry: Entry, password: bytes, deadline: float) -> BindResult:
        result = self._directory.bind(entry, password, deadline)
        self.note("Password", "right" if result is BindResult.OK else result.value)
        return result

    def standing(self, subject: str, place: str, when: float) -> Standing:
        standing = self._ledger.standing(subject, place, when)
        self.note("Store", _standing_words(standing, when))
        return standing


def _found_words(found: Entry | NotFound) -> str:
    if isinstance(found, NotFound):
        return found.value
    groups = f", groups: {len(found.groups)}" if found.groups else ""
    return f"{found.name}: {found.dn}{groups}"


def _standing_words(standing: Standing, when: float) -> str:
    words = [f"may answer: {token_words(standing.tokens) or 'nothing'}"]
    if standing.retired:
        words.append(f"may not: {token_words(each.token for each in standing.retired)}")
    words.append(f"failures in a row: {standing.failures.count}")
    if standing.failures.blocked(when):
        words.append("blocked")
    if when < standing.bypass_until:
        words.append("a bypass is in force")
    if standing.place.blocked(when):
        words.append("the address is blocked")
    return "; ".join(words)


def _ending(outcome: Outcome, steps: tuple[Step, ...]) -> Explanation:
    match outcome:
        case Accept(factor=factor, reply=reply):
            told = ", ".join(shown(each) for each in reply if isinstance(each, ReplyAttribute))
            words = f"The login would be accepted ({factor}){f', with {told}' if told else ''}."
            return Explanation("accept", None, words, steps)
        case Challenge(reason=None):
            return Explanation("challenge", None, "A code would be asked for.", steps)
        case Challenge(reason=reason) | Reject(reason=reason):
            kind = "reject" if isinstance(outcome, Reject) else "challenge"
            return Explanation(kind, reason, f"{reason}: {reason.remedy}" if reason else "", steps)
