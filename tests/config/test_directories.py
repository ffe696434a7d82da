"""Several directories, held against each other and against the clients."""

from pathlib import Path

import pytest

from radius2fa.config.directories import faults
from radius2fa.config.faults import Fault
from radius2fa.config.model import Client
from tests.config.files import CLIENT, reading_of

WIKI = CLIENT.replace('"vpn"', '"wiki"').replace("192.0.2.10", "192.0.2.20")
PARTNERS = 'directories = ["partner"]\n'


def directory(name: str, *keys: str) -> str:
    lines = (f'name = "{name}"', 'urls = ["ldaps://ldap.example.org"]', 'base = "dc=example,dc=org"', *keys)
    return "[[directory]]\n" + "\n".join(lines) + "\n"


CORP, PARTNER = directory("corp"), directory("partner")
CORP_FIRST = directory("corp", "default = true")


def faults_of(folder: Path, *sections: str) -> list[tuple[str, str, str]]:
    return _shown(reading_of(folder, "".join(sections)).faults)


def warnings_of(folder: Path, *sections: str) -> list[tuple[str, str, str]]:
    reading = reading_of(folder, "".join(sections))
    assert reading.faults == ()
    return _shown(reading.warnings)


def _shown(faults: tuple[Fault, ...]) -> list[tuple[str, str, str]]:
    return [(fault.key, fault.message, fault.remedy) for fault in faults]


@pytest.mark.parametrize(
    "text",
    [
        CORP + PARTNER + CLIENT,
        CORP + PARTNER + CLIENT + 'directories = ["corp", "partner"]\n',
        CORP + PARTNER + CLIENT + PARTNERS + WIKI,
        CORP_FIRST + directory("partner", 'realms = ["partner.example"]') + CLIENT + PARTNERS + WIKI,
        CORP_FIRST + directory("partner", 'domains = ["PARTNER"]') + CLIENT,
        CORP_FIRST + directory("partner", "default = true") + CLIENT + PARTNERS + WIKI,
        # Two may list one realm: they are asked in order.
        directory("corp", 'realms = ["example.org"]') + directory("partner", 'realms = ["example.org"]') + CLIENT,
        CORP_FIRST + CLIENT + 'directories = ["corp"]\n',
    ],
)
def test_directories_that_can_all_be_asked_are_right(tmp_path: Path, text: str) -> None:
    reading = reading_of(tmp_path, text)
    assert (reading.faults, reading.warnings) == ((), ())


def test_two_directories_of_one_name_are_a_fault(tmp_path: Path) -> None:
    assert faults_of(tmp_path, CORP, PARTNER, CORP, CLIENT) == [
        ("directory[3].name", "'corp' is the name of directory[1] too", "Choose another.")
    ]


def test_two_directories_without_a_name_are_a_fault_of_the_second(tmp_path: Path) -> None:
    nameless = CORP.replace('name = "corp"\n', "")
    (fault,) = reading_of(tmp_path, nameless * 2 + CLIENT).faults
    assert (fault.key, fault.line) == ("directory[2].name", 4)


@pytest.mark.parametrize("name", ["entryUUID", "entryuuid", "objectGUID", "ipaUniqueID", "nsUniqueId", "GUID"])
def test_an_id_that_is_unique_everywhere_serves_several_directories(tmp_path: Path, name: str) -> None:
    assert faults_of(tmp_path, CORP, directory("partner", f'id_attribute = "{name}"'), CLIENT) == []


@pytest.mark.parametrize("name", ["uid", "uidNumber", "mail", "employeeNumber"])
def test_an_id_that_another_directory_may_give_to_somebody_else_is_a_fault(tmp_path: Path, name: str) -> None:
    text = directory("partner", f'id_attribute = "{name}"')
    (fault,) = reading_of(tmp_path, CORP + text + CLIENT).faults
    assert (fault.key, fault.line) == ("directory[2].id_attribute", 9)
    assert fault.message == f"{name} may be the same in two directories, and tokens belong to whoever has it"
    assert fault.remedy == "With several directories, name one of entryUUID, objectGUID, ipaUniqueID, nsUniqueId, GUID."


def test_one_directory_may_have_any_id(tmp_path: Path) -> None:
    assert faults_of(tmp_path, directory("corp", 'id_attribute = "employeeNumber"'), CLIENT) == []


def test_a_client_s_directory_that_does_not_exist_is_a_fault(tmp_path: Path) -> None:
    text = CORP + PARTNER + CLIENT + 'directories = ["corp", "partners", "staff"]\n'
    assert faults_of(tmp_path, text) == [
        ("client[1].directories", f"no directory is named {name!r}", "Known: corp, partner.")
        for name in ("partners", "staff")
    ]


def test_a_client_s_directory_that_is_not_right_by_itself_is_there_all_the_same() -> None:
    client = Client.model_validate({"name": "vpn", "addresses": ["192.0.2.1"], "secret": b"x", "directories": ["corp"]})
    assert list(faults({}, {0: client}, {"corp"})) == []


def test_a_client_names_at_least_one_directory(tmp_path: Path) -> None:
    assert [key for key, *_ in faults_of(tmp_path, CORP, PARTNER, CLIENT, "directories = []\n")] == [
        "client[1].directories"
    ]


def test_a_client_with_directories_of_its_own_needs_no_default_among_them(tmp_path: Path) -> None:
    assert faults_of(tmp_path, CORP_FIRST, PARTNER, WIKI, CLIENT, PARTNERS) == []
    assert warnings_of(tmp_path, CORP_FIRST, PARTNER, WIKI, CLIENT, PARTNERS) == []


def test_a_directory_to_which_no_name_leads_is_a_warning(tmp_path: Path) -> None:
    assert warnings_of(tmp_path, CORP_FIRST, PARTNER, CLIENT) == [
        (
            "directory[2]",
            "is never asked: others are the default, and it has neither realms nor domains",
            "Give it realms or domains, or say default = true in it as well.",
        )
    ]


def test_a_directory_that_no_client_may_use_is_a_warning(tmp_path: Path) -> None:
    clients = (CLIENT, PARTNERS, WIKI, PARTNERS)
    assert warnings_of(tmp_path, CORP, PARTNER, *clients) == [
        (
            "directory[1]",
            "is never asked: every client names the directories of its users, and none names this one",
            "Add 'corp' to the key directories of a client, or take it out.",
        )
    ]


def test_a_group_may_be_below_the_base_of_any_directory(tmp_path: Path) -> None:
    other = PARTNER.replace("dc=example,dc=org", "dc=partner,dc=net")
    policy = (
        '[[policy]]\nname = "groups"\ngroups = ["cn=a,dc=example,dc=org", "cn=b,dc=partner,dc=net", "cn=c,dc=com"]\n'
    )
    bases = "'dc=example,dc=org' or 'dc=partner,dc=net'"
    assert warnings_of(tmp_path, CORP, other, CLIENT, policy) == [
        (
            "policy[1].groups[3]",
            f"is not below {bases}, where groups are looked for: nobody is known to belong to it",
            "Give group_base in [[directory]], an entry above all groups.",
        )
    ]


def test_what_is_wrong_with_the_policy_is_told_once_however_many_directories_there_are(tmp_path: Path) -> None:
    policy = '[[policy]]\nname = "off"\nsecond_factor = "off"\n'
    warnings = warnings_of(tmp_path, CORP, PARTNER, CLIENT, policy)
    assert [key for key, *_ in warnings] == ["policy[1].second_factor"]


def test_each_directory_is_checked_as_the_first_one_is(tmp_path: Path) -> None:
    assert [key for key, *_ in faults_of(tmp_path, CORP, directory("partner", 'ca_file = "ca.pem"'), CLIENT)] == [
        "directory[2].ca_file"
    ]
