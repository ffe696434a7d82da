"""Owns points in time as people write them: a day, or a day and an hour. Without an offset they are local."""

from datetime import date, datetime, timedelta

import typer

from radius2fa.cli.opening import USAGE, fail


def beginning(text: str) -> float:
    """Return the Unix seconds of a time, or of the beginning of a day.

    Raises:
        typer.BadParameter: it is neither.

    """
    return _moment(text, days=0)


def ending(text: str) -> float:
    """Return the Unix seconds of a time, or of the end of a day: what is valid until Friday is so on Friday.

    Raises:
        typer.BadParameter: it is neither.

    """
    return _moment(text, days=1)


def _moment(text: str, *, days: int) -> float:
    try:
        return (_start_of_day(text, days) or datetime.fromisoformat(text)).timestamp()
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{text!r} is no time: write a day as 2027-12-31, or a time as 2027-12-31T18:00, which is local"
        ) from None


def _start_of_day(text: str, later: int) -> datetime | None:
    """Return the midnight of a day and so many days later; None if the text is more, or no day."""
    try:
        day = date.fromisoformat(text) + timedelta(days=later)
    except ValueError:
        return None
    return datetime(day.year, day.month, day.day)  # noqa: DTZ001 - local, as people mean it


def require_order(since: float | None, until: float | None) -> None:
    """If there is no time from the one until the other, end the program with 64."""
    if since is not None and until is not None and since >= until:
        fail(USAGE, "the end is not after the beginning: the token would never be valid")
