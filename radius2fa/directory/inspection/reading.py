"""Owns the steps of an inspection at which the directory is read as for a login: base, a person, their groups."""

from collections.abc import Iterator
from dataclasses import dataclass

from radius2fa.config.model import Directory
from radius2fa.directory.diagnosis import SIZE_LIMIT_EXCEEDED, SUCCESS
from radius2fa.directory.entries import attributes_of, attributes_to_ask_for, entry_of
from radius2fa.directory.filters import presence
from radius2fa.directory.groups import Groups
from radius2fa.directory.inspection.steps import Fault, Step
from radius2fa.directory.ldap import base_search
from radius2fa.directory.link import Broken, Connection
from radius2fa.directory.terms import Found, Result, Scope, Search
from radius2fa.directory.wanted import Wanted
from radius2fa.login.ports import Unavailable


@dataclass(frozen=True, slots=True)
class Reader:
    """What reads, whichever the server."""

    settings: Directory
    wanted: Wanted
    groups: Groups


def read(connection: Connection, reader: Reader, deadline: float) -> Iterator[Step]:
    """Yield each step, as it is done.

    Raises:
        Fault: at the first one that fails.

    """
    yield _base(connection, reader.settings, deadline)
    sample = _sample(connection, reader, deadline)
    yield _id(sample, reader.settings)
    if reader.wanted.attributes:
        yield _attributes(sample, reader.wanted)
    if reader.wanted.groups:
        yield _groups(connection, sample, reader, deadline)


def _base(connection: Connection, settings: Directory, deadline: float) -> Step:
    try:
        found, result = connection.search(base_search(settings), deadline)
    except Broken as broken:
        raise Fault("base", broken.cause, "See the server's log.") from broken
    if result.code != SUCCESS or not found:
        raise Fault("base", f"{settings.base!r} cannot be read: {result}", _base_remedy(settings))
    return Step("base", ok=True, detail=settings.base)


def _base_remedy(settings: Directory) -> str:
    if settings.bind_method == "simple" and not settings.bind_dn:
        return "Set `bind_dn` and its password: the search is anonymous. Or correct `base`."
    return "Correct `base`, or let the service account read it."


def _sample(connection: Connection, reader: Reader, deadline: float) -> Found:
    """Return one entry that has the attribute by which names are displayed, as those of people do."""
    settings = reader.settings
    attributes = attributes_to_ask_for(settings, reader.wanted)
    search = Search(settings.base, Scope.SUBTREE, presence(settings.name_attribute), attributes, 1, 0)
    try:
        found, result = connection.search(search, deadline)
    except Broken as broken:
        raise Fault("id attribute", broken.cause, _ID_REMEDY) from broken
    if result.code not in (SUCCESS, SIZE_LIMIT_EXCEEDED) or not found:
        raise Fault("id attribute", f"no entry with {settings.name_attribute} can be read: {result}", _ID_REMEDY)
    return found[0]


_ID_REMEDY = "Correct `id_attribute` and `name_attribute`, or let the service account read them."


def _id(sample: Found, settings: Directory) -> Step:
    try:
        entry = entry_of(sample, "", settings)
    except Unavailable as fault:
        raise Fault("id attribute", fault.cause, _ID_REMEDY) from fault
    return Step("id attribute", ok=True, detail=f"{settings.id_attribute} of {entry.dn} is {entry.subject}")


def _attributes(sample: Found, wanted: Wanted) -> Step:
    """Tell which of the wanted attributes the entry has; that it lacks some is no fault."""
    try:
        read = attributes_of(sample, wanted)
    except Unavailable as fault:
        remedy = "Speak in the policy of attributes that hold text, and not of more values than the server sends."
        raise Fault("attributes", fault.cause, remedy) from fault
    counts = ", ".join(f"{len(read.get(name.lower(), ()))} of {name}" for name in sorted(wanted.attributes))
    return Step("attributes", ok=True, detail=f"values that {sample.dn} has: {counts}")


def _groups(connection: Connection, sample: Found, reader: Reader, deadline: float) -> Step:
    """Look for the groups of the entry that was looked at, one level up: that there are none is no fault."""
    base = reader.settings.group_base or reader.settings.base

    def ask(search: Search) -> tuple[list[Found], Result]:
        found, result = connection.search(search, deadline)
        if result.code not in (SUCCESS, SIZE_LIMIT_EXCEEDED):
            raise Unavailable("directory", f"{base!r} cannot be searched for groups: {result}")
        return found, result

    remedy = "Correct `group_base` and `group_filter`, or let the service account read the groups."
    try:
        direct = reader.groups.direct(sample, ask)
    except (Broken, Unavailable) as fault:
        raise Fault("groups", fault.cause, remedy) from fault
    return Step("groups", ok=True, detail=f"{len(direct)} found below {base} that {sample.dn} belongs to directly")
