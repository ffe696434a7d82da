"""Logins through the installed program whose directory is carried by libldap, over TLS."""

from collections.abc import Iterator

import pytest

from tests.end_to_end.house import House, Ready, client, directory_section
from tests.servers.slapd import ADMIN, ADMIN_PASSWORD, Slapd


@pytest.fixture(scope="module", params=["StartTLS", "LDAPS"])
def carried(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, slapd: Slapd, ready: Ready
) -> Iterator[House]:
    directory = directory_section(
        slapd,
        driver="libldap",
        urls=[slapd.ldaps_uri if request.param == "LDAPS" else slapd.uri],
        start_tls=request.param == "StartTLS",
        ca_file=str(slapd.ca_file),
        bind_dn=ADMIN,
        bind_password=ADMIN_PASSWORD,
    )
    clients = [client("appended", "127.0.0.1"), client("challenge", "127.0.0.2", code="challenge")]
    with House(tmp_path_factory.mktemp("libldap"), slapd, ready, clients=clients, directory=directory) as house:
        yield house


@pytest.mark.parametrize("way", ["appended", "challenge"])
def test_radclient_gets_in_with_password_and_code(carried: House, way: str) -> None:
    alice = carried.person(password="Größe für «Müllers»".encode())
    assert carried.come_in(way, alice, alice.code()).name == "Access-Accept"
    assert carried.journal(alice.uid)[-1] == ("accept", None)


def test_a_wrong_password_is_rejected_and_the_journal_says_so(carried: House) -> None:
    bob = carried.person()
    assert carried.radclient("appended", bob.uid, b"wrong" + bob.code()).name == "Access-Reject"
    assert carried.journal(bob.uid) == [("reject", "wrong-password")]


def test_many_log_in_at_once(carried: House) -> None:
    people = [carried.person() for _ in range(12)]
    codes = carried.logins("appended", [(person.uid, person.password + person.code()) for person in people])
    assert codes == [2] * 12


def test_check_finds_all_of_the_directory_well(carried: House) -> None:
    report = carried.program.check()
    found = {subject.partition(" ")[2]: words for subject, words in report.items() if subject.startswith("ldap")}
    assert found["tls"][1].startswith("verified: issued by CN=Authority of the tests for localhost, ")
    assert {
        name: found[name][0] for name in ("connection", "service account", "base", "id attribute")
    } == dict.fromkeys(("connection", "service account", "base", "id attribute"), "ok")
