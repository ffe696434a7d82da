"""Two running programs with one master key on one database: a file of SQLite, or a database of PostgreSQL."""

import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pydantic import SecretBytes

from radius2fa.config.model import Store as StoreSettings
from radius2fa.otp.token import Kind, Token
from radius2fa.store.engine import open_store
from radius2fa.store.seal import KeyRing
from radius2fa.store.tokens import NewToken
from tests.end_to_end.house import directory_section
from tests.end_to_end.people import Person
from tests.end_to_end.radius import CHALLENGE, STATE, Nas
from tests.servers.postgres import PASSWORD, Postgres
from tests.servers.program import Program, Section
from tests.servers.slapd import Slapd

Rows = list[tuple[Any, ...]]


class Shared(Protocol):
    """A database that several programs may use."""

    @property
    def settings(self) -> StoreSettings:
        """What the store's configuration says of it."""
        ...

    def query(self, statement: str, *values: object) -> Rows:
        """Read or change it beside the programs; `?` stands for a value."""
        ...


@dataclass(frozen=True)
class OnSqlite:
    """A file, for programs on one machine."""

    file: Path

    @property
    def settings(self) -> StoreSettings:
        return StoreSettings(url=f"sqlite:///{self.file}", timeout=5)

    def query(self, statement: str, *values: object) -> Rows:
        with closing(sqlite3.connect(self.file, timeout=10)) as connection, connection:
            return connection.execute(statement, values).fetchall()


@dataclass(frozen=True)
class OnPostgres:
    """A database of a cluster."""

    server: Postgres
    name: str

    @property
    def settings(self) -> StoreSettings:
        return StoreSettings(url=self.server.url(self.name), password=SecretBytes(PASSWORD.encode()))

    def query(self, statement: str, *values: object) -> Rows:
        with self.server.connect(self.name) as connection:
            cursor = connection.execute(statement.replace("?", "%s"), values)
            return cursor.fetchall() if cursor.description else []


@dataclass(frozen=True)
class Nodes:
    """Two running programs, the database that they share, and their clients by name."""

    programs: tuple[Program, Program]
    database: Shared
    clients: Mapping[str, Mapping[str, Any]]

    def nas(self, place: int, name: str = "appended") -> Nas:
        """Return a socket of a client, for the first (0) or second (1) node, in turn."""
        server = ("127.0.0.1", self.programs[place % 2].port)
        return Nas(self.clients[name]["addresses"][0], server, self.clients[name]["secret"])

    def login(self, place: int, person: Person, password: bytes, state: bytes | None = None) -> int:
        """Log in at one node."""
        with self.nas(place, "appended" if state is None else "challenge") as nas:
            return nas.login(person.uid, password, state=state).code

    def challenge(self, place: int, person: Person) -> bytes:
        """Send the first leg to one node, and return its State."""
        with self.nas(place, "challenge") as nas:
            reply = nas.login(person.uid, person.password)
        assert reply.code == CHALLENGE
        return reply.answer.one(STATE)

    def query(self, statement: str, *values: object) -> Rows:
        """Read or change the database beside the programs; `?` stands for a value."""
        return self.database.query(statement, *values)

    def reasons(self, person: Person) -> list[str | None]:
        """Return the reasons of the logins under a person's name, in order."""
        rows = self.query("SELECT reason FROM journal WHERE name = ? ORDER BY number", person.uid)
        return [reason for (reason,) in rows]


def programs_on(
    database: Shared,
    folders: Iterable[Path],
    slapd: Slapd,
    key: Path,
    *,
    clients: Mapping[str, Section],
    server: Section,
    more: Iterable[tuple[str, Section]] = (),
) -> list[Program]:
    """Write the configuration of a program into each of the folders, for one database and one master key."""
    settings, more = database.settings, list(more)
    store: dict[str, str | float] = {"url": settings.url, "timeout": settings.timeout}
    if settings.password is not None:
        store["password"] = settings.password.get_secret_value().decode()
    programs = []
    for folder in folders:
        program = Program(
            folder, directory_section(slapd), clients=clients.values(), server=server, store=store, more=more
        )
        shutil.copy(key, program.key_file)
        program.key_file.chmod(0o400)
        programs.append(program)
    return programs


@contextmanager
def running(programs: Iterable[Program]) -> Iterator[tuple[Program, Program]]:
    """Start two programs at the same time, and end them."""
    with ExitStack() as stack:
        first, second = (stack.enter_context(program) for program in programs)
        both(Program.start, first, second)
        yield first, second


def both(do: Callable[[Program], Any], *programs: Program) -> list[Any]:
    """Do something with several programs at the same time."""
    with ThreadPoolExecutor(len(programs)) as pool:
        return list(pool.map(do, programs))


def enrol(people: Iterable[Person], database: Shared, key: Path) -> None:
    """Give everybody a HOTP token."""
    new = []
    for person in people:
        person.token = f"token of {person.uid}"
        new.append(NewToken(Token(person.token, Kind.HOTP, person.seed), person.subject, person.uid))
    keys = KeyRing.read(key)
    with closing(open_store(database.settings, keys, threads=1, clock=time.monotonic, random=os.urandom)) as store:
        store.tokens.add_many(new, time.time())
