"""What `radius2fa check` says of the directories."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from radius2fa.cli.examine_directory import groups, own_certificate, server, service
from radius2fa.cli.opening import CONFIG, open_settings
from radius2fa.cli.verdict import Check, Verdict
from radius2fa.config.model import Directory
from radius2fa.directory.endpoint import Service, parse_source, parse_url
from radius2fa.directory.inspection.steps import ServerReport, Step
from radius2fa.directory.srv import Nameservers, Told, ask
from tests.cli.files import command, configured
from tests.servers.dns import ADDRESS, Dns
from tests.servers.slapd import ADMIN, GROUPS, SUFFIX, Slapd, group_dn, group_ldif, person_dn, person_ldif
from tests.servers.tls import Authority

NOON = 1_782_000_000.0  # in 2026
DAY = 86400.0
AWAY = "ldap://127.0.0.1:1"


def found(config: Path, *options: str) -> tuple[int, dict[str, dict[str, Any]]]:
    done = command(config, "check", "--json", *options)
    report = json.loads(done.stdout)
    assert report["exit_code"] == done.exit_code
    return done.exit_code, {check["subject"]: check for check in report["checks"]}


def section(name: str, url: str, *lines: str) -> str:
    return "\n".join(
        [
            "[[directory]]",
            f'name = "{name}"',
            f'urls = ["{url}"]',
            "start_tls = false",
            f'base = "{SUFFIX}"',
            *lines,
            "",
        ]
    )


def policy_of(*groups: str) -> str:
    return f'[[policy]]\nname = "staff"\ngroups = {json.dumps(groups)}\n'


@pytest.fixture(scope="module")
def directory() -> Iterator[Slapd]:
    people = person_ldif("alice", "wonderland") + "\n" + group_ldif("staff", person_dn("alice"))
    with Slapd(seed=people) as server:
        yield server


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def test_each_directory_has_its_checks_under_its_name(directory: Slapd, tmp_path: Path) -> None:
    config = configured(tmp_path, url=directory.uri, more=section("branch", AWAY))
    code, checks = found(config)
    assert code == 69
    assert checks[f"main {directory.uri} base"]["verdict"] == "ok"
    assert checks[f"branch {AWAY} connection"]["verdict"] == "unavailable"
    assert [subject for subject in checks if subject.startswith(("branch ", "ldap"))] == [f"branch {AWAY} connection"]


def test_a_fault_of_one_directory_leaves_the_others_to_be_looked_at(
    directory: Slapd, authority: Authority, tmp_path: Path
) -> None:
    broken = section("branch", AWAY, f'ca_file = "{authority.good().key}"')
    code, checks = found(configured(tmp_path, url=directory.uri, more=broken))
    assert code == 78
    assert checks["directory branch"]["verdict"] == "fault"
    assert "ca_file" in checks["directory branch"]["message"]
    assert checks[f"main {directory.uri} id attribute"]["verdict"] == "ok"


def test_servers_that_do_not_answer_have_a_line_each_in_the_order_of_the_file(directory: Slapd, tmp_path: Path) -> None:
    nowhere = "ldap://nonexistent.invalid"
    config = configured(tmp_path, url=f'{AWAY}", "{nowhere}", "{directory.uri}')
    done = command(config, "check", "--json")
    subjects = [check["subject"] for check in json.loads(done.stdout)["checks"]]
    first = [subject for subject in subjects if subject.startswith("ldap")][:3]
    assert first == [f"{AWAY} connection", f"{nowhere} name", f"{directory.uri} name"]
    assert done.exit_code == 69


def test_what_the_account_may_read_and_need_not_is_a_warning_that_does_not_show_it(
    directory: Slapd, tmp_path: Path
) -> None:
    config = configured(tmp_path, url=directory.uri)
    account = f'start_tls = false\nbind_dn = "cn=admin,{SUFFIX}"\nbind_password = "secret"\n'
    config.write_text(config.read_text().replace("start_tls = false\n", account))
    code, checks = found(config)
    assert code == 0
    assert checks[f"{directory.uri} rights"]["verdict"] == "warning"
    assert checks[f"{directory.uri} rights"]["message"].startswith(
        "userPassword can be read, for example of uid=alice,"
    )
    assert "wonderland" not in json.dumps(checks)


def test_a_group_that_is_not_in_the_directory_is_a_warning_with_its_policy(directory: Slapd, tmp_path: Path) -> None:
    there, missing = f"CN=Staff, {GROUPS}", group_dn("stuff")
    code, checks = found(configured(tmp_path, url=directory.uri, more=policy_of(there, missing)))
    assert code == 0
    assert checks[f"{directory.uri} groups"]["verdict"] == "ok"
    assert {subject: check for subject, check in checks.items() if subject.startswith("group ")} == {
        f"group {missing}": {
            "subject": f"group {missing}",
            "verdict": "warning",
            "message": "no such group can be read: noSuchObject (32)",
            "remedy": "Correct the DN in policy 'staff', or let the service account read the group.",
        }
    }


def test_a_group_may_be_in_any_of_the_directories(directory: Slapd, tmp_path: Path) -> None:
    missing = group_dn("stuff")
    with Slapd(seed=group_ldif("branch", person_dn("bob")) + "\n" + person_ldif("bob", "x")) as branch:
        more = policy_of(group_dn("staff"), group_dn("branch"), missing) + section("branch", branch.uri)
        code, checks = found(configured(tmp_path, url=directory.uri, more=more))
    assert code == 0
    assert {subject: check["message"] for subject, check in checks.items() if subject.startswith("group ")} == {
        f"group {missing}": "no such group can be read: main: noSuchObject (32); branch: noSuchObject (32)"
    }


@pytest.mark.parametrize("url", [AWAY, ""])
def test_groups_are_not_looked_for_unless_every_directory_answers(directory: Slapd, tmp_path: Path, url: str) -> None:
    more = policy_of(group_dn("stuff")) + (section("branch", AWAY) if not url else "")
    code, checks = found(configured(tmp_path, url=url or directory.uri, more=more))
    assert code == 69
    assert [subject for subject in checks if subject.startswith("group ")] == []


def test_a_directory_that_goes_away_meanwhile_is_unavailable(tmp_path: Path) -> None:
    CONFIG.set(configured(tmp_path, more=policy_of(group_dn("staff"))))
    (check,) = groups(open_settings())
    assert (check.subject, check.verdict) == (f"group {group_dn('staff')}", Verdict.UNAVAILABLE)
    assert "127.0.0.1:1" in check.message


def test_a_certificate_that_ends_soon_is_a_warning() -> None:
    def of(days: float) -> list[Check]:
        step = Step("tls", ok=True, detail="verified", expires=NOON + days * DAY)
        return list(server(ServerReport("ldaps://dc1", (step,)), NOON))

    assert [check.verdict for check in of(30.5)] == [Verdict.OK]
    assert [(check.verdict, check.message) for check in of(29.5)] == [
        (Verdict.OK, "verified"),
        (Verdict.WARNING, "expires in 29 days"),
    ]
    assert of(0.5)[1].message == "expires within two days"
    assert of(0.5)[1].subject == "ldaps://dc1 certificate"


def certified(file: Path) -> Directory:
    return Directory.model_validate({"urls": [AWAY], "base": SUFFIX, "client_certificate": file, "client_key": file})


def test_our_own_certificate_is_told_with_its_end(authority: Authority) -> None:
    until = datetime.fromtimestamp(NOON, UTC) + timedelta(days=12, hours=3)
    ours = authority.issue("ours", ("client.example.org",), until=until).certificate
    told, ending = own_certificate(certified(ours), NOON)
    assert (told.subject, told.verdict) == ("client_certificate", Verdict.OK)
    assert told.message.startswith(
        "CN=client.example.org: issued by CN=Authority of the tests for client.example.org, valid from "
    )
    assert told.message.endswith(f"until {until:%Y-%m-%d %H:%M} UTC")
    assert (ending.verdict, ending.message) == (Verdict.WARNING, "expires in 12 days")
    _, over = own_certificate(certified(ours), NOON + 13 * DAY)
    assert (over.verdict, over.message) == (Verdict.FAULT, "has expired")


def test_our_own_certificate_that_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").touch()
    for file in (tmp_path / "empty.pem", tmp_path / "missing.pem"):
        (check,) = own_certificate(certified(file), NOON)
        assert (check.verdict, check.message) == (Verdict.FAULT, f"no certificate can be read in {file}")


def test_no_certificate_of_our_own_needs_no_word() -> None:
    without = Directory.model_validate({"urls": [AWAY], "base": SUFFIX})
    assert list(own_certificate(without, NOON)) == []


def told(dns: Dns, url: str) -> Told:
    source = parse_source(url)
    assert isinstance(source, Service)
    return ask(source, Nameservers((ADDRESS,), dns.port), lambda _: 0, 2.0)


def test_what_dns_tells_is_shown_with_what_is_passed_over() -> None:
    url = "ldap+srv://example.org"
    with Dns() as dns:
        good, foreign = (0, 0, 389, "dc1.example.org."), (1, 0, 389, "evil.example.net.")
        dns.serve("_ldap._tcp.example.org", good, foreign)
        leads, passed = service(told(dns, url), "main ")
    assert (leads.subject, leads.verdict) == (f"main {url} dns", Verdict.OK)
    assert leads.message == "leads to ldap://dc1.example.org"
    assert passed.verdict is Verdict.WARNING
    assert "evil.example.net" in passed.message


def test_a_service_that_dns_does_not_know_is_unavailable() -> None:
    with Dns() as dns:
        (check,) = service(told(dns, "ldaps+srv://example.org"))
    assert check.verdict is Verdict.UNAVAILABLE
    assert "resolver" in check.remedy


def test_of_a_server_that_is_named_dns_tells_nothing_here() -> None:
    endpoint = parse_url("ldap://dc1.example.org")
    assert list(service(Told(endpoint.url, (endpoint,)))) == []


def test_a_service_without_an_answer_leaves_its_directory_unavailable(tmp_path: Path) -> None:
    url = "ldap+srv://nonexistent.invalid"
    code, checks = found(configured(tmp_path, url=url))
    assert (code, checks[f"{url} dns"]["verdict"]) == (69, "unavailable")


def test_a_wrong_password_is_tried_once_however_many_servers_and_directories_it_is_for(tmp_path: Path) -> None:
    """Each attempt counts towards a lock of the account."""
    account = f'bind_dn = "{ADMIN}"\nbind_password = "wrong"'
    others = account.replace("wrong", "wrong, too")
    with Slapd(seed=person_ldif("alice", "x")) as one, Slapd(seed=person_ldif("alice", "x")) as two:
        more = section("b", two.uri, account) + section("c", one.uri, others)
        config = configured(tmp_path, url=f'{one.uri}", "{two.uri}', more=f"{section('a', one.uri, account)}{more}")
        text = config.read_text()
        config.write_text(text.replace("[[directory]]", f"[[directory]]\n{account}", 1))
        code, checks = found(config)
        assert (code, one.binds(ADMIN), two.binds(ADMIN)) == (69, 2, 0)
    refused = f"the bind of {ADMIN} was refused: invalidCredentials (49)"
    assert [check["message"] for subject, check in checks.items() if subject.endswith(" service account")] == [
        refused,
        f"not tried again: {refused}",
        f"not tried again: {refused}",
        f"not tried again: {refused}",
        refused,
    ]


def test_what_names_a_check_cannot_steer_the_terminal(directory: Slapd, tmp_path: Path) -> None:
    more = policy_of(f"cn=\u202e\u009b2J,{GROUPS}")
    done = command(configured(tmp_path, url=directory.uri, more=more), "check")
    assert "\u202e" not in done.stdout
    assert "\u009b" not in done.stdout
    assert f"group cn=\\u202e\\x9b2J,{GROUPS}" in done.stdout
