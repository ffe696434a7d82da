"""Owns one connection to one server: how it is opened, and how one request is exchanged for its answer.

ldap3's own Connection is not used here. It follows referrals with the service account's password, checks no certificate
unless told to, parses the authorities' file anew for every connection, shows passwords in its repr, answers with tuples
that are always true, and its time-outs hold for each octet rather than for the answer.
"""

import select
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from radius2fa.directory.ber import Malformed, message_size
from radius2fa.directory.diagnosis import SUCCESS
from radius2fa.directory.endpoint import Endpoint
from radius2fa.directory.messages import (
    BIND_RESPONSE,
    EXTENDED_RESPONSE,
    SEARCH_DONE,
    SEARCH_ENTRY,
    SEARCH_REFERENCE,
    Found,
    Message,
    Result,
    Search,
    bind_request,
    read_entry,
    read_message,
    read_result,
    search_request,
    start_tls_request,
    unbind_request,
)

# Firewalls and servers drop connections that nobody uses, often without a word; opening one takes milliseconds.
LONGEST_IDLE = 60.0  # seconds


class Broken(Exception):  # noqa: N818 - named by what it says of the connection
    """The connection is of no more use. `sent` tells that the server may have got the request."""

    def __init__(self, cause: str, *, sent: bool, late: bool = False) -> None:
        """Say what happened; `late` tells that it was the time-out."""
        super().__init__(cause)
        self.cause = cause
        self.sent = sent
        self.late = late


@dataclass(frozen=True, slots=True)
class Dialling:
    """How connections are opened. Time-outs are seconds; `clock` gives monotonic seconds."""

    tls: ssl.SSLContext
    start_tls: bool
    connect_timeout: float
    timeout: float
    clock: Callable[[], float]


class Connection:
    """One connection, used by one thread at a time. After Broken it can only be closed."""

    def __init__(self, stream: socket.socket, timeout: float, clock: Callable[[], float]) -> None:
        """Take over a connected socket. An answer takes `timeout` seconds at most."""
        self._stream = stream
        self._timeout = timeout
        self._clock = clock
        self._message_id = 0
        self._used = clock()

    def bind(self, dn: str, password: bytes, deadline: float) -> Result:
        """Exchange one bind for its result.

        Raises:
            Broken: when there is none.

        """
        request = bind_request(self._next_id(), dn, password)
        return self._exchange(request, BIND_RESPONSE, deadline)[1]

    def search(self, search: Search, deadline: float) -> tuple[list[Found], Result]:
        """Exchange one search for the entries that were found, and the result. References elsewhere are not followed.

        Raises:
            Broken: when there is no result.

        """
        return self._exchange(search_request(self._next_id(), search), SEARCH_DONE, deadline)

    def start_tls(self, context: ssl.SSLContext, host: str, deadline: float) -> None:
        """Go on under TLS.

        Raises:
            Broken: when the server will not, or does not prove to be `host`.

        """
        result = self._exchange(start_tls_request(self._next_id()), EXTENDED_RESPONSE, deadline)[1]
        if result.code != SUCCESS:
            raise Broken(f"StartTLS was refused: {result}", sent=False)
        self.wrap(context, host, deadline)

    def wrap(self, context: ssl.SSLContext, host: str, deadline: float) -> None:
        """Begin TLS at once. Raises Broken as `start_tls` does."""
        try:
            self._stream.settimeout(self._left(deadline, sent=False))
            self._stream = context.wrap_socket(self._stream, server_hostname=host)
        except ssl.SSLCertVerificationError as fault:
            raise Broken(f"the certificate is not accepted: {fault.verify_message}", sent=False) from fault
        except TimeoutError as fault:
            raise Broken("no TLS in time", sent=False, late=True) from fault
        except (OSError, ValueError) as fault:  # ValueError: a host name that is none
            raise Broken(f"no TLS: {fault}", sent=False) from fault

    def certificate(self) -> dict[str, object]:
        """Return the server's certificate as `ssl.SSLSocket.getpeercert` does; empty without TLS."""
        return dict(self._stream.getpeercert() or {}) if isinstance(self._stream, ssl.SSLSocket) else {}

    def usable(self) -> bool:
        """Tell whether it may serve again: used lately, and silent since (a word could only be a farewell)."""
        if self._clock() - self._used > LONGEST_IDLE:
            return False
        poll = select.poll()
        poll.register(self._stream, select.POLLIN)
        return not poll.poll(0)

    def close(self) -> None:
        """Take leave, as far as that needs no waiting, and close."""
        try:
            self._stream.settimeout(0)
            self._stream.sendall(unbind_request(self._next_id()))
        except OSError:
            pass  # the other side sees the end anyway
        self._stream.close()

    def _next_id(self) -> int:
        self._message_id += 1
        return self._message_id

    def _left(self, deadline: float, *, sent: bool) -> float:
        left = deadline - self._clock()
        if left <= 0:
            raise Broken("no answer in time", sent=sent, late=True)
        return left

    def _exchange(self, request: bytes, answer: int, deadline: float) -> tuple[list[Found], Result]:
        """Send a request, and read up to the message that ends it."""
        deadline = min(deadline, self._clock() + self._timeout)
        self._stream.settimeout(self._left(deadline, sent=False))
        try:
            self._stream.sendall(request)
            exchanged = self._answer(answer, deadline)
        except TimeoutError as fault:
            raise Broken("no answer in time", sent=True, late=True) from fault
        except OSError as fault:
            raise Broken(f"the connection broke: {fault.strerror or fault}", sent=True) from fault
        except Malformed as fault:
            raise Broken(f"the answer is no LDAP: {fault}", sent=True) from fault
        self._used = self._clock()
        return exchanged

    def _answer(self, answer: int, deadline: float) -> tuple[list[Found], Result]:
        found: list[Found] = []
        received = b""
        while True:
            message, received = self._receive(received, deadline)
            if message.id != self._message_id:
                # 0 is an unsolicited notification (RFC 4511 section 4.4): the server is about to close.
                raise Broken("the server takes leave", sent=True)
            if message.tag == answer:
                if received:
                    # In front of TLS, these octets could have been slipped in by anybody.
                    raise Malformed("octets behind the end of the answer")
                return found, read_result(message.body)
            if answer == SEARCH_DONE and message.tag == SEARCH_ENTRY:
                found.append(read_entry(message.body))
            elif answer != SEARCH_DONE or message.tag != SEARCH_REFERENCE:
                raise Malformed("an answer to another question")

    def _receive(self, received: bytes, deadline: float) -> tuple[Message, bytes]:
        """Return the next message, and what came behind it. The deadline holds for the whole of it."""
        while (size := message_size(received)) is None or len(received) < size:
            self._stream.settimeout(self._left(deadline, sent=True))
            octets = self._stream.recv(16384)
            if not octets:
                raise Broken("the server closed the connection", sent=True)
            received += octets
        return read_message(received[:size]), received[size:]


def dial(endpoint: Endpoint, dialling: Dialling, deadline: float) -> Connection:
    """Open a connection to a server, under TLS unless the configuration wants none.

    Raises:
        Broken: when that cannot be done before `deadline`; nothing but StartTLS has been sent then.

    """
    connection = connect(endpoint, dialling, deadline)
    try:
        secure(connection, endpoint, dialling, deadline)
    except Broken:
        connection.close()
        raise
    return connection


def secure(connection: Connection, endpoint: Endpoint, dialling: Dialling, deadline: float) -> None:
    """Begin TLS as the configuration says, at once or by StartTLS; there is no going on without.

    Raises:
        Broken: when there is no TLS before `deadline`, or the server does not prove who it is.

    """
    deadline = min(deadline, dialling.clock() + dialling.timeout)
    try:
        if endpoint.tls:
            connection.wrap(dialling.tls, endpoint.host, deadline)
        elif dialling.start_tls:
            connection.start_tls(dialling.tls, endpoint.host, deadline)
    except Broken as broken:
        raise Broken(broken.cause, sent=False, late=broken.late) from broken


def resolve(endpoint: Endpoint) -> list[tuple[socket.AddressFamily, tuple[Any, ...]]]:
    """Return the server's addresses. How long that takes at most is set in resolv.conf, not here.

    Raises:
        Broken: when it has none.

    """
    try:
        known = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as fault:
        raise Broken(f"the name {endpoint.host} has no address: {fault}", sent=False) from fault
    return [(family, address) for family, _, _, _, address in known]


def connect(endpoint: Endpoint, dialling: Dialling, deadline: float) -> Connection:
    """Connect to the first of the server's addresses that answers.

    Raises:
        Broken: when none does before `deadline`.

    """
    cause = "no time left"
    for family, address in resolve(endpoint):
        left = min(dialling.connect_timeout, deadline - dialling.clock())
        if left <= 0:
            break
        stream = socket.socket(family, socket.SOCK_STREAM)
        try:
            # Nagle's algorithm would hold a bind back behind the handshake's last octets: 43 ms instead of 0.5 ms.
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            stream.settimeout(left)
            stream.connect(address)
        except OSError as fault:
            stream.close()
            cause = "no connection in time" if isinstance(fault, TimeoutError) else f"no connection: {fault.strerror}"
        else:
            return Connection(stream, dialling.timeout, dialling.clock)
    raise Broken(cause, sent=False)
