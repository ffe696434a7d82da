"""Owns the portal's reload: in a thread beside, one at a time, and told to systemd."""

import os
import time
from collections.abc import Callable, Mapping

from radius2fa.server.notify import notify
from radius2fa.server.reactor import Reactor
from radius2fa.traced import traced


class Reload:
    """Reloads when asked to. All its methods run in the reactor thread, but for the reading."""

    def __init__(
        self, read: Callable[[], str], *, reactor: Reactor, environment: Mapping[str, str] = os.environ
    ) -> None:
        """Call `read` in a thread; it returns what systemd shows."""
        self._read = read
        self._reactor = reactor
        self._environment = environment
        self._busy = False
        self._again = False

    def ask(self) -> None:
        """Reload; while that goes on already, once more afterwards: a file may have changed since it was read."""
        if self._busy:
            self._again = True
            return
        self._busy = True
        # The time tells systemd that this is the answer to its request, and not to an earlier one: sd_notify(3).
        notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}", self._environment)
        self._reactor.callInThread(self._work)

    def _work(self) -> None:
        try:
            status = self._read()
        except Exception as bug:  # noqa: BLE001 - or no later reload would come through
            status = f"Reload failed: {traced(bug)}"
        self._reactor.callFromThread(self._end, status)

    def _end(self, status: str) -> None:
        self._busy = False
        notify(f"READY=1\nSTATUS={status}", self._environment)
        if self._again:
            self._again = False
            self.ask()
