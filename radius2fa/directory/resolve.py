"""Owns the way from a server's name to its addresses, and to the first of them that answers."""

import socket
from collections.abc import Callable
from typing import TypeVar

from radius2fa.directory.endpoint import Endpoint
from radius2fa.directory.link import Broken, Dialling

T = TypeVar("T")


def resolve(endpoint: Endpoint) -> list[str]:
    """Return the server's addresses; of one on this machine the path of its socket.

    How long that takes at most is set in resolv.conf, not here.

    Raises:
        Broken: when it has none.

    """
    if endpoint.path:
        return [endpoint.path]
    try:
        known = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as fault:
        raise Broken(f"the name {endpoint.host} has no address: {fault}", sent=False) from fault
    return [str(address[0]) for _, _, _, _, address in known]


def first_connected(endpoint: Endpoint, dialling: Dialling, deadline: float, connect: Callable[[str, float], T]) -> T:
    """Return what `connect` returns for the first address that it can connect to within so many seconds.

    Raises:
        Broken: when it can for none before `deadline`, with the cause of the last one.

    """
    cause = "no time left"
    for address in resolve(endpoint):
        left = min(dialling.connect_timeout, deadline - dialling.clock())
        if left <= 0:
            break
        try:
            return connect(address, left)
        except Broken as broken:
            cause = broken.cause
    raise Broken(cause, sent=False)
