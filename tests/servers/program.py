"""The installed program, `radius2fa`, in a folder of its own: configuration, database, server, commands."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Any, Self

SECRET = "testing-secret-of-24-octets"
EXECUTABLE = Path(sys.executable).with_name("radius2fa")
LIMIT = 15.0  # seconds that anything may take before the test fails

Scalar = str | int | float | bool | date
Value = Scalar | Sequence[str | int] | Mapping[str, Any]
Section = Mapping[str, Value]

LOOPBACK_CLIENT: Section = {"name": "loopback", "addresses": ["127.0.0.1", "::1"], "secret": SECRET, "code": "either"}


def toml(sections: Iterable[tuple[str, Section]]) -> str:
    """Write sections ("[server]" or "[[client]]") as TOML."""
    lines = []
    for header, keys in sections:
        lines += [header, *(f"{key} = {_toml_value(value)}" for key, value in keys.items()), ""]
    return "\n".join(lines)


def _toml_value(value: object) -> str:
    """Write a value as TOML: a JSON string, number or list is one of TOML too; dates and tables are not."""
    match value:
        case date():  # or a datetime
            return value.isoformat()
        case Mapping():
            return f"{{ {', '.join(f'{json.dumps(key)} = {_toml_value(each)}' for key, each in value.items())} }}"
        case _:
            return json.dumps(value, ensure_ascii=False)


def passing(port: socket.socket | None) -> list[str]:
    """Return what stands before a command to which a port is passed, as sd_listen_fds(3) says."""
    if port is None:
        return []
    return ["bash", "-c", f'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@" 3<&{port.fileno()}']


class Program:
    """A configured radius2fa. `start` runs its `DAEMON`, as a child process that logs JSON lines to us.

    The configuration is written here; without a `directory`, it is one that lies in the folder already.
    """

    DAEMON = "serve"

    def __init__(
        self,
        folder: Path,
        directory: Section | None,
        *,
        clients: Iterable[Section] = (LOOPBACK_CLIENT,),
        more: Iterable[tuple[str, Section]] = (),
        server: Section | None = None,
        store: Section | None = None,
        level: str = "info",
    ) -> None:
        self.folder = folder
        self.config = folder / "radius2fa.toml"
        self.database = folder / "radius2fa.db"
        self.key_file = folder / "master.key"
        self.lines: list[dict[str, Any]] = []
        self._output: list[str] = []
        self._news = threading.Condition()
        self._process: subprocess.Popen[str] | None = None
        self._read_to_the_end = False
        if directory is None:
            return
        where: Section = {"url": f"sqlite:///{self.database}", "key_file": str(self.key_file)}
        sections: list[tuple[str, Section]] = [
            ("[server]", {"listen": ["127.0.0.1:0", "[::1]:0"], "status_socket": "status.sock", **(server or {})}),
            ("[store]", {**where, **(store or {})}),
            ("[log]", {"format": "json", "level": level}),
            ("[[directory]]", directory),
            *(("[[client]]", client) for client in clients),
            *more,
        ]
        self.config.write_text(toml(sections))
        self.config.chmod(0o600)

    def prepare(self, master_key: str) -> Self:
        """Write the master key and make the tables."""
        self.key_file.write_text(master_key)
        self.key_file.chmod(0o400)
        self.run("db", "upgrade")
        return self

    def adopt(self, key_file: Path, database: Path) -> Self:
        """Take copies of a master key and a database that `prepare` made elsewhere, which is quicker."""
        shutil.copy(key_file, self.key_file)
        self.key_file.chmod(0o400)
        shutil.copy(database, self.database)
        return self

    def run(self, *arguments: str, stdin: str = "", expect: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; it must exit with `expect`. It has no terminal: what it asks, `stdin` answers."""
        done = subprocess.run(
            [EXECUTABLE, "--config", str(self.config), *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            start_new_session=True,
        )
        assert done.returncode == expect, f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def check(self, expect: int = 0) -> dict[str, tuple[str, str]]:
        """Run `check`; return what it found out: subject to verdict, and message with remedy."""
        found = json.loads(self.run("check", "--json", expect=expect).stdout)["checks"]
        return {one["subject"]: (one["verdict"], f"{one['message']} {one['remedy']}".strip()) for one in found}

    def start(self, port: socket.socket | None = None, **environment: str) -> Self:
        """Start the server, with further variables in its environment, and wait until it is ready.

        A port is passed to it as systemd would.
        """
        self.lines.clear()
        self._read_to_the_end = False
        self._process = subprocess.Popen(
            [*passing(port), EXECUTABLE, "--config", str(self.config), self.DAEMON],
            stdin=subprocess.DEVNULL,
            pass_fds=[] if port is None else [port.fileno()],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
        )
        threading.Thread(target=self._read, args=[self._process], daemon=True).start()
        self.wait_for(lambda line: line.get("event") == "ready")
        return self

    @property
    def pid(self) -> int:
        """The server's process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def output(self) -> str:
        """All that every server of this program has written so far."""
        with self._news:
            return "".join(self._output)

    @property
    def ports(self) -> dict[str, int]:
        """The bound UDP port for logins by address."""
        return self._bound("listen")

    @property
    def accounting_port(self) -> int:
        """The UDP port for accounting on 127.0.0.1."""
        return self._bound("accounting")["127.0.0.1"]

    def _bound(self, purpose: str) -> dict[str, int]:
        ready = next(line for line in self.lines if line.get("event") == "ready")
        return {entry.split()[0]: int(entry.split()[2]) for entry in ready[purpose]}

    @property
    def port(self) -> int:
        """The UDP port on 127.0.0.1."""
        return self.ports["127.0.0.1"]

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the log lines of one event so far."""
        with self._news:
            return [line for line in self.lines if line.get("event") == name]

    def wait_for(self, wanted: Callable[[dict[str, Any]], bool], count: int = 1) -> list[dict[str, Any]]:
        """Wait until `count` log lines are as wanted, and return them."""

        def found() -> bool:
            return sum(wanted(line) for line in self.lines) >= count

        with self._news:
            logged = self._news.wait_for(lambda: found() or self._read_to_the_end, LIMIT)
            assert logged, f"not logged within {LIMIT} s\n" + "".join(self._output)
            assert found(), f"the server has ended (exit {self._exit_code()})\n" + "".join(self._output)
            return [line for line in self.lines if wanted(line)]

    def stop(self) -> int:
        """SIGTERM; return the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """Wait until the server has ended by itself, and all that it wrote has been read; return the exit code."""
        assert self._process is not None
        code = self._process.wait(LIMIT)
        with self._news:
            assert self._news.wait_for(lambda: self._read_to_the_end, LIMIT)
        return code

    def kill(self) -> None:
        """SIGKILL; what it wrote has been read then, and is not taken for the next server's."""
        assert self._process is not None
        self._process.kill()
        self.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def _exit_code(self) -> int | None:
        return None if self._process is None else self._process.wait(LIMIT)

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for text in process.stdout:
            with self._news:
                self._output.append(text)
                try:
                    self.lines.append(json.loads(text))
                except ValueError:
                    self.lines.append({"event": "unreadable", "text": text})
                self._news.notify_all()
        process.stdout.close()
        with self._news:
            self._read_to_the_end = True
            self._news.notify_all()
