import math

import pytest

from radius2fa.login.lockout import Failures, LockoutRules, after_failure

RULES = LockoutRules(failures=5, delay=30, longest_delay=3600, lock_after=50)


def after(count: int, when: float = 1000.0) -> Failures:
    failures = Failures()
    for _ in range(count):
        failures = after_failure(failures, when, RULES)
    return failures


@pytest.mark.parametrize(
    ("count", "delay"), [(5, 30), (6, 60), (7, 120), (8, 240), (11, 1920), (12, 3600), (13, 3600), (49, 3600)]
)
def test_the_delay_starts_at_the_fifth_failure_and_doubles_up_to_an_hour(count: int, delay: int) -> None:
    assert after(count) == Failures(count, 1000.0 + delay)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_a_few_failures_cost_nothing(count: int) -> None:
    assert not after(count).blocked(1000.0)


@pytest.mark.parametrize("count", [50, 51, 200])
def test_the_fiftieth_failure_locks_until_an_unlock(count: int) -> None:
    assert after(count).blocked_until == math.inf


def test_a_block_ends_at_its_second_not_after_it() -> None:
    failures = after(5)
    assert failures.blocked(1029.999)
    assert not failures.blocked(1030.0)


def test_a_clock_that_went_back_does_not_shorten_a_block() -> None:
    failures = after_failure(after(5), 10.0, RULES)
    assert failures.blocked_until == 1030.0


def test_a_very_long_series_without_a_lock_does_not_overflow() -> None:
    rules = LockoutRules(failures=1, delay=1, longest_delay=60, lock_after=10**6)
    assert after_failure(Failures(5000), 0.0, rules) == Failures(5001, 60.0)
