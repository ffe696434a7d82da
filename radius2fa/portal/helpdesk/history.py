"""Owns what the charts of the audit show: the logins of a period, put together by time, by client and by reason."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from markupsafe import Markup

from radius2fa.login.ports import Result
from radius2fa.portal.helpdesk.charts import Bar, Chart, columns, lanes
from radius2fa.portal.visitor import visitor
from radius2fa.portal.words import text
from radius2fa.portal.world import world
from radius2fa.printable import printable
from radius2fa.store.records import Hour

_SERIES = (Result.ACCEPT, Result.REJECT, Result.CHALLENGE)
_MOST_LANES = 15


@dataclass(frozen=True, slots=True)
class Period:
    """So many hours until now, with `each` of them in one column. `form` is how a column's beginning is written."""

    name: str
    hours: int
    each: int
    form: str


PERIODS = (
    Period("day", 24, 1, "%H:00"),
    Period("week", 7 * 24, 6, "%d.%m. %H:00"),
    Period("month", 30 * 24, 24, "%d.%m."),
)


def charts_of(period: Period, now: float) -> dict[str, Markup]:
    """Return the charts of the logins of a period that ends now (Unix seconds), by what they are called."""
    starts = _starts(period, now)
    hours = world().store.records.hourly(starts[0].timestamp(), now + 1)
    return {"by_time": _by_time(period, starts, hours), "by_result": _by_result(hours), "by_client": _by_client(hours)}


def _starts(period: Period, now: float) -> list[datetime]:
    """Return the beginnings of the columns, in local time: whole hours, of which those of a day begin at midnight."""
    at = datetime.fromtimestamp(now).astimezone().replace(minute=0, second=0, microsecond=0)
    at = at.replace(hour=at.hour - at.hour % period.each)
    number = period.hours // period.each
    return [_local(at, timedelta(hours=-period.each * back)) for back in range(number - 1, -1, -1)]


def _local(at: datetime, by: timedelta) -> datetime:
    """Return a time by the clock on the wall, which is put forward and back with summer time."""
    return (at.replace(tzinfo=None) + by).astimezone()


def _by_time(period: Period, starts: Sequence[datetime], hours: Sequence[Hour]) -> Markup:
    edges = [start.timestamp() for start in starts]
    counts: Counter[tuple[int, Result]] = Counter()
    for hour in hours:
        place = max((number for number, edge in enumerate(edges) if edge <= hour.start), default=0)
        counts[place, hour.result] += hour.number
    bars = tuple(
        Bar(start.strftime(period.form), tuple(counts[place, result] for result in _SERIES))
        for place, start in enumerate(starts)
    )
    return columns(_chart("by-time", _t("time"), bars, _names()))


def _by_result(hours: Sequence[Hour]) -> Markup:
    counts: Counter[Result] = Counter()
    for hour in hours:
        counts[hour.result] += hour.number
    names = _names()
    bars = tuple(
        Bar(name, tuple(counts[result] if result is one else 0 for one in _SERIES))
        for result, name in zip(_SERIES, names, strict=True)
    )
    return lanes(_chart("by-result", _t("result"), bars, names))


def _by_client(hours: Sequence[Hour]) -> Markup:
    counts: Counter[tuple[str, Result]] = Counter()
    totals: Counter[str] = Counter()
    for hour in hours:
        counts[hour.client, hour.result] += hour.number
        totals[hour.client] += hour.number
    bars = tuple(
        Bar(printable(client), tuple(counts[client, result] for result in _SERIES))
        for client, _ in totals.most_common(_MOST_LANES)
    )
    return lanes(_chart("by-client", _t("client"), bars, _names()))


def _chart(name: str, axis: str, bars: tuple[Bar, ...], series: tuple[str, ...]) -> Chart:
    total = sum(bar.total for bar in bars)
    best = max(bars, key=lambda bar: bar.total, default=None)
    most, label = (best.total, best.label) if best else (0, "-")
    description = _t(f"{name}-text", total=total, most=most, label=label)
    return Chart(name, _t(name), description, axis, series, bars, _t("together"), _t("figures"))


def _names() -> tuple[str, ...]:
    return tuple(_t(f"results.{result}") for result in _SERIES)


def _t(key: str, **values: object) -> str:
    return text(visitor().language, f"audit.{key}", **values)
