from dataclasses import replace

import pytest

from radius2fa.otp.token import Kind, Token
from radius2fa.otp.window import far, follower, hits, near
from tests.otp import oathtool

HOTP = Token("hotp", Kind.HOTP, b"12345678901234567890", counter=50)
TOTP = Token("totp", Kind.TOTP, b"12345678901234567890")
TWINS = 910737, 910738  # two counters in sequence with the same code


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (HOTP, range(40, 61)),
        (replace(HOTP, counter=3), range(14)),
        (TOTP, range(99, 102)),
        (replace(TOTP, drift=-4), range(95, 98)),
        (replace(TOTP, drift=-100), range(2)),
        (replace(TOTP, drift=-110), range(0)),
        (replace(TOTP, period=60), range(49, 52)),
        (replace(TOTP, counter=101), range(99, 102)),
    ],
)
def test_the_window_lies_on_both_sides_and_never_before_the_first_counter(token: Token, expected: range) -> None:
    assert near(token, 3000.0, 1, 10) == expected


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (HOTP, range(50, 61)),
        (TOTP, range(99, 102)),
        (replace(TOTP, counter=101), range(101, 102)),
        (replace(TOTP, counter=102), range(102, 102)),
    ],
)
def test_far_away_is_looked_for_what_is_not_used_up(token: Token, expected: range) -> None:
    assert far(token, 3000.0, 1, 10) == expected


@pytest.mark.parametrize(
    ("remembered", "when", "expected"),
    [
        (None, 1000.0, ()),
        (49, 1000.0, ()),
        (50, 1000.0, (51,)),
        (70, 1300.0, (71,)),
        (70, 1300.5, ()),
    ],
)
def test_the_follower_of_a_remembered_code(remembered: int | None, when: float, expected: tuple[int, ...]) -> None:
    assert follower(replace(HOTP, remembered=remembered, remembered_at=1000.0), when, 300.0) == expected


def test_a_search_does_not_end_at_its_first_hit() -> None:
    twice, again = oathtool.codes(HOTP, TWINS[0], more=1)
    assert twice == again == b"911617"
    assert hits(HOTP, twice, range(TWINS[0] - 3, TWINS[1] + 4)) == list(TWINS)
    assert hits(HOTP, twice, ()) == []
