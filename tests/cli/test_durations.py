import pytest
import typer

from radius2fa.cli.durations import duration, in_words


@pytest.mark.parametrize(
    ("text", "seconds"), [("1m", 60), ("30m", 1800), ("24h", 86400), ("7d", 604800), (" 2H ", 7200), ("090m", 5400)]
)
def test_minutes_hours_and_days_are_read(text: str, seconds: int) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0h", "2", "h", "2w", "-1h", "1.5h", "1h30m", "1 h", "²h", "1000000m", "٣h"])
def test_what_is_no_span_of_time_is_refused_with_how_to_write_one(text: str) -> None:
    with pytest.raises(typer.BadParameter, match=r"write minutes, hours or days as 30m, 24h or 7d$"):
        duration(text)


@pytest.mark.parametrize(("seconds", "words"), [(60, "1m"), (5400, "90m"), (14400, "4h"), (1209600, "14d")])
def test_a_span_of_time_is_written_in_its_largest_unit(seconds: int, words: str) -> None:
    assert in_words(seconds) == words
