"""The ways to a directory, each with a real OpenLDAP at its end: SRV records, a socket, a certificate of ours."""

import os
from collections.abc import Callable, Iterator
from subprocess import run

import pytest

from radius2fa.config.model import Directory
from radius2fa.directory import ldap
from radius2fa.directory.drivers import driver_of
from radius2fa.directory.endpoint import Endpoint, parse_url
from radius2fa.directory.endpoints import endpoints_of
from radius2fa.directory.ldap import LdapDirectory
from radius2fa.directory.link import Broken, Dialling, dial
from radius2fa.directory.resolve import resolve
from radius2fa.directory.srv import Nameservers
from radius2fa.directory.tls import Tls
from radius2fa.login.ports import BindResult, Entry, NotFound
from tests.directory.conftest import Clock, Tools
from tests.servers.dns import Dns
from tests.servers.slapd import Slapd, person_dn, person_ldif
from tests.servers.tls import Authority

PEER = f"gidNumber={os.getgid()}+uidNumber={os.getuid()},cn=peercred,cn=external,cn=auth"


@pytest.fixture
def tools(driver: str) -> Tools:
    return Tools(driver)


# SRV records. The domain is "localhost", since its only host has to have an address, and a certificate.


@pytest.fixture
def dns_server(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dns]:
    """A nameserver, which every LdapDirectory asks from now on: the system's resolv.conf could not name its port."""
    with Dns() as server:
        nameservers = Nameservers(("127.0.0.1",), server.port)

        def asking_it(settings: Directory, *_others: object) -> Callable[[], tuple[Endpoint, ...]]:
            return endpoints_of(settings, clock, nameservers=nameservers)

        monkeypatch.setattr(ldap, "endpoints_of", asking_it)
        yield server


@pytest.fixture
def pair(authority: Authority) -> Iterator[tuple[Slapd, Slapd]]:
    """Two servers of one directory."""
    seed = person_ldif("alice", "wonderland")
    with Slapd(authority=authority, seed=seed) as first, Slapd(authority=authority, seed=seed) as second:
        yield first, second


@pytest.mark.parametrize("scheme", ["ldap+srv", "ldaps+srv"])
def test_logins_go_to_the_servers_that_dns_tells_and_past_one_that_is_stopped(
    dns_server: Dns, pair: tuple[Slapd, Slapd], clock: Clock, tools: Tools, scheme: str
) -> None:
    """By StartTLS and ldaps. The first server is asked while it runs, then the second, without a login failing."""
    first, second = pair
    ports = [first.port, second.port] if scheme == "ldap+srv" else [first.tls_port, second.tls_port]
    service = "_ldap._tcp.localhost" if scheme == "ldap+srv" else "_ldaps._tcp.localhost"
    dns_server.serve(service, (0, 0, ports[0], "localhost."), (10, 0, ports[1], "localhost."))
    settings = tools.settings(f"{scheme}://localhost", ca_file=first.ca_file, cache_seconds=0)
    directory = LdapDirectory(settings, clock)

    alice = directory.find("alice", clock.soon())
    assert isinstance(alice, Entry)
    assert directory.bind(alice, b"wonderland", clock.soon()) is BindResult.OK
    assert (first.binds(person_dn("alice")), second.searches()) == (1, 0)

    first.stop()
    assert isinstance(directory.find("alice", clock.soon()), Entry)
    assert directory.bind(alice, b"wonderland", clock.soon()) is BindResult.OK
    assert directory.bind(alice, b"wrong", clock.soon()) is BindResult.WRONG_PASSWORD
    assert second.binds(person_dn("alice")) == 2

    dns_server.silent = True  # and now DNS is down as well
    clock.advance(4000)
    assert directory.find("nobody", clock.soon()) is NotFound.UNKNOWN
    directory.close()


# A socket of this machine


@pytest.fixture(scope="module")
def people(slapd: Slapd) -> Slapd:
    """The server of all tests, with somebody in it."""
    slapd.add_person("socket", "pencil")
    return slapd


def test_a_socket_needs_no_name_to_be_resolved(slapd: Slapd) -> None:
    endpoint = parse_url(slapd.ldapi_uri)
    assert resolve(endpoint) == [endpoint.path]


@pytest.mark.parametrize("start_tls", [True, False])
def test_a_directory_answers_at_its_socket(people: Slapd, clock: Clock, tools: Tools, *, start_tls: bool) -> None:
    """Without TLS, whether or not it is asked for: nothing crosses a network."""
    directory = LdapDirectory(tools.settings(people.ldapi_uri, start_tls=start_tls), clock)
    entry = directory.find("socket", clock.soon())
    assert isinstance(entry, Entry)
    assert directory.bind(entry, b"pencil", clock.soon()) is BindResult.OK
    assert directory.bind(entry, b"brush", clock.soon()) is BindResult.WRONG_PASSWORD
    directory.close()


def test_at_its_socket_a_server_knows_which_user_we_are(slapd: Slapd, clock: Clock, driver: str) -> None:
    """SASL EXTERNAL. ldapwhoami says whom slapd takes us for; slapd's log says it of both."""
    command = ["ldapwhoami", "-Q", "-Y", "EXTERNAL", "-H", slapd.ldapi_uri]
    assert run(command, check=True, capture_output=True, text=True).stdout.strip() == f"dn:{PEER}"
    bound = f'BIND dn="{PEER}" mech=EXTERNAL'
    before = slapd.log().count(bound)
    dialling = Dialling(Tls(), start_tls=True, connect_timeout=1.0, timeout=1.5, clock=clock)
    made = dial(driver_of(driver, dialling), parse_url(slapd.ldapi_uri), clock.soon())
    assert made.bind_external(clock.soon()).code == 0
    assert made.certificate() is None
    made.close()
    assert slapd.log().count(bound) == before + 1


def test_the_service_account_may_be_the_user_that_we_run_as(people: Slapd, clock: Clock, tools: Tools) -> None:
    settings = tools.settings(people.ldapi_uri, bind_method="external", bind_dn="", bind_password=None)
    before = people.log().count(f'BIND dn="{PEER}" mech=EXTERNAL')
    directory = LdapDirectory(settings, clock)
    assert isinstance(directory.find("socket", clock.soon()), Entry)
    directory.close()
    assert people.log().count(f'BIND dn="{PEER}" mech=EXTERNAL') == before + 1


def test_a_socket_that_is_not_there_is_told(clock: Clock, driver: str) -> None:
    dialling = Dialling(Tls(), start_tls=True, connect_timeout=1.0, timeout=1.5, clock=clock)
    with pytest.raises(Broken) as broken:
        dial(driver_of(driver, dialling), parse_url("ldapi://%2Fnonexistent%2Fldapi"), clock.soon())
    assert (broken.value.cause, broken.value.sent) == ("no connection: No such file or directory", False)


# A certificate of ours


@pytest.mark.parametrize("ldaps", [True, False])
def test_the_service_account_may_be_known_by_a_certificate(
    authority: Authority, clock: Clock, tools: Tools, *, ldaps: bool
) -> None:
    """slapd's log names whom it has taken the service account for."""
    ours, seed = authority.issue("service", ("radius2fa",)), person_ldif("alice", "wonderland")
    with Slapd(authority=authority, asks_for_certificate=True, seed=seed) as server:
        settings = tools.settings(
            server.ldaps_uri if ldaps else server.uri,
            ca_file=server.ca_file,
            bind_method="external",
            bind_dn="",
            bind_password=None,
            client_certificate=ours.certificate,
            client_key=ours.key,
        )
        directory = LdapDirectory(settings, clock)
        alice = directory.find("alice", clock.soon())
        assert isinstance(alice, Entry)
        assert directory.bind(alice, b"wonderland", clock.soon()) is BindResult.OK
        directory.close()
        assert 'BIND dn="cn=radius2fa" mech=EXTERNAL' in server.log()
