"""Owns charts: figures to SVG, drawn on the server, with the same figures as a table below for whoever cannot see it.

Pure. Colours come by classes from the style sheet, for light and dark.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from markupsafe import Markup

_WIDTH, _HEIGHT = 720, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 8, 10, 24  # around the bars of a column chart
_LABELS = 12  # at most below the columns
_LANE, _LANE_WIDTH, _NUMBERS = 40, 340, 48


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar, with the number of each series, one upon the other."""

    label: str
    numbers: tuple[int, ...]

    @property
    def total(self) -> int:
        """How much that is together."""
        return sum(self.numbers)


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart to be drawn: what it shows, in words too; what the bars stand for, and the names of the series."""

    name: str  # of its elements' ids
    title: str
    description: str
    axis: str
    series: tuple[str, ...]
    bars: tuple[Bar, ...]
    total: str
    figures: str


def columns(chart: Chart) -> Markup:
    """Draw upright bars side by side, for points in time."""
    most = _round_up(max((bar.total for bar in chart.bars), default=0))
    high, step = _HEIGHT - _TOP - _BOTTOM, (_WIDTH - _LEFT - _RIGHT) / max(1, len(chart.bars))
    width = max(1.0, step * 0.75)
    lines = [_gridline(most * part // 2, _TOP + high * (2 - part) / 2) for part in range(3) if most or not part]
    paths = [
        _path(
            number,
            [
                (_LEFT + place * step + (step - width) / 2, _TOP + high * (1 - top / most), width, high * size / most)
                for place, bar in enumerate(chart.bars)
                for size, top in [_stacked(bar, number)]
                if size
            ],
        )
        for number in range(len(chart.series))
    ]
    every = -(-len(chart.bars) // _LABELS)
    labels = [
        Markup('<text x="{}" y="{}" text-anchor="middle">{}</text>').format(
            _short(_LEFT + (place + 0.5) * step), _HEIGHT - 6, bar.label
        )
        for place, bar in enumerate(chart.bars)
        if place % every == 0
    ]
    return _figure(chart, "columns", _WIDTH, _HEIGHT, [*lines, *paths, *labels])


def lanes(chart: Chart) -> Markup:
    """Draw lying bars one below the other, for things that have names."""
    most, width = max((bar.total for bar in chart.bars), default=0), _LANE_WIDTH - _NUMBERS
    paths = [
        _path(
            number,
            [
                (width * (top - size) / most, place * _LANE + 20, width * size / most, 14)
                for place, bar in enumerate(chart.bars)
                for size, top in [_stacked(bar, number)]
                if size
            ],
        )
        for number in range(len(chart.series))
    ]
    words = [
        Markup('<text x="0" y="{}">{}</text><text x="{}" y="{}">{}</text>').format(
            place * _LANE + 14,
            bar.label,
            _short(width * bar.total / most + 5 if most else 0),
            place * _LANE + 31,
            bar.total,
        )
        for place, bar in enumerate(chart.bars)
    ]
    return _figure(chart, "lanes", _LANE_WIDTH, max(1, len(chart.bars)) * _LANE, [*paths, *words])


def _figure(chart: Chart, form: str, width: int, height: int, parts: Sequence[Markup]) -> Markup:
    return Markup(
        '<figure class="figure">\n<figcaption id="{name}-caption">{title}</figcaption>\n{legend}'
        '<div class="scroll" tabindex="0" role="region" aria-labelledby="{name}-caption">'
        '<svg class="chart {form}" role="img" viewBox="0 0 {width} {height}"'
        ' aria-labelledby="{name}-title {name}-desc">'
        '<title id="{name}-title">{title}</title><desc id="{name}-desc">{description}</desc>{parts}</svg></div>\n'
        "<details><summary>{figures}</summary>{table}</details>\n</figure>"
    ).format(
        name=chart.name,
        title=chart.title,
        description=chart.description,
        form=form,
        width=width,
        height=height,
        legend=_legend(chart),
        parts=Markup("").join(parts),
        figures=chart.figures,
        table=_table(chart),
    )


def _legend(chart: Chart) -> Markup:
    if len(chart.series) == 1:
        return Markup("")
    entry = Markup(
        '<li><svg viewBox="0 0 10 10" aria-hidden="true"><rect class="bar-{}" width="10" height="10" rx="2"/></svg>'
        "{}</li>"
    )
    entries = Markup("").join(entry.format(number + 1, name) for number, name in enumerate(chart.series))
    return Markup('<ul class="legend">{}</ul>\n').format(entries)


def _table(chart: Chart) -> Markup:
    titles = [*chart.series, *([chart.total] if len(chart.series) > 1 else [])]
    head = Markup("").join(Markup('<th scope="col" class="number">{}</th>').format(title) for title in titles)
    rows = [
        Markup('<tr><th scope="row">{}</th>{}</tr>').format(
            bar.label,
            Markup("").join(
                Markup('<td class="number">{}</td>').format(number)
                for number in [*bar.numbers, *([bar.total] if len(chart.series) > 1 else [])]
            ),
        )
        for bar in chart.bars
    ]
    return Markup(
        '<table><caption>{}</caption><thead><tr><th scope="col">{}</th>{}</tr></thead><tbody>{}</tbody></table>'
    ).format(chart.title, chart.axis, head, Markup("\n").join(rows))


def _path(number: int, boxes: Sequence[tuple[float, float, float, float]]) -> Markup:
    """Return boxes of one series: place from the left and the top, width, height."""
    drawn = " ".join(
        f"M{_short(left)} {_short(top)}h{_short(wide)}v{_short(high)}h{_short(-wide)}z"
        for left, top, wide, high in boxes
    )
    return Markup('<path class="bar-{}" d="{}"/>').format(number + 1, drawn) if boxes else Markup("")


def _gridline(value: int, y: float) -> Markup:
    return Markup(
        '<line x1="{left}" x2="{right}" y1="{y}" y2="{y}"/><text x="{at}" y="{below}" text-anchor="end">{value}</text>'
    ).format(left=_LEFT, right=_WIDTH - _RIGHT, y=_short(y), at=_LEFT - 6, below=_short(y + 4), value=value)


def _stacked(bar: Bar, number: int) -> tuple[int, int]:
    """Return how much a series has of a bar, and where it ends, counted from the beginning."""
    return bar.numbers[number], list(accumulate(bar.numbers))[number]


def _round_up(most: int) -> int:
    """Return the next even number that is easily read: 2, 4, 10, 20, 40, 100 and so on; 0 for 0."""
    if most <= 0:
        return 0
    size = 1
    while True:
        for nice in (2, 4, 10):
            if most <= nice * size:
                return nice * size
        size *= 10


def _short(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
