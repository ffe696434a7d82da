"""Owns what `radius2fa check` finds out about each of the directory's servers, step by step."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass

from radius2fa.config.model import Directory
from radius2fa.directory.drivers import driver_of
from radius2fa.directory.endpoint import Endpoint
from radius2fa.directory.endpoints import tell
from radius2fa.directory.filters import UserFilter
from radius2fa.directory.groups import Groups
from radius2fa.directory.inspection.accounts import Accounts
from radius2fa.directory.inspection.admission import admitted
from radius2fa.directory.inspection.encryption import encrypted
from radius2fa.directory.inspection.privileges import looked_at
from radius2fa.directory.inspection.reading import Reader, read
from radius2fa.directory.inspection.steps import Fault, ServerReport, Step
from radius2fa.directory.inspection.timing import difference
from radius2fa.directory.ldap import dialling_of
from radius2fa.directory.link import Broken, Connection, Dialling, Driver
from radius2fa.directory.resolve import resolve
from radius2fa.directory.service import ServiceAccount
from radius2fa.directory.wanted import NOTHING_MORE, Wanted

PATIENCE = 10.0  # seconds for one server, whatever the time-outs of its steps


def inspect(
    settings: Directory,
    clock: Callable[[], float],
    wanted: Wanted = NOTHING_MORE,
    *,
    now: Callable[[], float],
    endpoints: Iterable[Endpoint] | None = None,
    accounts: Accounts | None = None,
) -> tuple[ServerReport, ...]:
    """Try every server as a login would, and report on each. `clock` gives monotonic seconds, `now` Unix seconds.

    Where groups or attributes are `wanted`, those of one entry are looked at, too. The servers are the `endpoints`, or,
    where none are given, those that the settings lead to now. `accounts` are those of inspections of other directories.

    Raises:
        ValueError: when the settings themselves are wrong, naming the key.

    """
    UserFilter(settings.user_filter)
    reader = Reader(settings, wanted, Groups(settings))
    dialling = dialling_of(settings, clock)
    driver = driver_of(settings.driver, dialling)
    service = (accounts or Accounts(clock)).of(settings)
    inspector = _Inspector(reader, dialling, driver, service, now)
    if endpoints is None:
        endpoints = (endpoint for told in tell(settings) for endpoint in told.endpoints)
    return tuple(ServerReport(endpoint.url, tuple(inspector.steps(endpoint))) for endpoint in endpoints)


@dataclass(frozen=True, slots=True)
class _Inspector:
    """What an inspection is made with, whichever the server."""

    reader: Reader
    dialling: Dialling
    driver: Driver
    service: ServiceAccount
    now: Callable[[], float]

    def steps(self, endpoint: Endpoint) -> Iterator[Step]:
        """Yield each step, up to the first fault."""
        deadline = self.dialling.clock() + PATIENCE
        try:
            name = _resolved(endpoint)
            connection = _connected(self.driver, endpoint, deadline)
        except Fault as fault:  # that a name has an address is of no use then
            yield fault.step
            return
        yield from name
        with closing(connection):
            try:
                yield from self._through(connection, endpoint, deadline)
            except Fault as fault:
                yield fault.step

    def _through(self, connection: Connection, endpoint: Endpoint, deadline: float) -> Iterator[Step]:
        yield _answers(endpoint)
        yield encrypted(connection, endpoint, self.dialling, self.now, deadline)
        yield admitted(connection, self.service, endpoint, self.reader.settings, deadline)
        yield from read(connection, self.reader, deadline)
        yield from _looked_beyond(connection, self.reader.settings, self.now, deadline)


def _resolved(endpoint: Endpoint) -> list[Step]:
    """Return what the name leads to; a socket of this machine has none."""
    if endpoint.path:
        return []
    try:
        addresses = sorted(set(resolve(endpoint)))
    except Broken as broken:
        raise Fault("name", broken.cause, "Correct the host name in `urls`, or the resolver.") from broken
    return [Step("name", ok=True, detail=", ".join(addresses))]


def _connected(driver: Driver, endpoint: Endpoint, deadline: float) -> Connection:
    try:
        return driver.connect(endpoint, deadline)
    except Broken as broken:
        remedy = f"Is the server running, does it listen on port {endpoint.port}, and does the firewall let us through?"
        if endpoint.path:
            remedy = f"Is the server running, does it listen on {endpoint.path}, and may our user write there?"
        raise Fault("connection", broken.cause, remedy) from broken


def _answers(endpoint: Endpoint) -> Step:
    where = f"the local socket {endpoint.path}" if endpoint.path else f"port {endpoint.port}"
    return Step("connection", ok=True, detail=f"{where} answers")


def _looked_beyond(
    connection: Connection, settings: Directory, now: Callable[[], float], deadline: float
) -> Iterator[Step]:
    """Look at what no login depends on; a server that breaks off there only leaves us without an answer."""
    name = "clock"
    try:
        yield difference(connection, now, deadline)
        name = "rights"
        yield from looked_at(connection, settings, deadline)
    except Broken as broken:
        yield Step(name, ok=True, detail=f"not known: {broken.cause}")
