"""What the configuration means to the server's parts."""

import os
import time
from contextlib import closing
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path

import pytest

from radius2fa.config.model import Lockout, Store
from radius2fa.config.texts import Texts
from radius2fa.login.attempt import ClientRules, CodeMode
from radius2fa.login.lockout import LockoutRules, place_rules
from radius2fa.login.policy import Rule, SecondFactor
from radius2fa.login.ports import Entry
from radius2fa.otp.token import Kind
from radius2fa.server.answer import Answers
from radius2fa.server.replies import UnusableReplies
from radius2fa.server.wiring import answers, client_rules, house, lockout_rules, radius_client, rules
from radius2fa.store.engine import open_store
from radius2fa.store.seal import KeyRing, new_key_text
from radius2fa.store.upgrade import upgrade
from tests.fakes.directory import FakeDirectory, ForAnyClient
from tests.server.configured import a_client, policy, settings


@pytest.mark.parametrize(
    ("keys", "required", "limited"),
    [
        ({}, True, False),
        ({"require_message_authenticator": False}, False, True),  # relaxing the one forces the other
        ({"require_message_authenticator": True, "limit_proxy_state": True}, True, True),
        (
            {
                "require_message_authenticator": False,
                "limit_proxy_state": False,
                "insecure_unsigned_proxy_state": True,
            },
            False,
            False,
        ),
    ],
)
def test_what_a_client_must_sign(keys: dict[str, object], *, required: bool, limited: bool) -> None:
    client = radius_client(a_client(**keys))
    assert (client.require_message_authenticator, client.limit_proxy_state) == (required, limited)


def test_a_client_s_rules_for_the_decision() -> None:
    assert client_rules(a_client()) == ClientRules("vpn", CodeMode.APPENDED, None)
    assert client_rules(a_client(code="either", delimiter="§")) == ClientRules("vpn", CodeMode.EITHER, b"\xc2\xa7")


@pytest.mark.parametrize(
    ("keys", "rule"),
    [
        ({}, Rule("staff")),
        ({"clients": ["vpn"]}, Rule("staff", clients=frozenset({"vpn"}))),
        ({"users": ["Alice", " bob  m "]}, Rule("staff", users=frozenset({"alice", "bob m"}))),
        (
            {"groups": ["CN=Staff, DC=Example"], "required_groups": ["cn=VPN,dc=example", "cn=b"]},
            Rule(
                "staff",
                groups=frozenset({"cn=staff,dc=example"}),
                required_groups=frozenset({"cn=vpn,dc=example", "cn=b"}),
            ),
        ),
        (
            {"networks": ["192.0.2.0/24", "2001:db8::1"]},
            Rule("staff", networks=(ip_network("192.0.2.0/24"), ip_network("2001:db8::1/128"))),
        ),
        ({"second_factor": "off"}, Rule("staff", second_factor=SecondFactor.OFF)),
        ({"second_factor": "deny"}, Rule("staff", second_factor=SecondFactor.DENY)),
        (
            {"second_factor": "if-enrolled", "until": datetime(2026, 12, 31, 18, tzinfo=UTC)},
            Rule(
                "staff", second_factor=SecondFactor.IF_ENROLLED, until=1798740000
            ),  # date -u -d '2026-12-31 18:00' +%s
        ),
        ({"kinds": ["totp", "temporary"]}, Rule("staff", kinds=frozenset({Kind.TOTP, Kind.TEMPORARY}))),
        ({"adopt_yubikeys": True}, Rule("staff", adopts=True)),
    ],
)
def test_a_policy_as_the_decision_sees_it(keys: dict[str, object], rule: Rule) -> None:
    assert rules(settings(policy(**keys))).in_order == (rule,)


def test_the_rules_stay_in_the_order_of_the_file() -> None:
    ordered = rules(settings(policy("b"), policy("a"), policy("c"))).in_order
    assert [rule.name for rule in ordered] == ["b", "a", "c"]


def test_each_policy_has_its_own_reply() -> None:
    first, second, third = rules(
        settings(policy("a", reply={"Class": "one"}), policy("b"), policy("c", reply={"Class": "three"}))
    ).in_order
    nobody = Entry("s", "cn=x", "x", "x")
    octets = [[each.octets(each.value) for each in rule.reply(nobody)] for rule in (first, second, third)]  # type: ignore[attr-defined] # as replies makes them
    assert octets == [[b"\x19\x05one"], [], [b"\x19\x07three"]]


def test_replies_that_cannot_be_sent_stop_the_start() -> None:
    with pytest.raises(UnusableReplies, match="Filter-Idd") as raised:
        rules(settings(policy(reply={"Filter-Idd": "staff"})))
    assert [fault.key for fault in raised.value.faults] == [("policy", 0, "reply", "Filter-Idd")]


def test_how_guessing_is_slowed_down() -> None:
    lockout = Lockout(failures=3, delay=10, longest_delay=100, lock_after=9, repeat_seconds=5)
    assert lockout_rules(lockout) == LockoutRules(3, 10, 100, 9, 5)


def test_the_decision_is_made_by_what_is_configured(tmp_path: Path) -> None:
    keys = {"codes": {"totp_window": 2}, "lockout": {"failures": 7, "unknown_names": 3, "unknown_names_of_client": 30}}
    configured = settings(policy(), **keys, server={"challenge_seconds": 99})
    store_settings = Store(url=f"sqlite:///{tmp_path}/radius2fa.db")
    upgrade(store_settings, lambda *_: None)
    keyring = KeyRing.parse(new_key_text(os.urandom))
    directory = ForAnyClient(FakeDirectory())
    with closing(open_store(store_settings, keyring, threads=1, clock=time.monotonic, random=os.urandom)) as store:
        made = house(configured, store, directory)
        assert (made.directory, made.ledger) == (directory, store.ledger)
    assert (made.challenge_seconds, made.windows.totp, made.lockout.failures) == (99, 2, 7)
    assert made.places == place_rules(made.lockout, address=3, client=30)
    assert [rule.name for rule in made.policies.in_order] == ["staff"]
    assert len(made.random(16)) == 16


def test_each_client_is_answered_in_its_own_words() -> None:
    clients = [a_client(), a_client(name="wiki", addresses=["192.0.2.2"], language="pl", refusal="Zobacz {portal}")]
    configured = settings(clients=clients, portal={"url": "https://p.example.org"}, server={"send_class": True})
    assert answers(configured) == Answers(
        {
            "vpn": Texts("One-time code:", "Login refused."),
            "wiki": Texts("Kod jednorazowy:", "Zobacz https://p.example.org"),
        },
        send_class=True,
    )
