"""The commands over two directories: corp, and partner, which has another alice; realms tell them apart."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.helpdesk import Helpdesk
from tests.cli.tokens import SEED, TOKEN, add_seed, codes_now
from tests.servers.slapd import PEOPLE, Slapd, free_port, person_dn, person_ldif

OTHERS = """
[[directory]]
name = "partner"
urls = ["ldap://127.0.0.1:{port}"]
start_tls = false
base = "{base}"
realms = ["partner.example"]

[[client]]
name = "wiki"
addresses = ["127.0.0.2"]
secret = "another secret of the tests"
directories = ["partner"]

[[policy]]
name = "partners"
clients = ["wiki"]
second_factor = "off"
"""


@pytest.fixture(scope="module")
def slapd() -> Iterator[Slapd]:
    with Slapd(seed=person_ldif("alice", "of corp")) as corp:
        yield corp


@pytest.fixture(scope="module")
def partner() -> Iterator[Slapd]:
    with Slapd(seed=person_ldif("alice", "of partner") + person_ldif("bob", "of partner")) as server:
        yield server


@pytest.fixture
def desk(tmp_path: Path, slapd: Slapd, partner: Slapd) -> Helpdesk:
    desk = Helpdesk(tmp_path, slapd)
    first = '[[directory]]\nname = "corp"\nrealms = ["corp.example"]'
    text = desk.config.read_text().replace("[[directory]]", first)
    desk.config.write_text(text + OTHERS.format(port=partner.port, base=PEOPLE))
    return desk


def take_down(desk: Helpdesk, server: Slapd) -> None:
    """Have the configuration name a port where nobody listens in the place of the server's."""
    desk.config.write_text(desk.config.read_text().replace(f":{server.port}", f":{free_port()}"))


def explained(desk: Helpdesk, user: str, client: str, password: str) -> Any:
    typed = f"{password}\n{codes_now(TOKEN)[0]}\n"
    result = desk.run("explain", user, "--client", client, "--json", typed=typed)
    return json.loads(result.stdout[result.stdout.index("{") :])


def steps(explanation: Any) -> dict[str, str]:
    return {step["what"]: step["verdict"] for step in explanation["steps"]}


def test_a_person_is_shown_with_their_directory(desk: Helpdesk, slapd: Slapd, partner: Slapd) -> None:
    shown = {name: desk.knows("user", "show", name) for name in ("alice", "alice@partner.example", "bob")}
    assert {name: (one["directory"], one["subject"]) for name, one in shown.items()} == {
        "alice": ("corp", slapd.entry_uuid("alice")),
        "alice@partner.example": ("partner", partner.entry_uuid("alice")),
        "bob": ("partner", partner.entry_uuid("bob")),
    }
    assert desk.says("user", "show", "bob").splitlines()[:3] == [
        "User             bob",
        f"Entry            {person_dn('bob')}",
        "Directory        partner",
    ]


def test_who_has_left_is_in_no_directory(desk: Helpdesk, partner: Slapd) -> None:
    partner.add_person("leaver", "of partner")
    add_seed(desk, "leaver")
    desk.says("user", "bypass", "leaver", "--for", "1h")
    partner.delete(person_dn("leaver"))
    assert desk.knows("user", "show", "leaver")["directory"] is None
    assert "Directory" not in desk.says("user", "show", "leaver")


def test_a_token_is_that_of_the_person_whom_the_name_means(desk: Helpdesk, slapd: Slapd, partner: Slapd) -> None:
    tokens = {add_seed(desk, name): server for name, server in (("alice", slapd), ("alice@partner.example", partner))}
    owners = {row["id"]: row["subject"] for row in desk.knows("token", "list")}
    assert owners == {token: server.entry_uuid("alice") for token, server in tokens.items()}


def test_the_owners_of_a_file_are_looked_for_in_all_directories(desk: Helpdesk, slapd: Slapd, partner: Slapd) -> None:
    file = desk.config.with_name("tokens.csv")
    names = ("alice", "alice@partner.example", "bob")
    rows = "".join(f"{name},{number},{SEED},30,ACME,Card\n" for number, name in enumerate(names, 1))
    file.write_text(f"upn,serial number,secret key,time interval,manufacturer,model\n{rows}")
    desk.says("token", "import", str(file))
    owners = [row["subject"] for row in sorted(desk.knows("token", "list"), key=lambda row: row["serial"])]
    assert owners == [slapd.entry_uuid("alice"), partner.entry_uuid("alice"), partner.entry_uuid("bob")]


def test_the_rule_is_that_of_the_person_whom_the_client_would_let_in(desk: Helpdesk) -> None:
    found = {client: desk.knows("policy", "test", "--user", "alice", "--client", client) for client in ("vpn", "wiki")}
    assert {client: (one["directory"], one["rule"]) for client, one in found.items()} == {
        "vpn": ("corp", None),
        "wiki": ("partner", "partners"),
    }
    told = desk.says("policy", "test", "--user", "bob", "--client", "vpn").splitlines()
    assert told[:2] == [f"User       bob ({person_dn('bob')})", "Directory  partner"]


@pytest.mark.parametrize(
    ("user", "client", "asked"),
    [
        ("carol", "vpn", "corp, then partner"),
        ("carol", "wiki", "partner"),
        ("alice@corp.example", "wiki", "none in which the users of this client may be"),
    ],
)
def test_of_a_name_that_leads_to_nobody_it_is_told_where_it_was_looked_for(
    desk: Helpdesk, user: str, client: str, asked: str
) -> None:
    result = desk.run("policy", "test", "--user", user, "--client", client)
    assert (result.exit_code, result.stderr) == (
        1,
        f"radius2fa: {user}: nobody has this name (looked for in: {asked})\n",
    )
    told = explained(desk, user, client, "whatever")
    assert (told["reason"], told["directory"]) == ("no-such-user", None)
    assert steps(told)["Looked for in"] == asked
    assert steps(told)["Directory"] == "nobody has this name"


def test_whom_the_helpdesk_does_not_find_was_looked_for_in_these(desk: Helpdesk) -> None:
    for arguments in (("user", "show", "carol"), ("token", "add", "carol")):
        result = desk.run(*arguments)
        told = "radius2fa: carol: nobody has this name (looked for in: corp, then partner)\n"
        assert (result.exit_code, result.stderr) == (1, told)


def test_a_login_is_explained_with_the_directory_of_the_person(desk: Helpdesk) -> None:
    add_seed(desk, "alice@partner.example")
    told = explained(desk, "alice@partner.example", "vpn", "of partner")
    assert (told["outcome"], told["directory"]) == ("accept", "partner")
    assert steps(told)["Looked for in"] == "partner"
    assert steps(told)["Directory partner"] == f"alice: {person_dn('alice')}"
    told = explained(desk, "alice", "vpn", "of partner")
    assert (told["reason"], told["directory"]) == ("no-token", "corp")


def test_a_login_that_waits_for_a_directory_is_explained_by_its_name(desk: Helpdesk, slapd: Slapd) -> None:
    take_down(desk, slapd)
    told = explained(desk, "bob", "vpn", "of partner")
    assert (told["outcome"], told["directory"]) == ("silence", None)
    assert told["words"].startswith("No answer at all, so that the client asks another server: directory: corp: ")


def test_while_an_earlier_directory_is_down_nobody_is_taken_for_its_people(desk: Helpdesk, slapd: Slapd) -> None:
    take_down(desk, slapd)
    with desk.start("user", "show", "alice") as program:
        _, errors = program.communicate(timeout=60)
    assert program.returncode == 69
    assert errors.startswith("radius2fa: directory is unavailable: corp: ")
    assert desk.knows("user", "show", "alice@partner.example")["directory"] == "partner"


def test_the_report_counts_at_each_client_those_who_may_be_its_users(desk: Helpdesk) -> None:
    report = desk.knows("policy", "report")
    assert (report["people"], report["without_token"]) == (3, ["alice (corp)", "alice (partner)", "bob (partner)"])
    rows = {(row["client"], row["rule"]): (row["no_token"], row["alone"]) for row in report["rows"]}
    assert rows == {("vpn", ""): (3, 0), ("wiki", "partners"): (0, 2)}
    assert [one["name"] for one in report["without"]] == ["alice (partner)", "bob (partner)"]
    assert [row["client"] for row in desk.knows("policy", "report", "--client", "wiki")["rows"]] == ["wiki"]
