"""Owns why a name leads to nobody, or to several: what was searched, and what a less strict search finds."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace

from radius2fa.config.model import Directory
from radius2fa.directory.diagnosis import REFERRAL, SIZE_LIMIT_EXCEEDED, SUCCESS
from radius2fa.directory.drivers import driver_of
from radius2fa.directory.endpoints import tell
from radius2fa.directory.filters import UserFilter, escaped, presence
from radius2fa.directory.inspection.accounts import Accounts
from radius2fa.directory.ldap import dialling_of
from radius2fa.directory.link import Broken, Connection
from radius2fa.directory.names import bare_user
from radius2fa.directory.service import ServiceAccount, dial_as
from radius2fa.directory.terms import NO_ATTRIBUTES, Found, Result, Scope, Search
from radius2fa.login.dn import normal_dn
from radius2fa.login.ports import Unavailable

MOST = 10  # entries that are told of; a name that leads to more is none


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An entry that has the name and that the filter does not let through, with the parts of the filter that do not."""

    dn: str
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where a name leads in one directory.

    `filter` and `base` are what a login searches; `found` are the DNs of what that finds, MOST of them at most.
    `refusal` is the server's answer where it did not search ("" where it did); `referred` tells that it points to
    other servers, which are never asked. Where nothing was found, `refers_to` are the URLs of other servers that stand
    in the place of an entry with this name, `left_out` are entries below the base with the name
    in `name_attribute`, and `elsewhere` the DNs of such entries outside of it.
    """

    directory: str
    base: str
    filter: str
    found: tuple[str, ...]
    refusal: str = ""
    referred: bool = False
    refers_to: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    elsewhere: tuple[str, ...] = ()


def whereabouts(
    settings: Directory, name: str, clock: Callable[[], float], deadline: float, accounts: Accounts | None = None
) -> Whereabouts:
    """Search for a name as a login does, and if that finds nobody, less strictly. `clock` gives monotonic seconds.

    `accounts` are those of inspections of other directories.

    Raises:
        Unavailable: when no server answers.
        ValueError: when the settings themselves are wrong, naming the key.

    """
    user = bare_user(name, settings.realms, settings.domains)
    text = UserFilter(settings.user_filter).fill(name, user)
    with closing(_opened(settings, clock, deadline, (accounts or Accounts(clock)).of(settings))) as connection:
        try:
            return _searched(_Asker(connection, settings, deadline), text, {name, user, *_shorter(user)})
        except Broken as broken:
            raise Unavailable("directory", broken.cause) from broken


def _opened(settings: Directory, clock: Callable[[], float], deadline: float, service: ServiceAccount) -> Connection:
    """Return a connection to the first server that answers, with the rights of the service account."""
    driver = driver_of(settings.driver, dialling_of(settings, clock))
    causes = []
    for told in tell(settings):
        causes += [f"{told.url}: {told.fault}"] if told.fault else []
        for endpoint in told.endpoints:
            try:
                return dial_as(service, driver, endpoint, deadline)
            except Broken as broken:
                causes.append(f"{endpoint.url}: {broken.cause}")
    raise Unavailable("directory", "; ".join(causes))


@dataclass(frozen=True, slots=True)
class _Asker:
    connection: Connection
    settings: Directory
    deadline: float

    def below(self, base: str, text: str) -> tuple[list[Found], Result]:
        search = Search(base, Scope.SUBTREE, text, (NO_ATTRIBUTES,), MOST, 0)
        return self.connection.search(search, self.deadline)

    def entry(self, dn: str, text: str, attribute: str = NO_ATTRIBUTES) -> list[Found]:
        """Return the entry, if it passes the filter."""
        return self.connection.search(Search(dn, Scope.BASE, text, (attribute,), 1, 0), self.deadline)[0]


def _searched(asker: _Asker, text: str, names: set[str]) -> Whereabouts:
    settings = asker.settings
    found, result = asker.below(settings.base, text)
    dns = tuple(each.dn for each in found)
    refusal = "" if result.code in (SUCCESS, SIZE_LIMIT_EXCEEDED) else str(result)
    referred = result.referred or result.code == REFERRAL
    searched = Whereabouts(settings.name, settings.base, text, dns, refusal, referred)
    if dns:
        return searched
    plain = f"(|{''.join(f'({settings.name_attribute}={escaped(name)})' for name in sorted(names))})"
    refers_to = tuple(_refers_to(asker, plain)) if referred else ()
    left_out = tuple(_left_out(asker, text, plain))
    elsewhere = () if left_out else tuple(_elsewhere(asker, plain))
    return replace(searched, refers_to=refers_to, left_out=left_out, elsewhere=elsewhere)


def _refers_to(asker: _Asker, plain: str) -> Iterator[str]:
    """Yield where an entry with the name refers to (RFC 3296 section 2.2)."""
    text = f"(&(objectClass=referral){plain})"
    search = Search(asker.settings.base, Scope.SUBTREE, text, ("ref",), 1, 0, manage_dsa_it=True)
    for each in asker.connection.search(search, asker.deadline)[0]:
        yield from (url.decode(errors="replace") for url in each.attributes.get("ref", ()))


def _left_out(asker: _Asker, text: str, plain: str) -> Iterator[LeftOut]:
    """Yield each entry with the name, with the parts of the filter that it does not pass by itself."""
    for each in asker.below(asker.settings.base, plain)[0]:
        yield LeftOut(each.dn, tuple(part for part in parts_of(text) if not asker.entry(each.dn, part)))


def _elsewhere(asker: _Asker, plain: str) -> Iterator[str]:
    """Yield entries with the name that are not below the base, but in some part of the directory."""
    roots = asker.entry("", presence("objectClass"), "namingContexts")
    contexts = [value.decode(errors="replace") for root in roots for value in root.attributes.get("namingcontexts", ())]
    for context in contexts:
        if normal_dn(context) != normal_dn(asker.settings.base):
            yield from (each.dn for each in asker.below(context, plain)[0])


def _shorter(user: str) -> Iterator[str]:
    """Yield what is left of a name without a realm or domain that is not ours."""
    yield from (part for part in (user.rpartition("@")[0], user.partition("\\")[2]) if part)


def parts_of(text: str) -> tuple[str, ...]:
    """Return the filters that all have to hold for one that is `(&...)`, and the filter itself of any other."""
    inner = text.strip()[1:-1].strip()
    if not inner.startswith("&"):
        return (text,)
    parts, depth, start = [], 0, 0
    for at, character in enumerate(inner):
        if character == "(":
            start = at if depth == 0 else start
            depth += 1
        elif character == ")":
            depth -= 1
            parts += [inner[start : at + 1]] if depth == 0 else []
    return tuple(parts)
