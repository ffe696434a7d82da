"""Owns which of the directory's servers is asked first."""

from collections.abc import Callable, Iterable

from radius2fa.directory.endpoint import Endpoint

PASSED_OVER = 10.0  # seconds


class Servers:
    """The servers in order of preference. One that failed is asked last for a while, so that logins do not wait for it.

    It is still asked when no other is left: a directory with one server works again as soon as that server does.
    Used from all threads; a race between two of them only makes one ask a failed server once more.
    """

    def __init__(self, endpoints: Callable[[], Iterable[Endpoint]], clock: Callable[[], float]) -> None:
        """Start with all of them well. `endpoints` tells which there are; `clock` gives monotonic seconds."""
        self._endpoints = endpoints
        self._clock = clock
        self._passed_over: dict[Endpoint, float] = {}

    def in_order(self) -> list[Endpoint]:
        """Return all servers, in the order to ask them in."""
        now = self._clock()
        return sorted(self._endpoints(), key=lambda endpoint: self._passed_over.get(endpoint, now) > now)

    def failed(self, endpoint: Endpoint) -> None:
        """Pass a server over for PASSED_OVER seconds."""
        self._passed_over[endpoint] = self._clock() + PASSED_OVER
