"""Owns the octets between us and a server: every exchange has its deadline, and an answer its largest size.

ldap3 has a time-out for each read, so a server that sends an octet now and then would hold a thread for as long as it
likes; libldap has none for the handshake of TLS; and neither has a bound on what it keeps of an answer. So ldap3 is
given this in place of its socket, and libldap none that leads to a server.
"""

import select
import socket
import ssl
from collections.abc import Callable

from radius2fa.directory.link import LONGEST_ANSWER, Broken
from radius2fa.directory.tls import failure

# What a socket that does not wait says instead. Under TLS, reading may need to write, and the other way round.
_LATER = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Wire:
    """A connected socket, with what ldap3 asks of one: sendall, recv, shutdown and close. All faults are Broken.

    Broken is no OSError, and so ldap3 lets it pass as it is.
    """

    def __init__(self, stream: socket.socket, clock: Callable[[], float], longest: int = LONGEST_ANSWER) -> None:
        """Take over a connected socket. `clock` gives monotonic seconds, `longest` are the octets of an answer.

        `begin` comes before all else.
        """
        if stream.family != socket.AF_UNIX:
            # Nagle's algorithm would hold a bind back behind the handshake's last octets: 43 ms instead of 0.5 ms.
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream.settimeout(0)  # to set a time-out for each call would cost a system call more than to poll
        self._stream = stream
        self._doubts = ""
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
        self._left()
        self._sent = True
        while octets:
            try:
                octets = octets[self._stream.send(octets) :]
            except _LATER as later:
                self._wait(_event(later, select.POLLOUT))
            except OSError as fault:
                raise self._broken(fault) from None

    def recv(self, size: int) -> bytes:
        """Return at least one octet, and at most `size`, that came before the deadline."""
        octets = self._some(size)
        if not octets:
            raise Broken("the server closed the connection" + self._doubts, sent=True)
        self._doubts = ""
        self._received += len(octets)
        if self._received > self._longest:
            raise Broken("an answer of an impossible length", sent=True)
        return octets

    def secure(self, context: ssl.SSLContext, host: str, doubts: str = "") -> None:
        """Begin TLS, in which the server has to prove that it is `host`, before the deadline.

        `doubts` says what may be wrong where the server ends TLS, or all, without a word. In TLS 1.3 it sees our
        certificate when we are through already, so they last until something has come.
        """
        self._doubts = doubts
        try:
            self._stream.settimeout(self._left())
            self._stream = context.wrap_socket(self._stream, server_hostname=host)
            self._stream.settimeout(0)
        except ssl.SSLCertVerificationError as fault:
            raise Broken(f"the certificate is not accepted: {fault.verify_message}", sent=False) from fault
        except TimeoutError as fault:
            raise Broken("no TLS in time", sent=False, late=True) from fault
        except (OSError, ValueError) as fault:  # ValueError: a host name that is none
            raise Broken(f"no TLS: {failure(fault, doubts)}", sent=False) from fault

    def certificate(self) -> bytes | None:
        """Return the server's certificate (DER), None without TLS."""
        return self._stream.getpeercert(binary_form=True) if isinstance(self._stream, ssl.SSLSocket) else None

    def silent(self) -> bool:
        """Tell whether nothing has come that nobody asked for (it could only be a farewell)."""
        if isinstance(self._stream, ssl.SSLSocket) and self._stream.pending():
            return False
        poll = select.poll()
        poll.register(self._stream, select.POLLIN)
        return not poll.poll(0)

    def shutdown(self, how: int) -> None:
        """End the stream, as `socket.shutdown` does; ldap3 expects an OSError where it has ended already."""
        self._stream.shutdown(how)

    def close(self) -> None:
        """Close the socket."""
        self._stream.close()

    def _some(self, size: int) -> bytes:
        """Return what has come, b"" at the end of the stream."""
        stream = self._stream
        if not (isinstance(stream, ssl.SSLSocket) and stream.pending()):
            self._wait(select.POLLIN)
        while True:
            try:
                return stream.recv(size)
            except _LATER as later:
                self._wait(_event(later, select.POLLIN))
            except OSError as fault:
                raise self._broken(fault) from None

    def _wait(self, event: int) -> None:
        left = self._left()
        poll = select.poll()
        try:
            poll.register(self._stream, event)
        except ValueError:  # it has been closed, as the next use of it will say
            return
        if not poll.poll(left * 1000):
            raise Broken("no answer in time", sent=True, late=True)

    def _left(self) -> float:
        left = self._deadline - self._clock()
        if left <= 0:
            raise Broken("no answer in time", sent=self._sent, late=True)
        return left

    def _broken(self, fault: OSError) -> Broken:
        return Broken(f"the connection broke: {failure(fault, self._doubts)}", sent=True)


def _event(later: OSError, usual: int) -> int:
    """Return the event after which to try again."""
    if isinstance(later, ssl.SSLWantReadError):
        return select.POLLIN
    return select.POLLOUT if isinstance(later, ssl.SSLWantWriteError) else usual
