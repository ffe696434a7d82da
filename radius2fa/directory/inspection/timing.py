"""Owns the comparison of our clock with a directory's, since codes are made of the time."""

import re
from collections.abc import Callable
from datetime import UTC, datetime

from radius2fa.directory.filters import presence
from radius2fa.directory.inspection.steps import Step
from radius2fa.directory.link import Connection
from radius2fa.directory.terms import Scope, Search

MOST_SECONDS = 30.0  # the length of a step of TOTP (RFC 6238 section 4.1): beyond it, codes are refused

# Where servers tell the time: Active Directory in its rootDSE ([MS-ADTS] 3.1.1.3.2.4), 389 Directory Server and
# OpenLDAP in their monitors, which OpenLDAP has only where it is configured.
_SOURCES = (
    ("", "currentTime"),
    ("cn=monitor", "currentTime"),
    ("cn=Current,cn=Time,cn=Monitor", "monitorTimestamp"),
)
_TIME = re.compile(
    rb"(\d{4})(\d\d)(\d\d)(\d\d)(?:(\d\d)(\d\d)?)?(?:[.,](\d+))?(?:Z|([+-])(\d\d)(\d\d)?)",
)
_HOUR, _MINUTE = 3600, 60


def generalized_time(value: bytes) -> float:
    """Return a time of LDAP's syntax Generalized Time (RFC 4517 section 3.3.13) in Unix seconds.

    Raises:
        ValueError: when it is none.

    """
    read = _TIME.fullmatch(value)
    if read is None or int(read[6] or 0) > _MINUTE:  # 60 is a leap second
        raise ValueError("no generalized time")
    year, month, day, hour = map(int, read.groups()[:4])
    minute, second, fraction = (read[at] for at in (5, 6, 7))
    try:
        start = datetime(year, month, day, hour, int(minute or 0), tzinfo=UTC).timestamp()
    except ValueError as fault:
        raise ValueError(f"no generalized time: {fault}") from fault
    unit = 1 if second else _MINUTE if minute else _HOUR  # a fraction is one of the smallest part that is there
    ahead = (-1 if read[8] == b"-" else 1) * (int(read[9] or 0) * _HOUR + int(read[10] or 0) * _MINUTE)
    return start + int(second or 0) + float(b"0." + (fraction or b"0")) * unit - ahead


def difference(connection: Connection, now: Callable[[], float], deadline: float) -> Step:
    """Tell how far the directory's clock and ours are apart. `now` gives Unix seconds.

    Raises:
        Broken: when the server does not answer.

    """
    for base, attribute in _SOURCES:
        before = now()
        found, _ = connection.search(Search(base, Scope.BASE, presence("objectClass"), (attribute,), 1, 0), deadline)
        values = found[0].attributes.get(attribute.lower(), ()) if found else ()
        try:
            told = generalized_time(values[0]) if values else None
        except ValueError:
            told = None
        if told is not None:
            return _judged(told - (before + now()) / 2)
    return Step("clock", ok=True, detail="not compared: the server tells no time that we may read")


def _judged(ahead: float) -> Step:
    if abs(ahead) <= MOST_SECONDS:
        return Step("clock", ok=True, detail=f"the directory's differs from ours by {_shown(ahead)}")
    detail = f"the directory's is {_shown(ahead)} {'ahead of' if ahead > 0 else 'behind'} ours: one of them is wrong"
    remedy = "Let both machines take the time from a time server: codes are refused where our clock is wrong."
    return Step("clock", ok=True, detail=detail, remedy=remedy)


def _shown(seconds: float) -> str:
    """Return a difference without more precision than it has: servers tell whole seconds, often cut off."""
    whole = round(abs(seconds))
    if whole < 2:  # noqa: PLR2004 - as told above
        return "less than 2 seconds"
    minutes, rest = divmod(whole, _MINUTE)
    hours, minutes = divmod(minutes, _MINUTE)
    parts = [f"{hours} h" if hours else "", f"{minutes} min" if minutes else "", f"{rest} s" if rest else ""]
    return " ".join(part for part in parts if part)
