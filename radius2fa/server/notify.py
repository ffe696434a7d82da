"""Owns the word to systemd: ready, stopping, still alive (sd_notify(3), sd_watchdog_enabled(3))."""

import faulthandler
import os
import socket
from collections.abc import Mapping
from contextlib import suppress

from radius2fa.server.reactor import Reactor

_MICROSECONDS = 1_000_000
_PATIENCE = 1.0  # seconds until systemd takes a word, where so many wait for it that its socket is full
_TIMES = 3  # that it is told within the time systemd waits for it, so that one late word is no death


def notify(state: str, environment: Mapping[str, str]) -> None:
    """Send a state such as "READY=1", if systemd has asked for it by $NOTIFY_SOCKET.

    A word that does not get through is lost, and nothing else is: what comes of that systemd decides.
    """
    path = environment.get("NOTIFY_SOCKET", "")
    if not path:
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as messenger:
        messenger.settimeout(_PATIENCE)
        messenger.sendto(state.encode(), address)


def keep_watched(reactor: Reactor, environment: Mapping[str, str]) -> None:
    """Tell systemd again and again that the reactor thread is alive, where the unit has WatchdogSec.

    It is the reactor itself that does so: while it is stuck nothing is told, and systemd ends the process by SIGABRT.
    The places of all threads, without any value, are then written to the standard error.
    """
    interval = watch_interval(environment, os.getpid())
    if interval is None:
        return
    faulthandler.enable()

    def alive() -> None:
        notify("WATCHDOG=1", environment)
        reactor.callLater(interval, alive)

    alive()


def watch_interval(environment: Mapping[str, str], pid: int) -> float | None:
    """Return the seconds between two words of process `pid`; None if systemd does not wait for any."""
    asked = environment.get("WATCHDOG_USEC", "")
    if environment.get("WATCHDOG_PID", str(pid)) != str(pid) or not asked.isdecimal() or not int(asked):
        return None
    return int(asked) / _MICROSECONDS / _TIMES
