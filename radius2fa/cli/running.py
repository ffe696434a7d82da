"""Owns asking the running server how it does, over its local socket, and showing what it says.

Imported where it is needed: pydantic is heavy.
"""

import json
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from radius2fa.cli.durations import roughly
from radius2fa.cli.showing import local_time, print_section
from radius2fa.printable import printable

PATIENCE = 2.0  # seconds for the whole answer
LONGEST = 1 << 24  # octets


# One that Python can write in every zone: in its first and last years it cannot.
_Time = Annotated[AwareDatetime, Field(ge=datetime(1970, 1, 1, tzinfo=UTC), lt=datetime(9999, 1, 1, tzinfo=UTC))]


class _Part(BaseModel):
    """A part of the answer. A server of another version may leave out what has a default, and add what it likes."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _Lookups(_Part):
    remembered: int
    capacity: int
    limit_seconds: float
    hits: int
    misses: int


class _Server(_Part):
    url: str
    state: str
    since: _Time | None = None
    cause: str = ""


class _Directory(_Part):
    name: str
    driver: str
    lookups: _Lookups
    servers: tuple[_Server, ...] = ()


class _Listener(_Part):
    address: str
    port: int


class _Work(_Part):
    threads: int
    busy: int
    waiting: int
    held: int
    backlog: int


class _Signing(_Part):
    required: bool
    with_it: Annotated[int, Field(alias="with")]
    without: int


class _Client(_Part):
    name: str
    last_request: _Time | None = None
    message_authenticator: _Signing


class _Dropped(_Part):
    client: str | None = None
    cause: str
    count: int
    port: str = ""


class _Acknowledged(_Part):
    client: str
    status: str
    count: int


class _Accounting(_Part):
    listeners: tuple[_Listener, ...] = ()
    in_progress: int = 0
    acknowledged: tuple[_Acknowledged, ...] = ()


class _Reload(_Part):
    at: _Time
    result: str
    faults: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    needs_restart: tuple[str, ...] = ()


class _Answer(_Part):
    version: str
    python: str = ""
    process: int
    started: _Time
    listeners: tuple[_Listener, ...] = ()
    work: _Work | None = None
    clients: tuple[_Client, ...] = ()
    drops: tuple[_Dropped, ...] = ()
    accounting: _Accounting = _Accounting()
    directories: tuple[_Directory, ...] = ()
    reload: _Reload | None = None
    master_keys: tuple[str, ...] = ()
    configuration: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answered, and its answer; `document` is the whole of it, for programs."""

    answer: _Answer
    document: dict[str, Any]

    def print(self, now: float | None = None) -> None:
        """Print it for people; `now` is in Unix seconds, None for the time of asking."""
        answer, started = self.answer, self.answer.started.timestamp()
        up = roughly(max((time.time() if now is None else now) - started, 0.0))
        version = f"{printable(answer.version)}{f' on Python {printable(answer.python)}' if answer.python else ''}"
        since = f"since {local_time(started)} ({up})"
        typer.echo(f"The server is running: version {version}, process {answer.process}, {since}")
        for line in _lines(answer):
            typer.echo(printable(line))
        print_section(
            "Clients, and how many of their requests bore a Message-Authenticator",
            ("Client", "Last request", "With", "Without", "Habit"),
            [_client_cells(each) for each in answer.clients],
        )
        if answer.drops:
            print_section(
                "Datagrams that got no answer",
                ("Client", "Why", "How many", "Port"),
                [(each.client or "(unknown)", each.cause, str(each.count), each.port) for each in answer.drops],
            )
        if answer.accounting.acknowledged:
            print_section(
                "Accounting that was acknowledged",
                ("Client", "Status", "How many"),
                [(each.client, each.status, str(each.count)) for each in answer.accounting.acknowledged],
            )
        print_section(
            "Directory look-ups",
            ("Directory", "Driver", "From memory", "Asked for", "Remembered", "At most", "For"),
            [_lookup_cells(each) for each in answer.directories],
        )
        print_section(
            "Directory servers",
            ("Directory", "Server", "State", "Since", "Last failure"),
            [_server_cells(each, server) for each in answer.directories for server in each.servers],
        )


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """There is no server, or none that answers; `why` says so."""

    why: str
    document: None = None

    def print(self, now: float | None = None) -> None:  # noqa: ARG002 - as the other one
        """Print why."""
        typer.echo(printable(self.why))


def ask(path: Path | None) -> Running | NoAnswer:
    """Return what the server at this path tells; it may be asked by root and by the user that it runs as."""
    if path is None:
        return NoAnswer("A running server is not asked (status_socket is empty)")
    try:
        octets = _read(path, time.monotonic() + PATIENCE)
        return Running(_Answer.model_validate_json(octets), json.loads(octets))
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
        return NoAnswer(f"No server is running here (nothing answers at {path})")
    except PermissionError:
        return NoAnswer(f"A running server answers root and its own user only (no permission for {path})")
    except ValueError:  # also a number that is too long for Python
        return NoAnswer(f"What answers at {path} is no server of radius2fa")
    except OSError as fault:
        return NoAnswer(f"The server did not answer (at {path}: {fault})")


def _read(path: Path, until: float) -> bytes:
    """Return what is told there before it is closed.

    Raises:
        OSError: nobody answers, or not all comes in time (`until`, monotonic seconds).

    """
    octets = bytearray()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(PATIENCE)
        asking.connect(str(path))
        while len(octets) < LONGEST:
            asking.settimeout(max(until - time.monotonic(), 0.001))
            part = asking.recv(1 << 16)
            if not part:
                break
            octets += part
    return bytes(octets)


def _lines(answer: _Answer) -> Iterator[str]:
    """Yield what fits a line each: addresses, threads, the last reload. A server of another version may tell less."""
    if answer.listeners:
        yield f"Listening on {_addresses(answer.listeners)}"
    if answer.accounting.listeners:
        yield (
            f"Accounting on {_addresses(answer.accounting.listeners)}, "
            f"reports in progress {answer.accounting.in_progress}"
        )
    if work := answer.work:
        at_work = min(work.busy - work.waiting, work.threads)
        yield (
            f"Threads at work {at_work} of {work.threads}, requests waiting {work.waiting} (at most {work.backlog} "
            f"under way at each port), answers that wait for their hour {work.held}"
        )
    if not (reload := answer.reload):
        return
    when = local_time(reload.at.timestamp())
    if reload.faults:
        yield f"Last reload {when}: refused, the earlier configuration stays in force"
        yield from (f"  {fault}" for fault in reload.faults)
    else:
        yield f"Last reload {when}: taken; changed: {', '.join(reload.changed) or 'nothing'}"
    if reload.needs_restart:
        yield f"  Needs a restart: {', '.join(reload.needs_restart)}"


def _addresses(listeners: Sequence[_Listener]) -> str:
    return ", ".join(f"{each.address} port {each.port}" for each in listeners)


def _client_cells(client: _Client) -> tuple[str, ...]:
    signing = client.message_authenticator
    last = local_time(client.last_request.timestamp()) if client.last_request else "never"
    return client.name, last, str(signing.with_it), str(signing.without), _habit(signing)


def _habit(signing: _Signing) -> str:
    """Say what a client is used to, and what follows from it for the configuration."""
    if not signing.with_it and not signing.without:
        return ""
    if not signing.without:
        return "always" if signing.required else "always: it can be required"
    habit = "sometimes" if signing.with_it else "never"
    return f"{habit}: dropped without" if signing.required else habit


def _lookup_cells(directory: _Directory) -> tuple[str, ...]:
    lookups = directory.lookups
    counts = (lookups.hits, lookups.misses, lookups.remembered, lookups.capacity)
    return directory.name, directory.driver, *map(str, counts), f"{lookups.limit_seconds:g} s"


def _server_cells(directory: _Directory, server: _Server) -> tuple[str, ...]:
    since = local_time(server.since.timestamp()) if server.since else ""
    return directory.name, server.url, server.state, since, server.cause
