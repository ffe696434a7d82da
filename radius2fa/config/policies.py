"""Owns the checks of the policy: rules that contradict themselves, that never hold, or that let more in than meant."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from radius2fa.config.faults import Finding, Key, written
from radius2fa.config.model import ByGroup, Network, Policy

_OF_NO_USE_IN_DENY = ("reply", "kinds", "required_groups", "adopt_yubikeys")
_AROUND_SEPARATORS = re.compile(r" *([,=+]) *")


def groups_of(policy: Policy) -> Iterator[tuple[Key, str]]:
    """Yield the DNs of all groups that a policy speaks of, with their places in it."""
    for key, groups in (("groups", policy.groups), ("required_groups", policy.required_groups)):
        yield from (((key, place), group) for place, group in enumerate(groups or ()))
    for name, value in policy.reply.items():
        if isinstance(value, ByGroup):
            yield from ((("reply", name, "groups", group), group) for group in value.groups)


def faults(policies: Mapping[int, Policy], clients: frozenset[str]) -> Iterator[Finding]:
    """Yield what makes a policy unusable although each key is right by itself. `clients` are the known names."""
    for place, policy in policies.items():
        key = ("policy", place)
        yield from _unknown_clients(key, policy, clients)
        yield from _until(key, policy)
        yield from _denying(key, policy)
        if policy.adopt_yubikeys and policy.kinds and "yubikey" not in policy.kinds:
            message = "has no effect, since the kinds that may answer are without YubiKeys"
            yield Finding((*key, "adopt_yubikeys"), message, 'Add "yubikey" to kinds, or take this key out.')


def warnings(policies: Mapping[int, Policy], now: float, bases: Collection[str]) -> Iterator[Finding]:
    """Yield what works and is hardly meant. `now` is in Unix seconds, `bases` are the DNs below which groups are."""
    for place, policy in policies.items():
        key = ("policy", place)
        yield from _never_reached(key, policy, {p: other for p, other in policies.items() if p < place})
        if policy.second_factor == "off" and not any(_conditions(policy)):
            remedy = "Name the clients, users, groups or networks that it is meant for."
            yield Finding((*key, "second_factor"), "everybody comes in with a password alone", remedy)
        if policy.second_factor == "if-enrolled" and policy.until and policy.until.timestamp() <= now:
            message = "is over: the second factor is required of everybody already"
            yield Finding((*key, "until"), message, "Take it out together with if-enrolled, or give a later date.")
        yield from elsewhere(key, groups_of(policy), bases)


def _unknown_clients(key: Key, policy: Policy, names: frozenset[str]) -> Iterator[Finding]:
    for name in policy.clients or ():
        if name not in names:
            known = f"Known: {', '.join(sorted(names)) or '-'}."
            yield Finding((*key, "clients"), f"no client is named {name!r}", known)


def _until(key: Key, policy: Policy) -> Iterator[Finding]:
    """Ask for an end of what is not required of everybody yet, or it would be forgotten."""
    if policy.second_factor == "if-enrolled" and policy.until is None:
        remedy = "Add until = 2026-12-31, with the last day on which people without a token are let in."
        yield Finding((*key, "second_factor"), "needs an end", remedy)
    if policy.second_factor != "if-enrolled" and policy.until is not None:
        message = f"has no meaning where second_factor is {policy.second_factor!r}"
        yield Finding((*key, "until"), message, 'Take it out, or write second_factor = "if-enrolled".')


def _denying(key: Key, policy: Policy) -> Iterator[Finding]:
    if policy.second_factor == "deny":
        for name in _OF_NO_USE_IN_DENY:
            if getattr(policy, name):
                yield Finding((*key, name), "has no meaning where nobody is let in", "Take it out.")


def _never_reached(key: Key, policy: Policy, earlier: Mapping[int, Policy]) -> Iterator[Finding]:
    for place, other in earlier.items():
        if _covers(other, policy):
            why = f"{written(('policy', place))} ({other.name}) holds for all that this one is for, and comes first"
            yield Finding(key, f"is never reached: {why}", "Change their order, or take one of them out.")
            return


def elsewhere(key: Key, groups: Iterable[tuple[Key, str]], bases: Collection[str]) -> Iterator[Finding]:
    """Yield which groups, at their places below the key, are not below any of the bases."""
    for below, group in groups:
        if not any(f",{_plain(group)}".endswith(f",{_plain(base)}" if base else "") for base in bases):
            where = " or ".join(map(repr, bases))
            message = f"is not below {where}, where groups are looked for: nobody is known to belong to it"
            yield Finding((*key, *below), message, "Give group_base in [[directory]], an entry above all groups.")


def _plain(dn: str) -> str:
    return _AROUND_SEPARATORS.sub(r"\1", dn).strip().casefold()


def _conditions(policy: Policy) -> tuple[object, ...]:
    return policy.clients, policy.users, policy.groups, policy.networks


def _covers(general: Policy, special: Policy) -> bool:
    """Tell whether the one policy holds wherever the other does."""
    return (
        _within(special.clients, general.clients, str)
        and _within(special.users, general.users, str.casefold)
        and _within(special.groups, general.groups, str.casefold)
        and _networks_within(special.networks, general.networks)
    )


def _within(narrow: tuple[str, ...] | None, wide: tuple[str, ...] | None, same: Callable[[str], str]) -> bool:
    return wide is None or (narrow is not None and {same(each) for each in narrow} <= {same(each) for each in wide})


def _networks_within(narrow: tuple[Network, ...] | None, wide: tuple[Network, ...] | None) -> bool:
    return wide is None or (narrow is not None and all(any(_inside(one, other) for other in wide) for one in narrow))


def _inside(one: Network, other: Network) -> bool:
    same_version = one.version == other.version
    return same_version and one.prefixlen >= other.prefixlen and one.network_address in other
