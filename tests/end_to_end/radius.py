"""RADIUS clients for the tests: a socket that speaks octets (by tests/radius/wire.py), and the real radclient, radtest.

Nothing here waits for silence to pass: a request that must get no answer is followed by one that gets one, by the same
socket, and what comes first is looked at.
"""

import contextlib
import re
import selectors
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import pytest

from tests.radius import wire
from tests.radius.wire import Answer, Asked

LIMIT = 15.0  # seconds that an answer may take before the test fails

ACCEPT, REJECT, CHALLENGE = 2, 3, 11
USER_NAME, REPLY_MESSAGE, STATE, CLASS, SESSION_TIMEOUT, PROXY_STATE = 1, 18, 24, 25, 27, 33
PROMPT, MESSAGE_AUTHENTICATOR = 76, 80


@dataclass(frozen=True)
class Reply:
    """A reply as it came, and how many seconds after its request."""

    octets: bytes
    asked: Asked
    seconds: float

    @property
    def answer(self) -> Answer:
        """What it says, after its two signatures have been verified."""
        return wire.check_reply(self.octets, self.asked)

    @property
    def code(self) -> int:
        """Its code, after its signatures have been verified."""
        return self.answer.code

    @property
    def told(self) -> wire.Attributes:
        """All attributes but the Message-Authenticator, which is another one in every reply."""
        return tuple(each for each in self.answer.attributes if each[0] != MESSAGE_AUTHENTICATOR)


class Nas:
    """One RADIUS client: a socket bound to the address that the server knows it by. Use as a context manager."""

    def __init__(self, source: str, server: tuple[str, int], secret: str) -> None:
        self.secret = secret.encode()
        self._socket = socket.socket(socket.AF_INET6 if ":" in source else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((source, 0))
        self._socket.connect(server)
        self._socket.settimeout(LIMIT)
        self._identifier = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._socket.close()

    def fileno(self) -> int:
        """Return the descriptor, for a selector."""
        return self._socket.fileno()

    def request(
        self,
        name: str | bytes,
        password: bytes | None,
        *attributes: tuple[int, bytes],
        state: bytes | None = None,
        signed: bool = True,
    ) -> Asked:
        """Make an Access-Request under the next Identifier, signed by default."""
        name = name.encode() if isinstance(name, str) else name
        more = attributes if state is None else (*attributes, (STATE, state))
        return wire.access_request(
            name, password, *more, secret=self.secret, identifier=self.next_identifier(), signed=signed
        )

    def next_identifier(self) -> int:
        """Return an Identifier that this socket has not used lately."""
        self._identifier = (self._identifier + 1) % 256
        return self._identifier

    def send(self, asked: Asked) -> None:
        """Send a request's octets, without a look at the answer."""
        self._socket.send(asked.octets)

    def receive(self) -> bytes:
        """Return the next datagram that comes."""
        return self._socket.recv(4097)

    def ask(self, asked: Asked) -> Reply:
        """Send a request and return the reply to it."""
        began = time.monotonic()
        self.send(asked)
        octets = self.receive()
        return Reply(octets, asked, time.monotonic() - began)

    def login(
        self, name: str | bytes, password: bytes | None, *more: tuple[int, bytes], state: bytes | None = None
    ) -> Reply:
        """Ask for a login, signed."""
        return self.ask(self.request(name, password, *more, state=state))

    def status(self) -> Reply:
        """Ask for the server's status (RFC 5997)."""
        return self.ask(wire.status_server(secret=self.secret, identifier=self.next_identifier()))

    def pending(self) -> list[bytes]:
        """Return the datagrams that have come by now and were not received yet."""
        self._socket.settimeout(0)
        found = []
        with contextlib.suppress(BlockingIOError):
            while True:
                found.append(self.receive())
        self._socket.settimeout(LIMIT)
        return found

    def silent(self) -> bool:
        """Tell whether no answer has come: for after a log line that says that none will."""
        return self.pending() == []

    def is_dropped(self, asked: Asked) -> bool:
        """Tell whether a request gets no answer: a Status-Server sent behind it is answered, and nothing else.

        Good for what is dropped on sight, in the order of arrival.
        """
        self.send(asked)
        status = self.status()
        assert status.octets[1] in (asked.identifier, status.asked.identifier)
        return status.octets[1] == status.asked.identifier and status.code == ACCEPT


def at_once(requests: Iterable[tuple[Nas, Asked]], *, again_after: float = LIMIT) -> list[Reply]:
    """Send requests, each by a socket of its own, in one go; return their replies, in the same order.

    What has no answer while nothing comes for `again_after` seconds is sent again, as clients do.
    """
    pairs = list(requests)
    replies: dict[int, Reply] = {}
    with selectors.DefaultSelector() as waiting:
        for place, (nas, _) in enumerate(pairs):
            waiting.register(nas, selectors.EVENT_READ, place)
        began = []
        for nas, asked in pairs:
            began.append(time.monotonic())
            nas.send(asked)
        until = time.monotonic() + LIMIT
        while len(replies) < len(pairs):
            ready = waiting.select(again_after)
            assert time.monotonic() < until, f"{len(replies)} of {len(pairs)} requests answered within {LIMIT} s"
            for nas, asked in () if ready else (pairs[key.data] for key in waiting.get_map().values()):
                nas.send(asked)
            for key, _ in ready:
                nas, asked = pairs[key.data]
                replies[key.data] = Reply(nas.receive(), asked, time.monotonic() - began[key.data])
                waiting.unregister(nas)
    return [replies[place] for place in range(len(pairs))]


@dataclass(frozen=True)
class Shown:
    """What radclient or radtest shows of a reply: its name, its attributes in order, the whole text."""

    name: str
    attributes: tuple[tuple[str, str], ...]
    text: str

    def all(self, name: str) -> list[str]:
        return [value for each, value in self.attributes if each == name]

    def one(self, name: str) -> str:
        (value,) = self.all(name)
        return value

    @property
    def told(self) -> tuple[tuple[str, str], ...]:
        """All attributes but the Message-Authenticator."""
        return tuple(each for each in self.attributes if each[0] != "Message-Authenticator")


_RECEIVED = re.compile(r"^Received (\S+) Id \d+ .*\n((?:\t.*\n)*)", re.MULTILINE)
_ATTRIBUTE = re.compile(r"^\t(\S+) = (.*)$", re.MULTILINE)


def radtest(name: str, password: str, port: int, secret: str, *options: str, host: str = "127.0.0.1") -> Shown:
    """Run radtest, which signs its requests."""
    return _run(["radtest", *options, name, password, f"{host}:{port}", "0", secret, "0", host.strip("[]")], "")


def radclient(
    lines: Iterable[str],
    port: int,
    secret: str,
    *options: str,
    kind: str = "auth",
    host: str = "127.0.0.1",
) -> Shown:
    """Run radclient with attributes, one a line; `Packet-Src-IP-Address = ...` chooses the source address.

    It repeats the request every second, up to ten times. `options` are radclient's own, such as the folder of a
    dictionary.
    """
    text = "\n".join([*lines, "Message-Authenticator = 0x00", ""])
    return _run(["radclient", "-x", "-t", "1", "-r", "10", *options, f"{host}:{port}", kind, secret], text)


def login_lines(name: str, typed: bytes, source: str, *more: str) -> list[str]:
    """Return what radclient reads for a login from a source address; `more` are lines of other attributes."""
    family = "IPv6" if ":" in source else "IP"
    return [
        f"User-Name = {name}",
        f"User-Password = {quoted(typed.decode())}",
        f"Packet-Src-{family}-Address = {source}",
        *more,
    ]


def quoted(text: str) -> str:
    """Return a text as radclient reads it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _run(command: list[str], text: str) -> Shown:
    if shutil.which(command[0]) is None:
        pytest.fail(f"{command[0]} is missing: apt-get install freeradius-utils")
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)
    received = _RECEIVED.search(done.stdout)
    if received is None:
        return Shown("", (), done.stdout + done.stderr)
    pairs = [(name, value.strip('"')) for name, value in _ATTRIBUTE.findall(received[2])]
    return Shown(received[1], tuple(pairs), done.stdout + done.stderr)
