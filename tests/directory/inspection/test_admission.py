"""What is said of a service account that is refused. The refusals are those of real servers."""

import time

import pytest
from pydantic import SecretBytes

from radius2fa.directory.inspect import inspect
from radius2fa.directory.inspection.steps import Step
from tests.directory.conftest import Tools
from tests.servers.faulty_ldap import FaultyLdap, hang_up, result
from tests.servers.samba import Samba, person_dn
from tests.servers.slapd import ADMIN, Slapd
from tests.servers.tls import Authority

PASSWORD = "Service-Pa55"


def bound(tools: Tools, url: str, **others: object) -> Step:
    (report,) = inspect(tools.settings(url, **others), time.monotonic, now=time.time)  # type: ignore[arg-type]
    (step,) = (step for step in report.steps if step.name == "service account")
    return step


@pytest.mark.parametrize(
    ("change", "reason", "remedy"),
    [
        ("age_password", "password expired", "new password"),
        ("must_change", "password must change", "without asking for a change"),
        ("disable", "account disabled", "Enable"),
        ("expire", "account expired", "later end"),
        ("keep_out", "not at this hour or from this workstation", "all hours"),
    ],
)
def test_why_active_directory_refuses_the_account_is_told(
    samba: Samba, tools: Tools, change: str, reason: str, remedy: str
) -> None:
    name = f"svc{change.replace('_', '')}"
    samba.add_person(name, PASSWORD)
    getattr(samba, change)(name)
    account = {"bind_dn": person_dn(name), "bind_password": SecretBytes(PASSWORD.encode())}
    (report,) = inspect(tools.settings_of(samba, **account), time.monotonic, now=time.time)
    step = report.steps[-1]
    assert (step.name, step.ok) == ("service account", False)
    assert step.detail.endswith(f"({reason})")
    assert remedy in step.remedy
    assert PASSWORD not in repr(report)


def test_a_wrong_password_is_to_be_corrected(slapd: Slapd, tools: Tools) -> None:
    step = bound(tools, slapd.uri, bind_password=SecretBytes(b"wrong"))
    assert step.detail == f"the bind of {ADMIN} was refused: invalidCredentials (49)"
    assert step.remedy == "Correct `bind_dn` and its password."


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (7, "`bind_method`"),
        (8, "`start_tls`"),
        (13, "`start_tls`"),
        (34, "as a DN"),
        (50, "See the server's log"),
        (80, "Correct `bind_dn` and its password."),
    ],
)
def test_other_answers_have_their_own_remedies(faulty: FaultyLdap, tools: Tools, code: int, remedy: str) -> None:
    faulty.on_service_bind = result("bindResponse", code)
    step = bound(tools, faulty.uri)
    assert (step.ok, remedy in step.remedy) == (False, True)


def test_openldap_wants_a_dn(slapd: Slapd, tools: Tools) -> None:
    assert bound(tools, slapd.uri, bind_dn="admin@example.org").remedy == "Write `bind_dn` as a DN."


def test_a_server_that_hangs_up_at_the_bind_may_want_a_certificate(faulty: FaultyLdap, tools: Tools) -> None:
    faulty.on_service_bind = hang_up
    step = bound(tools, faulty.uri)
    assert step.detail == "the server closed the connection"
    assert "client_certificate" in step.remedy


def test_nobody_is_bound_where_there_is_no_account(slapd: Slapd, tools: Tools) -> None:
    step = bound(tools, slapd.uri, bind_dn="", bind_password=None)
    assert step == Step("service account", ok=True, detail="none, as configured: anonymous")


def test_where_nobody_may_search_anonymously_an_account_is_to_be_set(tools: Tools) -> None:
    with Slapd(extra="require authc\n") as server:
        settings = tools.settings(server.uri, bind_dn="", bind_password=None)
        (report,) = inspect(settings, time.monotonic, now=time.time)
    assert report.steps[-1].name == "base"
    assert report.steps[-1].remedy.startswith("Set `bind_dn` and its password")


def test_by_a_local_socket_the_server_knows_who_we_are(slapd: Slapd, tools: Tools) -> None:
    step = bound(tools, slapd.ldapi_uri, bind_method="external", bind_dn="", bind_password=None)
    assert step == Step("service account", ok=True, detail="external: by the user that this runs as")


def test_by_a_certificate_the_server_knows_who_we_are(authority: Authority, tools: Tools) -> None:
    ours = authority.issue("ours", ("client.example.org",))
    files = {"client_certificate": ours.certificate, "client_key": ours.key, "ca_file": authority.ca_file}
    with Slapd(authority=authority, asks_for_certificate=True) as server:
        step = bound(tools, server.uri, bind_method="external", bind_dn="", bind_password=None, **files)
    assert step == Step("service account", ok=True, detail="external: by our `client_certificate`")


def test_where_the_transport_proves_nobody_that_is_told(slapd: Slapd, tools: Tools) -> None:
    step = bound(tools, slapd.uri, bind_method="external", bind_dn="", bind_password=None)
    assert step.ok is False
    assert step.remedy == "The server does not have this method: see `bind_method`."


def test_a_server_that_has_no_account_for_our_certificate_is_to_map_it(faulty: FaultyLdap, tools: Tools) -> None:
    faulty.on_bind = result("bindResponse", 49)
    step = bound(tools, faulty.uri, bind_method="external", bind_dn="", bind_password=None)
    assert step.ok is False
    assert step.remedy.startswith("The server knows us by our `client_certificate`: let it map that to an account")
