"""Owns the word to systemd: ready, stopping (sd_notify(3))."""

import socket
from collections.abc import Mapping


def notify(state: str, environment: Mapping[str, str]) -> None:
    """Send a state such as "READY=1", if systemd has asked for it by $NOTIFY_SOCKET."""
    path = environment.get("NOTIFY_SOCKET", "")
    if not path:
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as messenger:
        messenger.sendto(state.encode(), address)
