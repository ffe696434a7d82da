"""The rules of the policy, held against each other."""

import itertools
from pathlib import Path

import pytest

from radius2fa.config.faults import Fault
from radius2fa.config.model import Policy
from radius2fa.config.policies import groups_of
from radius2fa.otp.token import Kind
from tests.config.files import CLIENT, VALID, reading_of

STAFF = "cn=staff,dc=example,dc=org"
SECOND = CLIENT.replace('"vpn"', '"switch"').replace("192.0.2.10", "192.0.2.20")


def text_of(*policies: str) -> str:
    sections = (f'[[policy]]\nname = "rule{number}"\n{keys}\n' for number, keys in enumerate(policies, 1))
    return VALID + SECOND + "".join(sections)


def faults_of(folder: Path, *policies: str) -> list[tuple[str, str, str]]:
    faults = reading_of(folder, text_of(*policies)).faults
    return [(fault.key, fault.message, fault.remedy) for fault in faults]


def warnings_of(folder: Path, *policies: str, now: float = 0.0) -> tuple[Fault, ...]:
    reading = reading_of(folder, text_of(*policies), now=now)
    assert reading.faults == ()
    return reading.warnings


NEVER_ANSWER = (Kind.WEBAUTHN, Kind.INVITATION)  # the one makes no codes, the other is for the portal


def test_the_kinds_are_those_of_codes_that_may_answer(tmp_path: Path) -> None:
    answering = tuple(kind for kind in Kind if kind not in NEVER_ANSWER)
    kinds = ", ".join(f'"{kind}"' for kind in answering)
    settings = reading_of(tmp_path, text_of(f"kinds = [{kinds}]")).settings
    assert settings is not None
    assert settings.policy[0].kinds == answering


@pytest.mark.parametrize("kind", NEVER_ANSWER)
def test_what_answers_no_radius_client_is_no_kind(tmp_path: Path, kind: Kind) -> None:
    ((key, _, _),) = faults_of(tmp_path, f'kinds = ["totp", "{kind}"]')
    assert key == "policy[1].kinds[2]"


@pytest.mark.parametrize("key", ["clients", "users", "groups", "networks", "kinds", "required_groups"])
def test_a_list_that_is_given_holds_something(tmp_path: Path, key: str) -> None:
    """An empty condition would hold for nobody, which is hardly what was meant."""
    assert faults_of(tmp_path, f"{key} = []") == [(f"policy[1].{key}", "is empty", "Give at least one.")]


@pytest.mark.parametrize(
    ("keys", "key", "message", "remedy"),
    [
        (
            'second_factor = "if-enrolled"',
            "second_factor",
            "needs an end",
            "Add until = 2026-12-31, with the last day on which people without a token are let in.",
        ),
        (
            "until = 2099-12-31",
            "until",
            "has no meaning where second_factor is 'required'",
            'Take it out, or write second_factor = "if-enrolled".',
        ),
        (
            'second_factor = "off"\nusers = ["a"]\nuntil = 2099-12-31',
            "until",
            "has no meaning where second_factor is 'off'",
            'Take it out, or write second_factor = "if-enrolled".',
        ),
        (
            'second_factor = "deny"\nreply = { Class = "x" }',
            "reply",
            "has no meaning where nobody is let in",
            "Take it out.",
        ),
        (
            'second_factor = "deny"\nkinds = ["totp"]',
            "kinds",
            "has no meaning where nobody is let in",
            "Take it out.",
        ),
        (
            f'second_factor = "deny"\nrequired_groups = ["{STAFF}"]',
            "required_groups",
            "has no meaning where nobody is let in",
            "Take it out.",
        ),
        (
            'second_factor = "deny"\nadopt_yubikeys = true',
            "adopt_yubikeys",
            "has no meaning where nobody is let in",
            "Take it out.",
        ),
        (
            'adopt_yubikeys = true\nkinds = ["totp", "hotp"]',
            "adopt_yubikeys",
            "has no effect, since the kinds that may answer are without YubiKeys",
            'Add "yubikey" to kinds, or take this key out.',
        ),
        (
            'clients = ["vpn", "vnp"]',
            "clients",
            "no client is named 'vnp'",
            "Known: switch, vpn.",
        ),
    ],
)
def test_a_rule_that_contradicts_itself_is_a_fault(
    tmp_path: Path, keys: str, key: str, message: str, remedy: str
) -> None:
    assert faults_of(tmp_path, keys) == [(f"policy[1].{key}", message, remedy)]


@pytest.mark.parametrize(
    "keys",
    [
        'second_factor = "if-enrolled"\nuntil = 2099-12-31',
        'second_factor = "deny"',
        'second_factor = "off"\nclients = ["vpn"]\nreply = { Class = "x" }',
        'adopt_yubikeys = true\nkinds = ["yubikey"]',
        "adopt_yubikeys = true",
        "",
    ],
)
def test_what_belongs_together_is_right(tmp_path: Path, keys: str) -> None:
    assert warnings_of(tmp_path, keys) == ()


def test_a_fault_of_a_rule_is_told_with_its_line(tmp_path: Path) -> None:
    (fault,) = reading_of(tmp_path, text_of("", "until = 2099-12-31")).faults
    assert (fault.line, fault.key) == (20, "policy[2].until")


@pytest.mark.parametrize(
    "condition", ['clients = ["vpn"]', 'users = ["a"]', f'groups = ["{STAFF}"]', 'networks = ["::1"]']
)
def test_a_password_alone_is_enough_under_conditions_only(tmp_path: Path, condition: str) -> None:
    assert warnings_of(tmp_path, f'second_factor = "off"\n{condition}') == ()
    (warning,) = warnings_of(tmp_path, 'second_factor = "off"')
    assert (warning.line, warning.key) == (17, "policy[1].second_factor")
    assert warning.message == "everybody comes in with a password alone"
    assert warning.remedy == "Name the clients, users, groups or networks that it is meant for."


def test_an_end_in_the_past_is_a_warning(tmp_path: Path) -> None:
    keys = 'second_factor = "if-enrolled"\nuntil = 2026-12-31T18:00:00Z'
    end = 1798740000  # date -u -d '2026-12-31 18:00' +%s
    assert warnings_of(tmp_path, keys, now=end - 1) == ()
    (warning,) = warnings_of(tmp_path, keys, now=end)
    assert (warning.line, warning.key) == (18, "policy[1].until")
    assert warning.message == "is over: the second factor is required of everybody already"
    assert warning.remedy == "Take it out together with if-enrolled, or give a later date."


CONDITIONS = {
    "clients": ('["vpn"]', '["vpn", "switch"]', '["switch"]'),
    "users": ('["alice"]', '["ALICE", "bob"]', '["bob"]'),
    "groups": (f'["{STAFF}"]', f'["{STAFF.upper()}", "cn=x,dc=example,dc=org"]', '["cn=x,dc=example,dc=org"]'),
    "networks": ('["192.0.2.8/29"]', '["192.0.2.0/24"]', '["198.51.100.0/24", "192.0.2.8/30", "2001:db8::/32"]'),
}


@pytest.mark.parametrize("key", CONDITIONS)
def test_a_rule_that_is_never_reached_is_a_warning(tmp_path: Path, key: str) -> None:
    narrow, wide, other = (f"{key} = {value}" for value in CONDITIONS[key])
    never = [(narrow, narrow), (wide, narrow), ("", narrow), ("", "")]
    sometimes = [(narrow, wide), (narrow, other), (narrow, ""), (other, narrow)]
    for earlier, later in never:
        (warning,) = warnings_of(tmp_path, earlier, later)
        assert warning.key == "policy[2]"
        assert warning.message == (
            "is never reached: policy[1] (rule1) holds for all that this one is for, and comes first"
        )
        assert warning.remedy == "Change their order, or take one of them out."
    for earlier, later in sometimes:
        assert warnings_of(tmp_path, earlier, later) == ()


def test_a_rule_covers_another_only_by_all_its_conditions(tmp_path: Path) -> None:
    keys = [f"{key} = {narrow}" for key, (narrow, _, _) in CONDITIONS.items()]
    for one, two in itertools.permutations(keys, 2):
        assert warnings_of(tmp_path, f"{one}\n{two}", one) == ()
        assert [warning.key for warning in warnings_of(tmp_path, one, f"{one}\n{two}")] == ["policy[2]"]


def test_a_rule_that_is_never_reached_is_told_once(tmp_path: Path) -> None:
    assert [warning.key for warning in warnings_of(tmp_path, "", "", "")] == ["policy[2]", "policy[3]"]


@pytest.mark.parametrize(
    ("group", "known"),
    [
        ("cn=staff,dc=example,dc=org", True),
        ("CN=Staff, OU=Groups, DC=Example, DC=Org", True),
        ("dc=example,dc=org", True),
        ("cn=staff,dc=example,dc=com", False),
        ("cn=staff,adc=example,dc=org", False),
        ("cn=staff", False),
    ],
)
def test_a_group_where_no_groups_are_looked_for_is_a_warning(tmp_path: Path, group: str, *, known: bool) -> None:
    warnings = warnings_of(tmp_path, f'groups = ["cn=x,dc=example,dc=org", "{group}"]')
    message = "is not below 'dc=example,dc=org', where groups are looked for: nobody is known to belong to it"
    expected = [] if known else [("policy[1].groups[2]", message)]
    assert [(warning.key, warning.message) for warning in warnings] == expected


def test_groups_are_looked_for_below_group_base(tmp_path: Path) -> None:
    text = text_of(f'groups = ["{STAFF}"]').replace(
        "[[client]]", 'group_base = "ou=groups,dc=example,dc=org"\n[[client]]', 1
    )
    (warning,) = reading_of(tmp_path, text).warnings
    assert "'ou=groups,dc=example,dc=org'" in warning.message
    assert reading_of(tmp_path, text.replace("cn=staff,", "cn=staff,ou=groups,")).warnings == ()
    everywhere = text.replace("ou=groups,dc=example,dc=org", "").replace('base = "dc=example,dc=org"', 'base = ""')
    assert reading_of(tmp_path, everywhere).warnings == ()


def test_the_groups_of_a_rule_are_those_of_conditions_requirements_and_replies() -> None:
    policy = Policy.model_validate(
        {
            "name": "x",
            "groups": ["cn=a", "cn=b"],
            "required_groups": ["cn=c"],
            "reply": {"Class": "x", "Filter-Id": {"groups": {"cn=d": 1}}},
        }
    )
    assert list(groups_of(policy)) == [
        (("groups", 0), "cn=a"),
        (("groups", 1), "cn=b"),
        (("required_groups", 0), "cn=c"),
        (("reply", "Filter-Id", "groups", "cn=d"), "cn=d"),
    ]
