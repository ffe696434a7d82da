"""Logins through the installed program that asks a real Active Directory over LDAPS."""

from collections.abc import Iterator
from itertools import count

import pytest

from tests.end_to_end.house import House, Ready, client
from tests.end_to_end.people import Person, new_seed
from tests.servers.samba import ADMIN, ADMIN_PASSWORD, PEOPLE, USER_FILTER, Samba
from tests.servers.slapd import Slapd
from tests.servers.tls import Authority

_numbers = count()


@pytest.fixture(scope="module")
def samba(authority: Authority) -> Iterator[Samba]:
    with Samba(authority) as server:
        yield server


@pytest.fixture(scope="module", params=["ldap3", "libldap"])
def domain(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, samba: Samba, slapd: Slapd, ready: Ready
) -> Iterator[House]:
    """A program with the settings for Active Directory, over each driver."""
    directory = {
        "driver": request.param,
        "urls": [samba.ldaps_uri],
        "ca_file": str(samba.ca_file),
        "bind_dn": ADMIN,
        "bind_password": ADMIN_PASSWORD,
        "base": PEOPLE,
        "user_filter": USER_FILTER,
        "id_attribute": "objectGUID",
        "name_attribute": "sAMAccountName",
        "realms": ["example.org"],
        "domains": ["EXAMPLE"],
    }
    clients = [client("appended", "127.0.0.1"), client("challenge", "127.0.0.2", code="challenge")]
    with House(tmp_path_factory.mktemp("domain"), slapd, ready, clients=clients, directory=directory) as house:
        yield house


def person(domain: House, samba: Samba) -> Person:
    """Somebody in the domain with a token."""
    name = f"windows{next(_numbers)}"
    samba.add_person(name, f"Pässword of {name}")
    made = Person(name, f"Pässword of {name}".encode(), samba.object_guid(name), new_seed())
    domain.enrol([made])
    return made


@pytest.mark.parametrize("way", ["appended", "challenge"])
def test_radclient_gets_in_with_password_and_code(domain: House, samba: Samba, way: str) -> None:
    alice = person(domain, samba)
    assert domain.come_in(way, alice, alice.code()).name == "Access-Accept"
    assert domain.journal(alice.uid)[-1] == ("accept", None)


def test_a_disabled_account_is_rejected_and_the_journal_says_why(domain: House, samba: Samba) -> None:
    bob = person(domain, samba)
    samba.disable(bob.uid)
    assert domain.come_in("appended", bob, bob.code()).name == "Access-Reject"
    assert domain.journal(bob.uid) == [("reject", "account-disabled")]
