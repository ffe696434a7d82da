"""The service account, where its bind succeeds and is worth nothing, and where it needs no password."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from pydantic import SecretBytes

from radius2fa.directory.ldap import LdapDirectory
from radius2fa.login.ports import Entry, Unavailable
from tests.directory.conftest import Clock, Tools
from tests.servers.slapd import ADMIN, SUFFIX, Slapd, ldif, person_dn, person_ldif

POLICY = ldif(
    f"cn=policy,{SUFFIX}",
    [
        ("objectClass", "device"),
        ("objectClass", "pwdPolicy"),
        ("cn", "policy"),
        ("pwdAttribute", "userPassword"),
        ("pwdMustChange", "TRUE"),
    ],
)


@contextmanager
def opened(clock: Clock, tools: Tools, url: str, **settings: object) -> Iterator[LdapDirectory]:
    directory = LdapDirectory(tools.settings(url, cache_seconds=0, **settings), clock)  # type: ignore[arg-type]
    yield directory
    directory.close()


def test_a_service_account_that_has_to_change_its_password_first_is_refused_clearly(clock: Clock, tools: Tools) -> None:
    """Its bind succeeds, and then slapd answers each search with insufficientAccessRights (man slapo-ppolicy)."""
    reader = person_ldif("reader", "secret", pwdPolicySubentry=f"cn=policy,{SUFFIX}")
    with Slapd(seed=POLICY + reader, extra="moduleload ppolicy", limits="overlay ppolicy\n") as server:
        server.change(f"dn: {person_dn('reader')}\nchangetype: modify\nreplace: pwdReset\npwdReset: TRUE\n")
        account = {"bind_dn": person_dn("reader"), "bind_password": SecretBytes(b"secret")}
        with opened(clock, tools, server.uri, **account) as directory:
            for _ in range(2):
                with pytest.raises(Unavailable) as fault:
                    directory.find("alice", clock.soon())
                assert fault.value.cause == (
                    f"the bind of {person_dn('reader')} was accepted, but its password has to be changed before all "
                    "else: success (0), changeAfterReset"
                )
            assert server.binds(person_dn("reader")) == 1, "it rests a while, as after any refusal"
            assert [state.well for state in directory.figures().servers] == [True]


def test_an_external_service_account_is_whom_the_socket_s_peer_is_and_needs_no_password(
    slapd: Slapd, clock: Clock, tools: Tools
) -> None:
    slapd.add_person("externallyfound", "password")
    before = slapd.binds(ADMIN)
    for more in ({"bind_dn": "", "bind_password": None}, {"bind_password": None}):
        with opened(clock, tools, slapd.ldapi_uri, bind_method="external", **more) as directory:
            assert isinstance(directory.find("externallyfound", clock.soon()), Entry)
    assert slapd.binds(ADMIN) == before
    assert slapd.log().count("mech=EXTERNAL bind_ssf") >= 2


def test_an_external_service_account_that_is_refused_is_unavailable(slapd: Slapd, clock: Clock, tools: Tools) -> None:
    """By TCP without a certificate nobody is known; that is no outage of the server's."""
    cause = r"the bind by certificate or socket \(EXTERNAL\) (was refused|failed): "
    with opened(clock, tools, slapd.uri, bind_method="external") as directory, pytest.raises(Unavailable, match=cause):
        directory.find("alice", clock.soon())
