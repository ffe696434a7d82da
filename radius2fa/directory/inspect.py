"""Owns what `radius2fa check` finds out about each of the directory's servers, step by step."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from cryptography.x509 import load_der_x509_certificate

from radius2fa.config.model import Directory
from radius2fa.directory.diagnosis import SIZE_LIMIT_EXCEEDED, SUCCESS
from radius2fa.directory.drivers import driver_of
from radius2fa.directory.endpoint import Endpoint
from radius2fa.directory.endpoints import endpoints_of
from radius2fa.directory.entries import attributes_of, attributes_to_ask_for, entry_of
from radius2fa.directory.filters import UserFilter, presence
from radius2fa.directory.groups import Groups
from radius2fa.directory.ldap import base_search, dialling_of
from radius2fa.directory.link import Broken, Connection, Driver
from radius2fa.directory.resolve import resolve
from radius2fa.directory.service import ServiceAccount
from radius2fa.directory.terms import Found, Result, Scope, Search
from radius2fa.directory.wanted import NOTHING_MORE, Wanted
from radius2fa.login.ports import Unavailable

PATIENCE = 10.0  # seconds for one server, whatever the time-outs of its steps


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was tried. `detail` says what was found, or the fault; `remedy` is "" where all is well.

    `expires` is the end of the server's certificate in Unix seconds, at the step that saw one.
    """

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    expires: float | None = None


@dataclass(frozen=True, slots=True)
class ServerReport:
    """What was tried with one server, up to the first fault."""

    url: str
    steps: tuple[Step, ...]

    @property
    def ok(self) -> bool:
        """Tell whether every step went well."""
        return all(step.ok for step in self.steps)

    @property
    def certificate_expires(self) -> float | None:
        """Return the end of the server's certificate in Unix seconds; None where none was accepted."""
        return next((step.expires for step in self.steps if step.expires is not None), None)


def inspect(settings: Directory, clock: Callable[[], float], wanted: Wanted = NOTHING_MORE) -> tuple[ServerReport, ...]:
    """Try every server as a login would, and report on each. `clock` gives monotonic seconds.

    Where groups or attributes are `wanted`, those of one entry are looked at, too.

    Raises:
        ValueError: when the settings themselves are wrong, naming the key.

    """
    UserFilter(settings.user_filter)
    groups = Groups(settings)
    driver = driver_of(settings.driver, dialling_of(settings, clock))
    service = ServiceAccount(settings, clock)  # one for all, so that a refused password is tried once
    subject = _Subject(settings, wanted, groups, driver, clock)
    return tuple(_report(subject, service, endpoint) for endpoint in endpoints_of(settings)())


@dataclass(frozen=True, slots=True)
class _Subject:
    """What an inspection is about, whichever the server."""

    settings: Directory
    wanted: Wanted
    groups: Groups
    driver: Driver
    clock: Callable[[], float]


class _Fault(Exception):  # noqa: N818 - the failed step, with which an inspection ends
    def __init__(self, name: str, detail: str, remedy: str) -> None:
        super().__init__(detail)
        self.step = Step(name, ok=False, detail=detail, remedy=remedy)


def _report(subject: _Subject, service: ServiceAccount, endpoint: Endpoint) -> ServerReport:
    settings = subject.settings
    deadline = subject.clock() + PATIENCE
    steps: list[Step] = []
    try:
        steps.append(_resolved(endpoint))
        with closing(_connected(subject.driver, endpoint, deadline)) as connection:
            steps.append(Step("connection", ok=True, detail=f"port {endpoint.port} answers"))
            steps.append(_secured(connection, endpoint, deadline))
            steps.append(_bound(connection, service, settings, deadline))
            steps.append(_base(connection, settings, deadline))
            sample = _sample(connection, subject, deadline)
            steps.append(_id(sample, settings))
            if subject.wanted.attributes:
                steps.append(_attributes(sample, subject.wanted))
            if subject.wanted.groups:
                steps.append(_groups(connection, sample, subject, deadline))
    except _Fault as fault:
        steps.append(fault.step)
    return ServerReport(endpoint.url, tuple(steps))


def _resolved(endpoint: Endpoint) -> Step:
    try:
        addresses = sorted(set(resolve(endpoint)))
    except Broken as broken:
        raise _Fault("name", broken.cause, "Correct the host name in `urls`, or the resolver.") from broken
    return Step("name", ok=True, detail=", ".join(addresses))


def _connected(driver: Driver, endpoint: Endpoint, deadline: float) -> Connection:
    try:
        return driver.connect(endpoint, deadline)
    except Broken as broken:
        remedy = f"Is the server running, does it listen on port {endpoint.port}, and does the firewall let us through?"
        raise _Fault("connection", broken.cause, remedy) from broken


def _secured(connection: Connection, endpoint: Endpoint, deadline: float) -> Step:
    try:
        connection.secure(endpoint, deadline)
    except Broken as broken:
        remedy = (
            f"Name the authority that signed the server's certificate in `ca_file`, and the server in `urls` as its "
            f"certificate does (here: {endpoint.host}); renew an expired certificate."
        )
        raise _Fault("tls", broken.cause, remedy) from broken
    octets = connection.certificate()
    if octets is None:
        return Step("tls", ok=True, detail="none, as configured: passwords travel in the clear")
    end = load_der_x509_certificate(octets).not_valid_after_utc
    return Step("tls", ok=True, detail=f"verified, valid until {end:%Y-%m-%d %H:%M} UTC", expires=end.timestamp())


def _bound(connection: Connection, service: ServiceAccount, settings: Directory, deadline: float) -> Step:
    try:
        service.bind(connection, deadline)
    except (Broken, Unavailable) as fault:
        raise _Fault("service account", fault.cause, "Correct `bind_dn` and its password.") from fault
    return Step("service account", ok=True, detail=settings.bind_dn or "none, as configured: anonymous")


def _base(connection: Connection, settings: Directory, deadline: float) -> Step:
    try:
        found, result = connection.search(base_search(settings), deadline)
    except Broken as broken:
        raise _Fault("base", broken.cause, "See the server's log.") from broken
    if result.code != SUCCESS or not found:
        remedy = "Correct `base`, or let the service account read it."
        raise _Fault("base", f"{settings.base!r} cannot be read: {result}", remedy)
    return Step("base", ok=True, detail=settings.base)


def _sample(connection: Connection, subject: _Subject, deadline: float) -> Found:
    """Return one entry that has the attribute by which names are displayed, as those of people do."""
    settings = subject.settings
    attributes = attributes_to_ask_for(settings, subject.wanted)
    search = Search(settings.base, Scope.SUBTREE, presence(settings.name_attribute), attributes, 1, 0)
    try:
        found, result = connection.search(search, deadline)
    except Broken as broken:
        raise _Fault("id attribute", broken.cause, _ID_REMEDY) from broken
    if result.code not in (SUCCESS, SIZE_LIMIT_EXCEEDED) or not found:
        raise _Fault("id attribute", f"no entry with {settings.name_attribute} can be read: {result}", _ID_REMEDY)
    return found[0]


_ID_REMEDY = "Correct `id_attribute` and `name_attribute`, or let the service account read them."


def _id(sample: Found, settings: Directory) -> Step:
    try:
        entry = entry_of(sample, "", settings)
    except Unavailable as fault:
        raise _Fault("id attribute", fault.cause, _ID_REMEDY) from fault
    return Step("id attribute", ok=True, detail=f"{settings.id_attribute} of {entry.dn} is {entry.subject}")


def _attributes(sample: Found, wanted: Wanted) -> Step:
    """Tell which of the wanted attributes the entry has; that it lacks some is no fault."""
    try:
        read = attributes_of(sample, wanted)
    except Unavailable as fault:
        remedy = "Speak in the policy of attributes that hold text, and not of more values than the server sends."
        raise _Fault("attributes", fault.cause, remedy) from fault
    counts = ", ".join(f"{len(read.get(name.lower(), ()))} of {name}" for name in sorted(wanted.attributes))
    return Step("attributes", ok=True, detail=f"values that {sample.dn} has: {counts}")


def _groups(connection: Connection, sample: Found, subject: _Subject, deadline: float) -> Step:
    """Look for the groups of the entry that was looked at, one level up: that there are none is no fault."""
    base = subject.settings.group_base or subject.settings.base

    def ask(search: Search) -> tuple[list[Found], Result]:
        found, result = connection.search(search, deadline)
        if result.code not in (SUCCESS, SIZE_LIMIT_EXCEEDED):
            raise Unavailable("directory", f"{base!r} cannot be searched for groups: {result}")
        return found, result

    remedy = "Correct `group_base` and `group_filter`, or let the service account read the groups."
    try:
        direct = subject.groups.direct(sample, ask)
    except (Broken, Unavailable) as fault:
        raise _Fault("groups", fault.cause, remedy) from fault
    return Step("groups", ok=True, detail=f"{len(direct)} found below {base} that {sample.dn} belongs to directly")
