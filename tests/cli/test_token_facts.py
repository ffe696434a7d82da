from dataclasses import replace

import pytest

from radius2fa.cli.token_facts import State, note, state
from radius2fa.otp.token import Algorithm, Kind
from radius2fa.store.tokens import TokenRow

ROW = TokenRow(
    "fob",
    "alice-id",
    "alice",
    Kind.TOTP,
    Algorithm.SHA1,
    6,
    30,
    0,
    0,
    "",
    None,
    active=True,
    created=1.0,
    last_used=None,
)
BOUNDED = replace(ROW, valid_from=100.0, valid_until=200.0)


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        (99.9, State.NOT_YET_VALID),
        (100.0, State.ACTIVE),
        (199.9, State.ACTIVE),
        (200.0, State.EXPIRED),
    ],
)
def test_a_token_is_valid_from_the_first_bound_to_just_before_the_second(when: float, expected: State) -> None:
    assert state(BOUNDED, when) is expected


@pytest.mark.parametrize("when", [0.0, 150.0, 300.0])
def test_a_disabled_token_is_that_before_all(when: float) -> None:
    assert state(replace(BOUNDED, active=False), when) is State.DISABLED
    assert state(replace(BOUNDED, active=False, subject=None, name=None), when) is State.DISABLED


def test_what_is_nobodys_and_fit_to_be_given_is_in_stock() -> None:
    unowned = replace(BOUNDED, subject=None, name=None)
    assert [state(unowned, when) for when in (99.0, 150.0, 200.0)] == [
        State.NOT_YET_VALID,
        State.IN_STOCK,
        State.EXPIRED,
    ]


def test_only_what_may_not_answer_is_worth_a_note() -> None:
    assert [note(BOUNDED, when) for when in (99.0, 150.0, 200.0)] == [" It is not yet valid.", "", " It is expired."]
    assert note(replace(ROW, subject=None, name=None), 0.0) == ""
