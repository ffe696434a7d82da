"""The pages on directories are held true on real servers: their accounts, access rules and sections lead to a login."""

import shlex
import subprocess
import time
import tomllib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from radius2fa.config.load import load
from radius2fa.config.model import Directory
from radius2fa.directory.diagnosis import verdict_of
from radius2fa.directory.inspect import inspect
from radius2fa.directory.ldap import LdapDirectory
from radius2fa.directory.terms import Result
from radius2fa.directory.wanted import Wanted
from radius2fa.login.ports import BindResult, Entry
from radius2fa.login.reason import Reason
from tests.config.files import CLIENT
from tests.docs.pages import DOCS, Block, blocks, rows
from tests.servers import samba as active_directory
from tests.servers.samba import Samba
from tests.servers.slapd import ADMIN, SUFFIX, Slapd, group_ldif, person_dn, person_ldif
from tests.servers.tls import Authority

PAGES = DOCS / "directories"
PATIENCE = 20.0  # seconds
PASSWORD = "Of-the-service-account-1"
RIGHTS = ("rights", True, "nothing found that is too much", "")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def samba(authority: Authority) -> Iterator[Samba]:
    """A domain controller with the service account that the page makes, and a person in a group in a group."""
    with Samba(authority) as server:
        for line in (line for block in named("active-directory.md", "samba") for line in block.text.splitlines()):
            make(server, *shlex.split(line.removeprefix("$ ")))
        server.add_person("alice", "wonderland")
        server.add_group("Staff", active_directory.person_dn("alice"))
        server.add_group("VPN", active_directory.group_dn("Staff"))
        yield server


@pytest.fixture(scope="module")
def slapd(authority: Authority) -> Iterator[Slapd]:
    """A slapd to which the files of the page were given, with its configuration open to the administrator."""
    people = person_ldif("alice", "wonderland", mail="alice@example.org") + group_ldif("vpn", person_dn("alice"))
    with Slapd(authority=authority, seed=people, extra=f'database config\nrootdn "{ADMIN}"\n') as server:
        server.change("dn: olcDatabase={1}mdb,cn=config\nchangetype: modify\ndelete: olcDbIndex\n")
        for name, option in (("account.ldif", "-a"), ("access.ldif", "-v"), ("index.ldif", "-v")):
            (file,) = named("openldap.md", name)
            server.change(file.text.replace("{SSHA}" + 32 * "x", PASSWORD), option)
        yield server


def test_the_service_account_of_active_directory_has_no_group_and_no_end(samba: Samba) -> None:
    assert make(samba, "samba-tool", "user", "getgroups", "radius2fa") == "Domain Users\n"
    shown = make(samba, "samba-tool", "user", "show", "radius2fa", "--attributes=userAccountControl,adminCount")
    assert "userAccountControl: 66048\n" in shown  # NORMAL_ACCOUNT, DONT_EXPIRE_PASSWORD ([MS-ADTS] 2.2.16)
    assert "adminCount" not in shown


@pytest.mark.parametrize("typed", ["alice", "alice@example.org", "EXAMPLE\\alice"])
@pytest.mark.parametrize("bind_dn", ["", "radius2fa@example.org", "EXAMPLE\\radius2fa"])
def test_the_section_for_active_directory_leads_to_a_login(
    samba: Samba, tmp_path: Path, typed: str, bind_dn: str
) -> None:
    settings = of_samba(samba, tmp_path)
    settings = settings.model_copy(update={"bind_dn": bind_dn or settings.bind_dn})
    groups = {"cn=staff,ou=groups,dc=example,dc=org", "cn=vpn,ou=groups,dc=example,dc=org"}
    domain = {"cn=domain users,cn=users,dc=example,dc=org", "cn=users,cn=builtin,dc=example,dc=org"}
    assert login(settings, typed) == (
        samba.object_guid("alice"),
        groups | domain,
        [BindResult.OK, BindResult.WRONG_PASSWORD],
    )


def test_check_finds_nothing_amiss_with_active_directory(samba: Samba, tmp_path: Path) -> None:
    assert steps(of_samba(samba, tmp_path))[-1] == RIGHTS


def test_the_section_for_openldap_leads_to_a_login(slapd: Slapd, tmp_path: Path) -> None:
    assert login(of_slapd(slapd, tmp_path), "alice") == (
        slapd.entry_uuid("alice"),
        {"cn=vpn,ou=groups,dc=example,dc=org"},
        [BindResult.OK, BindResult.WRONG_PASSWORD],
    )


def test_check_finds_nothing_amiss_with_openldap(slapd: Slapd, tmp_path: Path) -> None:
    assert steps(of_slapd(slapd, tmp_path))[-1] == RIGHTS


@pytest.mark.parametrize(
    ("base", "text", "seen"),
    [
        (SUFFIX, "(uid=alice)", {"objectClass", "uid", "entryUUID"}),
        (SUFFIX, "(cn=vpn)", {"objectClass", "cn", "member"}),
        (SUFFIX, "(mail=alice@example.org)", set()),
        (SUFFIX, "(userPassword=*)", set()),
        ("cn=config", "(objectClass=*)", set()),
    ],
)
def test_the_service_account_of_openldap_reads_what_the_page_gives_it_and_no_more(
    slapd: Slapd, base: str, text: str, seen: set[str]
) -> None:
    account = ["-D", f"cn=radius2fa,ou=services,{SUFFIX}", "-w", PASSWORD]
    command = ["ldapsearch", "-x", "-LLL", "-H", f"ldap://127.0.0.1:{slapd.port}", *account, "-b", base, text, "*", "+"]
    lines = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE).stdout.splitlines()
    assert {line.partition(":")[0] for line in lines if line and line[0] != " "} - {"dn"} == seen


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (row[0].strip("`"), row[2])
        for row in rows(PAGES / "active-directory.md", "What a domain controller says", "data")
    ],
)
def test_a_cause_of_active_directory_is_the_reason_that_the_page_says(data: str, reason: str) -> None:
    assert verdict_of(refusal(data)) is meant(reason)


def test_the_page_has_every_cause_of_active_directory_that_is_more_than_a_wrong_password() -> None:
    causes = {f"{number:03x}" for number in range(0x1000)}
    told = {data for data in causes if verdict_of(refusal(data)) is not BindResult.WRONG_PASSWORD}
    table = rows(PAGES / "active-directory.md", "What a domain controller says", "data")
    assert told == {row[0].strip("`") for row in table if row[2] != "`wrong-password`"}


@pytest.mark.parametrize(("code", "message", "reason"), rows(PAGES / "389-ds.md", "What it says", "code"))
def test_an_answer_of_389_directory_server_is_the_reason_that_the_page_says(
    code: str, message: str, reason: str
) -> None:
    assert verdict_of(Result(int(code), message.strip("`"))) is meant(reason)


@pytest.mark.parametrize("row", rows(PAGES / "README.md", "Which directory", ""), ids=lambda row: row[0].split("]")[0])
def test_the_table_of_directories_says_what_their_pages_say(row: list[str]) -> None:
    page = PAGES / row[0].partition("(")[2].rstrip(")")
    given = next(tomllib.loads(block.text)["directory"][0] for block in blocks("toml") if block.page == page)
    for key, cell in zip(("user_filter", "id_attribute", "name_attribute", "group_filter"), row[3:], strict=True):
        default = Directory.model_fields[key].default
        if cell == "default":
            assert given.get(key, default) == default
        elif cell.startswith("`"):
            assert given.get(key, default) == cell.split("`")[1]
        else:
            assert cell.endswith("see there")


def named(page: str, name: str) -> list[Block]:
    """The blocks of a page that have a name."""
    found = [block for block in blocks("ldif", "console") if (block.page, block.name) == (PAGES / page, name)]
    assert found
    return found


def section(page: str, folder: Path, changes: dict[str, str]) -> Directory:
    """The first section of a page, as it is loaded after texts in it were replaced, which have to be there."""
    text = next(block.text for block in blocks("toml") if block.page == PAGES / page)
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    for name, content in (("radius2fa.toml", text + CLIENT), ("directory.password", PASSWORD)):
        (folder / name).touch(0o600)
        (folder / name).write_text(content)
    (directory,) = load(folder / "radius2fa.toml").directory
    return directory.model_copy(update={"connect_timeout": 4.0, "timeout": 4.0})  # Samba has one process here


def of_samba(samba: Samba, folder: Path) -> Directory:
    """The page's section for a server of the domain example.org."""
    changes = {
        '["ldaps://dc1.ad.example.org", "ldaps://dc2.ad.example.org"]': f'["{samba.ldaps_uri}"]',
        "/etc/radius2fa/ad-ca.pem": str(samba.ca_file),
        "DC=ad,DC=example": "DC=example",
        "ad.example.org": "example.org",
        "ADEX": "EXAMPLE",
    }
    return section("active-directory.md", folder, changes)


def of_slapd(slapd: Slapd, folder: Path) -> Directory:
    """The page's section for a server."""
    changes = {
        '["ldaps://ldap1.example.org", "ldaps://ldap2.example.org"]': f'["{slapd.ldaps_uri}"]',
        "/etc/radius2fa/ldap-ca.pem": str(slapd.ca_file),
    }
    return section("openldap.md", folder, changes)


def login(settings: Directory, typed: str) -> tuple[str, set[str], list[BindResult]]:
    """Whom a name leads to, their groups, and what is said to the right password and to a wrong one."""
    with closing(LdapDirectory(settings, time.monotonic, Wanted(groups=True))) as directory:
        entry = directory.find(typed, time.monotonic() + PATIENCE)
        assert isinstance(entry, Entry)
        passwords = (b"wonderland", b"wrong")
        verdicts = [directory.bind(entry, password, time.monotonic() + PATIENCE) for password in passwords]
        return entry.subject, set(entry.groups), verdicts


def steps(settings: Directory) -> list[tuple[str, bool, str, str]]:
    """What `radius2fa check` says of the only server, all of which has to be well."""
    (report,) = inspect(settings, time.monotonic, Wanted(groups=True), now=time.time)
    assert report.ok
    return [(step.name, step.ok, step.detail, step.remedy) for step in report.steps]


def make(samba: Samba, *words: str) -> str:
    """Run a command of the page on the domain controller, with the password that it would ask for."""
    password = [PASSWORD] if words[1:3] == ("user", "create") else []
    place = ["-H", samba.uri, f"--simple-bind-dn={active_directory.ADMIN}"]
    command = [*words, *password, *place, f"--password={active_directory.ADMIN_PASSWORD}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refusal(data: str) -> Result:
    """A refusal as domain controllers write it."""
    return Result(49, f"80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data {data}, v1db1")


def meant(reason: str) -> BindResult:
    """What a bind came to, by the word for it in the journal."""
    found = Reason(reason.strip("`"))
    return BindResult.REFUSED if found is Reason.BIND_REFUSED else BindResult[found.name]
