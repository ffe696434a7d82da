"""Owns the world that is measured: people in a real slapd, their tokens, and our server in front of it."""

import base64
import hashlib
import hmac
import os
import struct
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers.slapd import Slapd, person_ldif

SECRET = "a shared secret of 24 ch"  # noqa: S105 - between two processes on loopback
STEP = 30  # seconds (RFC 6238's X)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who logs in: in the directory by name and password, in the store by the directory's id."""

    name: str
    password: str = field(repr=False)
    subject: str
    seed: bytes = field(repr=False)

    def typed(self, when: float, seed: bytes | None = None) -> str:
        """Return what the person types at `when` (Unix seconds): the password and the code of `seed`, or their own."""
        return self.password + totp(seed or self.seed, when)


def totp(seed: bytes, when: float) -> str:
    """Return the six-digit code of the time step at `when` (RFC 6238, RFC 4226 section 5.3)."""
    digest = hmac.digest(seed, struct.pack(">Q", int(when) // STEP), "sha1")
    at = digest[-1] & 15
    return f"{(struct.unpack_from('>I', digest, at)[0] & 0x7FFFFFFF) % 10**6:06d}"


def people(count: int) -> list[Person]:
    """Invent people."""
    return [
        Person(f"u{number:05d}", f"Grey-{number:05d}-heron", str(uuid.uuid4()), os.urandom(20))
        for number in range(count)
    ]


@dataclass(frozen=True, slots=True)
class Server:
    """A RADIUS server that answers. `seconds` is how long it took from its start to its first answer."""

    pid: int
    port: int
    seconds: float


class Turns:
    """Hands out people so that nobody logs in twice within one time step, and waits for the next step if it must."""

    def __init__(self, crowd: list[Person]) -> None:
        """Take the people."""
        self._crowd = crowd
        self._step = 0
        self._at = 0

    def take(self, count: int, seconds: float = 0) -> list[Person]:
        """Return people who have not been handed out in this step, with `seconds` of the step still to come."""
        while True:
            now = time.time()
            if int(now) // STEP != self._step:
                self._step, self._at = int(now) // STEP, 0
            if self._at + count <= len(self._crowd) and STEP - now % STEP > seconds:
                self._at += count
                return self._crowd[self._at - count : self._at]
            time.sleep(STEP - now % STEP + 0.05)


@dataclass(frozen=True, slots=True)
class World:
    """People, the directory that knows them, and a folder for whoever serves them."""

    folder: Path
    crowd: list[Person]
    directory: Slapd

    @property
    def ldap_url(self) -> str:
        """Where the directory is."""
        return f"ldap://127.0.0.1:{self.directory.port}"


def hashed(password: str) -> str:
    """Return a password as {SSHA}, which is how slapd keeps them unless told otherwise."""
    salt = os.urandom(8)
    digest = hashlib.sha1(password.encode() + salt).digest()  # noqa: S324 - slapd's default
    return "{SSHA}" + base64.b64encode(digest + salt).decode()


def entry(person: Person) -> str:
    """Return a person's entry in LDIF, the stable id given, so that nobody has to ask for it."""
    return person_ldif(person.name, hashed(person.password), entryUUID=person.subject)


@contextmanager
def world(count: int) -> Iterator[World]:
    """Run a slapd with `count` people, and make a temporary folder; both go with the block."""
    crowd = people(count)
    with (
        tempfile.TemporaryDirectory(prefix="radius2fa-bench-") as folder,
        Slapd(seed="".join(map(entry, crowd)), log=False) as directory,
    ):
        yield World(Path(folder), crowd, directory)
