"""Owns the choice of the policy rule for an attempt: the first rule that matches wins."""

from collections.abc import Iterable
from dataclasses import dataclass

from radius2fa.login.attempt import Attempt


@dataclass(frozen=True, slots=True)
class Rule:
    """One `[[policy]]` of the configuration. `clients` are the names of the clients it is for, None for all."""

    name: str
    clients: frozenset[str] | None = None


def choose(rules: Iterable[Rule], attempt: Attempt) -> str | None:
    """Return the name of the first rule that matches the attempt, or None where none does."""
    for rule in rules:
        if rule.clients is None or attempt.client.name in rule.clients:
            return rule.name
    return None
