"""Owns the sockets that browsers connect to."""

import socket

from radius2fa.config.model import Listen
from radius2fa.config.rules import listen_text
from radius2fa.server.listener import ListenFailed

_WAITING = 128  # connections that the kernel keeps until they are taken


def listening(listen: Listen) -> socket.socket:
    """Return a socket that listens.

    Raises:
        ListenFailed: the address is no address of this host, is taken, or needs a privilege.

    """
    six = ":" in listen.host
    where = listen_text(listen.host, listen.port)
    try:
        opened = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    except OSError as fault:
        raise ListenFailed(f"{where}: {fault.strerror}") from None
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a restart need not wait for what was closed
        if six:
            # Each family has a socket of its own, so that "::" and "0.0.0.0" can both be asked for.
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind((listen.host, listen.port))
        opened.listen(_WAITING)
    except OSError as fault:
        opened.close()
        raise ListenFailed(f"{where}: {fault.strerror}") from None
    return opened
