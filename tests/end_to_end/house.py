"""A house for logins: the installed program as configured, its directory, and people who are let into both."""

import os
import re
import sqlite3
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from radius2fa.config.model import Store as StoreSettings
from radius2fa.otp.token import Kind, Token, YubiKey
from radius2fa.store.engine import open_store
from radius2fa.store.seal import KeyRing
from radius2fa.store.tokens import NewToken
from tests.end_to_end.people import Person, new_seed
from tests.end_to_end.radius import Nas, Shown, at_once, login_lines, radclient
from tests.servers.program import Program, Section, Value
from tests.servers.slapd import PEOPLE, Slapd

_numbers = count()
_BIND = re.compile(rf' BIND dn="[^"]+,{PEOPLE}" method=128')


def directory_section(slapd: Slapd, **more: Value) -> dict[str, Any]:
    """`[[directory]]` for a slapd without TLS."""
    return {"urls": [f"ldap://127.0.0.1:{slapd.port}"], "start_tls": False, "base": PEOPLE, **more}


def client(name: str, address: str, **more: Value) -> dict[str, Any]:
    """`[[client]]` with a secret of its own."""
    return {"name": name, "addresses": [address], "secret": f"shared-secret-of-{name}-24-octets", **more}


@dataclass(frozen=True)
class Ready:
    """A master key and an empty database, to be copied: made by the program once."""

    key: Path
    database: Path


class House:
    """A Program and the slapd that it asks. As a context manager it starts and ends the program, not the slapd."""

    def __init__(
        self,
        folder: Path,
        slapd: Slapd,
        ready: Ready,
        *,
        clients: Iterable[Section],
        directory: Section | None = None,
        server: Section | None = None,
        more: Iterable[tuple[str, Section]] = (),
        level: str = "info",
    ) -> None:
        self.slapd = slapd
        self.clients: dict[str, Mapping[str, Any]] = {str(each["name"]): each for each in clients}
        self.program = Program(
            folder,
            directory or directory_section(slapd),
            clients=self.clients.values(),
            server={"reject_delay": 0.1, "reject_jitter": 0.05, "patience": 10, **(server or {})},
            more=more,
            level=level,
        ).adopt(ready.key, ready.database)
        settings = StoreSettings(url=f"sqlite:///{self.program.database}", timeout=10)
        keys = KeyRing.read(self.program.key_file)
        self.store = open_store(settings, keys, threads=2, clock=time.monotonic, random=os.urandom)

    def __enter__(self) -> Self:
        self.program.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.program.__exit__(kind, error, at)
        self.store.close()

    def nas(self, name: str) -> Nas:
        """Return a socket of a client, by its name in the configuration."""
        source = str(self.clients[name]["addresses"][0])
        host = "::1" if ":" in source else "127.0.0.1"
        return Nas(source, (host, self.program.ports[host]), self.secret(name))

    def logins(self, name: str, typed: Iterable[tuple[str | bytes, bytes]]) -> list[int]:
        """Make logins by a client, all at once: names and what is typed as the password. Return the replies' codes."""
        with ExitStack() as stack:
            pairs = [(stack.enter_context(self.nas(name)), each) for each in typed]
            return [reply.code for reply in at_once([(nas, nas.request(*each)) for nas, each in pairs])]

    def radclient(self, name: str, user: str, typed: bytes, *more: str, options: Iterable[str] = ()) -> Shown:
        """Send one Access-Request by the real radclient as a client; `more` are lines of other attributes."""
        lines = login_lines(user, typed, str(self.clients[name]["addresses"][0]), *more)
        return radclient(lines, self.program.port, self.secret(name), *options)

    def come_in(self, name: str, person: Person, code: bytes, *more: str) -> Shown:
        """Log in by the real radclient, with the code where the client wants it: behind the password or asked for."""
        if self.clients[name].get("code") != "challenge":
            return self.radclient(name, person.uid, person.password + code, *more)
        asked = self.radclient(name, person.uid, person.password, *more)
        assert asked.name == "Access-Challenge", asked.text
        return self.radclient(name, person.uid, code, f"State = {asked.one('State')}", *more)

    def secret(self, name: str) -> str:
        return str(self.clients[name]["secret"])

    def person(self, uid: str = "", password: bytes | None = None, *, token: bool = True, **attributes: str) -> Person:
        """Add somebody to the directory, by default with a token."""
        uid = uid or f"person{next(_numbers)}"
        password = password if password is not None else f"password of {uid}".encode()
        self.slapd.add_person(uid, password, **attributes)
        person = Person(uid, password, self.slapd.entry_uuid(uid), new_seed())
        if token:
            self.enrol([person])
        return person

    def enrol(self, people: Iterable[Person]) -> None:
        """Give everybody a HOTP token, by the store: `token add` is tested in test_commands.py, and takes a second."""
        new = []
        for person in people:
            person.token = f"token{next(_numbers)}"
            new.append(NewToken(Token(person.token, Kind.HOTP, person.seed), person.subject, person.uid))
        self.store.tokens.add_many(new, time.time())

    def give(self, person: Person, token: Token | YubiKey) -> str:
        """Give somebody a token that the test has made, and return its id."""
        self.store.tokens.add(NewToken(token, person.subject, person.uid), time.time())
        return token.id

    def disable(self, person: Person) -> None:
        """Disable somebody's token."""
        assert self.store.tokens.set_active(person.token, False)  # noqa: FBT003 - the value that is set

    def counter(self, person: Person) -> int:
        """Return the lowest counter that may still be accepted of somebody's token."""
        return int(self.query("SELECT counter FROM token WHERE id = ?", person.token)[0][0])

    def binds(self) -> int:
        """Return how many binds were made so far as anybody of the people."""
        return len(_BIND.findall(self.slapd.log()))

    def journal(self, name: str) -> list[tuple[str, str | None]]:
        """Return the (result, reason) of every login under a typed name, in order."""
        return self.query("SELECT result, reason FROM journal WHERE name = ? ORDER BY number", name)

    def last(self, name: str) -> tuple[str, str | None, str | None, str | None]:
        """Return (result, reason, factor, policy) of the last login under a typed name."""
        (row,) = self.query(
            "SELECT result, reason, factor, policy FROM journal WHERE name = ? ORDER BY number DESC LIMIT 1", name
        )
        result, reason, factor, policy = row
        return result, reason, factor, policy

    def failures(self, person: Person) -> int:
        """Return how many failures in a row somebody has."""
        return int(self.query("SELECT coalesce(max(failures), 0) FROM account WHERE subject = ?", person.subject)[0][0])

    def query(self, statement: str, *values: str) -> list[tuple[Any, ...]]:
        """Read the database beside the program."""
        with closing(sqlite3.connect(f"file:{self.program.database}?mode=ro", uri=True, timeout=10)) as connection:
            return connection.execute(statement, values).fetchall()

    def reasons(self, name: str, many: int = 1) -> list[str | None]:
        """Wait for `many` log lines of refused logins under a name, and return their reasons."""
        lines = self.program.wait_for(lambda line: line.get("event") == "rejected" and line.get("user") == name, many)
        return [line.get("reason") for line in lines]
