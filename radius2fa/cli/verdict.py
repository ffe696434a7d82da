"""Owns the values that `radius2fa check` shows: what was looked at, and what came of it."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What came of one check."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"  # the administrator has to change something
    UNAVAILABLE = "unavailable"  # a backend does not answer


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `remedy` is "" where there is nothing to do."""

    subject: str
    verdict: Verdict
    message: str
    remedy: str = ""
