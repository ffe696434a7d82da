"""Owns how a reload ended, as a value."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reloaded:
    """How the last reload ended, at `when` (Unix seconds).

    `faults` say why it was refused, and are none where it was taken; `changed` are the keys that it changed, `waiting`
    those that differ and need a restart.
    """

    when: float
    faults: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
