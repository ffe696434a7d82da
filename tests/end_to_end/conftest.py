"""What the end-to-end tests share: one slapd for all that do not stop it, and a database that is ready to be copied."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from radius2fa.store.seal import new_key_text
from tests.end_to_end.house import House, Ready, client, directory_section
from tests.servers.program import Program, Section
from tests.servers.slapd import Slapd, person_ldif
from tests.servers.tls import Authority

CROWD = {f"crowd{number}": f"00000000-0000-4000-8000-{number:012}" for number in range(300)}
CROWD_PASSWORD = b"of the crowd"

CLIENTS = (
    client("appended", "127.0.0.1"),
    client("challenge", "127.0.0.2", code="challenge"),
    client("either", "127.0.0.3", code="either"),
    client("latin", "127.0.0.4", charset="iso-8859-1"),
    client("unsigned", "127.0.0.5", require_message_authenticator=False),
    client("comma", "127.0.0.6", delimiter=","),
    client("other-challenge", "127.0.0.7", code="challenge"),
    client("vpn", "127.0.0.8", code="either"),
    client("adopting", "127.0.0.9", code="either"),
    client("six", "::1"),
)

POLICIES: tuple[tuple[str, Section], ...] = (
    ("[[policy]]", {"name": "adoption", "clients": ["adopting"], "adopt_yubikeys": True}),
    ("[[policy]]", {"name": "staff", "clients": ["vpn"]}),
    (
        "[policy.reply]",
        {
            "Filter-Id": "staff",
            "Cisco-AVPair": ["ip:addr-pool=vpn", "shell:priv-lvl=1"],
            '"Tunnel-Private-Group-ID:1"': "42",
        },
    ),
)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def slapd(authority: Authority) -> Iterator[Slapd]:
    """One server for plain LDAP, StartTLS and LDAPS. Tests add people of their own to it, and leave it running."""
    crowd = "".join(person_ldif(uid, CROWD_PASSWORD, entryUUID=subject) for uid, subject in CROWD.items())
    with Slapd(authority=authority, seed=crowd) as server:
        yield server


@pytest.fixture(scope="session")
def ready(tmp_path_factory: pytest.TempPathFactory, slapd: Slapd) -> Ready:
    """A master key and an empty database, as `radius2fa db upgrade` makes it."""
    program = Program(tmp_path_factory.mktemp("ready"), directory_section(slapd)).prepare(new_key_text(os.urandom))
    return Ready(program.key_file, program.database)


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory, slapd: Slapd, ready: Ready) -> Iterator[House]:
    """One running program for all tests that leave it running: a client of every sort, on addresses of the loopback."""
    folder = tmp_path_factory.mktemp("house")
    with House(folder, slapd, ready, clients=CLIENTS, more=POLICIES) as house:
        yield house


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that only its owner may read."""
    tmp_path.chmod(0o700)
    return tmp_path
