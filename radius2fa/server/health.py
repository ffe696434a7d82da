"""Owns the answer to "are the backends there?", which a Status-Server asks (RFC 5997)."""

import threading
from collections.abc import Callable

from radius2fa.login.ports import Unavailable

# Clients ask every few seconds, and there may be hundreds of them: one look at the backends serves them all.
_GOOD_FOR = 1.0


class Health:
    """Remembers for a second what the last look said. Called from worker threads; one looks, the others go by that."""

    def __init__(self, probes: tuple[Callable[[float], None], ...], clock: Callable[[], float]) -> None:
        """Each probe takes a deadline (monotonic seconds) and raises Unavailable where its backend is down."""
        self._probes = probes
        self._clock = clock
        self._looking = threading.Lock()
        self._looked = float("-inf")
        self._fault: Unavailable | None = None

    def check(self, deadline: float) -> None:
        """Return if all backends answer.

        Raises:
            Unavailable: one does not, as of at most a second ago.

        """
        with self._looking:
            if self._clock() - self._looked >= _GOOD_FOR:
                self._fault = self._look(deadline)
                self._looked = self._clock()
        if self._fault is not None:
            raise Unavailable(self._fault.backend, self._fault.cause)

    def _look(self, deadline: float) -> Unavailable | None:
        try:
            for probe in self._probes:
                probe(deadline)
        except Unavailable as fault:
            return fault
        return None
