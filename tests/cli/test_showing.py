import pytest

from radius2fa.cli.showing import iso_time, local_time
from radius2fa.printable import printable


@pytest.mark.usefixtures("in_auckland")
def test_times_are_local_and_say_their_zone() -> None:
    assert local_time(1111111109.7) == "2005-03-18 14:58:29 NZDT"  # RFC 6238 appendix B has it in UTC: 01:58:29
    assert iso_time(1111111109.5) == "2005-03-18T14:58:29.500000+13:00"


def test_what_never_happened_has_no_time() -> None:
    assert local_time(None) == "never"
    assert iso_time(None) is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Zoë Ünal 名前", "Zoë Ünal 名前"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\x1b[31m\x07\x9b", "\\x1b[31m\\x07\\x9b"),
        ("admin\u202etxt", "admin\\u202etxt"),
        ("\udcff", "\\udcff"),
    ],
)
def test_what_could_steer_a_terminal_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown
