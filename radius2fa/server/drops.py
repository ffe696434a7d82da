"""Owns what is said of datagrams that get no answer: a count for every cause, and a log line that cannot be flooded."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from structlog.typing import FilteringBoundLogger

from radius2fa.radius.packet import Code, Drop


class Silence(StrEnum):
    """Causes of silence that do not lie in the octets. `remedy` says what to do, where something can be done."""

    UNKNOWN_CLIENT = "unknown-client"
    IN_PROGRESS = "repeat-while-in-progress"
    OVERLOAD = "overload"
    LATE = "waited-too-long"
    UNAVAILABLE = "backend-unavailable"
    BUG = "internal-error"

    @property
    def remedy(self) -> str | None:
        """One sentence for the administrator, or None."""
        return _REMEDIES.get(self)


_REMEDIES = {
    Silence.UNKNOWN_CLIENT: "Add a [[client]] with this address, or look at what runs there.",
    Silence.OVERLOAD: "Raise server.threads or server.backlog, or find out who asks so much.",
    Silence.LATE: "The directory or the database is slow: see `radius2fa check`.",
    Silence.UNAVAILABLE: "See `radius2fa check`.",
    Silence.BUG: "This is a fault of radius2fa: please report this line.",
}

_CODES = frozenset(Code)

# One line for a cause and client in this many seconds; the next one says how many went by unsaid.
_INTERVAL = 5.0


@dataclass(slots=True)
class _Said:
    at: float
    unsaid: int = 0


class Drops:
    """Counts and tells. Used in the reactor thread only."""

    def __init__(self, log: FilteringBoundLogger, clock: Callable[[], float]) -> None:
        """Tell `log`; `clock` gives monotonic seconds."""
        self.counts: Counter[tuple[str, str]] = Counter()
        self._log = log
        self._clock = clock
        self._said: dict[tuple[str, str], _Said] = {}

    def drop(  # noqa: PLR0917 - in the order of the line
        self,
        cause: Drop | Silence,
        client: str,
        octets: bytes,
        address: str,
        detail: str = "",
        traits: Mapping[str, str] | None = None,
    ) -> None:
        """Count a drop and say so, in one shape: what was received from whom, and why it got no answer.

        `client` is the client's name, or "" for an unknown one: its address, which anybody can forge, must not make
        a key of its own here. Of the `octets`, only code and identifier are told. By the `traits` a request can be
        followed; they are fields of the line.
        """
        key = (cause, client)
        self.counts[key] += 1
        now = self._clock()
        said = self._said.get(key)
        if said is not None and now - said.at < _INTERVAL:
            said.unsaid += 1
            return
        self._said[key] = _Said(now)
        fields = {
            "received": _named(octets),
            "address": address,
            "client": client or None,
            **(traits or {}),
            "why": cause.value,
            "detail": detail or None,
            "remedy": cause.remedy,
            "also": f"{said.unsaid} more since the last such line" if said and said.unsaid else None,
        }
        self._log.warning("dropped", **{name: value for name, value in fields.items() if value is not None})


def _named(octets: bytes) -> str:
    """Name a packet that may be anything: by its code and identifier, if it has that much."""
    if len(octets) < 2:  # noqa: PLR2004 - code and identifier, RFC 2865 section 3
        return "datagram"
    code = Code(octets[0]).name if octets[0] in _CODES else f"code={octets[0]}"
    return f"{code} id={octets[1]}"
