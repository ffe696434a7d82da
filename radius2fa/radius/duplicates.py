"""Owns the memory of requests: a client that repeats one gets the same octets again, and no second login.

RFC 5080 section 2.2.2. Nothing here reads a clock: `when` is monotonic seconds, and never goes back.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, Literal

Key = tuple[str, str, int, int]  # listener, source address, source port, Identifier

REMEMBERED_SECONDS: Final = 30.0  # RFC 5080 section 2.2.2 asks for 5 to 30 s; clients repeat for 10 to 30 s
CLIENT_QUOTA: Final = 16384  # FreeRADIUS's default `max_requests`: 546 logins a second for 30 s, about 10 MB


class Held(Enum):
    """Why a request gets no ticket, and no answer now."""

    IN_PROGRESS = auto()  # the same request is being worked on
    FULL = auto()  # the client has as many requests in progress as it may have


IN_PROGRESS: Final = Held.IN_PROGRESS
FULL: Final = Held.FULL


@dataclass(frozen=True, slots=True, eq=False)
class Ticket:
    """The right to work on one request and to answer it. Two tickets are never equal, whatever they hold."""

    key: Key
    authenticator: bytes
    client: str


@dataclass(slots=True)
class _Share:
    """One client's part of the memory: how many requests, and which of them may give way, the oldest reply first."""

    requests: int = 0
    answered: OrderedDict[Key, None] = field(default_factory=OrderedDict)


@dataclass(frozen=True, slots=True)
class _Answer:
    octets: bytes
    expires: float


class Duplicates:
    """The requests in progress, and those answered in the last 30 s. Every operation is O(1)."""

    def __init__(self, quota: int = CLIENT_QUOTA) -> None:
        """Take the number of requests that each client may have here."""
        self._quota = quota
        self._tickets: dict[Key, Ticket] = {}
        self._answers: OrderedDict[Key, _Answer] = OrderedDict()  # the oldest reply first
        self._shares: dict[str, _Share] = {}

    def begin(
        self, key: Key, authenticator: bytes, client_name: str, when: float
    ) -> Ticket | bytes | Literal[Held.IN_PROGRESS, Held.FULL]:
        """Return a ticket for a new request; the octets to send again; or why it is to be dropped."""
        self._expire(when)
        known = self._tickets.get(key)
        if known is not None:
            if known.authenticator == authenticator:
                answer = self._answers.get(key)
                return IN_PROGRESS if answer is None else answer.octets
            self._remove(known)  # another authenticator: a new request, and the old one is abandoned
        share = self._shares.setdefault(client_name, _Share())
        if share.requests >= self._quota:
            if not share.answered:
                return FULL
            self._remove(self._tickets[next(iter(share.answered))])
        return self._add(Ticket(key, authenticator, client_name))

    def answered(self, ticket: Ticket, octets: bytes, when: float) -> bool:
        """Remember the reply. False: the request has been superseded, forgotten or answered, and nothing is sent."""
        if self._tickets.get(ticket.key) is not ticket or ticket.key in self._answers:
            return False
        self._answers[ticket.key] = _Answer(octets, when + REMEMBERED_SECONDS)
        self._shares[ticket.client].answered[ticket.key] = None
        return True

    def forget(self, ticket: Ticket) -> None:
        """Give a request up without a reply, so that its repetition is worked on anew."""
        if self._tickets.get(ticket.key) is ticket:
            self._remove(ticket)

    def in_progress(self) -> int:
        """Return how many requests are being worked on."""
        return len(self._tickets) - len(self._answers)

    def _expire(self, when: float) -> None:
        while self._answers:
            key = next(iter(self._answers))
            if self._answers[key].expires > when:
                return
            self._remove(self._tickets[key])

    def _add(self, ticket: Ticket) -> Ticket:
        self._tickets[ticket.key] = ticket
        self._shares.setdefault(ticket.client, _Share()).requests += 1
        return ticket

    def _remove(self, ticket: Ticket) -> None:
        share = self._shares[ticket.client]
        share.requests -= 1
        share.answered.pop(ticket.key, None)
        self._answers.pop(ticket.key, None)
        del self._tickets[ticket.key]
        if not share.requests:
            del self._shares[ticket.client]
