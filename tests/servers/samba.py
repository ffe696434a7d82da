"""A real Active Directory domain controller for tests: Samba, answering by LDAP on an address of the loopback."""

import atexit
import functools
import random
import re
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from base64 import b64decode
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import pytest

from tests.servers.slapd import ldif
from tests.servers.tls import Authority

PACKAGES = "samba samba-common-bin samba-dsdb-modules samba-vfs-modules samba-ad-provision ldap-utils"
SAMBA = "/usr/sbin/samba"
SUFFIX = "DC=example,DC=org"
PEOPLE = f"OU=People,{SUFFIX}"
LEAVERS = f"OU=Leavers,{SUFFIX}"
GROUPS = f"OU=Groups,{SUFFIX}"
ADMIN = f"CN=Administrator,CN=Users,{SUFFIX}"
ADMIN_PASSWORD = "Secret-of-tests-1"
USER_FILTER = "(&(objectCategory=person)(objectClass=user)(|(sAMAccountName={user})(mail={name})))"
LOCKED_AFTER = 5  # wrong passwords
STARTS_WITHIN = 30.0  # seconds

NORMAL_ACCOUNT = 0x200  # userAccountControl ([MS-ADTS] 2.2.16)
ACCOUNT_DISABLED = 0x2
LONG_AGO = "116444736000000000"  # 1970-01-01 in the 100 nanoseconds since 1601 that Windows counts

# For Debian's own Python, which has Samba's library. The control says that pwdLastSet is not Samba's to choose.
_AGE_PASSWORD = """
import sys
from ldb import FLAG_MOD_REPLACE, Dn, Message, MessageElement
from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB

settings, database, dn = sys.argv[1:]
lp = LoadParm()
lp.load(settings)
samdb = SamDB(database, session_info=system_session(), lp=lp)
change = Message(Dn(samdb, dn))
change["pwdLastSet"] = MessageElement("116444736000000000", FLAG_MOD_REPLACE, "pwdLastSet")
samdb.modify(change, controls=["local_oid:1.3.6.1.4.1.7165.4.3.20:0"])
"""

_CONFIGURATION = """\
[global]
netbios name = DC1
realm = EXAMPLE.ORG
workgroup = EXAMPLE
server role = active directory domain controller
server services = ldap
interfaces = {address}/8
bind interfaces only = yes
ldap server require strong auth = no
private dir = {folder}/private
state directory = {folder}/state
lock directory = {folder}
cache directory = {folder}/cache
pid directory = {folder}/pid
ncalrpc dir = {folder}/ncalrpc
log file = {folder}/log
posix:eadb = {folder}/eadb.tdb
panic action =
ldb:nosync = true
tls enabled = yes
tls cafile = {ca_file}
tls certfile = {certificate}
tls keyfile = {key}
"""


def person_dn(name: str, above: str = PEOPLE) -> str:
    """The DN of a person whose name, plain or not, is also the CN."""
    return f"CN={_escaped(name)},{above}"


def group_dn(name: str) -> str:
    """The DN of a group."""
    return f"CN={_escaped(name)},{GROUPS}"


class Samba:
    """A domain controller of the domain EXAMPLE (example.org) with people below OU=People. Use as a context manager.

    It has LDAP, StartTLS and LDAPS on their own ports, for which it has to be started as root, of an address that is
    its own. Passwords may be of any form; `LOCKED_AFTER` wrong ones lock an account.
    """

    def __init__(self, authority: Authority) -> None:
        self.ca_file = authority.ca_file
        self._folder = Path(tempfile.mkdtemp(prefix="samba-"))
        self.address = _free_address()
        shutil.copytree(_provisioned(), self._folder, dirs_exist_ok=True)
        certificate = authority.issue("samba", (self.address,))
        certificate.key.chmod(0o600)  # Samba takes no other
        values = {"folder": self._folder, "address": self.address, "ca_file": self.ca_file}
        files = {"certificate": certificate.certificate, "key": certificate.key}
        (self._folder / "etc/smb.conf").write_text(_CONFIGURATION.format(**values, **files))
        self._process: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None

    @property
    def uri(self) -> str:
        """`ldap://`, by the address that the certificate holds."""
        return f"ldap://{self.address}"

    @property
    def ldaps_uri(self) -> str:
        """`ldaps://`, likewise."""
        return f"ldaps://{self.address}"

    def __enter__(self) -> Self:
        command = [SAMBA, "-F", "-M", "single", "--no-process-group", "-s", str(self._folder / "etc/smb.conf")]
        self._output = (self._folder / "output").open("wb")
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self._output, stderr=subprocess.STDOUT
        )
        self._wait_until_it_listens()
        policy = [("pwdProperties", "0"), ("minPwdLength", "0"), ("minPwdAge", "0"), ("pwdHistoryLength", "0")]
        self.modify(SUFFIX, *policy, ("lockoutThreshold", str(LOCKED_AFTER)))
        for dn in (PEOPLE, LEAVERS, GROUPS):
            self.add(dn, [("objectClass", "organizationalUnit")])
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        if self._process is not None and self._output is not None:
            self._process.terminate()
            self._process.wait(STARTS_WITHIN)
            self._output.close()
        shutil.rmtree(self._folder)

    def add_person(self, name: str, password: str | bytes, **attributes: str | tuple[str, ...]) -> None:
        """Add a person, with `name` as sAMAccountName and CN, and `name`@example.org as userPrincipalName."""
        text = password.decode() if isinstance(password, bytes) else password
        values: dict[str, str | bytes | tuple[str, ...]] = {
            "objectClass": "user",
            "sAMAccountName": name,
            "userPrincipalName": f"{name}@example.org",
            "userAccountControl": str(NORMAL_ACCOUNT),
            "unicodePwd": f'"{text}"'.encode("utf-16-le"),  # [MS-ADTS] 3.1.1.3.1.5.1
            **attributes,
        }
        pairs = [
            (key, each) for key, value in values.items() for each in (value if isinstance(value, tuple) else (value,))
        ]
        self.add(person_dn(name), pairs)

    def add_group(self, name: str, *members: str) -> None:
        """Add a group with members, given by their DNs."""
        self.add(group_dn(name), [("objectClass", "group"), *(("member", dn) for dn in members)])

    def add(self, dn: str, attributes: Iterable[tuple[str, str | bytes]]) -> None:
        """Add an entry."""
        self.change(ldif(dn, attributes), "-a")

    def disable(self, name: str) -> None:
        """Disable an account."""
        self.modify(person_dn(name), ("userAccountControl", str(NORMAL_ACCOUNT | ACCOUNT_DISABLED)))

    def expire(self, name: str) -> None:
        """Let an account have ended long ago."""
        self.modify(person_dn(name), ("accountExpires", LONG_AGO))

    def must_change(self, name: str) -> None:
        """Let a password have to be changed at the next logon."""
        self.modify(person_dn(name), ("pwdLastSet", "0"))

    def age_password(self, name: str) -> None:
        """Let a password be one of long ago, which only whoever opens the database itself can do."""
        arguments = [str(self._folder / "etc/smb.conf"), str(self._folder / "private/sam.ldb"), person_dn(name)]
        done = subprocess.run(["/usr/bin/python3", "-c", _AGE_PASSWORD, *arguments], capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()

    def keep_out(self, name: str) -> None:
        """Let there be no hour of the week at which somebody may log on."""
        self.modify(person_dn(name), ("logonHours", bytes(21)))

    def rename(self, name: str, new_name: str) -> None:
        """Give a person another name, and so another DN; the objectGUID stays."""
        self.move(name, PEOPLE, new_name)
        self.modify(person_dn(new_name), ("sAMAccountName", new_name), ("userPrincipalName", f"{new_name}@example.org"))

    def move(self, name: str, to: str, new_name: str = "") -> None:
        """Move a person below another entry."""
        rdn = [("newrdn", f"CN={_escaped(new_name or name)}"), ("deleteoldrdn", "1")]
        self.change(ldif(person_dn(name), [("changetype", "modrdn"), *rdn, ("newsuperior", to)]))

    def modify(self, dn: str, *attributes: tuple[str, str | bytes]) -> None:
        """Put values in the place of those that an entry has."""
        replaced = "-\n".join(
            ldif("", [("replace", key), (key, value)])[len("dn:\n") : -1] for key, value in attributes
        )
        self.change(ldif(dn, [("changetype", "modify")])[:-1] + replaced + "\n")

    def change(self, text: str, *options: str) -> None:
        """Make changes given in LDIF, as the administrator."""
        done = subprocess.run(
            ["ldapmodify", *self._login(), *options], input=text.encode(), capture_output=True, check=False
        )
        assert done.returncode == 0, f"{text}\n{done.stderr.decode()}"

    def object_guid(self, name: str) -> str:
        """The stable id of a person, asked of ldapsearch."""
        command = ["ldapsearch", *self._login(), "-LLL", "-o", "ldif-wrap=no", "-b", PEOPLE]
        answer = subprocess.run(
            [*command, f"(sAMAccountName={name})", "objectGUID"], check=True, capture_output=True, text=True
        )
        (octets,) = re.findall(r"^objectGUID:: (.*)$", answer.stdout, re.MULTILINE)
        return str(uuid.UUID(bytes_le=b64decode(octets)))

    def _login(self) -> list[str]:
        return ["-x", "-H", self.uri, "-D", ADMIN, "-w", ADMIN_PASSWORD]

    def _wait_until_it_listens(self) -> None:
        """Wait on the process and its last port, with a deadline."""
        assert self._process is not None
        deadline = time.monotonic() + STARTS_WITHIN
        while time.monotonic() < deadline and self._process.poll() is None:
            if all(_listens(self.address, port) for port in (389, 636)):
                return
            time.sleep(0.02)  # nothing tells when a port begins to listen
        said = (self._folder / "output").read_text(errors="replace")
        if (self._folder / "log").exists():
            said += (self._folder / "log").read_text(errors="replace")
        pytest.fail(f"Samba did not start as root on {self.address}, ports 389 and 636:\n{said}")


@functools.cache
def _provisioned() -> Path:
    """Make a new domain, which takes seconds, once for all tests. Return its folder, to be copied."""
    needed = (SAMBA, "samba-tool", "ldapmodify", "/usr/share/samba/setup/provision.ldif")
    if any(shutil.which(name) is None and not Path(name).exists() for name in needed):
        pytest.fail(f"Samba is missing, or a part of it: apt-get install --no-install-recommends {PACKAGES}")
    folder = Path(tempfile.mkdtemp(prefix="samba-domain-"))
    atexit.register(shutil.rmtree, folder)
    command = ["samba-tool", "domain", "provision", "--realm=EXAMPLE.ORG", "--domain=EXAMPLE", "--server-role=dc"]
    options = [f"--option=posix:eadb={folder}/eadb.tdb", "--option=interfaces=lo", "--option=bind interfaces only=yes"]
    place = [f"--targetdir={folder}", "--host-name=dc1", "--host-ip=127.0.0.1", "--dns-backend=NONE"]
    made = subprocess.run(
        [*command, *place, *options, "--use-rfc2307", f"--adminpass={ADMIN_PASSWORD}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        check=False,
    )
    if made.returncode != 0:
        pytest.fail(f"samba-tool made no domain: {made.stderr.decode(errors='replace')}")
    for name in ("pid", "cache"):
        (folder / name).mkdir(exist_ok=True)
    return folder


def _free_address() -> str:
    """An address of the loopback where nobody has the ports of LDAP, which Samba cannot change."""
    for _ in range(20):
        address = f"127.{random.randint(64, 254)}.{random.randint(0, 255)}.{random.randint(1, 254)}"  # noqa: S311 - no secret
        if not any(_listens(address, port) for port in (389, 636)):
            return address
    pytest.fail("another server has port 389 or 636 on all addresses of the loopback: stop it, Samba needs them")


def _listens(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((address, port)) == 0


def _escaped(value: str) -> str:
    """A value in a DN (RFC 4514 section 2.4): plain letters as they are, all else by its octets."""
    return "".join(
        chr(octet) if chr(octet).isalnum() and octet < 0x80 else f"\\{octet:02x}" for octet in value.encode()
    )
