"""What `radius2fa check` learns of each server."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretBytes

from radius2fa.directory.endpoint import parse_url
from radius2fa.directory.inspect import inspect
from radius2fa.directory.inspection.steps import ServerReport, Step
from radius2fa.directory.wanted import Wanted
from tests.directory.conftest import Clock, Tools
from tests.servers.faulty_ldap import Answer, FaultyLdap, entries, hang_up, in_turn, result
from tests.servers.slapd import ADMIN, GROUPS, SUFFIX, Slapd, free_port, person_dn
from tests.servers.tls import Authority

SAMPLE = (person_dn("alice"), {"entryUUID": [b"one"], "uid": [b"alice"], "mail": [b"a@x", b"b@x"]})
WELL = ["name", "connection", "tls", "service account", "base", "id attribute"]


def last(report: ServerReport) -> Step:
    """The step at which it ended; all before it were well."""
    assert [step.ok for step in report.steps[:-1]] == [True] * (len(report.steps) - 1)
    return report.steps[-1]


def test_a_server_that_is_well_passes_every_step(slapd: Slapd, clock: Clock, tools: Tools) -> None:
    slapd.add_person("inspected", "password")
    (report,) = inspect(tools.settings(slapd.uri, ca_file=slapd.ca_file), clock, now=time.time)
    assert (report.url, report.ok) == (slapd.uri, True)
    assert [step.name for step in report.steps] == [*WELL, "clock", "rights"]
    assert {step.remedy for step in report.steps[:-1]} == {""}
    by_name = {step.name: step.detail for step in report.steps}
    assert "127.0.0.1" in by_name["name"]
    assert by_name["connection"] == f"port {slapd.port} answers"
    assert by_name["service account"] == ADMIN
    assert by_name["base"] == SUFFIX
    assert by_name["id attribute"].startswith("entryUUID of ")


def test_the_driver_of_the_settings_is_the_one_that_is_tried(
    slapd: Slapd, clock: Clock, tools: Tools, driver: str
) -> None:
    slapd.add_person(f"by{driver}", "password")
    for url in (slapd.uri, slapd.ldaps_uri):
        (report,) = inspect(tools.settings(url, ca_file=slapd.ca_file, driver=driver), clock, now=time.time)
        assert ([step.name for step in report.steps], report.ok) == ([*WELL, "clock", "rights"], True)


def test_the_end_of_the_certificate_is_told(authority: Authority, clock: Clock, tools: Tools) -> None:
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
    with Slapd(authority=authority, certificate=authority.issue("soon", until=until)) as server:
        (report,) = inspect(tools.settings(server.ldaps_uri, ca_file=authority.ca_file), clock, now=time.time)
    assert report.certificate_expires == until.timestamp()


def test_each_server_has_its_report(slapd: Slapd, clock: Clock, tools: Tools) -> None:
    away = f"ldap://127.0.0.1:{free_port()}"
    reports = inspect(tools.settings(away, slapd.uri, start_tls=False), clock, now=time.time)
    assert [report.url for report in reports] == [away, slapd.uri]
    assert last(reports[0]).name == "connection"
    assert last(reports[0]).detail == "no connection: Connection refused"
    assert "firewall" in last(reports[0]).remedy
    assert reports[0].ok is False
    assert reports[0].certificate_expires is None


def test_a_name_without_an_address_ends_the_inspection(clock: Clock, tools: Tools) -> None:
    (report,) = inspect(tools.settings("ldap://nonexistent.invalid"), clock, now=time.time)
    assert last(report).name == "name"
    assert last(report).remedy == "Correct the host name in `urls`, or the resolver."


@pytest.mark.parametrize(
    ("kind", "fault", "remedy"),
    [
        ("expired", "it has expired. It is issued by CN=Authority of the tests for localhost,", "renewed"),
        ("wrong_name", "it is for other names than localhost. It is issued by", "Name the server in `urls`"),
    ],
)
def test_a_certificate_that_is_not_accepted_ends_the_inspection(
    authority: Authority, tools: Tools, kind: str, fault: str, remedy: str
) -> None:
    with Slapd(authority=authority, certificate=getattr(authority, kind)()) as server:
        (report,) = inspect(tools.settings(server.uri, ca_file=authority.ca_file), time.monotonic, now=time.time)
    assert (last(report).name, report.certificate_expires) == ("tls", None)
    assert fault in last(report).detail
    assert remedy in last(report).remedy


def test_no_tls_as_configured_is_told_and_no_fault(slapd: Slapd, clock: Clock, tools: Tools) -> None:
    (report,) = inspect(tools.settings(slapd.uri, start_tls=False), clock, now=time.time)
    assert Step("tls", ok=True, detail="none, as configured: passwords travel in the clear") in report.steps


def test_a_wrong_service_password_ends_the_inspection_and_is_tried_once(
    slapd: Slapd, clock: Clock, tools: Tools
) -> None:
    before = slapd.binds(ADMIN)
    wrong = {"bind_password": SecretBytes(b"no-such-Pa55"), "start_tls": False}
    reports = inspect(tools.settings(slapd.uri, f"{slapd.uri}/", **wrong), clock, now=time.time)
    assert [last(report).name for report in reports] == ["service account"] * 2
    assert "invalidCredentials (49)" in last(reports[0]).detail
    assert last(reports[0]).remedy == "Correct `bind_dn` and its password."
    assert slapd.binds(ADMIN) == before + 1
    assert "Pa55" not in repr(reports)


def test_a_base_that_does_not_exist_ends_the_inspection(slapd: Slapd, clock: Clock, tools: Tools) -> None:
    wrong = f"ou=nowhere,{SUFFIX}"
    (report,) = inspect(tools.settings(slapd.uri, ca_file=slapd.ca_file, base=wrong), clock, now=time.time)
    assert last(report).name == "base"
    assert last(report).detail == f"{wrong!r} cannot be read: noSuchObject (32)"


@pytest.mark.parametrize(
    ("attributes", "fault"),
    [
        ({"id_attribute": "objectGUID"}, "has not one readable objectGUID"),
        ({"name_attribute": "sAMAccountName"}, "no entry with sAMAccountName can be read"),
    ],
)
def test_an_id_that_cannot_be_read_ends_the_inspection(
    slapd: Slapd, clock: Clock, tools: Tools, attributes: dict[str, str], fault: str
) -> None:
    slapd.add_person(f"id{fault[-4:-1]}".lower().replace(" ", ""), "password")
    (report,) = inspect(tools.settings(slapd.uri, ca_file=slapd.ca_file, **attributes), clock, now=time.time)
    assert last(report).name == "id attribute"
    assert fault in last(report).detail


def test_a_server_that_hangs_up_ends_the_inspection(faulty: FaultyLdap, clock: Clock, tools: Tools) -> None:
    faulty.on_search = hang_up
    (report,) = inspect(tools.settings(faulty.uri), clock, now=time.time)
    assert last(report) == Step(
        "base", ok=False, detail="the server closed the connection", remedy="See the server's log."
    )
    faulty.on_search = in_turn(entries((SUFFIX, {})), hang_up)
    (report,) = inspect(tools.settings(faulty.uri), clock, now=time.time)
    assert (last(report).name, last(report).detail) == ("id attribute", "the server closed the connection")


def test_a_server_that_hangs_up_when_it_is_asked_for_more_is_well_for_logins(
    faulty: FaultyLdap, clock: Clock, tools: Tools
) -> None:
    well = (entries((SUFFIX, {})), entries(SAMPLE))
    faulty.on_search = in_turn(*well, hang_up)
    (report,) = inspect(tools.settings(faulty.uri), clock, now=time.time)
    assert report.ok is True
    assert report.steps[-1] == Step("clock", ok=True, detail="not known: the server closed the connection")
    faulty.on_search = in_turn(*well, *[entries()] * 3, hang_up)
    (report,) = inspect(tools.settings(faulty.uri), clock, now=time.time)
    assert report.steps[-2].detail == "not compared: the server tells no time that we may read"
    assert report.steps[-1] == Step("rights", ok=True, detail="not known: the server closed the connection")


def test_a_socket_of_this_machine_needs_neither_a_name_nor_tls(slapd: Slapd, clock: Clock, tools: Tools) -> None:
    (report,) = inspect(tools.settings(slapd.ldapi_uri, ca_file=slapd.ca_file), clock, now=time.time)
    steps = {step.name: step.detail for step in report.steps}
    assert report.ok is True
    assert list(steps)[:2] == ["connection", "tls"]
    assert steps["connection"].startswith("the local socket /")
    assert steps["tls"] == "none is needed: a socket of this machine"


def test_a_socket_that_is_not_there_is_told_with_its_path(clock: Clock, tools: Tools) -> None:
    (report,) = inspect(tools.settings("ldapi://%2Fnonexistent%2Fldapi"), clock, now=time.time)
    (step,) = report.steps
    assert (step.name, step.ok) == ("connection", False)
    assert "/nonexistent/ldapi" in step.remedy


def test_servers_can_be_given(slapd: Slapd, clock: Clock, tools: Tools) -> None:
    away = tools.settings(f"ldap://127.0.0.1:{free_port()}")
    (report,) = inspect(away, clock, now=time.time, endpoints=[parse_url(slapd.uri)])
    assert (report.url, report.ok) == (slapd.uri, True)


def test_a_server_that_refuses_start_tls_ends_the_inspection(faulty: FaultyLdap, clock: Clock, tools: Tools) -> None:
    faulty.on_extended = result("extendedResp", 2)
    (report,) = inspect(tools.settings(faulty.uri, start_tls=True), clock, now=time.time)
    assert (last(report).name, last(report).detail) == ("tls", "StartTLS was refused: protocolError (2)")
    assert faulty.service_binds == 0


def test_groups_and_attributes_that_are_wanted_are_tried_too(slapd: Slapd, clock: Clock, tools: Tools) -> None:
    slapd.add_person("grouped", "password")
    wanted = Wanted(groups=True, attributes=frozenset({"entryUUID"}))
    before = slapd.filters()
    (report,) = inspect(
        tools.settings(slapd.uri, ca_file=slapd.ca_file, group_base=GROUPS), clock, wanted, now=time.time
    )
    assert [step.name for step in report.steps] == [*WELL, "attributes", "groups", "clock", "rights"]
    assert report.ok is True
    attributes, groups = report.steps[6:8]
    assert attributes.detail.endswith(f",{SUFFIX} has: 1 of entryUUID")
    assert f" found below {GROUPS} that uid=" in groups.detail
    mine = [text for text in slapd.filters()[len(before) :] if text != "(objectClass=*)"]
    assert [text for text in mine if "Password" not in text] == ["(uid=*)", mine[1]]
    assert mine[1].startswith("(|(member=uid=")


def test_what_the_sample_belongs_to_and_has_is_counted(faulty: FaultyLdap, clock: Clock, tools: Tools) -> None:
    groups = entries((f"cn=a,{GROUPS}", {}), (f"cn=b,{GROUPS}", {}))
    faulty.on_search = in_turn(entries((SUFFIX, {})), entries(SAMPLE), groups)
    wanted = Wanted(groups=True, attributes=frozenset({"Mail", "title"}))
    (report,) = inspect(tools.settings(faulty.uri), clock, wanted, now=time.time)
    assert report.steps[6:8] == (
        Step("attributes", ok=True, detail=f"values that {SAMPLE[0]} has: 2 of Mail, 0 of title"),
        Step("groups", ok=True, detail=f"2 found below {SUFFIX} that {SAMPLE[0]} belongs to directly"),
    )


def test_a_group_base_that_does_not_exist_ends_the_inspection(slapd: Slapd, clock: Clock, tools: Tools) -> None:
    slapd.add_person("groupless", "password")
    wrong = f"ou=nowhere,{SUFFIX}"
    settings = tools.settings(slapd.uri, ca_file=slapd.ca_file, group_base=wrong)
    (report,) = inspect(settings, clock, Wanted(groups=True), now=time.time)
    assert (last(report).name, report.ok) == ("groups", False)
    assert last(report).detail == f"{wrong!r} cannot be searched for groups: noSuchObject (32)"
    assert "`group_base` and `group_filter`" in last(report).remedy
    assert inspect(settings, clock, now=time.time)[0].ok is True


@pytest.mark.parametrize(
    ("answer", "group_filter", "fault"),
    [
        (hang_up, "(member={dn})", "the server closed the connection"),
        (entries(code=4), "(member={dn})", "is in more than 1000 groups, or in more than the server lists"),
        (entries(), "(memberUid={user})", "has no readable uid"),
    ],
)
def test_groups_that_cannot_be_had_end_the_inspection(
    faulty: FaultyLdap, tools: Tools, answer: Answer, group_filter: str, fault: str
) -> None:
    nameless = (SAMPLE[0], {"entryUUID": [b"one"]})
    faulty.on_search = in_turn(entries((SUFFIX, {})), entries(nameless), answer)
    (report,) = inspect(
        tools.settings(faulty.uri, group_filter=group_filter), time.monotonic, Wanted(groups=True), now=time.time
    )
    assert last(report).name == "groups"
    assert fault in last(report).detail


def test_an_attribute_that_is_no_text_ends_the_inspection(faulty: FaultyLdap, clock: Clock, tools: Tools) -> None:
    photo = (SAMPLE[0], {"entryUUID": [b"one"], "uid": [b"alice"], "jpegPhoto": [b"\xff\xd8"]})
    faulty.on_search = in_turn(entries((SUFFIX, {})), entries(photo))
    (report,) = inspect(tools.settings(faulty.uri), clock, Wanted(attributes=frozenset({"jpegPhoto"})), now=time.time)
    assert last(report).name == "attributes"
    assert last(report).detail == f"{SAMPLE[0]!r} has a value of jpegphoto that is no UTF-8 text"
    assert "text" in last(report).remedy


def test_settings_that_are_wrong_in_themselves_are_refused(clock: Clock, tools: Tools) -> None:
    with pytest.raises(ValueError, match="user_filter"):
        inspect(tools.settings("ldap://localhost", user_filter="(uid=x)"), clock, now=time.time)
    with pytest.raises(ValueError, match=r"^group_filter: \(\{dn\}=x\)"):
        inspect(tools.settings("ldap://localhost", group_filter="({dn}=x)"), clock, now=time.time)
