import math
from ipaddress import ip_address

import pytest

from radius2fa.login.lockout import Failures, LockoutRules, after_failure, place_rules
from radius2fa.login.place import place_of

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


def test_the_delay_grows_also_for_those_who_wait_for_its_end() -> None:
    assert after_failure(after(5), 1030.0, RULES) == Failures(6, 1090.0)


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


def test_an_address_is_blocked_with_a_growing_delay_and_never_for_good() -> None:
    rules = place_rules(RULES, address=20, client=200).address
    failures = Failures(18)
    delays = []
    for _ in range(4):
        failures = after_failure(failures, 1000.0, rules)
        delays.append(failures.blocked_until)
    assert delays == [0.0, 1030.0, 1060.0, 1120.0]
    assert after_failure(Failures(10**6, 0.0), 1000.0, rules).blocked_until == 1000.0 + 3600


def test_a_client_is_blocked_for_the_first_delay_and_then_has_all_its_tries_again() -> None:
    rules = place_rules(RULES, address=20, client=200).client
    blocked = after_failure(Failures(199), 1000.0, rules)
    assert blocked == Failures(200, 1030.0)
    assert after_failure(blocked, 1030.0, rules) == Failures(1, 0.0)


def test_users_at_one_address_are_one_place_whatever_the_client() -> None:
    here = ip_address("198.51.100.7")
    assert place_of("vpn", "198.51.100.7[4500]", here) == place_of("wifi", "198.51.100.7", here)
    assert place_of("vpn", "198.51.100.7", here) != place_of("vpn", "198.51.100.8", ip_address("198.51.100.8"))


def test_users_in_one_ipv6_network_are_one_place() -> None:
    one, other, far = (ip_address(f"2001:db8:0:{net}::7") for net in ("1", "1:5", "2"))
    assert place_of("vpn", "", one) == place_of("vpn", "", other) == "from 2001:db8:0:1::/64"
    assert place_of("vpn", "", far) == "from 2001:db8:0:2::/64"


def test_what_is_no_address_is_a_place_too_and_so_is_a_client_that_tells_none() -> None:
    assert place_of("vpn", "00-11-22-33-44-55", None) == place_of("wifi", "00-11-22-33-44-55", None)
    assert place_of("vpn", "", None) != place_of("wifi", "", None)
    assert place_of("vpn", "", None) != place_of("vpn", "vpn", None)
