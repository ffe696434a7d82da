"""Owns the portal's reload: whatever comes of the reading is told to systemd."""

import os
from collections.abc import Callable, Mapping

from radius2fa.server.reactor import Reactor
from radius2fa.server.reloads import Reloads
from radius2fa.traced import traced


class Reload(Reloads):
    """Reloads when asked to, by a call."""

    def __init__(
        self, read: Callable[[], str], *, reactor: Reactor, environment: Mapping[str, str] = os.environ
    ) -> None:
        """Call `read` in a thread; it returns what systemd shows."""
        super().__init__(reactor, environment)
        self._read = read

    def _work(self) -> None:
        try:
            status = self._read()
        except Exception as bug:  # noqa: BLE001 - or no later reload would come through
            status = f"Reload failed: {traced(bug)}"
        self._reactor.callFromThread(self._end, status)
