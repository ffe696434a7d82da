"""Which rule holds: conditions, their order, and how names and addresses are compared."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radius2fa.login.policy import (
    NO_RULE,
    Condition,
    Rule,
    Rules,
    SecondFactor,
    folded,
    no_reply,
    obstacles,
)
from radius2fa.login.ports import Entry
from radius2fa.otp.token import Kind

STAFF, ADMINS, GUESTS = (f"cn={name},ou=groups,dc=example,dc=org" for name in ("staff", "admins", "guests"))
ALICE = Entry(
    "id",
    "uid=alice,dc=example,dc=org",
    "Alice",
    "alice@realm",
    frozenset({STAFF, ADMINS}),
    names=frozenset({"alice", "al"}),
)
HERE = ip_address("198.51.100.7")
OFFICE = (ip_network("198.51.100.0/24"), ip_network("2001:db8:1::/48"))
ELSEWHERE = (ip_network("192.0.2.0/24"), ip_network("2001:db8:2::/48"))

SCENES = [
    (Rule("all"), ()),
    (Rule("client", clients=frozenset({"vpn", "wifi"})), ()),
    (Rule("other client", clients=frozenset({"wifi"})), (Condition.CLIENT,)),
    (Rule("no client", clients=frozenset()), (Condition.CLIENT,)),
    (Rule("user", users=frozenset({"alice"})), ()),
    (Rule("another name of the user", users=frozenset({"al", "bob"})), ()),
    (Rule("what was typed", users=frozenset({"alice@realm"})), (Condition.USER,)),
    (Rule("other user", users=frozenset({"bob"})), (Condition.USER,)),
    (Rule("group", groups=frozenset({ADMINS, GUESTS})), ()),
    (Rule("other group", groups=frozenset({GUESTS})), (Condition.GROUP,)),
    (Rule("network", networks=OFFICE), ()),
    (Rule("other network", networks=ELSEWHERE), (Condition.NETWORK,)),
    (
        Rule("all but one", frozenset({"vpn"}), frozenset({"alice"}), frozenset({GUESTS}), OFFICE),
        (Condition.GROUP,),
    ),
    (
        Rule("none", frozenset({"wifi"}), frozenset({"bob"}), frozenset({GUESTS}), ELSEWHERE),
        (Condition.CLIENT, Condition.USER, Condition.GROUP, Condition.NETWORK),
    ),
]


@pytest.mark.parametrize(("rule", "against"), SCENES, ids=lambda value: value.name if isinstance(value, Rule) else "")
def test_a_rule_holds_where_all_its_conditions_do(rule: Rule, against: tuple[Condition, ...]) -> None:
    assert Rules.of([rule]).choose("vpn", ALICE, HERE) is (NO_RULE if against else rule)
    assert obstacles(rule, "vpn", ALICE, HERE) == against


def test_the_first_rule_that_matches_wins_whichever_names_the_client() -> None:
    general, special = Rule("general"), Rule("special", clients=frozenset({"vpn"}))
    assert Rules.of([general, special]).choose("vpn", ALICE, None) is general
    assert Rules.of([special, general]).choose("vpn", ALICE, None) is special
    assert Rules.of([special, general]).choose("wifi", ALICE, None) is general
    assert Rules.of([special, general]).in_order == (special, general)


def test_without_a_rule_that_matches_a_second_factor_is_required_and_nothing_is_told() -> None:
    chosen = Rules.of([]).choose("vpn", ALICE, HERE)
    assert (chosen.name, chosen.asks_at(0.0), chosen.reply(ALICE)) == ("", SecondFactor.REQUIRED, ())
    assert [kind for kind in Kind if not chosen.allows(kind)] == [Kind.INVITATION]


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("198.51.100.0", True),
        ("198.51.100.255", True),
        ("198.51.101.0", False),
        ("198.51.99.255", False),
        ("2001:db8:1::1", True),
        ("2001:db8:1:ffff:ffff:ffff:ffff:ffff", True),
        ("2001:db8:2::", False),
        ("::198.51.100.7", False),
    ],
)
def test_a_network_holds_its_addresses_and_no_others(address: str, inside: bool) -> None:  # noqa: FBT001 - a table
    rule = Rule("office", networks=OFFICE)
    assert (Rules.of([rule]).choose("vpn", ALICE, ip_address(address)) is rule) is inside
    assert (obstacles(rule, "vpn", ALICE, ip_address(address)) == ()) is inside


def test_a_user_whose_address_is_not_known_is_in_no_network() -> None:
    everywhere = Rule("everywhere", networks=(ip_network("0.0.0.0/0"), ip_network("::/0")))
    assert Rules.of([everywhere]).choose("vpn", ALICE, None) is NO_RULE
    assert Rules.of([everywhere]).choose("vpn", ALICE, HERE) is everywhere
    assert obstacles(everywhere, "vpn", ALICE, None) == (Condition.NETWORK,)


@given(
    st.ip_addresses(),
    st.lists(st.tuples(st.ip_addresses(), st.integers(0, 128)), max_size=4),
)
def test_networks_are_what_ipaddress_says_they_are(
    address: IPv4Address | IPv6Address, parts: list[tuple[IPv4Address | IPv6Address, int]]
) -> None:
    networks = tuple(ip_network((each, min(length, each.max_prefixlen)), strict=False) for each, length in parts)
    rule = Rule("networks", networks=networks)
    expected = rule if any(address in network for network in networks) else NO_RULE
    assert Rules.of([rule]).choose("vpn", ALICE, address) is expected


@pytest.mark.parametrize(
    ("second_factor", "until", "when", "asked"),
    [
        (SecondFactor.IF_ENROLLED, 100.0, 99.9, SecondFactor.IF_ENROLLED),
        (SecondFactor.IF_ENROLLED, 100.0, 100.0, SecondFactor.REQUIRED),
        (SecondFactor.OFF, None, 100.0, SecondFactor.OFF),
        (SecondFactor.DENY, 100.0, 200.0, SecondFactor.DENY),
    ],
)
def test_if_enrolled_ends_on_its_date(
    second_factor: SecondFactor, until: float | None, when: float, asked: SecondFactor
) -> None:
    assert Rule("rule", second_factor=second_factor, until=until).asks_at(when) is asked


def test_kinds_are_those_that_are_named() -> None:
    rule = Rule("rule", kinds=frozenset({Kind.TOTP, Kind.RECOVERY}))
    assert [kind for kind in Kind if rule.allows(kind)] == [Kind.TOTP, Kind.RECOVERY]


def test_an_invitation_is_allowed_only_where_it_is_named() -> None:
    assert not Rule("rule").allows(Kind.INVITATION)
    assert Rule("rule", kinds=frozenset({Kind.INVITATION})).allows(Kind.INVITATION)


@pytest.mark.parametrize("name", ["alice", "ALICE", "  Alice ", "Al\u0131ce"])
def test_names_are_compared_as_directories_compare_them(name: str) -> None:
    assert (folded(name) == folded("alice")) is (name != "Al\u0131ce")  # a dotless i is another letter


def test_a_rule_tells_nothing_by_default() -> None:
    assert no_reply(ALICE) == ()
