"""Owns spans of time as people write them: 30m, 24h, 7d."""

import re

import typer

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_UNITS = {"m": MINUTE, "h": HOUR, "d": DAY}
_WRITTEN = re.compile(r"([0-9]{1,6})([mhd])")


def duration(text: str) -> int:
    """Return the seconds of a span of time.

    Raises:
        typer.BadParameter: it is written otherwise, or is none at all.

    """
    written = _WRITTEN.fullmatch(text.strip().lower())
    seconds = int(written[1]) * _UNITS[written[2]] if written else 0
    if not seconds:
        raise typer.BadParameter(f"{text!r} is no span of time: write minutes, hours or days as 30m, 24h or 7d")
    return seconds


def in_words(seconds: int) -> str:
    """Return a span of time, of whole minutes, as `duration` reads it."""
    letter, unit = max(
        ((letter, unit) for letter, unit in _UNITS.items() if seconds % unit == 0), key=lambda one: one[1]
    )
    return f"{seconds // unit}{letter}"


def roughly(seconds: float) -> str:
    """Return a span of time by its two largest units: 3 d 4 h, 2 h 5 min, 1 min 12 s."""
    left = int(seconds)
    parts: list[str] = []
    for name, unit in (("d", DAY), ("h", HOUR), ("min", MINUTE), ("s", 1)):
        count, left = divmod(left, unit)
        if count or parts:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2]) or "0 s"
