"""Owns the turns of reloads, of server and portal alike: in a thread beside, one at a time, and told to systemd."""

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping

from radius2fa.server.notify import notify
from radius2fa.server.reactor import Reactor


class Reloads(ABC):
    """Reloads when asked to. All its methods run in the reactor thread, but for `_work`."""

    def __init__(self, reactor: Reactor, environment: Mapping[str, str] = os.environ) -> None:
        """Begin with none under way."""
        self._reactor = reactor
        self._environment = environment
        self._busy = False
        self._again = False

    def ask(self) -> None:
        """Reload; while that goes on already, once more afterwards: the file may have changed since it was read."""
        if self._busy:
            self._again = True
            return
        self._busy = True
        # The time tells systemd that this is the answer to its request, and not to an earlier one: sd_notify(3).
        notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}", self._environment)
        self._reactor.callInThread(self._work)

    @abstractmethod
    def _work(self) -> None:
        """Do what blocks, in a thread; it raises nothing, and sees to it that `_end` is called in the reactor's."""

    def _end(self, status: str) -> None:
        """Tell systemd how it ended, and begin again, if that was asked for meanwhile."""
        self._busy = False
        notify(f"READY=1\nSTATUS={status}", self._environment)
        if self._again:
            self._again = False
            self.ask()
