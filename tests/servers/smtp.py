"""A small mail server: it keeps what it gets, and misbehaves where a test wants it to."""

import base64
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from io import BufferedRWPair
from types import TracebackType
from typing import Self

from tests.servers.tls import Certificate


@dataclass(frozen=True)
class Received:
    """A letter: its envelope, its octets, and whether it came by TLS, and from whom."""

    sender: str
    recipients: tuple[str, ...]
    octets: bytes
    tls: bool
    account: str

    @property
    def message(self) -> EmailMessage:
        message = message_from_bytes(self.octets, policy=default)
        assert isinstance(message, EmailMessage)
        return message


class SmtpServer:
    """Serves one connection after the other on a port of the loopback. Use as a context manager.

    With a `certificate` it offers STARTTLS, or, with `tls_at_once`, begins with TLS. `account` is "name:password",
    without which nobody may send. `says` has other answers than the usual ones, by the first word of a command.
    While `mute` is set it accepts connections and says nothing.
    """

    def __init__(
        self,
        certificate: Certificate | None = None,
        *,
        tls_at_once: bool = False,
        account: str = "",
        says: Mapping[str, str] | None = None,
        mute: bool = False,
    ) -> None:
        self.received: list[Received] = []
        self.accounts: list[str] = []
        self.connections = 0
        self._context = None
        if certificate is not None:
            self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self._context.load_cert_chain(certificate.certificate, certificate.key)
        self._tls_at_once = tls_at_once
        self._account = account
        self._says = dict(says or {})
        self._mute = mute
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._arrived = threading.Condition()
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        for each in (self._listener, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def wait_for(self, letters: int, within: float = 10.0) -> list[Received]:
        """Return the letters as soon as there are so many."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.received) >= letters, within)
        return self.received

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                stream, _ = self._listener.accept()
                self.connections += 1
                self._open.append(stream)
                with suppress(OSError), stream:
                    self._talk(stream)

    def _talk(self, stream: socket.socket) -> None:
        if self._mute:
            stream.recv(1)
            return
        if self._tls_at_once:
            assert self._context is not None
            with self._context.wrap_socket(stream, server_side=True) as secure:
                self._open.append(secure)
                self._greet(secure, tls=True)
        else:
            self._greet(stream, tls=False)

    def _greet(self, stream: socket.socket, *, tls: bool) -> None:
        with stream.makefile("rwb") as lines:
            _say(lines, self._says.get("", "220 mail.example.org"))
            self._commands(stream, lines, _Session(tls))

    def _commands(self, stream: socket.socket, lines: BufferedRWPair, session: "_Session") -> None:
        while line := lines.readline().decode("utf-8", "replace").strip():
            command, _, rest = line.partition(" ")
            said = self._says.get(command.upper()) or self._answer(command.upper(), rest, session)
            _say(lines, said)
            if said.startswith("354"):
                self._keep(
                    Received(session.sender, session.recipients, _until_dot(lines), session.tls, session.account)
                )
                _say(lines, "250 ok")
            if command.upper() == "STARTTLS" and self._context and said.startswith("220"):
                with self._context.wrap_socket(stream, server_side=True) as secure, secure.makefile("rwb") as within:
                    self._open.append(secure)
                    return self._commands(secure, within, _Session(tls=True))
            if command.upper() == "QUIT":
                return None
        return None

    def _answer(self, command: str, rest: str, session: "_Session") -> str:
        match command:
            case "EHLO":
                offers = ["STARTTLS"] if self._context and not session.tls else []
                offers += ["AUTH PLAIN"] if self._account else []
                return "\r\n".join([*(f"250-{name}" for name in ("mail.example.org", *offers)), "250 8BITMIME"])
            case "AUTH":
                session.account = ":".join(base64.b64decode(rest.split()[1]).decode().split("\0")[1:])
                self.accounts.append(session.account)
                return "235 welcome" if session.account == self._account else "535 5.7.8 wrong name or password"
            case "MAIL" if session.account != self._account:
                return "530 5.7.0 authentication required"
            case "MAIL":
                session.sender, session.recipients = _address(rest), ()
            case "RCPT":
                session.recipients = (*session.recipients, _address(rest))
            case _:
                pass
        return {"STARTTLS": "220 go on", "DATA": "354 go on", "QUIT": "221 bye"}.get(command, "250 ok")

    def _keep(self, letter: Received) -> None:
        with self._arrived:
            self.received.append(letter)
            self._arrived.notify_all()


@dataclass
class _Session:
    """What a client has said so far."""

    tls: bool
    sender: str = ""
    recipients: tuple[str, ...] = ()
    account: str = ""


def _address(rest: str) -> str:
    return rest.partition("<")[2].partition(">")[0]


def _say(lines: BufferedRWPair, line: str) -> None:
    lines.write(line.encode() + b"\r\n")
    lines.flush()


def _until_dot(lines: BufferedRWPair) -> bytes:
    octets = b""
    while (line := lines.readline()) not in {b".\r\n", b""}:
        octets += line.removeprefix(b".")
    return octets
