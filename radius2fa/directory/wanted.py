"""Owns what is fetched of a person beyond their id and name: only what some rule of the policy speaks of."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whether groups are wanted, and which attributes (their names, in any case)."""

    groups: bool = False
    attributes: frozenset[str] = frozenset()


NOTHING_MORE = Wanted()
