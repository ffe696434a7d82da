"""Owns the way of log lines to a syslog server: they wait in line for one thread, and no login waits for them."""

import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from queue import SimpleQueue

from radius2fa.config.model import Syslog
from radius2fa.directory.tls import Tls, client_context, failure
from radius2fa.server.rfc5424 import FACILITIES, Origin, framed, message
from radius2fa.traced import traced

# RFC 5426 section 3.3; RFC 6587 has none, and 601 is the IANA's for syslog-conn; RFC 5425 section 4.1.
_PORTS = {"udp": 514, "tcp": 601, "tls": 6514}
_PATIENCE = 10.0  # seconds for each step of a connection
_FIRST_PAUSE = 1.0  # seconds before a connection is tried again; then twice as long each time
_LONGEST_PAUSE = 30.0
_SETTLED = 10.0  # seconds that a connection has to last, or the next one waits as if it had never been
_FAREWELL = 1.0  # seconds for the other side to take what is under way, and to say that it has
_END = 2.0  # seconds in which, at the end, those lines leave that still wait
_MOST = 10000  # lines that wait: about 10 MB

Line = Mapping[str, object]
Tell = Callable[[str, Mapping[str, object]], None]
"""Takes word of the way itself, for the log beside: a level, and a line."""


class SyslogSender:
    """Takes lines from all threads, and brings them to the server in one of its own.

    A line that could not be sent is sent again over the next connection. TCP tells late that the other side is gone, so
    the last few before that may be lost without anybody knowing; `meta sequenceId` shows a gap there.
    """

    def __init__(
        self,
        settings: Syslog,
        program: str,
        tell: Tell,
        *,
        most: int = _MOST,
        first_pause: float = _FIRST_PAUSE,
    ) -> None:
        """Connect to nothing yet. `program` is the name that lines come by; at most so many wait.

        Raises:
            ValueError: a file with certificates cannot be used, naming the key.

        """
        self._transport = settings.transport
        self._address = settings.server, settings.port or _PORTS[settings.transport]
        self._origin = Origin(FACILITIES[settings.facility], socket.gethostname(), program, os.getpid())
        self._context = (
            client_context(Tls(settings.ca_file, settings.client_certificate, settings.client_key))
            if settings.transport == "tls"
            else None
        )
        self._tell = tell
        self._most = most
        self._first_pause = self._pause = first_pause
        self._lines: SimpleQueue[tuple[int, Line] | None] = SimpleQueue()
        self._ending = threading.Event()
        self._connection: socket.socket | None = None
        self._since = 0.0  # when it began, in monotonic seconds
        self._well = True
        self._numbers = count(1)
        self._told = 0
        self.lost = 0  # threads that count at the same moment may lose a count
        self._thread = threading.Thread(target=self._run, name="syslog", daemon=True)

    def start(self) -> None:
        """Begin to bring lines away."""
        self._thread.start()

    def __call__(self, line: Line) -> None:
        """Take a line, which must not change any more; never wait, never fail."""
        number = next(self._numbers)  # also of a line that is lost, so that the other side sees a gap
        if self._lines.qsize() >= self._most:
            self.lost += 1
        else:
            self._lines.put((number, line))

    def stop(self) -> None:
        """Let the lines leave that still wait, for a short while."""
        self._lines.put(None)
        until = time.monotonic() + _END
        self._thread.join(_END / 2)
        self._ending.set()  # no more pauses, and one last try
        self._thread.join(max(0.0, until - time.monotonic()))

    def _run(self) -> None:
        while (next_one := self._lines.get()) is not None:
            number, line = next_one
            try:
                self._bring(message(line, self._origin, number))
                self._say_what_was_lost()
            except Exception as bug:  # noqa: BLE001 - the outermost edge of the thread: it must live on
                self.lost += 1
                self._tell("error", {"event": "internal error", "why": traced(bug)})
        self._take_leave()

    def _bring(self, octets: bytes) -> None:
        """Send a message, over a new connection where the one before has failed, until that is done."""
        if self._ending.is_set() and not self._well:  # the last try has failed
            self.lost += 1
            return
        while True:
            try:
                self._send(octets)
            except (OSError, UnicodeError) as fault:  # a UnicodeError for a host that DNS cannot have
                self._disconnect()
                self._change(well=False, why=failure(fault))
                if self._ending.is_set():
                    self.lost += 1
                    return
                self._ending.wait(self._pause)
                self._pause = min(self._pause * 2, _LONGEST_PAUSE)
            else:
                self._change(well=True)
                return

    def _send(self, octets: bytes) -> None:
        lasting = time.monotonic() - self._since >= _SETTLED
        if self._connection is not None and lasting:
            self._pause = self._first_pause
        if self._connection is not None and self._transport != "udp" and _ended(self._connection):
            if not lasting:  # a proxy that has nobody behind it takes whatever comes, and ends each connection
                raise ConnectionError("the server ended it as soon as it had begun")
            self._disconnect()
        if self._connection is None:
            self._connection, self._since = self._connect(), time.monotonic()
        if self._transport == "udp":
            self._connection.send(octets)
        else:
            self._connection.sendall(framed(octets))

    def _connect(self) -> socket.socket:
        if self._transport == "udp":
            family, kind, protocol, _, address = socket.getaddrinfo(*self._address, type=socket.SOCK_DGRAM)[0]
            datagrams = socket.socket(family, kind, protocol)
            try:
                datagrams.settimeout(_PATIENCE)
                datagrams.connect(address)
            except BaseException:
                datagrams.close()
                raise
            return datagrams
        connection = socket.create_connection(self._address, _PATIENCE)
        if self._context is None:
            return connection
        try:
            return self._context.wrap_socket(connection, server_hostname=self._address[0])
        except BaseException:
            connection.close()
            raise

    def _take_leave(self) -> None:
        """Say by TLS that no more is to come (RFC 5425 section 4.4), and wait until the other side has taken all.

        A socket that is closed while something unread lies in it, such as a session ticket, loses what it has to send.
        """
        if isinstance(self._connection, ssl.SSLSocket):
            with suppress(OSError):  # whoever ends it without a word has ended it too
                self._connection.settimeout(_FAREWELL)
                self._connection.unwrap()
        self._disconnect()

    def _disconnect(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            with suppress(OSError):
                connection.close()

    def _change(self, *, well: bool, why: str = "") -> None:
        """Tell once that lines leave no more, and once that they do again."""
        if well == self._well:
            return
        self._well = well
        host, port = self._address
        where = {"server": f"{host} port {port}", "transport": self._transport}
        if well:
            self._tell("info", {"event": "syslog server back", **where})
        else:
            self._tell("warning", {"event": "syslog server failed", **where, "why": why})

    def _say_what_was_lost(self) -> None:
        """Tell both sides how many lines found no place, as soon as there is one again."""
        lost = self.lost - self._told
        if not lost or self._lines.qsize() >= self._most:
            return
        self._told += lost
        line = {"event": "log lines lost", "lines": lost, "why": "the syslog server is too slow, or away"}
        self._tell("error", line)
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        self({"level": "error", "time": now, **line})


def _ended(connection: socket.socket) -> bool:
    """Tell whether the other side has ended a connection, on which it says nothing else (RFC 5425 section 4.4)."""
    connection.settimeout(0)
    try:
        return connection.recv(4096) == b""
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    finally:
        connection.settimeout(_PATIENCE)
