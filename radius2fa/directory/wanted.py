"""Owns what is fetched of a person beyond their id and name: only what some rule of the policy speaks of."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whether groups are wanted, which attributes (their names, in any case), and whether all names of the person."""

    groups: bool = False
    attributes: frozenset[str] = frozenset()
    names: bool = False


NOTHING_MORE = Wanted()
