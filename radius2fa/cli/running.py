"""Owns asking the running server how it does, over its local socket, and showing what it says.

Imported where it is needed: pydantic is heavy.
"""

import json
import socket
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

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


class _Answer(_Part):
    version: str
    process: int
    started: _Time
    directories: tuple[_Directory, ...] = ()


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answered, and its answer; `document` is the whole of it, for programs."""

    answer: _Answer
    document: dict[str, Any]

    def print(self) -> None:
        """Print it for people."""
        answer, since = self.answer, local_time(self.answer.started.timestamp())
        version = printable(answer.version)
        typer.echo(f"The server is running: version {version}, process {answer.process}, since {since}")
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

    def print(self) -> None:
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


def _lookup_cells(directory: _Directory) -> tuple[str, ...]:
    lookups = directory.lookups
    counts = (lookups.hits, lookups.misses, lookups.remembered, lookups.capacity)
    return directory.name, directory.driver, *map(str, counts), f"{lookups.limit_seconds:g} s"


def _server_cells(directory: _Directory, server: _Server) -> tuple[str, ...]:
    since = local_time(server.since.timestamp()) if server.since else ""
    return directory.name, server.url, server.state, since, server.cause
