import pytest
import typer

from radius2fa.cli.moments import beginning, ending, require_order

pytestmark = pytest.mark.usefixtures("in_auckland")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2005-03-18T14:58:29", 1111111109),  # RFC 6238 appendix B has it in UTC: 01:58:29
        ("2005-03-18 14:58:29", 1111111109),
        ("2005-03-18T01:58:29Z", 1111111109),
        ("2005-03-17T20:58:29-05:00", 1111111109),
    ],
)
def test_a_time_is_local_if_it_does_not_say_otherwise(text: str, seconds: int) -> None:
    assert beginning(text) == ending(text) == seconds


def test_a_day_begins_and_ends_at_local_midnight() -> None:
    assert beginning("2005-03-18") == 1111111109 - (14 * 3600 + 58 * 60 + 29)
    assert ending("2005-03-18") == beginning("2005-03-19")
    assert ending("2005-09-25") - beginning("2005-09-25") == 23 * 3600  # on which the clocks go forward


@pytest.mark.parametrize("text", ["", "tomorrow", "18.3.2005", "2005-02-30", "2005-03-18T25:00", "9999-12-31x"])
@pytest.mark.parametrize("read", [beginning, ending])
def test_what_is_no_time_is_refused_with_how_to_write_one(read: type[float], text: str) -> None:
    with pytest.raises(typer.BadParameter, match=r"is no time: write a day as 2027-12-31, or a time as 2027-"):
        read(text)


@pytest.mark.parametrize("text", ["0001-01-01", "9999-12-31"])
def test_days_beyond_all_calendars_are_refused_too(text: str) -> None:
    with pytest.raises(typer.BadParameter, match=r"is no time"):
        (beginning if text < "1" else ending)(text)


@pytest.mark.parametrize(("since", "until"), [(None, None), (2.0, None), (None, 1.0), (1.0, 2.0)])
def test_some_time_is_between_the_bounds(since: float | None, until: float | None) -> None:
    require_order(since, until)


@pytest.mark.parametrize("until", [1.0, 2.0])
def test_no_time_is_between_the_bounds(until: float, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        require_order(2.0, until)
    assert ended.value.exit_code == 64
    assert "the token would never be valid" in capsys.readouterr().err
