"""Charts: well-formed SVG whose boxes are as large as the figures, and the figures again as a table."""

import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from radius2fa.portal.helpdesk.charts import Bar, Chart, columns, lanes

SERIES = ("good", "bad", "other")
LABELS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
BARS = st.lists(st.builds(Bar, LABELS, st.tuples(*[st.integers(0, 10**6)] * 3)), max_size=40).map(tuple)


def chart(bars: tuple[Bar, ...], series: tuple[str, ...] = SERIES) -> Chart:
    return Chart("logins", "Logins", "Some logins.", "Hour", series, bars, "Together", "Figures")


def parsed(drawn: Markup) -> ET.Element:
    return ET.fromstring(drawn)  # noqa: S314 - drawn here


def svg(drawn: Markup) -> ET.Element:
    root = parsed(drawn)
    found = [element for element in root.iter("svg") if element.get("role") == "img"]
    assert len(found) == 1
    return found[0]


def heights(drawn: Markup, series: int) -> list[float]:
    (path,) = [one for one in svg(drawn).iter("path") if one.get("class") == f"bar-{series}"]
    return [float(number) for number in re.findall(r"v(-?[0-9.]+)", path.get("d", ""))]


def test_columns_are_as_high_as_their_numbers() -> None:
    drawn = columns(chart((Bar("1", (50, 10, 0)), Bar("2", (100, 0, 0)))))
    first, second = heights(drawn, 1)
    assert second == 2 * first
    assert heights(drawn, 2) == [first / 5]
    assert 'class="bar-3"' not in ET.tostring(svg(drawn), encoding="unicode")


def boxes(drawn: Markup) -> list[list[float]]:
    """Return left, top, width and height of the box of each series of a chart with one bar."""
    paths = [path.get("d", "") for path in svg(drawn).iter("path")]
    return [[float(number) for number in re.findall(r"-?[0-9.]+", path)[:4]] for path in paths]


def test_the_series_of_a_bar_stand_one_upon_the_other() -> None:
    bar = (Bar("1", (50, 10, 40)),)
    lowest, middle, highest = boxes(columns(chart(bar)))
    assert lowest[1] == pytest.approx(middle[1] + middle[3], abs=0.2)
    assert middle[1] == pytest.approx(highest[1] + highest[3], abs=0.2)
    first, second, third = boxes(lanes(chart(bar)))
    assert first[0] == 0
    assert second[0] == pytest.approx(first[0] + first[2], abs=0.2)
    assert third[0] == pytest.approx(second[0] + second[2], abs=0.2)


def test_a_chart_says_what_it_shows() -> None:
    for draw in (columns, lanes):
        drawn = draw(chart((Bar("1", (1, 2, 3)),)))
        image = svg(drawn)
        title, description = image.find("title"), image.find("desc")
        assert title is not None
        assert description is not None
        assert (title.text, description.text) == ("Logins", "Some logins.")
        assert image.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"


def test_the_same_figures_stand_in_a_table() -> None:
    root = parsed(columns(chart((Bar("9:00", (1, 2, 3)), Bar("10:00", (4, 0, 0))))))
    cells = [[cell.text for cell in row] for row in root.findall("details/table/tbody/tr")]
    assert cells == [["9:00", "1", "2", "3", "6"], ["10:00", "4", "0", "0", "4"]]


@given(BARS)
def test_whatever_the_figures_and_names_are_it_is_well_formed_and_within_its_frame(bars: tuple[Bar, ...]) -> None:
    for draw in (columns, lanes):
        drawn = draw(chart(bars))
        image = svg(drawn)
        *_, width, height = map(float, image.get("viewBox", "").split())
        for path in image.iter("path"):
            for left, top, wide, high in re.findall(r"M([0-9.-]+) ([0-9.-]+)h([0-9.-]+)v([0-9.-]+)", path.get("d", "")):
                assert min(float(left), float(top)) >= 0
                assert float(left) + float(wide) <= width + 0.2
                assert float(top) + float(high) <= height + 0.2


@given(LABELS, LABELS)
def test_no_label_becomes_markup(label: str, series: str) -> None:
    root = parsed(lanes(chart((Bar(f"<script>{label}", (1,)),), (f'"><script>{series}',))))
    assert not list(root.iter("script"))


def test_a_chart_brings_neither_style_nor_script() -> None:
    drawn = str(columns(chart((Bar("1", (1, 2, 3)),)))) + str(lanes(chart((Bar("1", (1, 2, 3)),))))
    assert "style=" not in drawn
    assert "<script" not in drawn
    assert " on" not in re.sub(r">[^<]*<", "><", drawn)
