"""The second look at a server that has not proven who it is."""

import time
from pathlib import Path

import pytest

from radius2fa.directory.endpoint import parse_url
from radius2fa.directory.inspection.mistrust import Flaw, look
from radius2fa.directory.ldap import dialling_of
from tests.directory.conftest import Clock, Tools
from tests.servers.faulty_ldap import FaultyLdap, octets
from tests.servers.slapd import Slapd
from tests.servers.tls import Authority

DAY = 86400.0


def test_dates_are_compared_with_the_clock_that_is_given(slapd: Slapd, clock: Clock, tools: Tools) -> None:
    endpoint, dialling = parse_url(slapd.uri), dialling_of(tools.settings(slapd.uri, ca_file=slapd.ca_file), clock)

    def flaws(days: float) -> tuple[Flaw, ...]:
        seen = look(endpoint, dialling, time.time() + days * DAY, clock.soon())
        assert seen is not None
        return seen.flaws

    assert flaws(0) == ()
    assert flaws(2) == (Flaw.EXPIRED,)  # the certificates of tests have a day left, of 30
    assert flaws(-40) == (Flaw.NOT_YET,)


def test_an_authority_of_the_same_name_is_another(slapd: Slapd, clock: Clock, tools: Tools, tmp_path: object) -> None:
    impostor = Authority(tmp_path)  # type: ignore[arg-type]
    dialling = dialling_of(tools.settings(slapd.uri, ca_file=impostor.ca_file), clock)
    seen = look(parse_url(slapd.ldaps_uri), dialling, time.time(), clock.soon())
    assert seen is not None
    assert seen.flaws == (Flaw.AUTHORITY,)


def test_a_signature_of_another_key_is_that_of_another_authority(
    authority: Authority, clock: Clock, tools: Tools, tmp_path: Path
) -> None:
    """The certificate says by which key it is signed, and is not."""
    forged = Authority(tmp_path).sign("forged", authority.good(), b"", b"")
    with Slapd(authority=authority, certificate=forged) as server:
        dialling = dialling_of(tools.settings(server.uri, ca_file=authority.ca_file), clock)
        seen = look(parse_url(server.ldaps_uri), dialling, time.time(), clock.soon())
    assert seen is not None
    assert seen.flaws == (Flaw.AUTHORITY,)


def test_an_address_may_be_missing_in_a_certificate_as_a_name_may(
    authority: Authority, clock: Clock, tools: Tools
) -> None:
    with Slapd(authority=authority, certificate=authority.wrong_name()) as server:
        dialling = dialling_of(tools.settings(server.uri, ca_file=authority.ca_file), clock)
        url = server.ldaps_uri.replace("localhost", "127.0.0.1")
        seen = look(parse_url(url), dialling, time.time(), clock.soon())
    assert seen is not None
    assert seen.flaws == (Flaw.NAME,)


def test_without_time_nothing_is_looked_at(faulty: FaultyLdap, clock: Clock, tools: Tools) -> None:
    dialling = dialling_of(tools.settings(faulty.uri, start_tls=True), clock)
    assert look(parse_url(faulty.uri), dialling, time.time(), clock()) is None
    assert faulty.connections == 0


@pytest.mark.parametrize("answer", [b"\x30\x82\x00\x03\x02\x01\x01", b"\x30", b"\x30\x84\x7f\xff\xff\xff"])
def test_whatever_is_answered_to_start_tls_ends_in_no_certificate(
    faulty: FaultyLdap, clock: Clock, tools: Tools, answer: bytes
) -> None:
    faulty.on_extended = octets(answer)
    dialling = dialling_of(tools.settings(faulty.uri, start_tls=True, timeout=0.2), clock)
    assert look(parse_url(faulty.uri), dialling, time.time(), clock.soon()) is None
    assert faulty.connections == 1


def test_a_host_that_is_none_has_no_certificate(clock: Clock, tools: Tools) -> None:
    dialling = dialling_of(tools.settings("ldap://localhost"), clock)
    assert look(parse_url("ldap://nonexistent.invalid"), dialling, time.time(), clock.soon()) is None
