"""Why a name leads to nobody, or to several."""

import time
from collections.abc import Iterator

import pytest
from pydantic import SecretBytes

from radius2fa.directory.inspection.whereabouts import LeftOut, Whereabouts, parts_of, whereabouts
from radius2fa.login.ports import Unavailable
from tests.directory.conftest import Tools
from tests.servers import samba as active_directory
from tests.servers.faulty_ldap import FaultyLdap, entries, hang_up, in_turn, result
from tests.servers.samba import Samba
from tests.servers.slapd import GROUPS, PEOPLE, SUFFIX, Slapd, free_port, group_dn, group_ldif, person_dn, person_ldif

STAFF = f"(memberOf={group_dn('staff')})"
FILTER = f"(&(objectClass=person)(uid={{user}}){STAFF})"
ALICE, BOB = person_dn("alice"), person_dn("bob")


@pytest.fixture(scope="module")
def server() -> Iterator[Slapd]:
    """One with alice in a group, bob in none, and memberOf as real servers keep it."""
    people = person_ldif("alice", "x") + "\n" + person_ldif("bob", "x")
    with Slapd(seed=people, extra="moduleload memberof", limits="overlay memberof\n") as running:
        running.change(group_ldif("staff", ALICE), "-a")
        yield running


def where(tools: Tools, url: str, name: str, **others: object) -> Whereabouts:
    settings = tools.settings(url, **{"user_filter": FILTER, **others})  # type: ignore[arg-type]
    return whereabouts(settings, name, time.monotonic, time.monotonic() + 4)


def test_whoever_is_found_is_told_with_the_search(server: Slapd, tools: Tools, driver: str) -> None:
    found = where(tools, server.uri, "alice@example.org", base=PEOPLE, realms=("example.org",), driver=driver)
    assert found == Whereabouts("main", PEOPLE, f"(&(objectClass=person)(uid=alice){STAFF})", (ALICE,))


def test_whoever_the_filter_leaves_out_is_told_with_the_part_that_does_so(server: Slapd, tools: Tools) -> None:
    found = where(tools, server.uri, "bob", base=PEOPLE)
    assert (found.found, found.left_out, found.elsewhere) == ((), (LeftOut(BOB, (STAFF,)),), ())


def test_every_part_that_does_not_let_somebody_through_is_told(server: Slapd, tools: Tools) -> None:
    found = where(
        tools, server.uri, "bob", user_filter="(& (objectClass=groupOfNames) (|(uid={user})(cn={user})) (mail=*))"
    )
    assert found.left_out == (LeftOut(BOB, ("(objectClass=groupOfNames)", "(mail=*)")),)


def test_a_filter_that_is_no_conjunction_is_one_part(server: Slapd, tools: Tools) -> None:
    assert where(tools, server.uri, "bob", user_filter="(mail={user})").left_out == (LeftOut(BOB, ("(mail=bob)",)),)


@pytest.mark.parametrize("name", ["alice@example.net", "EXAMPLE\\alice", "alice"])
def test_a_name_is_looked_for_without_a_foreign_realm_or_domain(server: Slapd, tools: Tools, name: str) -> None:
    found = where(tools, server.uri, name, user_filter="(&(uid={user})(uid=*@*))")
    assert [entry.dn for entry in found.left_out] == [ALICE]


def test_whoever_is_not_below_the_base_is_told(server: Slapd, tools: Tools) -> None:
    found = where(tools, server.uri, "alice", base=GROUPS)
    assert (found.found, found.left_out, found.elsewhere) == ((), (), (ALICE,))


def test_several_are_told_by_their_dns(server: Slapd, tools: Tools) -> None:
    found = where(tools, server.uri, "alice", user_filter="(|(uid={user})(uid=bob))")
    assert sorted(found.found) == [ALICE, BOB]
    assert found.left_out == ()


def test_nobody_is_told(server: Slapd, tools: Tools) -> None:
    found = where(tools, server.uri, "carol")
    assert (found.found, found.left_out, found.elsewhere, found.refusal, found.referred) == ((), (), (), "", False)


def test_a_name_with_signs_of_filters_is_only_a_name(server: Slapd, tools: Tools) -> None:
    assert where(tools, server.uri, "*)(uid=alice").left_out == ()


def test_a_base_that_does_not_exist_is_told_and_who_is_elsewhere(server: Slapd, tools: Tools) -> None:
    found = where(tools, server.uri, "alice", base=f"ou=nowhere,{SUFFIX}")
    assert (found.refusal, found.elsewhere) == ("noSuchObject (32)", (ALICE,))


def test_active_directory_shows_the_same(samba: Samba, tools: Tools) -> None:
    samba.add_person("whereto", "Where-Pa55")
    settings = tools.settings_of(
        samba, user_filter="(&(sAMAccountName={user})(userAccountControl:1.2.840.113556.1.4.803:=2))"
    )
    found = whereabouts(settings, "EXAMPLE\\whereto", time.monotonic, time.monotonic() + 4)
    disabled = "(userAccountControl:1.2.840.113556.1.4.803:=2)"
    assert found.left_out == (LeftOut(active_directory.person_dn("whereto"), (disabled,)),)


def test_references_to_other_servers_are_told(faulty: FaultyLdap, tools: Tools) -> None:
    faulty.on_search = in_turn(entries(elsewhere="ldap://other.example.org/"), *[entries()] * 3)
    assert where(tools, faulty.uri, "alice").referred is True
    faulty.on_search = in_turn(result("searchResDone", 10, referral="ldap://other.example.org/"), *[entries()] * 3)
    found = where(tools, faulty.uri, "alice")
    assert (found.referred, found.refusal) == (True, "referral (10)")


def test_the_first_server_that_answers_is_asked(server: Slapd, tools: Tools) -> None:
    settings = tools.settings(f"ldap://127.0.0.1:{free_port()}", server.uri)
    assert whereabouts(settings, "alice", time.monotonic, time.monotonic() + 4).found == (ALICE,)


def test_where_no_server_answers_all_causes_are_told(faulty: FaultyLdap, tools: Tools) -> None:
    faulty.on_service_bind = hang_up
    port = free_port()
    settings = tools.settings(f"ldap://127.0.0.1:{port}", faulty.uri, "ldap+srv://nonexistent.invalid")
    with pytest.raises(Unavailable) as broken:
        whereabouts(settings, "alice", time.monotonic, time.monotonic() + 4)
    assert [part.partition(": ")[0] for part in broken.value.cause.split("; ")] == list(settings.urls)


def test_a_refused_account_is_refused_once(server: Slapd, tools: Tools) -> None:
    with pytest.raises(Unavailable, match="was refused: invalidCredentials"):
        where(tools, server.uri, "alice", bind_password=SecretBytes(b"wrong"))


def test_a_server_that_hangs_up_is_unavailable(faulty: FaultyLdap, tools: Tools) -> None:
    faulty.on_search = hang_up
    with pytest.raises(Unavailable, match="closed the connection"):
        where(tools, faulty.uri, "alice")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("(uid=a)", ("(uid=a)",)),
        ("(&(uid=a))", ("(uid=a)",)),
        ("(&(a=b)(|(c=d)(!(e=f)))(g=h))", ("(a=b)", "(|(c=d)(!(e=f)))", "(g=h)")),
        ("(|(a=b)(c=d))", ("(|(a=b)(c=d))",)),
        ("(&(&(a=b)(c=d))(e=f))", ("(&(a=b)(c=d))", "(e=f)")),
    ],
)
def test_a_conjunction_has_parts(text: str, parts: tuple[str, ...]) -> None:
    assert parts_of(text) == parts
