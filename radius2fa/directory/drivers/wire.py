"""Owns the octets between us and a server: every exchange has its deadline, and an answer its largest size.

ldap3 has a time-out for each read, so a server that sends an octet now and then would hold a thread for as long as it
likes, and it has no bound on what it keeps of an answer. So ldap3 is given this in place of its socket.
"""

import select
import socket
import ssl
from collections.abc import Callable

from radius2fa.directory.link import LONGEST_ANSWER, Broken


class Wire:
    """A connected socket, with what ldap3 asks of one: sendall, recv, shutdown and close. All faults are Broken.

    Broken is no OSError, and so ldap3 lets it pass as it is.
    """

    def __init__(self, stream: socket.socket, clock: Callable[[], float], longest: int = LONGEST_ANSWER) -> None:
        """Take over a connected socket. `clock` gives monotonic seconds, `longest` are the octets of an answer.

        `begin` comes before all else.
        """
        # Nagle's algorithm would hold a bind back behind the handshake's last octets: 43 ms instead of 0.5 ms.
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream = stream
        self._clock = clock
        self._longest = longest
        self.begin(clock())

    def begin(self, deadline: float) -> None:
        """Begin an exchange, which has to be over at `deadline`."""
        self._deadline = deadline
        self._sent = False
        self._received = 0

    def sendall(self, octets: bytes) -> None:
        """Send them all before the deadline."""
        left = self._left()
        self._sent = True
        try:
            self._stream.settimeout(left)
            self._stream.sendall(octets)
        except OSError as fault:
            raise self._broken(fault) from None

    def recv(self, size: int) -> bytes:
        """Return at least one octet, and at most `size`, that came before the deadline."""
        try:
            self._stream.settimeout(self._left())
            octets = self._stream.recv(size)
        except OSError as fault:
            raise self._broken(fault) from None
        if not octets:
            raise Broken("the server closed the connection", sent=True)
        self._received += len(octets)
        if self._received > self._longest:
            raise Broken("an answer of an impossible length", sent=True)
        return octets

    def secure(self, context: ssl.SSLContext, host: str) -> None:
        """Begin TLS, in which the server has to prove that it is `host`, before the deadline."""
        try:
            self._stream.settimeout(self._left())
            self._stream = context.wrap_socket(self._stream, server_hostname=host)
        except ssl.SSLCertVerificationError as fault:
            raise Broken(f"the certificate is not accepted: {fault.verify_message}", sent=False) from fault
        except TimeoutError as fault:
            raise Broken("no TLS in time", sent=False, late=True) from fault
        except (OSError, ValueError) as fault:  # ValueError: a host name that is none
            raise Broken(f"no TLS: {fault}", sent=False) from fault

    def certificate(self) -> bytes | None:
        """Return the server's certificate (DER), None without TLS."""
        return self._stream.getpeercert(binary_form=True) if isinstance(self._stream, ssl.SSLSocket) else None

    def silent(self) -> bool:
        """Tell whether nothing has come that nobody asked for (it could only be a farewell)."""
        poll = select.poll()
        poll.register(self._stream, select.POLLIN)
        return not poll.poll(0)

    def shutdown(self, how: int) -> None:
        """End the stream, as `socket.shutdown` does; ldap3 expects an OSError where it has ended already."""
        self._stream.shutdown(how)

    def close(self) -> None:
        """Close the socket."""
        self._stream.close()

    def _left(self) -> float:
        left = self._deadline - self._clock()
        if left <= 0:
            raise Broken("no answer in time", sent=self._sent, late=True)
        return left

    def _broken(self, fault: OSError) -> Broken:
        if isinstance(fault, TimeoutError):
            return Broken("no answer in time", sent=True, late=True)
        return Broken(f"the connection broke: {fault.strerror or fault}", sent=True)
