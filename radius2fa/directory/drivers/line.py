"""Owns what is the same on every connection, whichever library makes its messages: deadlines, TLS, the simple bind."""

import socket
import ssl

from radius2fa.directory.drivers.simple_bind import bind, number_after
from radius2fa.directory.drivers.start_tls import begin_tls
from radius2fa.directory.drivers.wire import Wire
from radius2fa.directory.endpoint import Endpoint
from radius2fa.directory.link import LONGEST_IDLE, Dialling
from radius2fa.directory.terms import Result

FAREWELL = 0.05  # seconds, which are needed only where the socket's buffer is full


class Line:
    """The part of a `link.Connection` that no library has to do with."""

    def __init__(self, opened: socket.socket, dialling: Dialling, context: ssl.SSLContext, doubts: str = "") -> None:
        """Take over a connected socket. An answer takes `dialling.timeout` seconds at most."""
        self._context = context
        self._doubts = doubts
        self._start_tls = dialling.start_tls
        self._wire = Wire(opened, dialling.clock, dialling.longest_answer)
        self._number = 0
        self._timeout = dialling.timeout
        self._clock = dialling.clock
        self._used = self._clock()

    def bind(self, dn: str, password: bytes, deadline: float) -> Result:
        """Exchange one bind for its result.

        Raises:
            Broken: when there is none.

        """
        self._begin(deadline)
        self._number = number_after(self._number)
        result = bind(self._wire, self._number, dn, password)
        self._used = self._clock()
        return result

    def secure(self, endpoint: Endpoint, deadline: float) -> None:
        """Begin TLS as the configuration says. Raises Broken when there is none; only StartTLS has been sent then."""
        if endpoint.path or not (endpoint.tls or self._start_tls):
            return  # what is said over a socket of this machine crosses no network
        self._begin(deadline)
        begin_tls(self._wire, endpoint, self._context, self._doubts)

    def certificate(self) -> bytes | None:
        """Return the server's certificate (DER), None without TLS."""
        return self._wire.certificate()

    def usable(self) -> bool:
        """Tell whether it may serve again: used lately, and silent since."""
        return self._clock() - self._used <= LONGEST_IDLE and self._wire.silent()

    def _begin(self, deadline: float) -> None:
        self._wire.begin(min(deadline, self._clock() + self._timeout))
