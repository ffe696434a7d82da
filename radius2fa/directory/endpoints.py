"""Owns which servers a directory has: those of the configuration, and those that DNS tells, as of lately."""

import math
import secrets
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from threading import Event, Lock, Thread

from radius2fa.config.model import Directory
from radius2fa.directory.endpoint import Endpoint, Service, parse_source
from radius2fa.directory.srv import RETRY, SYSTEM, Draw, Nameservers, Told, ask
from radius2fa.login.ports import Unavailable

FIRST_WAIT = 1.5  # seconds, for which whoever comes before the first answer of DNS waits for it
_LIFETIME = 5.0  # seconds for one question to DNS, asked beside the logins

Beside = Callable[[Callable[[], None]], None]
"""How a piece of work is done without waiting for it."""


def _in_a_thread(work: Callable[[], None]) -> None:
    """Do it in a thread that ends with it, and that no end of the process waits for."""
    Thread(target=work, name="radius2fa-srv", daemon=True).start()


def endpoints_of(
    settings: Directory,
    clock: Callable[[], float],
    draw: Draw = secrets.randbelow,
    nameservers: Nameservers = SYSTEM,
    beside: Beside = _in_a_thread,
) -> Callable[[], tuple[Endpoint, ...]]:
    """Return what tells the servers, in the order of preference.

    What it returns waits for DNS at most FIRST_WAIT seconds, and only before the first answer. It may be called from
    all threads, and raises Unavailable where DNS has not told a server yet, and the configuration names none.
    `clock` gives monotonic seconds.

    Raises:
        ValueError: naming the URL that is none.

    """
    sources = tuple(map(parse_source, settings.urls))
    known = tuple(source for source in sources if isinstance(source, Endpoint))
    if len(known) == len(sources):
        return lambda: known
    services = [source for source in sources if isinstance(source, Service)]
    asked = {each: _Asked(partial(ask, each, nameservers, draw, _LIFETIME), clock, beside) for each in services}
    return lambda: _all(sources, asked)


def tell(settings: Directory, draw: Draw = secrets.randbelow, nameservers: Nameservers = SYSTEM) -> tuple[Told, ...]:
    """Return what each URL leads to, in their order, for `check`: DNS is asked now, and waited for.

    A URL of one server leads to that. What DNS did not tell, and which records are not used, stands in the answers.

    Raises:
        ValueError: naming the URL that is none.

    """
    sources = tuple(map(parse_source, settings.urls))
    return tuple(
        Told(source.url, (source,)) if isinstance(source, Endpoint) else ask(source, nameservers, draw, _LIFETIME)
        for source in sources
    )


class _Asked:
    """What DNS has told of one service, asked again beside the logins when that has grown old.

    An answer without any server never takes the place of one that had some: servers that are gone do not answer, and
    a DNS that has lost its zone would keep everybody out.
    """

    def __init__(self, question: Callable[[], Told], clock: Callable[[], float], beside: Beside) -> None:
        """Start without an answer; nothing is asked yet."""
        self._question = question
        self._clock = clock
        self._beside = beside
        self._lock = Lock()
        self._asking = False
        self._due = -math.inf
        self._waits_until = math.inf
        self._ended = Event()  # the first question has, whether it was answered or not
        self.told: Told | None = None

    def begin(self) -> None:
        """Ask, if it is time to, and nobody does already."""
        now = self._clock()
        with self._lock:
            if self._asking or now < self._due:
                return
            self._asking = True
            self._waits_until = now + FIRST_WAIT
        try:
            self._beside(self._ask)
        except RuntimeError:  # no thread is to be had; the next login tries again, and nobody waits
            self._asking = False
            self._ended.set()

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return the servers that are known; before the first answer wait for it."""
        self._ended.wait(max(0.0, self._waits_until - self._clock()))
        return self.told.endpoints if self.told else ()

    @property
    def fault(self) -> str:
        """Return why no server is known."""
        return self.told.fault if self.told else "DNS: no answer yet"

    def _ask(self) -> None:
        due = self._clock() + RETRY
        try:
            told = self._question()
            due = self._clock() + told.ttl
            if told.endpoints or not (self.told and self.told.endpoints):
                self.told = told
        finally:
            self._due = due
            self._asking = False
            self._ended.set()


def _all(sources: Iterable[Endpoint | Service], asked: Mapping[Service, _Asked]) -> tuple[Endpoint, ...]:
    """Return the servers of all sources, each server once."""
    for each in asked.values():
        each.begin()  # all of them, before the first is waited for
    found: dict[tuple[str, int, bool, str], Endpoint] = {}
    for source in sources:
        for endpoint in (source,) if isinstance(source, Endpoint) else asked[source].endpoints():
            found.setdefault((endpoint.host, endpoint.port, endpoint.tls, endpoint.path), endpoint)
    if not found:
        raise Unavailable("directory", "; ".join(f"{service.url}: {each.fault}" for service, each in asked.items()))
    return tuple(found.values())
