"""The demo's directory, asked by OpenLDAP's own clients and by radius2fa's adapter."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretBytes

from radius2fa.config.model import Directory
from radius2fa.directory.ldap import LdapDirectory
from radius2fa.login.ports import BindResult, Entry, NotFound
from tests.demo.tools import tool

SUFFIX = "dc=example,dc=org"
ALICE = f"uid=alice,ou=people,{SUFFIX}"
CAROL = f"uid=carol,ou=people,{SUFFIX}"
SEARCHER = f"uid=searcher,ou=services,{SUFFIX}"
AS_SEARCHER = ("-D", SEARCHER, "-w", "finding")

SUCCESS = 0  # RFC 4511 section 4.1.9; the exit codes of OpenLDAP's clients are the result codes
PROTOCOL_ERROR = 2
AUTH_METHOD_NOT_SUPPORTED = 7
NO_SUCH_OBJECT = 32
INVALID_DN = 34
INVALID_CREDENTIALS = 49
INSUFFICIENT_ACCESS = 50
UNWILLING = 53


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    script = Path(__file__).with_name("serve_directory.py")
    with subprocess.Popen([sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        yield int(server.stdout.readline())
        server.stdin.close()
        assert server.wait(10) == 0


def ask(port: int, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [tool(program), "-x", "-H", f"ldap://127.0.0.1:{port}", "-o", "ldif-wrap=no", *arguments]
    if program == "ldapsearch":
        command.insert(1, "-LLL")
    return subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)


def who(port: int, dn: str, password: str) -> subprocess.CompletedProcess[str]:
    return ask(port, "ldapwhoami", "-D", dn, "-w", password)


def test_the_right_password_is_accepted(port: int) -> None:
    assert who(port, ALICE, "wonderland").stdout == f"dn:{ALICE}\n"


def test_names_in_a_dn_have_no_case(port: int) -> None:
    assert who(port, "UID=ALICE,OU=People,DC=Example,DC=Org", "wonderland").stdout == f"dn:{ALICE}\n"


def test_whoever_does_not_bind_is_nobody(port: int) -> None:
    assert ask(port, "ldapwhoami").stdout == "anonymous\n"


@pytest.mark.parametrize(
    ("dn", "password", "result"),
    [
        (ALICE, "Wonderland", INVALID_CREDENTIALS),
        (f"uid=mallory,ou=people,{SUFFIX}", "wonderland", INVALID_CREDENTIALS),
        (f"ou=people,{SUFFIX}", "wonderland", INVALID_CREDENTIALS),
        ("alice", "wonderland", INVALID_DN),
    ],
)
def test_anything_else_is_refused(port: int, dn: str, password: str, result: int) -> None:
    refused = who(port, dn, password)
    assert (refused.returncode, refused.stdout) == (result, "")
    assert "data" not in refused.stderr


@pytest.mark.parametrize(
    ("credentials", "result"),
    [
        (b"\x80\x00", UNWILLING),  # simple: no password
        (b"\xa3\x0a\x04\x08EXTERNAL", AUTH_METHOD_NOT_SUPPORTED),
    ],
)
def test_a_bind_without_a_password_is_refused(port: int, credentials: bytes, result: int) -> None:
    # OpenLDAP's clients send neither, so here are the octets (RFC 4511 section 4.2): version 3, Alice's DN.
    dn = ALICE.encode()
    bind = b"\x02\x01\x03\x04" + bytes([len(dn)]) + dn + credentials
    operation = b"\x02\x01\x01\x60" + bytes([len(bind)]) + bind
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(b"\x30" + bytes([len(operation)]) + operation)
        assert connection.recv(4096)[7:10] == bytes([0x0A, 1, result])  # behind message, id and BindResponse


def test_a_disabled_account_is_told_apart_by_the_right_password_only(port: int) -> None:
    right, wrong = who(port, CAROL, "wonderland"), who(port, CAROL, "wanderland")
    assert (right.returncode, wrong.returncode) == (INVALID_CREDENTIALS, INVALID_CREDENTIALS)
    assert ", data 533, " in right.stderr
    assert "data" not in wrong.stderr


def test_a_person_is_found_with_a_stable_id_and_without_a_password(port: int) -> None:
    found = ask(port, "ldapsearch", *AS_SEARCHER, "-b", SUFFIX, "(&(objectClass=person)(uid=Alice))")
    assert found.stdout.splitlines() == [
        f"dn: {ALICE}",
        "objectClass: inetOrgPerson",
        "objectClass: organizationalPerson",
        "objectClass: person",
        "objectClass: top",
        "cn: Alice Liddell",
        "entryUUID: 11111111-0000-4000-8000-000000000001",
        "mail: alice@example.org",
        "sn: Liddell",
        "uid: alice",
        "",
    ]


def test_only_the_attributes_that_were_asked_for_come(port: int) -> None:
    found = ask(port, "ldapsearch", *AS_SEARCHER, "-b", SUFFIX, "(uid=carol)", "uid", "userPassword")
    assert found.stdout == f"dn: {CAROL}\nuid: carol\n\n"


@pytest.mark.parametrize("asked", [r"(uid=\ff)", "(uid~=alice)", "(memberOf:1.2.840.113556.1.4.1941:=cn=admins)"])
def test_a_filter_that_cannot_be_evaluated_finds_nobody(port: int, asked: str) -> None:
    found = ask(port, "ldapsearch", *AS_SEARCHER, "-b", SUFFIX, asked, "uid")
    assert (found.returncode, found.stdout) == (SUCCESS, "")


def test_a_base_that_is_not_there_is_told(port: int) -> None:
    assert ask(port, "ldapsearch", *AS_SEARCHER, "-b", "dc=example,dc=com").returncode == NO_SUCH_OBJECT


def test_strangers_may_not_search(port: int) -> None:
    refused = ask(port, "ldapsearch", "-b", SUFFIX, "(uid=alice)")
    assert (refused.returncode, refused.stdout) == (INSUFFICIENT_ACCESS, "")


def test_strangers_see_what_the_server_can(port: int) -> None:
    seen = ask(port, "ldapsearch", "-b", "", "-s", "base", "+", "*").stdout
    assert seen.splitlines()[1:] == [
        "supportedLDAPVersion: 3",
        f"namingContexts: {SUFFIX}",
        "supportedExtension: 1.3.6.1.4.1.4203.1.11.3",
        "",
    ]


@pytest.mark.parametrize(
    ("program", "arguments", "result"),
    [
        ("ldapdelete", [ALICE], UNWILLING),
        ("ldapmodrdn", [ALICE, "uid=bob"], UNWILLING),
        ("ldapcompare", [ALICE, "uid:alice"], UNWILLING),
        ("ldappasswd", ["-s", "new", ALICE], PROTOCOL_ERROR),
    ],
)
def test_nothing_can_be_changed(port: int, program: str, arguments: list[str], result: int) -> None:
    refused = ask(port, program, *AS_SEARCHER, *arguments)
    assert f"({result})" in refused.stdout + refused.stderr
    assert who(port, ALICE, "wonderland").stdout == f"dn:{ALICE}\n"


def test_there_is_no_tls(port: int) -> None:
    assert ask(port, "ldapwhoami", "-ZZ").returncode != SUCCESS


@pytest.fixture
def directory(port: int) -> Iterator[LdapDirectory]:
    settings = Directory(
        urls=(f"ldap://127.0.0.1:{port}",),
        start_tls=False,
        bind_dn=SEARCHER,
        bind_password=SecretBytes(b"finding"),
        base=f"ou=people,{SUFFIX}",
    )
    adapter = LdapDirectory(settings, time.monotonic)
    yield adapter
    adapter.close()


def test_radius2fa_finds_a_person(directory: LdapDirectory) -> None:
    assert directory.find("ALICE", time.monotonic() + 10) == Entry(
        subject="11111111-0000-4000-8000-000000000001", dn=ALICE, name="alice", typed="ALICE", directory="main"
    )
    assert directory.find("mallory", time.monotonic() + 10) is NotFound.UNKNOWN


@pytest.mark.parametrize(
    ("name", "password", "result"),
    [
        ("alice", b"wonderland", BindResult.OK),
        ("alice", b"Wonderland", BindResult.WRONG_PASSWORD),
        ("alice", b"\xff", BindResult.WRONG_PASSWORD),
        ("carol", b"wonderland", BindResult.ACCOUNT_DISABLED),
        ("carol", b"Wonderland", BindResult.WRONG_PASSWORD),
    ],
)
def test_radius2fa_checks_a_password(directory: LdapDirectory, name: str, password: bytes, result: BindResult) -> None:
    entry = directory.find(name, time.monotonic() + 10)
    assert isinstance(entry, Entry)
    assert directory.bind(entry, password, time.monotonic() + 10) is result
    directory.probe(time.monotonic() + 10)


def test_a_group_is_found_by_its_member(port: int) -> None:
    found = ask(port, "ldapsearch", *AS_SEARCHER, "-b", SUFFIX, f"(member={ALICE})", "cn")
    assert f"dn: cn=admins,ou=groups,{SUFFIX}\ncn: admins\n" in found.stdout
