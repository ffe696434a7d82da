"""What the account may read or do and need not, on real servers."""

import time
from collections.abc import Iterator

import pytest
from pydantic import SecretBytes

from radius2fa.config.model import Directory
from radius2fa.directory.drivers import driver_of
from radius2fa.directory.endpoint import parse_url
from radius2fa.directory.inspection.privileges import SECRETS, looked_at
from radius2fa.directory.inspection.steps import Step
from radius2fa.directory.ldap import dialling_of
from radius2fa.directory.link import dial
from tests.directory.conftest import Tools
from tests.servers import samba as active_directory
from tests.servers.faulty_ldap import SUCCESS, FaultyLdap, entries, in_turn
from tests.servers.samba import Samba
from tests.servers.slapd import ADMIN, PEOPLE, SUFFIX, Slapd, person_dn, person_ldif

NOTHING = [Step("rights", ok=True, detail="nothing found that is too much")]
PASSWORD = "readers-own"


def looked(settings: Directory) -> list[Step]:
    (url,) = settings.urls
    deadline = time.monotonic() + 10
    connection = dial(driver_of(settings.driver, dialling_of(settings, time.monotonic)), parse_url(url), deadline)
    try:
        if settings.bind_password:
            bound = connection.bind(settings.bind_dn, settings.bind_password.get_secret_value(), deadline)
            assert bound.code == SUCCESS
        return looked_at(connection, settings, deadline)
    finally:
        connection.close()


def details(steps: list[Step]) -> list[str]:
    """What is warned of; a warning is no failure."""
    assert all(step.ok and step.remedy and step.name == "rights" for step in steps)
    return [step.detail for step in steps]


@pytest.fixture(scope="module")
def open_slapd() -> Iterator[Slapd]:
    """One that shows its own configuration to everybody, and has two people with passwords."""
    people = person_ldif("reader", PASSWORD) + person_ldif("alice", "hers-alone")
    with Slapd(seed=people, extra="database config\naccess to * by * read\n") as server:
        yield server


def test_passwords_that_can_be_read_are_named_and_never_shown(open_slapd: Slapd, tools: Tools, driver: str) -> None:
    steps = looked(tools.settings(open_slapd.uri, base=PEOPLE, driver=driver))
    assert details(steps) == [
        f"userPassword can be read, for example of {person_dn('reader')}",
        "cn=config, the server's own configuration, can be read",
    ]
    assert PASSWORD not in repr(steps)
    assert all("only look people up" in step.remedy for step in steps)


def test_an_anonymous_search_is_looked_at_in_the_same_way(open_slapd: Slapd, tools: Tools) -> None:
    steps = looked(tools.settings(open_slapd.uri, bind_dn="", bind_password=None))
    assert details(steps) == ["cn=config, the server's own configuration, can be read"]


def test_an_account_that_may_read_no_more_than_it_needs_is_well(slapd: Slapd, tools: Tools) -> None:
    slapd.add_person("plain", PASSWORD)
    account = {"bind_dn": person_dn("plain"), "bind_password": SecretBytes(PASSWORD.encode())}
    assert looked(tools.settings(slapd.uri, **account)) == NOTHING  # type: ignore[arg-type]


@pytest.mark.parametrize("bind_dn", [ADMIN, ADMIN.replace("cn=", "CN = ")])
def test_its_own_password_an_account_may_read(faulty: FaultyLdap, tools: Tools, bind_dn: str) -> None:
    own = (ADMIN.replace("dc=", "DC="), {"userPassword": [b"{SSHA}x"]})
    faulty.on_search = in_turn(entries(own), *[entries()] * 2)
    assert looked(tools.settings(faulty.uri, bind_dn=bind_dn)) == NOTHING


def test_each_secret_is_looked_for_until_none_is_left(faulty: FaultyLdap, tools: Tools) -> None:
    alice = (person_dn("alice"), {"userPassword": [b"{SSHA}x"], "SAMBANTPASSWORD": [b"0123"], "pwdHistory": []})
    bob = (person_dn("bob"), {"krbPrincipalKey": [b"\xff"], "userPassword": [b"y"]})
    faulty.on_search = in_turn(entries(alice, bob), entries(bob, code=4), *[entries()] * 3)
    steps = looked(tools.settings(faulty.uri))
    assert sorted(details(steps)) == [
        f"krbPrincipalKey can be read, for example of {person_dn('bob')}",
        f"sambaNTPassword can be read, for example of {person_dn('alice')}",
        f"userPassword can be read, for example of {person_dn('bob')}",
    ]
    asked = [set(search.attributes) for search in faulty.searches]
    assert asked[0] == set(SECRETS)
    assert asked[1] == set(SECRETS) - {"userPassword", "sambaNTPassword", "krbPrincipalKey"}
    assert {(search.base, search.size_limit) for search in faulty.searches[:2]} == {(SUFFIX, 2)}


def test_a_search_that_the_server_ends_too_early_leaves_it_unknown(faulty: FaultyLdap, tools: Tools) -> None:
    faulty.on_search = in_turn(entries(code=3), *[entries()] * 2)
    assert looked(tools.settings(faulty.uri)) == [
        Step("rights", ok=True, detail="not known whether passwords can be read: timeLimitExceeded (3)")
    ]


@pytest.fixture(scope="module")
def domain(samba: Samba) -> Samba:
    """One with a plain account, one that is in Domain Admins by another group, and one that bears the mark only."""
    for name in ("plain", "mighty", "former"):
        samba.add_person(name, PASSWORD)
    samba.modify(active_directory.person_dn("former"), ("adminCount", "1"), ("userPrincipalName", "boss@example.org"))
    samba.add_group("tier0", active_directory.person_dn("mighty"))
    admins = f"CN=Domain Admins,CN=Users,{active_directory.SUFFIX}"
    samba.change(f"dn: {admins}\nchangetype: modify\nadd: member\nmember: {active_directory.group_dn('tier0')}\n")
    return samba


def account(name: str) -> dict[str, object]:
    return {"bind_dn": name, "bind_password": SecretBytes(PASSWORD.encode())}


def test_a_plain_account_of_active_directory_is_well(domain: Samba, tools: Tools) -> None:
    whole = {"base": active_directory.SUFFIX}
    assert looked(tools.settings_of(domain, **account(active_directory.person_dn("plain")), **whole)) == NOTHING


@pytest.mark.parametrize("form", [active_directory.person_dn("mighty"), "mighty@example.org", "EXAMPLE\\mighty"])
def test_a_nested_membership_in_a_group_with_power_is_seen_by_whatever_name_the_account_has(
    domain: Samba, tools: Tools, form: str
) -> None:
    steps = looked(tools.settings_of(domain, **account(form)))
    assert details(steps) == ["the account is a member of Administrators, Domain Admins"]


def test_the_administrator_is_too_much(domain: Samba, tools: Tools) -> None:
    steps = looked(tools.settings_of(domain))
    assert "the account is a member of Administrators, Domain Admins, Enterprise Admins, Schema Admins" in details(
        steps
    )


@pytest.mark.parametrize(
    "form", [active_directory.person_dn("former"), "boss@example.org", "former@example.org", "EXAMPLE\\former"]
)
def test_the_mark_of_a_former_administrator_is_seen(domain: Samba, tools: Tools, form: str) -> None:
    steps = looked(tools.settings_of(domain, **account(form)))
    assert details(steps) == ["the account has adminCount=1: it is, or was, in a group with power over others"]


def test_a_sid_of_no_form_is_no_group(faulty: FaultyLdap, tools: Tools) -> None:
    sids = [b"", b"\x01\x00", bytes(8) + b"\x20\x00\x00\x00", bytes(8) + b"\x15\x00\x00\x00\xff\xff\xff\xff"]
    root = ("", {"tokenGroups": sids})
    faulty.on_search = in_turn(entries(), entries(), entries(root))
    assert looked(tools.settings(faulty.uri)) == NOTHING


def test_nobody_has_no_mark(faulty: FaultyLdap, tools: Tools) -> None:
    root = ("", {"defaultNamingContext": [active_directory.SUFFIX.encode()]})
    faulty.on_search = in_turn(entries(), entries(), entries(root))
    assert looked(tools.settings(faulty.uri, bind_dn="", bind_password=None)) == NOTHING
    assert len(faulty.searches) == 3


def test_when_every_secret_was_found_the_search_ends(faulty: FaultyLdap, tools: Tools) -> None:
    everything = (person_dn("alice"), {name: [b"x"] for name in SECRETS})
    faulty.on_search = in_turn(entries(everything), *[entries()] * 2)
    assert len(details(looked(tools.settings(faulty.uri)))) == len(SECRETS)
    assert [search.base for search in faulty.searches] == [SUFFIX, "cn=config", ""]
