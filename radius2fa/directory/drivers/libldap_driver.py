"""Owns one connection to one server, whose messages libldap makes and reads: how a request is exchanged for its answer.

A search costs about a quarter of the CPU time that it does by ldap3. The socket, its deadlines and TLS (see `wire`) and
the simple bind (see `simple_bind`) are the same.
"""

import contextlib
import socket
import ssl
from dataclasses import replace
from functools import partial

from radius2fa.directory.drivers.libldap_codec import BIND, ENTRY, REFERENCE, SEARCH_DONE, Codec
from radius2fa.directory.drivers.line import FAREWELL, Line
from radius2fa.directory.endpoint import Endpoint
from radius2fa.directory.link import Broken, Dialling
from radius2fa.directory.resolve import first_connected
from radius2fa.directory.terms import Found, Result, Search
from radius2fa.directory.tls import client_context, doubts

_LOT = 16384  # octets, as many as TLS has in one record


class LibldapDriver:
    """Opens connections whose messages libldap makes and reads. The context of TLS is made once, for all of them."""

    def __init__(self, dialling: Dialling) -> None:
        """Read the certificates. Raises ValueError naming the key of a file that is unusable."""
        self._dialling = dialling
        self._context = client_context(dialling.tls)
        self._doubts = doubts(dialling.tls)

    def connect(self, endpoint: Endpoint, deadline: float) -> "LibldapConnection":
        """Connect to the first of the server's addresses that answers. Raises Broken when none does in time."""
        opened = first_connected(endpoint, self._dialling, deadline, partial(_connected, endpoint))
        return LibldapConnection(opened, self._dialling, self._context, self._doubts)


class LibldapConnection(Line):
    """One connection, as `link.Connection`."""

    def __init__(self, opened: socket.socket, dialling: Dialling, context: ssl.SSLContext, doubts: str = "") -> None:
        """Take over a connected socket. An answer takes `dialling.timeout` seconds at most."""
        super().__init__(opened, dialling, context, doubts)
        self._codec = Codec()

    def search(self, search: Search, deadline: float) -> tuple[list[Found], Result]:
        """Exchange one search for the entries that were found, and the result. References elsewhere are not followed.

        Raises:
            Broken: when there is no result.

        """
        self._begin(deadline)
        self._codec.write_search(search)
        return self._answer(SEARCH_DONE)

    def bind_external(self, deadline: float) -> Result:
        """Exchange one bind as whom the transport knows us for its result. Raises Broken when there is none."""
        self._begin(deadline)
        self._codec.write_external_bind()
        return self._answer(BIND)[1]

    def close(self) -> None:
        """Take leave, as far as that needs no waiting, and close."""
        self._wire.begin(self._clock() + FAREWELL)
        with contextlib.suppress(Broken):  # the other side sees the end anyway
            self._wire.sendall(self._codec.farewell())
        self._wire.close()

    def _answer(self, last: int) -> tuple[list[Found], Result]:
        """Send what has been written, and read up to the message of the kind that ends the answer."""
        self._wire.sendall(self._codec.taken())
        found: list[Found] = []
        referred = False
        while True:
            for message in self._codec.read(self._wire.recv(_LOT)):
                if message.kind == last and message.result is not None and not self._codec.has_more():
                    self._used = self._clock()
                    return found, replace(message.result, referred=True) if referred else message.result
                if last != SEARCH_DONE or message.kind not in (ENTRY, REFERENCE):
                    raise Broken("an answer to another question", sent=True)
                if message.found is not None:
                    found.append(message.found)
                referred = referred or message.kind == REFERENCE


def _connected(endpoint: Endpoint, address: str, within: float) -> socket.socket:
    """Return a socket that is connected to one address, which is a path where the endpoint has one."""
    try:
        return (
            _socket_at(address, within) if endpoint.path else socket.create_connection((address, endpoint.port), within)
        )
    except OSError as refused:
        late = isinstance(refused, TimeoutError)
        cause = "no connection in time" if late else f"no connection: {refused.strerror or refused}"
        raise Broken(cause, sent=False, late=late) from None


def _socket_at(path: str, within: float) -> socket.socket:
    opened = socket.socket(socket.AF_UNIX)
    try:
        opened.settimeout(within)
        opened.connect(path)
    except OSError:
        opened.close()
        raise
    return opened
