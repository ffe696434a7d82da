"""Owns what an auditor asks for: the filters in an address, read so that what means nothing asks for nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from radius2fa.login.ports import Result
from radius2fa.login.reason import Reason
from radius2fa.store.acts import Deed
from radius2fa.store.records import ActFilter, LoginFilter

Args = Mapping[str, str]
Word = TypeVar("Word", bound=StrEnum)

LOGINS = ("name", "client", "result", "reason", "source", "since", "until", "subject")
ACTS = ("who", "what", "token", "since", "until", "subject")
_MOST_DIGITS = 18  # of a row's number


@dataclass(frozen=True, slots=True)
class Days:
    """From the beginning of a local day on, and until the end of another (Unix seconds); None is no bound."""

    since: float | None
    until: float | None


def given(args: Args, names: tuple[str, ...]) -> dict[str, str]:
    """Return those of the filters that ask for something."""
    return {name: args[name].strip() for name in names if args.get(name, "").strip()}


def logins(args: Args) -> LoginFilter:
    """Return the filter of logins that an address holds."""
    days = _days(args)
    return LoginFilter(
        subject=_text(args, "subject"),
        name=_text(args, "name"),
        client=_text(args, "client"),
        result=_word(Result, args.get("result", "")),
        reason=_word(Reason, args.get("reason", "")),
        source=_text(args, "source"),
        since=days.since,
        until=days.until,
    )


def acts(args: Args) -> ActFilter:
    """Return the filter of acts that an address holds."""
    days = _days(args)
    return ActFilter(
        subject=_text(args, "subject"),
        who=_text(args, "who"),
        what=_word(Deed, args.get("what", "")),
        token=_text(args, "token"),
        since=days.since,
        until=days.until,
    )


def before(args: Args) -> int | None:
    """Return the number of the row that a page ends before, None for the first page."""
    text = args.get("before", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS else None


def _days(args: Args) -> Days:
    return Days(_midnight(args.get("since", ""), 0), _midnight(args.get("until", ""), 1))


def _midnight(text: str, days_later: int) -> float | None:
    try:
        day = date.fromisoformat(text) + timedelta(days=days_later)
        return datetime(day.year, day.month, day.day).timestamp()  # noqa: DTZ001 - a day where this machine is
    except (ValueError, OverflowError, OSError):
        return None


def _text(args: Args, name: str) -> str | None:
    return args.get(name, "").strip() or None


def _word(words: type[Word], text: str) -> Word | None:
    try:
        return words(text)
    except ValueError:
        return None
