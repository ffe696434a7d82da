"""Owns the policy: which rule holds for an attempt, and what it asks for. The first rule that matches wins."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network

from radius2fa.login.place import Address
from radius2fa.login.ports import Entry
from radius2fa.otp.token import Kind

Network = IPv4Network | IPv6Network
Reply = Callable[[Entry], tuple[object, ...]]


class SecondFactor(StrEnum):
    """What a rule asks for beside the password."""

    REQUIRED = "required"
    IF_ENROLLED = "if-enrolled"  # of those who have a token; until a date, then of everybody
    OFF = "off"
    DENY = "deny"  # nothing helps


class Unfit(ValueError):  # noqa: N818 - named by what is wrong
    """A reply attribute cannot be made of what the directory holds. The text names the attribute."""


def no_reply(entry: Entry) -> tuple[object, ...]:  # noqa: ARG001 - as every Reply
    """Tell the client nothing beyond the acceptance."""
    return ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One `[[policy]]` of the configuration. A condition that is None is none; all others have to hold.

    `clients` are names of clients; `users` are names as `folded` writes them; `groups` are DNs as `dn.normal_dn` writes
    them, of which one is enough; `networks` are those of the user's address.
    `until` (Unix seconds) ends IF_ENROLLED, after which the second factor is required. `kinds` may answer, None for
    all but invitations. `required_groups` refuses whoever belongs to none of them. `adopts` lets the first login with
    an unassigned YubiKey make it the user's. Where it is not `bypassable`, a bypass changes nothing.
    `reply` makes the reply's attributes, and raises Unfit where it cannot.
    """

    name: str
    clients: frozenset[str] | None = None
    users: frozenset[str] | None = None
    groups: frozenset[str] | None = None
    networks: tuple[Network, ...] | None = None
    second_factor: SecondFactor = SecondFactor.REQUIRED
    until: float | None = None
    kinds: frozenset[Kind] | None = None
    required_groups: frozenset[str] | None = None
    adopts: bool = False
    bypassable: bool = True
    reply: Reply = no_reply

    def allows(self, kind: Kind) -> bool:
        """Tell whether a token of this kind may answer. An invitation may only where it is named: it is no login."""
        return kind is not Kind.INVITATION if self.kinds is None else kind in self.kinds

    def asks_at(self, when: float) -> SecondFactor:
        """Return what the rule asks for at `when` (Unix seconds)."""
        over = self.until is not None and when >= self.until
        return SecondFactor.REQUIRED if over and self.second_factor is SecondFactor.IF_ENROLLED else self.second_factor

    def spares(self, when: float, *, enrolled: bool) -> str | None:
        """Return why the password alone is enough at `when` (Unix seconds), as in `ports.Record`; None if it is not."""
        match self.asks_at(when):
            case SecondFactor.OFF:
                return "off"
            case SecondFactor.IF_ENROLLED if not enrolled:
                return "not-enrolled"
            case _:
                return None

    def shuts_out(self, entry: Entry) -> bool:
        """Tell whether somebody belongs to none of the groups that are required."""
        return self.required_groups is not None and self.required_groups.isdisjoint(entry.groups)

    def lets_adopt(self, *, enrolled: bool) -> bool:
        """Tell whether an unassigned YubiKey may become somebody's by their login: the first one only."""
        return self.adopts and self.allows(Kind.YUBIKEY) and not enrolled


# Where no rule matches, nothing is let through without a second factor, and nothing is told beyond the acceptance.
NO_RULE = Rule("")


class Condition(StrEnum):
    """What a rule looks at. The value says in a few words that it does not hold."""

    CLIENT = "for other clients"
    USER = "for other users"
    GROUP = "for members of other groups"
    NETWORK = "for users at other addresses"


# IP version, prefix length, and the bits of the prefix: 15 times quicker to look up than a network.
_Prefix = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class _Ready:
    """A rule with its networks as prefixes."""

    rule: Rule
    prefixes: frozenset[_Prefix] | None


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules in their order, ready to be chosen from: those of each client by its name, and those of all others.

    `_lengths` are the prefix lengths that occur in their networks, by IP version.
    """

    in_order: tuple[Rule, ...]
    _of_client: Mapping[str, tuple[_Ready, ...]]
    _of_others: tuple[_Ready, ...]
    _lengths: frozenset[tuple[int, int]]

    @classmethod
    def of(cls, rules: Iterable[Rule]) -> "Rules":
        """Sort the rules by client once, so that a login looks at those of its own client only."""
        ordered = tuple(rules)
        ready = [_Ready(rule, None if rule.networks is None else _prefixes(rule.networks)) for rule in ordered]
        names = {name for rule in ordered for name in rule.clients or ()}
        return cls(
            ordered,
            {name: tuple(each for each in ready if _is_for(each.rule, name)) for name in names},
            tuple(each for each in ready if each.rule.clients is None),
            frozenset(prefix[:2] for each in ready for prefix in each.prefixes or ()),
        )

    def choose(self, client: str, entry: Entry, address: Address | None) -> Rule:
        """Return the first rule that matches, NO_RULE if none does. `address` is the user's, if it is known."""
        within = self._prefixes_of(address)
        for ready in self._of_client.get(client, self._of_others):
            rule = ready.rule
            if (
                (rule.users is None or not rule.users.isdisjoint(entry.names))
                and (rule.groups is None or not rule.groups.isdisjoint(entry.groups))
                and (ready.prefixes is None or not ready.prefixes.isdisjoint(within))
            ):
                return rule
        return NO_RULE

    def _prefixes_of(self, address: Address | None) -> frozenset[_Prefix]:
        """Return the prefixes of an address that a network in the rules could be."""
        if address is None:
            return frozenset()
        bits, most, version = int(address), address.max_prefixlen, address.version
        return frozenset((version, length, bits >> most - length) for v, length in self._lengths if v == version)


def _is_for(rule: Rule, client: str) -> bool:
    return rule.clients is None or client in rule.clients


def _prefixes(networks: Iterable[Network]) -> frozenset[_Prefix]:
    return frozenset(
        (net.version, net.prefixlen, int(net.network_address) >> net.max_prefixlen - net.prefixlen) for net in networks
    )


def obstacles(rule: Rule, client: str, entry: Entry, address: Address | None) -> tuple[Condition, ...]:
    """Return the conditions of a rule that do not hold; none if it matches. Says the same as `choose`, in words."""
    near = address is not None and any(address in network for network in rule.networks or ())
    held = {
        Condition.CLIENT: _is_for(rule, client),
        Condition.USER: rule.users is None or not rule.users.isdisjoint(entry.names),
        Condition.GROUP: rule.groups is None or not rule.groups.isdisjoint(entry.groups),
        Condition.NETWORK: rule.networks is None or near,
    }
    return tuple(condition for condition, holds in held.items() if not holds)


def folded(name: str) -> str:
    """Return a user's name as rules compare it: directories do not tell capital letters from small ones."""
    return " ".join(name.split()).casefold()
