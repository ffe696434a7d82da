"""Owns one UDP socket: whole datagrams in, replies out by the very address that was asked."""

import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.interfaces import IReadDescriptor
from zope.interface import implementer

from radius2fa.config.rules import listen_text
from radius2fa.server.reactor import Reactor

# One more octet than RFC 2865 section 3 allows in a packet: a longer datagram is known by its length.
_MAX_DATAGRAM = 4097
_IP_PKTINFO = 8  # linux/in.h; the socket module of Python 3.11 does not name it
_IN_PKTINFO = struct.Struct("=i4s4s")  # interface, local address, destination of the header: ip(7)
_IN6_PKTINFO = struct.Struct("=16si")  # destination, interface: ipv6(7)
_ANCILLARY = socket.CMSG_SPACE(_IN6_PKTINFO.size)
_SO_RCVBUFFORCE = 33  # asm-generic/socket.h; needs CAP_NET_ADMIN
# A burst of 300 datagrams overran the kernel's default buffer; 8 MiB hold half a second of 20,000 small ones a second.
_RECEIVE_BUFFER = 8 << 20
# Datagrams read before the reactor sees to its other duties, replies among them.
_BATCH = 64
_DRAINED = 4096  # those that a listener reads which is about to go


class ListenFailed(Exception):  # noqa: N818 - it says what happened
    """An address cannot be listened on. The text says which and why."""


Address = tuple[str, int] | tuple[str, int, int, int]
Ancillary = list[tuple[int, int, bytes]]
# (listener, octets, sender's socket address, control messages): a flood runs through here, so nothing is made of them
# before somebody is known to need it.
Receive = Callable[["Listener", bytes, Address, Ancillary], None]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a request came from, and by which local address: what its reply needs.

    `address` is the sender's socket address; `local` is the control message that makes the reply leave from the address
    that was asked, on a host with several.
    """

    address: Address
    local: bytes

    @property
    def host(self) -> str:
        """The sender's IP address."""
        return self.address[0]


@implementer(IReadDescriptor)
class Listener:
    """A bound socket that hands every datagram to `receive` in the reactor thread. `receive` must not raise."""

    def __init__(
        self, host: str, port: int, receive: Receive, reactor: Reactor, given: socket.socket | None = None
    ) -> None:
        """Bind at once, or take the socket that somebody has bound to this address; read from `start` on.

        Raises:
            ListenFailed: the address is no address of this host, is taken, or needs a privilege.

        """
        self._receive = receive
        self._reactor = reactor
        self._level, self._kind = (
            (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO) if ":" in host else (socket.IPPROTO_IP, _IP_PKTINFO)
        )
        self._socket = given or _socket(host, port)
        try:
            _prepare(self._socket, host)
            if given is None:
                self._socket.bind((host, port))
        except OSError as fault:
            self._socket.close()
            raise ListenFailed(f"{listen_text(host, port)}: {fault.strerror}") from None

    @property
    def address(self) -> tuple[str, int]:
        """The bound address and port."""
        host, port = self._socket.getsockname()[:2]
        return host, port

    def start(self) -> None:
        """Begin to read."""
        self._reactor.addReader(self)

    def pause(self) -> None:
        """Read no more; replies can still be written."""
        self._reactor.removeReader(self)

    def close(self) -> None:
        """Give the port back."""
        self._reactor.removeReader(self)
        self._socket.close()

    def write(self, octets: bytes, to: Source) -> bool:
        """Send a reply from the address that the request came to; False where the kernel would not take it."""
        try:
            self._socket.sendmsg([octets], [(self._level, self._kind, to.local)], 0, to.address)
        except OSError:  # a full buffer or a route that has gone: UDP loses datagrams, and the client asks again
            return False
        return True

    def doRead(self) -> None:  # noqa: N802 - Twisted's name
        """Read what has come, up to a batch."""
        self._read(_BATCH)

    def drain(self) -> None:
        """Read all that has come, before the end; but not for ever, while more is coming."""
        self._read(_DRAINED)

    def _read(self, most: int) -> None:
        for _ in range(most):
            try:
                octets, ancillary, _, address = self._socket.recvmsg(_MAX_DATAGRAM, _ANCILLARY)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error of an earlier reply is reported here, once
                continue
            self._receive(self, octets, address, ancillary)

    def source(self, address: Address, ancillary: Ancillary) -> Source:
        """Return where a datagram came from; its control message is turned into the one for its reply."""
        return Source(address, self._local(ancillary))

    def _local(self, ancillary: Ancillary) -> bytes:
        info = next(data for _, kind, data in ancillary if kind == self._kind)
        if self._kind == _IP_PKTINFO:
            _, local, _ = _IN_PKTINFO.unpack(info)
            return _IN_PKTINFO.pack(0, local, bytes(4))  # interface 0: the routing table decides, as for a connection
        local, interface = _IN6_PKTINFO.unpack(info)
        link_local = local[0] == 0xFE and local[1] & 0xC0 == 0x80  # noqa: PLR2004 - fe80::/10, RFC 4291 section 2.5.6
        return _IN6_PKTINFO.pack(local, interface if link_local else 0)

    def fileno(self) -> int:
        """Return the descriptor, for the reactor."""
        return self._socket.fileno()

    def logPrefix(self) -> str:  # noqa: N802 - Twisted's name
        """Return the name in Twisted's log."""
        return "radius"

    def connectionLost(self, reason: object) -> None:  # noqa: N802 - Twisted's name
        """Do nothing: a UDP socket has no connection to lose."""


def _socket(host: str, port: int) -> socket.socket:
    try:
        return socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    except OSError as fault:
        raise ListenFailed(f"{listen_text(host, port)}: {fault.strerror}") from None


def _prepare(opened: socket.socket, host: str) -> None:
    opened.settimeout(0)
    if ":" in host:
        # Each family has a listener of its own, so that "::" and "0.0.0.0" can both be asked for.
        if not opened.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY):
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    else:
        opened.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
    _enlarge(opened)


def _enlarge(opened: socket.socket) -> None:
    if opened.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) >= _RECEIVE_BUFFER:
        return  # by somebody with the privilege that we have not
    try:
        opened.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER)
    except PermissionError:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)  # cut at net.core.rmem_max
