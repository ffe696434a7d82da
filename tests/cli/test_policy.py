"""`radius2fa policy` on a real slapd and a real store."""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cli.helpdesk import Helpdesk
from tests.cli.tokens import add_seed, register
from tests.servers.slapd import GROUPS, Slapd, ldif, person_dn, person_ldif

STAFF, ADMINS = f"cn=staff,{GROUPS}", f"cn=admins,{GROUPS}"
PEOPLE = ("alice", "bob", "carol", "dave", "erin")
SEED = (
    "".join(person_ldif(name, "secret") for name in PEOPLE)
    + ldif(
        STAFF, [("objectClass", "groupOfNames"), ("cn", "staff"), ("member", person_dn("alice")), ("member", ADMINS)]
    )
    + ldif(ADMINS, [("objectClass", "groupOfNames"), ("cn", "admins"), ("member", person_dn("bob"))])
)
LAST_DAY = f"{datetime.now().astimezone() + timedelta(days=30):%Y-%m-%d}"
POLICIES = f"""
[[client]]
name = "switch"
addresses = ["127.0.0.2"]
secret = "another secret of the tests"

[[policy]]
name = "nobody"
users = ["Dave"]
second_factor = "deny"

[[policy]]
name = "office"
networks = ["192.0.2.0/24", "2001:db8::/32"]
second_factor = "off"

[[policy]]
name = "staff"
clients = ["vpn"]
groups = ["CN=Staff, {GROUPS}"]
second_factor = "if-enrolled"
until = {LAST_DAY}
reply = {{ Filter-Id = "staff", Class = {{ groups = {{ "{ADMINS}" = "admins" }} }}, Session-Timeout = 3600 }}

[[policy]]
name = "switches"
clients = ["switch"]
required_groups = ["{ADMINS}"]
kinds = ["hotp"]
reply = {{ "Tunnel-Private-Group-ID:1" = {{ ldap = "employeeNumber" }}, Idle-Timeout = {{ ldap = "cn" }} }}
"""


@pytest.fixture(scope="module")
def slapd() -> Iterator[Slapd]:
    with Slapd(seed=SEED) as running:
        yield running


@pytest.fixture
def desk(tmp_path: Path, slapd: Slapd) -> Helpdesk:
    desk = Helpdesk(tmp_path, slapd)
    desk.config.write_text(
        desk.config.read_text().replace("start_tls = false", f'start_tls = false\ngroup_base = "{GROUPS}"') + POLICIES
    )
    return desk


def ruling(desk: Helpdesk, *arguments: str, exit_code: int = 0) -> str:
    result = desk.run("policy", "test", *arguments)
    assert result.exit_code == exit_code, result.output
    return result.output


def known(desk: Helpdesk, user: str, client: str, *more: str) -> Any:
    return desk.knows("policy", "test", "--user", user, "--client", client, *more)


def test_the_rule_that_holds_is_named_with_what_stands_against_those_before(desk: Helpdesk) -> None:
    told = known(desk, "bob", "vpn")
    assert told["rules"] == [
        {"name": "nobody", "why": "for other users"},
        {"name": "office", "why": "for users at other addresses"},
        {"name": "staff", "why": "matches"},
    ]
    assert told["rule"] == "staff"
    assert told["groups"] == [ADMINS, STAFF]  # the second one through the first
    assert told["reply"] == ["Filter-Id = staff", "Class = admins", "Session-Timeout = 3600"]
    assert told["second_factor"] == "if-enrolled"
    assert told["verdict"] == "logs in with the password alone"


def row_of(desk: Helpdesk, client: str, rule: str) -> tuple[int, ...]:
    """The figures of a rule: with a code, without a token, by password alone, never."""
    rows = desk.knows("policy", "report")["rows"]
    (row,) = [row for row in rows if (row["client"], row["rule"]) == (client, rule)]
    return row["code"], row["no_token"], row["alone"], row["never"]


def test_where_no_rule_matches_that_is_said(desk: Helpdesk) -> None:
    told = known(desk, "carol", "vpn")
    assert told["rule"] is None
    assert told["rules"][-1] == {"name": "(none)", "why": "what holds where no rule matches"}
    assert told["verdict"] == "has no token that may answer here, and cannot log in before there is one"


@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::7", "192.0.2.7[4500]"])
def test_where_the_user_sits_decides_with(desk: Helpdesk, address: str) -> None:
    told = known(desk, "carol", "vpn", "--from", address)
    assert (told["rule"], told["verdict"]) == ("office", "logs in with the password alone")
    assert told["from"] in {"192.0.2.7", "2001:db8::7"}


def test_somebody_with_a_token_needs_it(desk: Helpdesk) -> None:
    token = add_seed(desk, "alice")
    told = known(desk, "alice", "vpn")
    assert told["tokens"] == [{"id": token, "kind": "totp"}]
    assert told["verdict"] == "logs in with password and code"


def test_a_kind_that_may_not_answer_is_no_token_here(desk: Helpdesk) -> None:
    desk.config.write_text(desk.config.read_text().replace(', Idle-Timeout = { ldap = "cn" }', ""))
    add_seed(desk, "bob")
    told = known(desk, "bob", "switch")
    assert told["verdict"] == "has no token that may answer here, and cannot log in before there is one"
    add_seed(desk, "bob", "--kind", "hotp")
    assert known(desk, "bob", "switch")["verdict"] == "logs in with password and code"


def test_who_has_a_passkey_only_needs_a_login_code(desk: Helpdesk, slapd: Slapd) -> None:
    register(desk, slapd.entry_uuid("alice"), "alice")
    told = known(desk, "alice", "vpn")
    assert told["tokens"] == []
    assert told["verdict"].startswith("has no code that may answer here; by a passkey, if they have one, the portal")
    with desk.store() as store:
        now = time.time()
        store.codes.new_login_code(slapd.entry_uuid("alice"), "alice", until=now + 120, when=now)
    told = ruling(desk, "--user", "alice", "--client", "vpn")
    assert "Tokens  passkey codes: 1" in told.splitlines()
    assert "alice logs in with password and code" in told


def test_an_invitation_lets_nobody_in(desk: Helpdesk, slapd: Slapd) -> None:
    with desk.store() as store:
        now = time.time()
        store.codes.new_invitation(slapd.entry_uuid("carol"), "carol", until=now + 120, when=now)
    told = known(desk, "carol", "vpn")
    assert [token["kind"] for token in told["tokens"]] == ["invitation"]
    assert told["verdict"] == "has no token that may answer here, and cannot log in before there is one"


def test_a_reply_that_cannot_be_made_is_named(desk: Helpdesk) -> None:
    told = known(desk, "bob", "switch")
    (words,) = told["reply"]
    assert words.startswith("cannot be made, and so the login is refused: Idle-Timeout")
    assert told["verdict"] == "cannot log in before the reply can be made: correct the entry in the directory"


def test_who_may_adopt_a_yubikey_is_told_so(desk: Helpdesk) -> None:
    graced = f'second_factor = "if-enrolled"\nuntil = {LAST_DAY}'
    desk.config.write_text(desk.config.read_text().replace(graced, "adopt_yubikeys = true"))
    assert known(desk, "bob", "vpn")["verdict"].startswith("has no token yet; a YubiKey out of the stock becomes")


def test_recovery_codes_are_counted_not_listed(desk: Helpdesk) -> None:
    desk.says("user", "recovery-codes", "carol")
    assert "Tokens  recovery codes: 10" in ruling(desk, "--user", "carol", "--client", "vpn").splitlines()


def test_a_bypass_is_told(desk: Helpdesk) -> None:
    desk.says("user", "bypass", "carol", "--for", "1h")
    assert known(desk, "carol", "vpn")["verdict"].startswith("needs no code until 2")


def test_who_is_let_in_by_no_means_ends_with_1(desk: Helpdesk) -> None:
    told = ruling(desk, "--user", "dave", "--client", "vpn", exit_code=1)
    assert "dave cannot log in, whatever is typed" in told
    assert "alice cannot log in" in ruling(desk, "--user", "alice", "--client", "switch", exit_code=1)


def test_nobody_and_no_client_end_with_1(desk: Helpdesk) -> None:
    assert "nobody has this name" in ruling(desk, "--user", "frank", "--client", "vpn", exit_code=1)
    assert "no client is named wifi" in ruling(desk, "--user", "bob", "--client", "wifi", exit_code=1)


def test_a_table_is_printed_for_people(desk: Helpdesk) -> None:
    told = ruling(desk, "--user", "bob", "--client", "switch").splitlines()
    assert f"User    bob ({person_dn('bob')})" in told
    assert "From    not told" in told
    assert any(line.split()[:2] == ["4", "switches"] and line.endswith("matches") for line in map(str.rstrip, told))
    assert any(f"kinds: hotp; for members of {ADMINS} only" in line for line in told)


def test_faults_of_the_replies_end_with_78(desk: Helpdesk) -> None:
    desk.config.write_text(desk.config.read_text().replace('Filter-Id = "staff"', 'Filter-Od = "staff"'))
    told = ruling(desk, "--user", "bob", "--client", "vpn", exit_code=78)
    assert "Filter-Od" in told


def test_the_report_counts_everybody_by_client_and_rule(desk: Helpdesk) -> None:
    add_seed(desk, "alice")
    lost = add_seed(desk, "erin")
    desk.says("token", "disable", lost)
    report = desk.knows("policy", "report")
    assert (report["people"], report["with_token"]) == (5, 1)
    rows = {
        (row["client"], row["rule"]): (row["code"], row["no_token"], row["alone"], row["never"])
        for row in report["rows"]
    }
    assert rows == {
        ("vpn", "nobody"): (0, 0, 0, 1),  # dave
        ("vpn", "staff"): (1, 0, 1, 0),  # alice; bob
        ("vpn", ""): (0, 2, 0, 0),  # carol, erin
        ("switch", "nobody"): (0, 0, 0, 1),
        ("switch", "switches"): (0, 1, 0, 3),  # bob; the others are in no required group
    }
    assert sorted(report["without_token"]) == ["bob", "carol", "dave", "erin"]


def test_the_report_knows_which_kinds_may_answer_and_which_tokens_are_good(desk: Helpdesk) -> None:
    add_seed(desk, "bob")  # of a kind that may not answer at the switch
    assert row_of(desk, "switch", "switches") == (0, 1, 0, 3)
    add_seed(desk, "bob", "--kind", "hotp")
    assert row_of(desk, "switch", "switches") == (1, 0, 0, 3)
    old = add_seed(desk, "alice", "--valid-until", "2020-01-01")
    assert row_of(desk, "vpn", "staff") == (1, 1, 0, 0)  # bob; alice, whose token has expired
    desk.says("token", "remove", old, "--yes")
    add_seed(desk, "alice", "--valid-from", "2999-01-01")
    assert row_of(desk, "vpn", "staff") == (1, 0, 1, 0)  # bob; alice, who is not enrolled yet


def test_in_the_report_a_passkey_answers_where_login_codes_may(desk: Helpdesk, slapd: Slapd) -> None:
    register(desk, slapd.entry_uuid("bob"), "bob", "bobs")
    assert row_of(desk, "vpn", "staff") == (1, 0, 1, 0)  # bob; alice, who has nothing
    assert row_of(desk, "switch", "switches") == (0, 1, 0, 3)
    desk.config.write_text(desk.config.read_text().replace('kinds = ["hotp"]', 'kinds = ["hotp", "passkey"]'))
    assert row_of(desk, "switch", "switches") == (1, 0, 0, 3)
    desk.says("token", "disable", "bobs")
    assert row_of(desk, "switch", "switches") == (0, 1, 0, 3)
    assert row_of(desk, "vpn", "staff") == (0, 1, 1, 0)  # who has lost a passkey is enrolled


def test_the_report_names_whom_a_rule_lets_in_without_a_second_factor(desk: Helpdesk) -> None:
    add_seed(desk, "alice")
    report = desk.knows("policy", "report", "--client", "vpn")
    spared = {(one["name"], one["rule"]): one["why"] for one in report["without"]}
    at_the_office = "the rule asks for none, at 192.0.2.0/24, 2001:db8::/32 only"
    assert spared.pop(("bob", "staff")).startswith("has no token; must have one from 2")
    assert spared == {(name, "office"): at_the_office for name in ("alice", "bob", "carol", "erin")}


def test_the_report_is_printed_for_people(desk: Helpdesk) -> None:
    add_seed(desk, "alice")
    told = desk.says("policy", "report").splitlines()
    assert told[0] == "People: 5, with a token: 1"
    assert "Let in without a second factor" in told
    assert told[-2:] == ["Without a token", "bob, carol, dave, erin"]


def test_a_report_on_nobody_says_so(desk: Helpdesk) -> None:
    without_policies = desk.config.read_text().partition("[[policy]]")[0]
    desk.config.write_text(
        without_policies.replace('base = "ou=people', 'user_filter = "(&(cn=x)(uid={user}))"\nbase = "ou=people')
    )
    told = desk.says("policy", "report").splitlines()
    assert told[0] == "People: 0, with a token: 0"
    assert told[-1] == "nobody"
