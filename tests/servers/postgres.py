"""Owns a real PostgreSQL for the tests: a cluster of its own in a temporary folder, on a free loopback port."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from itertools import count
from pathlib import Path
from typing import Self

import psycopg
import pytest

PASSWORD = "the-role's-own-password"
ROLE = "radius2fa"


class Postgres:
    """A cluster with one role, which may create databases and needs its password. `with Postgres() as server: ...`."""

    def __init__(self) -> None:
        self.port = 0
        self._programs = _programs()
        self._user = _user()
        self._folder = Path(tempfile.mkdtemp(prefix="radius2fa-postgres-"))
        self._numbers = count(1)

    def __enter__(self) -> Self:
        try:
            self._initialise()
            self.start()
        except BaseException:
            shutil.rmtree(self._folder)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stop("immediate")
        finally:
            shutil.rmtree(self._folder)

    def start(self) -> None:
        """Start the server, always on the same port, and return when it answers."""
        self.port = self.port or _free_port()
        # No socket file; durable, as in production.
        options = (
            f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories= -c max_connections=200"
        )
        self._run("pg_ctl", "start", "-w", "-D", self._data, "-l", self._folder / "log", "-o", options)

    def stop(self, mode: str = "fast") -> None:
        """Stop the server, cutting its connections; with "immediate", as a power failure would."""
        if (self._data / "postmaster.pid").exists():
            self._run("pg_ctl", "stop", "-w", "-m", mode, "-D", self._data)

    def create(self, template: str = "template1") -> str:
        """Create a database, quickly, as a copy of another one that nobody is connected to, and return its name."""
        name = f"test{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop(self, name: str) -> None:
        """Drop a database, cutting its connections."""
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def url(self, name: str) -> str:
        """Return SQLAlchemy's URL of a database, without the password."""
        return f"postgresql+psycopg://{ROLE}@127.0.0.1:{self.port}/{name}"

    def connect(self, name: str = "postgres") -> psycopg.Connection:
        """Return a connection beside the program's own, each statement of which commits by itself."""
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user=ROLE, password=PASSWORD, dbname=name, autocommit=True
        )

    def execute(self, statement: str, name: str = "postgres") -> None:
        """Run one statement in a database."""
        with self.connect(name) as connection:
            connection.execute(statement)

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _initialise(self) -> None:
        password_file = self._folder / "password"
        password_file.write_text(PASSWORD)
        if self._user is not None:
            owner = pwd.getpwnam(self._user)
            for path in (self._folder, password_file):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        arguments = ("-U", ROLE, f"--pwfile={password_file}", "--auth=scram-sha-256", "-E", "UTF8", "--locale=C")
        self._run("initdb", "-D", self._data, *arguments, "--no-sync")

    def _run(self, program: str, *arguments: object) -> None:
        command = [str(self._programs / program), *map(str, arguments)]
        # PostgreSQL refuses to run as root. Its output goes to a file: a pipe would stay open as long as the server.
        output = self._folder / f"{program}.out"
        with output.open("w") as file:
            done = subprocess.run(
                command, user=self._user, group=self._user, extra_groups=None if self._user is None else [],
                cwd="/", stdout=file, stderr=subprocess.STDOUT, check=False, timeout=60,
            )  # fmt: skip
        if done.returncode:
            pytest.fail(f"{program} failed: {output.read_text()}")


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not found:
        pytest.fail("this test needs a PostgreSQL server: apt-get install postgresql")
    return found[-1]


def _user() -> str | None:
    """Return whom to run the server as: Debian's package makes a user for it, which root has to be."""
    return "postgres" if os.geteuid() == 0 else None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
