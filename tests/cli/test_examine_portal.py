import json
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from radius2fa.cli.examine import PAGES, address, holder, unbound
from radius2fa.cli.examine_portal import certificate, covers, mail_server
from radius2fa.cli.verdict import Verdict
from radius2fa.config.model import Listen, Mail
from tests.cli.files import command, configured
from tests.servers.slapd import Slapd, person_ldif
from tests.servers.smtp import SmtpServer
from tests.servers.tls import Authority

DAY = 86400.0


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def found(config: Path, *options: str) -> dict[str, tuple[str, str]]:
    """Return what was found out first of each subject."""
    report = json.loads(command(config, "check", "--json", *options).stdout)
    return {check["subject"]: (check["verdict"], check["message"]) for check in reversed(report["checks"])}


# The whole


def test_a_portal_that_is_right_is_well(tmp_path: Path, authority: Authority) -> None:
    good = authority.issue("portal", ("portal.example.org",), until=datetime.now(UTC) + timedelta(days=20))
    with SmtpServer(authority.issue("mail")) as mail, Slapd(seed=person_ldif("alice", "wonderland")) as slapd:
        portal = (
            f'[portal]\nurl = "https://portal.example.org"\nlisten = ["127.0.0.1:0"]\n'
            f'certificate = "{good.certificate}"\nkey = "{good.key}"\n'
            f'[portal.mail]\nserver = "localhost"\nport = {mail.port}\nsender = "r@example.org"\n'
            f'ca_file = "{authority.ca_file}"\n'
        )
        checks = found(configured(tmp_path, url=slapd.uri, more=portal))
    assert checks["portal certificate"][0] == "ok"
    assert "for portal.example.org, valid from" in checks["portal certificate"][1]
    assert checks["portal listen 127.0.0.1:0"] == ("ok", "free")
    assert checks[f"mail localhost:{mail.port}"] == ("ok", "answers, by TLS")
    assert checks[f"{slapd.uri} attributes"][0] == "ok"
    assert "portal" not in checks


def test_without_an_address_there_is_no_portal_to_look_at(tmp_path: Path) -> None:
    checks = found(configured(tmp_path))
    assert not any("portal" in subject for subject in checks)


def test_a_portal_that_would_not_start_is_a_warning(tmp_path: Path) -> None:
    """Its address may be there for the texts of this server, and the portal itself on another machine."""
    checks = found(configured(tmp_path, more='[portal]\nurl = "https://portal.example.org"\n'))
    assert checks["portal"] == ("warning", "does not start here: nobody speaks TLS for https://portal.example.org")


def test_offline_nothing_is_tried(tmp_path: Path) -> None:
    config = configured(tmp_path, more='[portal]\nurl = "https://portal.example.org"\n')
    assert list(found(config, "--offline")) == [str(config)]


def test_a_group_of_the_portal_that_is_not_there_is_a_warning(tmp_path: Path) -> None:
    group = "cn=helpdesk,ou=groups,dc=example,dc=org"
    portal = f'[portal]\nurl = "http://localhost:8443"\nlisten = ["127.0.0.1:0"]\nhelpdesk_groups = ["{group}"]\n'
    with Slapd(seed=person_ldif("alice", "wonderland")) as slapd:
        report = json.loads(command(configured(tmp_path, url=slapd.uri, more=portal), "check", "--json").stdout)
    (check,) = [check for check in report["checks"] if check["subject"] == f"group {group}"]
    assert check["verdict"] == "warning"
    assert check["remedy"] == ("Correct the DN in portal.helpdesk_groups, or let the service account read the group.")


# The certificate


def verdicts(authority: Authority, now: float, names: tuple[str, ...] = ("portal.example.org",)) -> list[Any]:
    made = authority.issue("portal", names, until=datetime.fromtimestamp(100 * DAY, UTC))
    checks = certificate("portal.example.org", made.certificate, made.key, now)
    return [(check.verdict, check.message) for check in checks][1:]


@pytest.mark.parametrize(
    ("day", "verdict", "message"),
    [
        (71, Verdict.WARNING, "expires in 29 days"),
        (99, Verdict.WARNING, "expires within two days"),
        (101, Verdict.FAULT, "has expired"),
        (69, Verdict.FAULT, "is not valid yet"),
    ],
)
def test_the_end_of_the_certificate_is_told(authority: Authority, day: int, verdict: Verdict, message: str) -> None:
    assert verdicts(authority, day * DAY)[0] == (verdict, message)


def test_a_certificate_for_another_host_is_a_fault(authority: Authority) -> None:
    expected = (Verdict.FAULT, "is not for portal.example.org: browsers refuse it")
    assert expected in verdicts(authority, 75 * DAY, ("www.example.org", "*.portal.example.org"))
    assert expected not in verdicts(authority, 75 * DAY, ("www.example.org", "*.example.org"))


@pytest.mark.parametrize(
    ("name", "host", "covered"),
    [
        ("portal.example.org", "portal.example.org", True),
        ("Portal.Example.ORG", "portal.example.org", True),
        ("*.example.org", "portal.example.org", True),
        ("*.example.org", "a.portal.example.org", False),
        ("*.example.org", "example.org", False),
        ("*", "portal", False),
        ("*.", "portal", False),
        ("example.org", "portal.example.org", False),
        ("p*.example.org", "portal.example.org", False),
        ("192.0.2.1", "192.0.2.1", True),
        ("2001:db8:0::1", "2001:db8::1", True),
        ("*.0.2.1", "192.0.2.1", False),
    ],
)
def test_a_name_with_a_star_is_for_one_label(name: str, host: str, covered: bool) -> None:  # noqa: FBT001 - a case
    assert covers([name], host) is covered


def test_a_key_of_another_certificate_is_a_fault(authority: Authority) -> None:
    one, other = authority.issue("one"), authority.issue("other")
    (check,) = certificate("localhost", one.certificate, other.key, 0)
    assert check.verdict is Verdict.FAULT
    assert check.message == f"the key in {other.key} is not that of the certificate in {one.certificate}"


# Mail


def mail_to(server: SmtpServer, **more: Any) -> Mail:
    return Mail.model_validate({"server": "localhost", "port": server.port, "sender": "r@example.org"} | more)


def test_the_mail_server_is_asked_and_sent_nothing(authority: Authority) -> None:
    with SmtpServer(authority.good(), account="r:x") as server:
        check = mail_server(mail_to(server, ca_file=authority.ca_file, user="r", password=b"x"))
    assert (check.verdict, check.message) == (Verdict.OK, "answers, by TLS, as 'r'")
    assert server.accounts == ["r:x"]
    assert server.received == []


def test_what_is_wrong_with_the_mail_server_is_told_apart(authority: Authority, tmp_path: Path) -> None:
    ca: dict[str, Any] = {"ca_file": authority.ca_file}
    with SmtpServer(authority.good(), account="r:x") as server:
        wrong_password = mail_server(mail_to(server, **ca, user="r", password=b"y"))
        unknown = mail_server(mail_to(server))
        no_file = mail_server(mail_to(server, ca_file=tmp_path / "gone"))
    with SmtpServer() as server:
        no_tls = mail_server(mail_to(server, **ca))
        at_once = mail_server(mail_to(server, **ca, security="tls"))
    gone = mail_server(mail_to(server))
    assert (wrong_password.verdict, wrong_password.message) == (Verdict.FAULT, "535 5.7.8 wrong name or password")
    assert unknown.verdict is Verdict.FAULT
    assert unknown.message.startswith("its certificate is not taken: ")
    assert no_file.message == f"{tmp_path / 'gone'} cannot be read: No such file or directory"
    assert (no_tls.verdict, "STARTTLS" in no_tls.message) == (Verdict.FAULT, True)
    assert (at_once.verdict, at_once.message[:24]) == (Verdict.FAULT, "TLS does not come about:")
    assert (gone.verdict, gone.message) == (Verdict.UNAVAILABLE, "Connection refused")


# Addresses


def test_who_has_an_address_of_the_portal_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert "pytest" in holder(port, tables=PAGES.tables)
        assert holder(port) == ""
        check = address(Listen(host="127.0.0.1", port=port), PAGES)
    assert (check.subject, check.verdict) == (f"portal listen 127.0.0.1:{port}", Verdict.FAULT)
    assert check.remedy == "Stop it, or choose another port in portal.listen."


def test_a_connection_that_has_just_ended_is_not_in_the_way() -> None:
    with socket.create_server(("127.0.0.1", 0)) as before:
        port = before.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as asking:
            before.accept()[0].close()
            asking.recv(1)
    assert address(Listen(host="127.0.0.1", port=port), PAGES).verdict is Verdict.OK


def test_a_port_that_needs_a_privilege_is_told_with_one_that_does_not() -> None:
    check = unbound("portal listen", PermissionError(13, "no"), str, PAGES)
    assert check.remedy == "Use port 8443."
