import re
import time

import pytest

from radius2fa.login.place import place_of
from tests.cli.helpdesk import Helpdesk
from tests.servers.slapd import Slapd, person_dn

TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+"


def seconds_left(desk: Helpdesk, slapd: Slapd) -> float:
    """How long a login of alice's needs no second factor from now on."""
    with desk.store() as store:
        now = time.time()
        return store.ledger.standing(slapd.entry_uuid("alice"), place_of("vpn", "", None), now).bypass_until - now


def test_a_bypass_is_given_with_a_warning(desk: Helpdesk, slapd: Slapd) -> None:
    assert re.fullmatch(
        rf"WARNING: until {TIME} the password alone lets alice in\.\n"
        r"Whoever else knows it gets in as well\. End it early with `radius2fa user bypass alice --end`\.\n",
        desk.says("user", "bypass", "ALICE", "--for", "2h"),
    )
    assert 7200 - 60 < seconds_left(desk, slapd) <= 7200


def test_a_bypass_is_replaced_and_ended(desk: Helpdesk, slapd: Slapd) -> None:
    desk.says("user", "bypass", "alice", "--for", "4h")
    desk.says("user", "bypass", "alice", "--for", "30m")
    assert 1800 - 60 < seconds_left(desk, slapd) <= 1800
    assert desk.says("user", "bypass", "alice", "--end") == "The bypass of alice has ended.\n"
    assert seconds_left(desk, slapd) <= 0
    assert desk.says("user", "bypass", "alice", "--end") == "alice had no bypass.\n"


@pytest.mark.parametrize("span", ["241m", "5h", "1d"])
def test_more_than_four_hours_are_refused_with_the_reason(desk: Helpdesk, slapd: Slapd, span: str) -> None:
    result = desk.run("user", "bypass", "alice", "--for", span)
    assert result.exit_code == 64
    assert result.stderr.startswith("radius2fa: --for: a bypass lasts 4h at most, since whoever has the password ")
    assert seconds_left(desk, slapd) <= 0


@pytest.mark.parametrize("arguments", [[], ["--end", "--for", "1h"]])
def test_a_bypass_is_either_given_or_ended(desk: Helpdesk, arguments: list[str]) -> None:
    result = desk.run("user", "bypass", "alice", *arguments)
    assert (result.exit_code, result.stderr) == (
        64,
        "radius2fa: say for how long, for instance --for 2h; or --end, to end a bypass\n",
    )


def test_the_bypass_of_somebody_who_has_left_can_be_ended_but_not_given(desk: Helpdesk, slapd: Slapd) -> None:
    slapd.add_person("carol", "secret")
    desk.says("user", "bypass", "carol", "--for", "1h")
    slapd.delete(person_dn("carol"))
    result = desk.run("user", "bypass", "carol", "--for", "1h")
    assert (result.exit_code, result.stderr) == (1, "radius2fa: carol: nobody has this name\n")
    assert desk.says("user", "bypass", "carol", "--end") == "The bypass of carol has ended.\n"
