"""Owns the way from a server's name to its addresses."""

import socket

from radius2fa.directory.endpoint import Endpoint
from radius2fa.directory.link import Broken


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
