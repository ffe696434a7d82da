"""Owns the figures of a rollout: for every client and rule, how many people show a code and how many need none yet."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from radius2fa.cli.showing import local_time
from radius2fa.cli.token_facts import State, state
from radius2fa.login.policy import Condition, Rule, Rules, SecondFactor, obstacles
from radius2fa.login.ports import Entry
from radius2fa.otp.token import Kind

if TYPE_CHECKING:  # heavy
    from radius2fa.store.tokens import TokenRow


@dataclass(frozen=True, slots=True)
class Row:
    """How many people a rule holds for at a client, by how they log in there. `rule` is "" where none matches."""

    client: str
    rule: str
    code: int
    no_token: int
    alone: int
    never: int


@dataclass(frozen=True, slots=True)
class Spared:
    """Somebody whom a rule lets in at a client with the password alone."""

    name: str
    client: str
    rule: str
    why: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """The report: the figures, who is let in without a second factor, and who has no token."""

    people: int
    with_token: int
    rows: tuple[Row, ...]
    without: tuple[Spared, ...]
    without_token: tuple[str, ...]

    def described(self) -> dict[str, object]:
        """Return it as JSON has it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Enrolled:
    """By stable id: who has a token or had one, and which kinds of code those make that may answer.

    Whoever has a passkey gets login codes by it, in the portal.
    """

    ever: frozenset[str]
    able: Mapping[str, frozenset[Kind]]

    @classmethod
    def of(cls, tokens: "Iterable[TokenRow]", now: float) -> "Enrolled":
        """Sort everybody's tokens by what they are good for at `now` (Unix seconds)."""
        states = [(row.subject, row.kind, state(row, now)) for row in tokens if row.subject is not None]
        able: dict[str, frozenset[Kind]] = {}
        for subject, kind, now_is in states:
            if now_is is State.ACTIVE:
                shown = Kind.PASSKEY if kind is Kind.WEBAUTHN else kind
                able[subject] = able.get(subject, frozenset()) | {shown}
        return cls(frozenset(subject for subject, _, now_is in states if now_is is not State.NOT_YET_VALID), able)


def coverage_of(
    people: Iterable[Entry],
    rules: Rules,
    clients: Mapping[str, Collection[str] | None],
    enrolled: Enrolled,
    now: float,
) -> Coverage:
    """Sort people by what the rules ask of them at each client at `now` (Unix seconds), at an unknown address.

    `clients` are names, with the directories that a client's users may be in; None stands for all.
    """
    counts: Counter[tuple[str, str, str]] = Counter()
    spared, without_token, number = list[Spared](), list[str](), 0
    for entry in people:
        number += 1
        if entry.subject not in enrolled.able:
            without_token.append(entry.name)
        for client, directories in clients.items():
            if directories is not None and entry.directory not in directories:
                continue
            rule = rules.choose(client, entry, None)
            counts[client, rule.name, _way(rule, entry, enrolled, now)] += 1
            found = (*_before(rules, rule, client, entry), rule)
            spared += [_spared(each, rule, client, entry, now) for each in found if _alone(each, entry, enrolled, now)]
    rows = [
        Row(client, rule, *(counts[client, rule, way] for way in _WAYS))
        for client in clients
        for rule in (*(rule.name for rule in rules.in_order), "")
        if any(counts[client, rule, way] for way in _WAYS)
    ]
    return Coverage(number, number - len(without_token), tuple(rows), tuple(spared), tuple(without_token))


_WAYS = ("code", "no_token", "alone", "never")


def _way(rule: Rule, entry: Entry, enrolled: Enrolled, now: float) -> str:
    if rule.second_factor is SecondFactor.DENY or rule.shuts_out(entry):
        return "never"
    if _alone(rule, entry, enrolled, now):
        return "alone"
    return "code" if any(map(rule.allows, enrolled.able.get(entry.subject, ()))) else "no_token"


def _alone(rule: Rule, entry: Entry, enrolled: Enrolled, now: float) -> bool:
    """Tell whether the password alone is enough."""
    spared = rule.spares(now, enrolled=entry.subject in enrolled.ever)
    return spared is not None and not rule.shuts_out(entry)


def _before(rules: Rules, chosen: Rule, client: str, entry: Entry) -> Iterator[Rule]:
    """Yield the rules before the chosen one that would hold at the right address."""
    for rule in rules.in_order:
        if rule is chosen:
            return
        if obstacles(rule, client, entry, None) == (Condition.NETWORK,):
            yield rule


def _spared(rule: Rule, chosen: Rule, client: str, entry: Entry, now: float) -> Spared:
    why = "the rule asks for none"
    if rule.asks_at(now) is SecondFactor.IF_ENROLLED:
        why = f"has no token; must have one from {local_time(rule.until)} on"
    if rule is not chosen:
        why += f", at {', '.join(str(network) for network in rule.networks or ())} only"
    return Spared(entry.name, client, rule.name, why)
