"""Owns what is seen of each client: when it asked last, and whether it signs what it asks (Message-Authenticator)."""

from dataclasses import dataclass


@dataclass(slots=True)
class Habit:
    """One client's: when its last well-framed request came (Unix seconds), and how many were signed and not."""

    last: float
    signed: int = 0
    unsigned: int = 0


class Habits:
    """The habits of all clients that have asked since the start, by name. Used in the reactor thread only."""

    def __init__(self) -> None:
        """Start without any."""
        self._by_client: dict[str, Habit] = {}

    def note(self, client: str, when: float, *, signed: bool) -> None:
        """Note a request of a client."""
        habit = self._by_client.get(client)
        if habit is None:
            habit = self._by_client[client] = Habit(when)
        habit.last = when
        if signed:
            habit.signed += 1
        else:
            habit.unsigned += 1

    def of(self, client: str) -> Habit | None:
        """Return a client's, None if it has not asked yet."""
        return self._by_client.get(client)
