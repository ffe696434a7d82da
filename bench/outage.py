"""Owns the outage: a directory that is stopped for a while, and clients that go on asking all the time."""

import itertools
import select
import time
from collections import deque

from bench.load import ACCESS_ACCEPT, access_request, connected, genuine
from bench.world import SECRET, STEP, Person
from tests.servers.slapd import Slapd

TICK = 0.5  # seconds between two sendings, as of a client that is in a hurry
REPEATS = 5  # how often an unanswered login is sent again
GIVE_UP = 60.0  # seconds


class Clients:
    """Every tick a new login, and each unanswered one again, octet for octet, until it has been sent often enough."""

    def __init__(self, port: int, crowd: list[Person]) -> None:
        """Take the server's port, and people of whom each may be asked for once in two time steps."""
        self._socket = connected(port)
        self._people = itertools.cycle(crowd)
        self._identifiers = itertools.cycle(range(256))
        self._asking: deque[bytes] = deque(maxlen=1 + REPEATS)
        self._by_identifier: dict[int, bytes] = {}

    def ask(self, seconds: float) -> bool:
        """Ask for so long, or until the first login is let in; tell whether one was."""
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            self._tick()
            if self._accepted(min(now + TICK, end)):
                return True
        return False

    def _tick(self) -> None:
        person, identifier = next(self._people), next(self._identifiers)
        typed = person.typed(time.time()).encode()
        request = access_request(identifier, person.name.encode(), typed, SECRET.encode(), signed=True)
        self._by_identifier[identifier] = request
        self._asking.append(request)
        for each in self._asking:
            self._socket.send(each)

    def _accepted(self, until: float) -> bool:
        while (left := until - time.monotonic()) > 0:
            if select.select([self._socket], [], [], left)[0]:
                reply = self._socket.recv(4096)
                if reply[0] == ACCESS_ACCEPT and genuine(reply, self._by_identifier[reply[1]], SECRET.encode()):
                    return True
        return False


def seconds_until_accepted(port: int, crowd: list[Person], directory: Slapd, stopped: float) -> float:
    """Stop the directory for so many seconds; return those from when it answers again to the first login let in.

    Raises:
        RuntimeError: a login was let in without a directory, or none within GIVE_UP.

    """
    time.sleep(2 * STEP - time.time() % STEP)  # the codes of the people's last login are of no use any more
    clients = Clients(port, crowd)
    directory.stop()
    try:
        if clients.ask(stopped):
            raise RuntimeError("a login was let in while the directory was stopped")
    finally:
        directory.start()
    start = time.monotonic()
    if not clients.ask(GIVE_UP):
        raise RuntimeError(f"no login was let in within {GIVE_UP:g} s after the directory came back")
    return time.monotonic() - start
