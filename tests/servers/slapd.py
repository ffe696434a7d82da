"""A real OpenLDAP server for tests, on free ports of the loopback, with its database in a temporary folder."""

import base64
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from urllib.parse import quote

import pytest

from tests.servers.listening import wait_until_it_listens
from tests.servers.tls import Authority, Certificate

SLAPD = "/usr/sbin/slapd"
SLAPADD = "/usr/sbin/slapadd"
SUFFIX = "dc=example,dc=org"
PEOPLE = f"ou=people,{SUFFIX}"
GROUPS = f"ou=groups,{SUFFIX}"
ADMIN = f"cn=admin,{SUFFIX}"
ADMIN_PASSWORD = "secret"
STARTS_WITHIN = 10.0  # seconds

_CONFIGURATION = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/nis.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/slapd.pid
argsfile {folder}/slapd.args
threads 4
{extra}
database mdb
suffix "{suffix}"
rootdn "{admin}"
rootpw {password}
directory {folder}/db
maxsize 268435456
dbnosync
index objectClass,uid,mail,entryUUID,member,uniqueMember,memberUid eq
access to attrs=userPassword by anonymous auth by * none
access to * by * read
"""

_BASE = f"""\
dn: {SUFFIX}
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: {PEOPLE}
objectClass: organizationalUnit
ou: people

dn: {GROUPS}
objectClass: organizationalUnit
ou: groups
"""


def person_dn(uid: str) -> str:
    """The DN of a plain uid among the people."""
    return f"uid={uid},{PEOPLE}"


def ldif(dn: str, attributes: Iterable[tuple[str, str | bytes]]) -> str:
    """One entry or change in LDIF, every value in base64 (RFC 2849)."""
    lines = [("dn", dn), *attributes]
    return "".join(f"{name}:: {_base64(value)}\n" if value else f"{name}:\n" for name, value in lines) + "\n"


def person_ldif(uid: str, password: str | bytes, cn: str | None = None, **attributes: str) -> str:
    """A person in LDIF. The uid may hold anything: the DN is made from it by the escapes of RFC 4514."""
    dn = f"uid={_escaped(uid)},{PEOPLE}" if not uid.isalnum() else None
    main = [
        ("objectClass", "inetOrgPerson"),
        ("uid", uid),
        ("cn", cn or uid),
        ("sn", cn or uid),
        ("userPassword", password),
    ]
    return ldif(dn or person_dn(uid), [*main, *attributes.items()])


def group_dn(cn: str) -> str:
    """The DN of a group. The cn may hold anything, as a person's uid may."""
    return f"cn={cn if cn.isalnum() else _escaped(cn)},{GROUPS}"


def group_ldif(cn: str, *members: str) -> str:
    """A groupOfNames in LDIF; `members` are DNs, of which the schema asks for one."""
    return ldif(group_dn(cn), [("objectClass", "groupOfNames"), ("cn", cn), *(("member", dn) for dn in members)])


class Slapd:
    """A slapd with the suffix dc=example,dc=org and people below ou=people. Use as a context manager.

    `seed` is LDIF that is loaded before the start (fast: thousands of people). `certificate` switches TLS on: ldaps and
    StartTLS; `asks_for_certificate` demands one of every client, from the same authority. `extra` are lines of
    slapd.conf for the server as a whole, `limits` those for the database; `log` tells whether operations are logged.
    """

    def __init__(
        self,
        *,
        seed: str = "",
        tls: bool = False,
        certificate: Certificate | None = None,
        authority: Authority | None = None,
        asks_for_certificate: bool = False,
        extra: str = "",
        limits: str = "",
        log: bool = True,
    ) -> None:
        for program in (SLAPD, SLAPADD, "ldapmodify"):
            if shutil.which(program) is None:
                pytest.fail(f"{program} is missing: apt-get install slapd ldap-utils")
        self._folder = Path(tempfile.mkdtemp(prefix="slapd-"))
        if tls and authority is None:
            authority = Authority(self._folder)
        self.authority = authority
        self._certificate = certificate or (authority.good() if authority else None)
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None
        self.port, self.tls_port = free_port(), free_port()
        if asks_for_certificate:
            extra += "\nTLSVerifyClient demand"
        self._configure(extra, limits)
        self.load(_BASE + "\n" + seed)

    @property
    def uri(self) -> str:
        """`ldap://`, by a name that the certificate holds."""
        return f"ldap://localhost:{self.port}"

    @property
    def ldaps_uri(self) -> str:
        """`ldaps://`, likewise."""
        return f"ldaps://localhost:{self.tls_port}"

    @property
    def ldapi_uri(self) -> str:
        """`ldapi://`, by a socket in its folder."""
        return f"ldapi://{quote(str(self._folder / 'ldapi'), safe='')}"

    @property
    def ca_file(self) -> Path | None:
        """What a client has to trust."""
        return self.authority.ca_file if self.authority else None

    @property
    def pid(self) -> int:
        """The process, while it runs."""
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    def load(self, text: str) -> None:
        """Load LDIF into the database while the server does not run."""
        command = [SLAPADD, "-q", "-f", str(self._folder / "slapd.conf")]
        subprocess.run(command, input=text.encode(), check=True, capture_output=True)

    def start(self) -> None:
        """Start, or start again on the same ports, and return when it answers."""
        urls = f"ldap://127.0.0.1:{self.port} ldap://[::1]:{self.port} {self.ldapi_uri}"
        if self._certificate:
            urls += f" ldaps://127.0.0.1:{self.tls_port} ldaps://[::1]:{self.tls_port}"
        level = "stats" if self._log else "0"
        command = [SLAPD, "-f", str(self._folder / "slapd.conf"), "-h", urls, "-d", level]
        self._output = (self._folder / "log").open("ab")
        self._process = subprocess.Popen(command, stdout=self._output, stderr=self._output, stdin=subprocess.DEVNULL)
        wait_until_it_listens(self._process, self.port, STARTS_WITHIN, "slapd", self.log)

    def stop(self) -> None:
        """Stop, and return when it has ended."""
        if self._process is not None and self._output is not None:
            self.resume()
            self._process.terminate()
            self._process.wait(STARTS_WITHIN)
            self._output.close()
            self._process = None

    def stall(self) -> None:
        """Hold the process: connections are taken by the kernel, and nothing is answered."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)

    def add_person(self, uid: str, password: str | bytes, cn: str | None = None, **attributes: str) -> None:
        """Add a person while the server runs."""
        self.change(person_ldif(uid, password, cn, **attributes), "-a")

    def add_group(self, cn: str, *members: str) -> None:
        """Add a groupOfNames while the server runs."""
        self.change(group_ldif(cn, *members), "-a")

    def rename(self, uid: str, new_uid: str) -> None:
        """Give a person another uid, and so another DN; the entryUUID stays."""
        change = [("changetype", "modrdn"), ("newrdn", f"uid={new_uid}"), ("deleteoldrdn", "1")]
        self.change(ldif(person_dn(uid), change))

    def change(self, text: str, *options: str) -> None:
        """Make changes given in LDIF, as the administrator."""
        command = ["ldapmodify", "-x", "-H", f"ldap://127.0.0.1:{self.port}", "-D", ADMIN, "-w", ADMIN_PASSWORD]
        subprocess.run([*command, *options], input=text.encode(), check=True, capture_output=True)

    def delete(self, dn: str) -> None:
        """Delete an entry."""
        self.change(ldif(dn, [("changetype", "delete")]))

    def entry_uuid(self, uid: str) -> str:
        """The stable id of a person, asked of ldapsearch."""
        query = ["-b", PEOPLE, f"(uid={uid})", "entryUUID"]
        command = ["ldapsearch", "-x", "-LLL", "-H", f"ldap://127.0.0.1:{self.port}", *query]
        answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return re.findall(r"^entryUUID: (.*)$", answer, re.MULTILINE)[0]

    def log(self) -> str:
        """What was logged so far: lines such as `conn=1001 op=0 BIND dn="..." method=128`."""
        return (self._folder / "log").read_text(errors="replace")

    def binds(self, dn: str) -> int:
        """How many binds were made with a DN so far."""
        return len(re.findall(rf' BIND dn="{re.escape(dn)}" method=128', self.log()))

    def searches(self) -> int:
        """How many searches were made so far."""
        return len(re.findall(r" SRCH base=", self.log()))

    def filters(self) -> list[str]:
        """The filters of all searches so far, as slapd writes them."""
        return re.findall(r' SRCH base=.* filter="(.*)"$', self.log(), re.MULTILINE)

    def connections(self) -> int:
        """How many connections were made so far."""
        return len(re.findall(r" ACCEPT from ", self.log()))

    def _configure(self, extra: str, limits: str) -> None:
        if self._certificate and self.authority:
            extra += f"\nTLSCACertificateFile {self.authority.ca_file}"
            extra += f"\nTLSCertificateFile {self._certificate.certificate}"
            extra += f"\nTLSCertificateKeyFile {self._certificate.key}"
        (self._folder / "db").mkdir()
        values = {"folder": self._folder, "suffix": SUFFIX, "admin": ADMIN, "password": ADMIN_PASSWORD, "extra": extra}
        (self._folder / "slapd.conf").write_text(_CONFIGURATION.format(**values) + limits)


def free_port() -> int:
    """A port that nobody has on the loopback now."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def _escaped(value: str) -> str:
    """A value in a DN, every octet of it escaped (RFC 4514 section 2.4)."""
    return "".join(f"\\{octet:02x}" for octet in value.encode())


def _base64(value: str | bytes) -> str:
    return base64.b64encode(value.encode() if isinstance(value, str) else value).decode()
