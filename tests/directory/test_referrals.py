"""An entry that is a referral (RFC 3296): it is seen, told from nobody, and never followed."""

from collections.abc import Iterator

import pytest

from radius2fa.directory.ldap import LdapDirectory
from radius2fa.login.ports import Entry, NotFound, Unavailable
from tests.directory.conftest import Clock, Tools
from tests.servers.faulty_ldap import FaultyLdap, entries, in_turn, result
from tests.servers.slapd import PEOPLE, Slapd, ldif, person_dn, person_ldif


def referral_ldif(uid: str, elsewhere: FaultyLdap) -> str:
    classes = [("objectClass", "referral"), ("objectClass", "extensibleObject")]
    return ldif(person_dn(uid), [*classes, ("uid", uid), ("ref", f"{elsewhere.uri}/{person_dn(uid)}")])


@pytest.fixture
def referring(faulty: FaultyLdap) -> Iterator[Slapd]:
    """A server that has alice, and refers to the other one for bob and for a unit."""
    unit = [("objectClass", "referral"), ("objectClass", "extensibleObject"), ("ou", "far"), ("ref", f"{faulty.uri}/")]
    seed = person_ldif("alice", "password") + referral_ldif("bob", faulty) + ldif(f"ou=far,{PEOPLE}", unit)
    with Slapd(seed=seed) as server:
        yield server


@pytest.fixture
def directory(referring: Slapd, clock: Clock, tools: Tools) -> Iterator[LdapDirectory]:
    made = LdapDirectory(tools.settings(referring.uri), clock)
    yield made
    made.close()


def test_a_name_that_is_a_referral_is_told_from_one_that_nobody_has(
    directory: LdapDirectory, referring: Slapd, faulty: FaultyLdap, clock: Clock
) -> None:
    assert directory.find("bob", clock.soon()) is NotFound.REFERRAL
    assert directory.find("BOB", clock.soon()) is NotFound.REFERRAL
    assert directory.find("carol", clock.soon()) is NotFound.UNKNOWN
    assert directory.find("far", clock.soon()) is NotFound.UNKNOWN, "it refers, but is nobody's name"
    assert directory.find("*", clock.soon()) is NotFound.UNKNOWN, "a name is no pattern"
    before = referring.searches()
    assert directory.find("bob", clock.soon()) is NotFound.REFERRAL
    assert referring.searches() == before, "remembered"
    assert faulty.connections == 0, "nobody is followed elsewhere"


def test_somebody_who_is_there_is_found_whatever_the_server_refers_to_beside(
    directory: LdapDirectory, referring: Slapd, faulty: FaultyLdap, clock: Clock
) -> None:
    assert isinstance(directory.find("alice", clock.soon()), Entry)
    assert referring.searches() == 1, "no second search"
    assert faulty.connections == 0


def test_only_references_cost_a_second_search(faulty: FaultyLdap, clock: Clock, tools: Tools) -> None:
    directory = LdapDirectory(tools.settings(faulty.uri, cache_seconds=0, name_attribute="sAMAccountName"), clock)
    assert directory.find("nobody", clock.soon()) is NotFound.UNKNOWN
    assert len(faulty.searches) == 1
    elsewhere = entries(elsewhere="ldap://127.0.0.1:9/")
    faulty.on_search = in_turn(elsewhere, elsewhere)
    assert directory.find("nobody", clock.soon()) is NotFound.UNKNOWN
    assert [search.attributes for search in faulty.searches[2:]] == [("ref",)]
    faulty.on_search = in_turn(elsewhere, result("searchResDone", 50))
    with pytest.raises(Unavailable, match="insufficientAccessRights"):
        directory.find("nobody", clock.soon())
    directory.close()
