"""What `radius2fa check --user` says of a name."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from radius2fa.cli.examine_person import explained
from radius2fa.cli.verdict import Verdict
from radius2fa.config.model import Directory
from radius2fa.directory.inspection.whereabouts import Whereabouts
from tests.cli.files import SECRET, command, configured
from tests.servers.faulty_ldap import FaultyLdap, entries, result
from tests.servers.slapd import ADMIN, PEOPLE, SUFFIX, Slapd, group_dn, group_ldif, person_dn, person_ldif

ALICE, BOB = person_dn("alice"), person_dn("bob")
SEARCH = "(&(objectClass=person)(uid={}))"

MORE = f"""\
[[client]]
name = "wifi"
addresses = ["192.0.2.1"]
secret = "{SECRET}b"
[[policy]]
name = "staff-by-wifi"
clients = ["wifi"]
groups = ["{group_dn("all")}"]
second_factor = "off"
reply = {{ Filter-Id = {{ ldap = "mail" }} }}
[[policy]]
name = "others"
clients = ["wifi"]
second_factor = "deny"
"""


@pytest.fixture(scope="module")
def directory() -> Iterator[Slapd]:
    """One with alice in a group that is in another, and bob in none."""
    people = person_ldif("alice", "x", mail="alice@example.org") + "\n" + person_ldif("bob", "x")
    groups = group_ldif("staff", ALICE) + "\n" + group_ldif("all", group_dn("staff"))
    with Slapd(seed=f"{people}\n{groups}") as server:
        yield server


def told(config: Path, *options: str) -> tuple[int, dict[str, Any]]:
    done = command(config, "check", "--json", "--user", *options)
    report = json.loads(done.stdout)
    assert report["exit_code"] == done.exit_code
    return done.exit_code, report


def changed(config: Path, old: str, new: str) -> Path:
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new, 1))
    return config


def section(name: str, url: str, *lines: str) -> str:
    own = [f'name = "{name}"', f'urls = ["{url}"]', "start_tls = false", f'base = "{SUFFIX}"']
    return "\n".join(["[[directory]]", *own, *lines, ""])


def test_whoever_is_found_is_shown_with_groups_attributes_and_rules(directory: Slapd, tmp_path: Path) -> None:
    config = configured(tmp_path, url=directory.uri, more=MORE)
    code, report = told(config, "alice")
    assert code == 0
    assert report["entries"] == [
        {
            "directory": "main",
            "dn": ALICE,
            "id": directory.entry_uuid("alice"),
            "name": "alice",
            "groups": sorted([group_dn("all"), group_dn("staff")]),
            "attributes": {"mail": ["alice@example.org"]},
        }
    ]
    assert [(each["client"], each["dn"], each["rule"]) for each in report["clients"]] == [
        ("vpn", ALICE, "no rule matches: a second factor is required"),
        ("wifi", ALICE, "staff-by-wifi: the password alone is enough"),
    ]
    (searched,) = report["searched"]
    assert (searched["filter"], searched["base"]) == (SEARCH.format("alice"), SUFFIX)
    assert (searched["found"], report["checks"]) == ([ALICE], [])


def test_the_same_is_printed_for_people(directory: Slapd, tmp_path: Path) -> None:
    done = command(configured(tmp_path, url=directory.uri, more=MORE), "check", "--user", "alice", "--client", "wifi")
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "User       alice",
        "Directory  main",
        f"DN         {ALICE}",
        f"Id         {directory.entry_uuid('alice')}",
        "Name       alice",
        "Groups     2",
        f"Group      {group_dn('all')}",
        f"Group      {group_dn('staff')}",
        "Attribute  mail: alice@example.org",
        f"Searched   {SEARCH.format('alice')} below {SUFFIX} (found: 1)",
        "Client     wifi: staff-by-wifi: the password alone is enough",
    ]


def test_whoever_can_log_in_by_no_means_is_told_so(directory: Slapd, tmp_path: Path) -> None:
    code, report = told(configured(tmp_path, url=directory.uri, more=MORE), "bob", "--client", "wifi")
    assert code == 0
    assert report["entries"][0]["groups"] == []
    assert report["entries"][0]["attributes"] == {"mail": []}
    assert report["clients"][0]["rule"] == "others: nobody is let in (cannot log in, whatever is typed)"
    shown = command(tmp_path / "radius2fa.toml", "check", "--user", "bob").stdout
    assert "Groups     0\nAttribute  mail: none\n" in shown


def test_whoever_lacks_a_group_that_the_rule_requires_is_told_so(directory: Slapd, tmp_path: Path) -> None:
    policy = f'[[policy]]\nname = "staff"\nrequired_groups = ["{group_dn("staff")}"]\n'
    config = configured(tmp_path, url=directory.uri, more=policy)
    never = " (cannot log in, whatever is typed)"
    assert told(config, "bob")[1]["clients"][0]["rule"].endswith(f"for members of {group_dn('staff')} only{never}")
    assert told(config, "alice")[1]["clients"][0]["rule"].endswith(f"for members of {group_dn('staff')} only")


def test_groups_that_no_policy_speaks_of_are_not_looked_for(directory: Slapd, tmp_path: Path) -> None:
    config = configured(tmp_path, url=directory.uri)
    assert told(config, "alice")[1]["entries"][0]["groups"] is None
    assert (
        "Groups     not looked for: no policy speaks of groups\n" in command(config, "check", "--user", "alice").stdout
    )


def test_a_name_that_leads_to_nobody_is_told_with_the_search(directory: Slapd, tmp_path: Path) -> None:
    done = command(configured(tmp_path, url=directory.uri), "check", "--user", "carol@example.net")
    assert done.exit_code == 1
    searched = SEARCH.format(r"carol\40example\2enet")
    assert f"Searched  {searched} below {SUFFIX} (found: 0)\n" in done.stdout
    assert "Client    vpn: nobody has this name\n" in done.stdout
    assert "no entry has it as its uid" in done.stdout
    assert "Only those in `realms` and `domains` are taken off a name." in done.stdout


def test_whoever_the_filter_leaves_out_is_named_with_the_part_that_does_so(directory: Slapd, tmp_path: Path) -> None:
    config = configured(tmp_path, url=directory.uri)
    changed(config, "base =", 'user_filter = "(&(uid={user})(mail=*))"\nbase =')
    code, report = told(config, "bob")
    assert code == 1
    assert report["checks"] == [
        {
            "subject": "name",
            "verdict": "fault",
            "message": f"{BOB} has it, and does not pass (mail=*)",
            "remedy": "Correct `user_filter`, or the entry, if this person may log in.",
        }
    ]


def test_a_name_that_leads_to_several_is_told_with_all_of_them(directory: Slapd, tmp_path: Path) -> None:
    config = configured(tmp_path, url=directory.uri)
    changed(config, "base =", 'user_filter = "(|(uid={user})(uid=bob))"\nbase =')
    code, report = told(config, "alice")
    assert (code, report["clients"][0]["rule"]) == (1, "several entries have this name")
    (check,) = report["checks"]
    assert check["message"] in (f"leads to several: {ALICE}; {BOB}", f"leads to several: {BOB}; {ALICE}")


def test_whoever_is_not_below_the_base_is_named(directory: Slapd, tmp_path: Path) -> None:
    config = configured(tmp_path, url=directory.uri)
    changed(config, f'base = "{SUFFIX}"', f'base = "ou=groups,{SUFFIX}"')
    code, report = told(config, "alice")
    (check,) = report["checks"]
    assert (code, check["message"]) == (1, f"{ALICE} has it, and is not below ou=groups,{SUFFIX}")


def test_a_base_that_does_not_exist_leaves_it_unknown(directory: Slapd, tmp_path: Path) -> None:
    config = configured(tmp_path, url=directory.uri)
    changed(config, f'base = "{SUFFIX}"', f'base = "ou=nowhere,{SUFFIX}"')
    code, report = told(config, "alice")
    assert code == 69
    assert "the server refuses it: noSuchObject (32)" in [check["message"] for check in report["checks"]]


def test_a_directory_that_does_not_answer_leaves_it_unknown(tmp_path: Path) -> None:
    code, report = told(configured(tmp_path), "alice")
    assert code == 69
    assert {check["verdict"] for check in report["checks"]} == {"unavailable"}
    assert report["clients"][0]["rule"] == "not known: the directory is unavailable"
    assert report["searched"] == []


def test_an_entry_that_refers_to_another_server_is_told(directory: Slapd, tmp_path: Path) -> None:
    dave = f"uid=dave,{PEOPLE}"
    elsewhere = f"ldap://other.example.org/{dave}"
    directory.change(
        f"dn: {dave}\nobjectClass: referral\nobjectClass: extensibleObject\nuid: dave\nref: {elsewhere}\n", "-a"
    )
    try:
        code, report = told(configured(tmp_path, url=directory.uri), "dave")
    finally:
        directory.change(f"dn: {dave}\nchangetype: delete\n", "-M")
    assert code == 1
    (check,) = report["checks"]
    assert check["subject"] == "referral"
    assert check["message"] == f"its entry only refers to another server: {elsewhere}"


def test_references_to_other_parts_are_no_fault_in_themselves() -> None:
    settings = Directory.model_validate({"urls": ["ldap://localhost"], "base": SUFFIX})
    where = Whereabouts("main", SUFFIX, "(uid=a)", (), referred=True)
    checks = list(explained(where, settings, "a"))
    assert [(check.subject, check.verdict) for check in checks] == [
        ("name", Verdict.FAULT),
        ("referral", Verdict.WARNING),
    ]
    assert [check.subject for check in explained(replace(where, elsewhere=(ALICE,)), settings, "a")] == ["name"]


def test_a_fault_beyond_the_search_is_told(directory: Slapd, tmp_path: Path) -> None:
    config = changed(configured(tmp_path, url=directory.uri), "base =", 'id_attribute = "objectGUID"\nbase =')
    code, report = told(config, "alice")
    assert code == 69
    assert report["searched"][0]["found"] == [ALICE]
    (check,) = report["checks"]
    assert check["message"].startswith(f"'{ALICE}' has not one readable objectGUID")


def test_only_those_directories_are_searched_that_a_login_would_search(directory: Slapd, tmp_path: Path) -> None:
    with Slapd(seed=person_ldif("carol", "x")) as other:
        branch = section("branch", other.uri, 'realms = ["branch.example.org"]')
        config = configured(
            tmp_path,
            url=directory.uri,
            more=branch + MORE.replace("[[policy]]", 'directories = ["main"]\n[[policy]]', 1),
        )
        code, report = told(config, "carol@branch.example.org")
        assert code == 0
        assert [each["directory"] for each in report["searched"]] == ["branch"]
        assert [(each["client"], each["dn"]) for each in report["clients"]] == [
            ("vpn", person_dn("carol")),
            ("wifi", None),
        ]
        code, report = told(config, "carol", "--client", "wifi")
        assert (code, [each["directory"] for each in report["searched"]]) == (1, ["main"])
        code, report = told(config, "carol@branch.example.org", "--client", "wifi")
        assert (code, report["searched"]) == (1, [])
        assert report["checks"][0]["message"] == "no directory is asked for this name"
        shown = command(config, "check", "--user", "carol").stdout
    assert f"Searched   main: {SEARCH.format('carol')} below {SUFFIX} (found: 0)\n" in shown
    assert f"Searched   branch: {SEARCH.format('carol')} below {SUFFIX} (found: 1)\n" in shown


def test_faults_of_the_configuration_come_first(tmp_path: Path) -> None:
    done = command(configured(tmp_path, more='cod = "either"\n'), "check", "--user", "alice")
    assert done.exit_code == 78
    assert "Did you mean code?" in done.stdout
    assert "Searched" not in done.stdout


def test_a_client_that_is_unknown_is_refused(directory: Slapd, tmp_path: Path) -> None:
    done = command(configured(tmp_path, url=directory.uri), "check", "--user", "alice", "--client", "modem")
    assert done.exit_code == 1
    assert "no client is named modem; there are: vpn" in done.stderr


@pytest.mark.parametrize("options", [("--client", "vpn"), ("--user", "alice", "--offline")])
def test_options_that_contradict_each_other_are_refused(tmp_path: Path, options: tuple[str, ...]) -> None:
    assert command(configured(tmp_path), "check", *options).exit_code == 64


def test_what_the_directory_says_cannot_steer_the_terminal(tmp_path: Path) -> None:
    evil = f"uid=\x1b[2Jalice,{PEOPLE}"
    with FaultyLdap() as server:
        found = entries((evil, {"entryUUID": [b"one"], "uid": [b"alice"]}), (ALICE, {"entryUUID": [b"two"]}))
        server.on_search = found
        done = command(configured(tmp_path, url=server.uri), "check", "--user", "alice")
        server.on_search = result("searchResDone", 53, "\x1b[2J")
        again = command(configured(tmp_path, url=server.uri), "check", "--user", "alice")
    assert (done.exit_code, again.exit_code) == (1, 69)
    assert "\x1b" not in done.stdout + again.stdout
    assert "\\x1b[2Jalice" in done.stdout


def test_a_wrong_password_of_the_service_account_is_tried_once(tmp_path: Path) -> None:
    """Though the name is searched for each client, and once more to explain why nobody is found."""
    account = f'bind_dn = "{ADMIN}"\nbind_password = "wrong"'
    with Slapd(seed=person_ldif("carol", "x")) as server:
        more = section("branch", server.uri, account) + section("other", server.uri, account) + MORE
        code, report = told(configured(tmp_path, url=server.uri, more=more), "dave")
        assert server.binds(ADMIN) == 1
        assert (code, {each["rule"] for each in report["clients"]}) == (
            69,
            {"not known: the directory is unavailable"},
        )
        refused = f"the bind of {ADMIN} was refused: invalidCredentials (49)"
        assert [each["message"] for each in report["checks"] if each["verdict"] == "unavailable"] == [refused] * 2


def test_a_directory_that_refuses_the_service_account_is_no_hindrance_to_those_before_it(
    directory: Slapd, tmp_path: Path
) -> None:
    refused = section("branch", directory.uri, f'bind_dn = "{ADMIN}"\nbind_password = "wrong"')
    code, report = told(configured(tmp_path, url=directory.uri, more=refused), "alice")
    assert (code, [each["dn"] for each in report["clients"]]) == (0, [ALICE])


def test_a_name_that_is_unknown_at_one_client_and_not_known_at_another_is_unavailable(
    directory: Slapd, tmp_path: Path
) -> None:
    more = section("branch", "ldap://127.0.0.1:1") + MORE.replace("[[policy]]", 'directories = ["main"]\n[[policy]]', 1)
    code, report = told(configured(tmp_path, url=directory.uri, more=more), "dave")
    assert (code, [each["rule"] for each in report["clients"]]) == (
        69,
        ["not known: the directory is unavailable", "nobody has this name"],
    )
