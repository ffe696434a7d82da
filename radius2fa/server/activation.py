"""Owns the ports that systemd has opened for us, where the unit has a socket beside it (sd_listen_fds(3))."""

import socket
from collections.abc import Mapping

from radius2fa.server.listener import ListenFailed

_FIRST = 3  # SD_LISTEN_FDS_START
_REMEDY = "In its unit, write ListenDatagram= with an address, and BindIPv6Only=ipv6-only."

Inherited = dict[tuple[str, int], socket.socket]
"""UDP sockets by the address and port that they are bound to."""


def inherited(environment: Mapping[str, str], pid: int, first: int = _FIRST) -> Inherited:
    """Return the sockets that were passed to process `pid`, from descriptor `first` on; none if none was.

    Raises:
        ListenFailed: one of them is no UDP socket of one family. None is kept then.

    """
    passed = environment.get("LISTEN_FDS", "")
    if environment.get("LISTEN_PID") != str(pid) or not passed.isdecimal():
        return {}
    found: Inherited = {}
    try:
        for descriptor in range(first, first + int(passed)):
            taken = _taken(descriptor, found)
            found[taken.getsockname()[:2]] = taken
    except ListenFailed:
        for taken in found.values():
            taken.close()
        raise
    return found


def _taken(descriptor: int, before: Inherited) -> socket.socket:
    try:
        taken = socket.socket(fileno=descriptor)
    except OSError as fault:
        raise ListenFailed(f"{_named(descriptor)} is no socket: {fault.strerror}") from None
    taken.set_inheritable(False)
    two_families = taken.family == socket.AF_INET6 and not taken.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
    if taken.family not in {socket.AF_INET, socket.AF_INET6} or taken.type != socket.SOCK_DGRAM or two_families:
        taken.close()
        raise ListenFailed(f"{_named(descriptor)} is no UDP socket of IPv4 or IPv6 alone. {_REMEDY}")
    if taken.getsockname()[:2] in before:
        taken.close()
        raise ListenFailed(f"{_named(descriptor)} has the address of an earlier one. Write it once in its unit.")
    return taken


def _named(descriptor: int) -> str:
    return f"descriptor {descriptor}, which systemd passed,"
