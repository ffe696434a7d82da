import time
from ipaddress import ip_address

import pytest

from radius2fa.cli.unblocking import places_meant
from radius2fa.login.lockout import LockoutRules, place_rules
from radius2fa.login.place import place_of
from radius2fa.login.ports import Miss, Record, Result
from radius2fa.login.reason import Reason
from tests.cli.helpdesk import Helpdesk

RULES = place_rules(LockoutRules(delay=600.0), address=2, client=2)
FOUR = place_of("vpn", "", ip_address("198.51.100.7"))
SIX = place_of("vpn", "", ip_address("2001:db8::7"))
CARD = place_of("vpn", "00-11-22-33-44-55", None)
CLIENT = place_of("vpn", "", None)
PLACES = (FOUR, SIX, CARD, CLIENT)


def try_names(desk: Helpdesk, *places: str, names: int = 2, ago: float = 0.0) -> None:
    """Try names that do not exist from places, which two of them block for ten minutes."""
    with desk.store() as store:
        for place in places:
            for number in range(names):
                record = Record("id", time.time() - ago, "vpn", "who", "", Result.REJECT, Reason.NO_SUCH_USER)
                store.ledger.refuse(record, Miss(place, f"who{number}", RULES.address), None)


def blocked(desk: Helpdesk) -> set[str]:
    return {one["place"] for one in desk.knows("status")["blocked_places"]}


@pytest.mark.parametrize(
    ("words", "place"),
    [
        (["198.51.100.7"], FOUR),
        (["198.51.100.7:4500"], FOUR),  # as some clients write it
        (["::ffff:198.51.100.7"], FOUR),
        (["from", "198.51.100.7"], FOUR),
        (["from 198.51.100.7"], FOUR),
        (["2001:db8::/64"], SIX),
        (["2001:DB8::1234/64"], SIX),
        (["2001:db8::1234"], SIX),
        (["from", "2001:db8::/64"], SIX),
        (["00-11-22-33-44-55"], CARD),
        (["from", "00-11-22-33-44-55"], CARD),
        (["vpn"], CLIENT),
        (["by", "vpn"], CLIENT),
    ],
)
def test_a_place_is_named_as_it_is_shown_or_by_what_it_is(desk: Helpdesk, words: list[str], place: str) -> None:
    try_names(desk, *PLACES)
    assert desk.says("unblock", *words) == f"{place} is unblocked; the unknown names in a row were 2.\n"
    assert blocked(desk) == {*PLACES} - {place}
    assert desk.says("unblock", *words) == f"{place} was not blocked.\n"
    with desk.store() as store:
        assert [(act.what, act.detail) for act in store.acts.recent(None, 9)] == [("place-unblocked", place)]


@pytest.mark.parametrize(("names", "ago"), [(1, 0.0), (2, 601.0)], ids=["too few names", "over"])
def test_a_place_that_is_not_blocked_is_said_to_be_so(desk: Helpdesk, names: int, ago: float) -> None:
    try_names(desk, FOUR, names=names, ago=ago)
    assert desk.says("unblock", "198.51.100.7") == f"{FOUR} was not blocked.\n"


@pytest.mark.parametrize(
    "text",
    [
        "198.51.100.8",
        "198.51.100.7/64",
        "198.51.100.0/24",
        "2001:db8:0:2::/64",
        "2001:db8::/48",
        "VPN",
        "from vpn",
        "nobody's\x1b",
        "",
    ],
)
def test_a_place_that_nothing_was_tried_from_is_no_place(desk: Helpdesk, text: str) -> None:
    try_names(desk, *PLACES)
    result = desk.run("unblock", text)
    shown = text.replace("\x1b", "\\x1b")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"radius2fa: no name that does not exist has been tried from {shown} of late; "
        "`radius2fa status` lists the places that are blocked\n"
    )
    assert blocked(desk) == {*PLACES}


def test_a_client_that_is_named_like_an_address_is_unblocked_with_it(desk: Helpdesk) -> None:
    client = place_of("198.51.100.7", "", None)
    try_names(desk, FOUR, client)
    assert desk.says("unblock", "198.51.100.7").splitlines() == [
        f"{place} is unblocked; the unknown names in a row were 2." for place in (FOUR, client)
    ]
    try_names(desk, FOUR, client)
    desk.says("unblock", FOUR)
    assert blocked(desk) == {client}


def test_what_is_meant_is_looked_for_once() -> None:
    assert places_meant("vpn") == ("vpn", "from vpn", "by vpn")
    assert places_meant("from 198.51.100.7") == ("from 198.51.100.7", "by from 198.51.100.7")


def test_no_place_at_all_is_wrong_usage(desk: Helpdesk) -> None:
    with desk.start("unblock") as program:
        program.communicate(timeout=30)
    assert program.returncode == 64
