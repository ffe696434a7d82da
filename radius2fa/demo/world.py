"""Owns the demo's world: who is in the directory, who has a token, which client may ask."""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

from pydantic import SecretBytes

from radius2fa.config.model import Client, Codes, Directory, Listen, Portal, Server, Settings, Store
from radius2fa.demo.account import PEOPLE as BRANCH
from radius2fa.demo.account import SERVICES, SUFFIX, Account, Group
from radius2fa.otp.token import Kind, Token

LOOPBACK = "127.0.0.1"
THREADS = 4  # for logins, and as many for pages
CLIENT_SECRET = "testing123"  # noqa: S105 - what every RADIUS example has, and good for loopback only
PASSWORD = "wonderland"  # noqa: S105 - everybody's, so that a line to copy serves for all by changing the name
ISSUER = "radius2fa demo"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody to log in as. `code` and `outcome` tell what to expect, in words."""

    account: Account
    code: str
    outcome: str
    has_token: bool


ALICE = Person(
    Account("alice", "Alice Liddell", "6f1d3c52-8a0e-4b1c-9d57-1a6b0c2e4f01", PASSWORD.encode()),
    code="as below",
    outcome="accepted",
    has_token=True,
)
BOB = Person(
    Account("bob", "Bob Dodgson", "6f1d3c52-8a0e-4b1c-9d57-1a6b0c2e4f02", PASSWORD.encode()),
    code="none: no token",
    outcome="asked for a code, then rejected",
    has_token=False,
)
# She has a token: only somebody whose code is right gets as far as the directory, which then refuses her.
CAROL = Person(
    Account("carol", "Carol Hargreaves", "6f1d3c52-8a0e-4b1c-9d57-1a6b0c2e4f03", PASSWORD.encode(), disabled=True),
    code="the same",
    outcome="asked again, then rejected: disabled in the directory",
    has_token=True,
)
PEOPLE = (ALICE, BOB, CAROL)


ADMINS = Group("admins", (ALICE.account,))  # of the portal


def service_account(random: Callable[[int], bytes]) -> Account:
    """Return the account that the server searches with."""
    password = random(16).hex().encode()
    return Account("radius2fa", "The server", "6f1d3c52-8a0e-4b1c-9d57-1a6b0c2e4f09", password, parent=SERVICES)


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the demo answers, on loopback: RADIUS (UDP), its directory and its portal (TCP)."""

    radius: int
    directory: int
    portal: int


def settings(folder: Path, ports: Ports, service: Account) -> Settings:
    """Return the configuration of the demo's server and portal, as a file would give it."""
    return Settings(
        server=Server(listen=(Listen(host=LOOPBACK, port=ports.radius),), threads=THREADS, status_socket=None),
        store=Store(url=f"sqlite:///{folder / 'radius2fa.db'}", key_file=folder / "master.key"),
        directory=(
            Directory(
                urls=(f"ldap://{LOOPBACK}:{ports.directory}",),
                start_tls=False,  # on loopback, within one process
                bind_dn=service.dn,
                bind_password=SecretBytes(service.password),
                base=BRANCH,
                group_base=SUFFIX,
            ),
        ),
        client=(
            Client(
                name="demo",
                addresses=(ip_network("127.0.0.1/32"), ip_network("::1/128")),
                secret=SecretBytes(CLIENT_SECRET.encode()),
                code="either",
            ),
        ),
        # A line is shown for 30 s, may hold the next code already, and is pasted some seconds later.
        codes=Codes(issuer=ISSUER, totp_window=2),
        portal=Portal(
            url=f"http://localhost:{ports.portal}",  # a name, since browsers keep passkeys for names only
            listen=(Listen(host=LOOPBACK, port=ports.portal),),
            threads=THREADS,
            admin_groups=(ADMINS.dn,),
        ),
    )


def token(person: Person, key: bytes) -> Token:
    """Return a person's token. All have the same key: one QR code and one code do for all."""
    return Token(id=f"demo-{person.account.uid}", kind=Kind.TOTP, key=key)
