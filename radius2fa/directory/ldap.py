"""Owns the directory port over LDAP: names are looked up by the service account, passwords are checked by a bind."""

import math
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial

from radius2fa.config.model import Directory
from radius2fa.directory.diagnosis import BUSY, SIZE_LIMIT_EXCEEDED, SUCCESS, UNAVAILABLE, verdict_of
from radius2fa.directory.drivers import driver_of
from radius2fa.directory.endpoint import Endpoint, parse_source
from radius2fa.directory.endpoints import endpoints_of
from radius2fa.directory.entries import attributes_to_ask_for, entry_of, shown_name_of
from radius2fa.directory.figures import DirectoryFigures
from radius2fa.directory.filters import UserFilter, escaped, presence
from radius2fa.directory.groups import Groups
from radius2fa.directory.link import Broken, Connection, Dialling, dial
from radius2fa.directory.listing import LONGEST_PAGE, PATIENCE, listed
from radius2fa.directory.lookups import Lookups
from radius2fa.directory.names import bare_user
from radius2fa.directory.pool import Pool
from radius2fa.directory.prober import Prober
from radius2fa.directory.servers import ServerChange, Servers, ServerState
from radius2fa.directory.service import ServiceAccount, dial_as
from radius2fa.directory.terms import NO_ATTRIBUTES, Found, Result, Scope, Search
from radius2fa.directory.tls import Tls
from radius2fa.directory.wanted import NOTHING_MORE, Wanted
from radius2fa.login.ports import BindResult, Entry, NotFound, Unavailable


class LdapDirectory:
    """One `[[directory]]` of the configuration, as `login.ports.Directory`. Blocking, and safe to use from all threads.

    Lookups and binds have connections of their own: nothing is ever searched with a user's rights.
    """

    def __init__(self, settings: Directory, clock: Callable[[], float], wanted: Wanted = NOTHING_MORE) -> None:
        """Check the settings; nothing is connected yet.

        `clock` gives monotonic seconds. `wanted` says which of an entry's groups and attributes are filled in.

        Raises:
            ValueError: naming the key that is wrong.

        """
        self._settings = settings
        self._clock = clock
        self._wanted = wanted
        self._filter = UserFilter(settings.user_filter)
        self._attributes = attributes_to_ask_for(settings, wanted)
        self._groups = Groups(settings)
        self._lookups = Lookups(settings.cache_seconds, clock)
        self._service = ServiceAccount(settings, clock)
        driver = driver_of(settings.driver, dialling_of(settings, clock))
        self._tell: Callable[[ServerChange], None] = lambda _change: None
        self._dial_to_search = partial(dial_as, self._service, driver)
        self._prober = Prober(self._probe)
        self._servers = Servers(
            endpoints_of(settings, clock),
            clock,
            known=[each for each in map(parse_source, settings.urls) if isinstance(each, Endpoint)],
            patience=settings.connect_timeout,
            probing=self._prober.begin,
            on_change=self._changed,
        )
        self._searching = Pool(self._servers, self._dial_to_search, clock)
        self._binding = Pool(self._servers, partial(dial, driver), clock)

    def find(self, name: str, deadline: float) -> Entry | NotFound:
        """Look a typed name up, or remember a lookup of the last `cache_seconds`.

        Raises:
            Unavailable: when no server answers, or its answer cannot be used: the base does not exist, the entry has
                not exactly one id, or the groups or attributes cannot be read to the last. That is a fault of the
                configuration, not of the person, and must not count against them: the login ends in silence, and the
                log says why.

        """
        known = self._lookups.recall(name)
        return self._look_up(name, deadline) if known is None else known

    def bind(self, entry: Entry, password: bytes, deadline: float) -> BindResult:
        """Check a password with one bind.

        If it is wrong, and the entry was remembered, it may have moved since: only if it has, a second bind is made.
        """
        if not entry.dn or not password or b"\0" in password:
            # An empty password is an unauthenticated bind (RFC 4513 section 5.1.2), which Active Directory answers with
            # success; an empty DN makes an anonymous one; servers written in C see nothing behind a NUL. None is sent.
            return BindResult.WRONG_PASSWORD
        verdict = self._bind(entry.dn, password, deadline)
        if verdict is BindResult.WRONG_PASSWORD and not self._lookups.just_made(entry.typed):
            now = self._look_up(entry.typed, deadline)
            if isinstance(now, Entry) and now.subject == entry.subject and now.dn != entry.dn:
                return self._bind(now.dn, password, deadline)
        return verdict

    def people(self) -> Iterator[Entry]:
        """Yield everybody whom some name leads to, with groups and attributes, for reports. Nothing is remembered.

        `typed` is the name in the directory, or the DN where there is none. The groups of each are looked up as for a
        login, by searches of their own.

        Raises:
            Unavailable: at any time, as `find` does, and when the user filter is one by which nobody can be listed.

        """
        dialling = replace(dialling_of(self._settings, self._clock), timeout=PATIENCE, longest_answer=LONGEST_PAGE)
        try:
            anybody = self._filter.anybody()
            # Made here, since reading all authorities takes 20 ms, and no login ever makes a list.
            patient = driver_of(self._settings.driver, dialling)
        except ValueError as fault:
            raise Unavailable("directory", str(fault)) from fault
        search = Search(self._settings.base, Scope.SUBTREE, anybody, self._attributes, 0, 0)
        for found in listed(self._servers, partial(dial_as, self._service, patient), search, self._clock):
            yield self._entry(found, shown_name_of(found, self._settings), self._clock() + PATIENCE)

    def probe(self, deadline: float) -> None:
        """Read the base entry as the service account.

        Raises:
            Unavailable: when that fails.

        """
        self._search(base_search(self._settings), deadline)

    def unreadable(self, dn: str, deadline: float) -> str:
        """Return why the service account cannot read an entry, "" if it can.

        Raises:
            Unavailable: when no server answers.

        """

        def ask(connection: Connection) -> str:
            found, result = connection.search(replace(base_search(self._settings), base=dn), deadline)
            return "" if found and result.code == SUCCESS else str(result)

        return self._searching.run(ask, deadline, repeatable=True)

    def observe(self, tell: Callable[[ServerChange], None]) -> None:
        """Let `tell` hear of each server that goes out or is back, from any thread; it has to be quick."""
        self._tell = tell

    def figures(self) -> DirectoryFigures:
        """Return what it is doing, from any thread, without waiting for a server."""
        settings = self._settings
        return DirectoryFigures(settings.name, settings.driver, self._lookups.figures(), self._servers.states())

    def close(self) -> None:
        """Close all connections, from any thread. Whatever is asked afterwards is Unavailable."""
        self._servers.close()
        self._prober.join()
        self._searching.close()
        self._binding.close()

    def _look_up(self, name: str, deadline: float) -> Entry | NotFound:
        asked = self._clock()
        answer = self._find(name, deadline) if name.strip() else NotFound.UNKNOWN
        self._lookups.remember(name, answer, asked)
        return answer

    def _find(self, name: str, deadline: float) -> Entry | NotFound:
        settings = self._settings
        user = bare_user(name, settings.realms, settings.domains)
        text, limit = self._filter.fill(name, user), math.ceil(settings.timeout)
        search = Search(settings.base, Scope.SUBTREE, text, self._attributes, 2, limit)
        found, result = self._search(search, deadline)
        if result.code == SIZE_LIMIT_EXCEEDED or len(found) > 1:
            return NotFound.AMBIGUOUS
        return self._entry(found[0], name, deadline) if found else self._nobody(user, result, deadline)

    def _nobody(self, user: str, result: Result, deadline: float) -> NotFound:
        """Return why a search found nobody. Where it met references, one of them may bear the name."""
        if not result.referred:
            return NotFound.UNKNOWN
        found, _ = self._search(_referral_search(self._settings, user), deadline)
        return NotFound.REFERRAL if found else NotFound.UNKNOWN

    def _entry(self, found: Found, typed: str, deadline: float) -> Entry:
        """Return the person, with what is wanted of them."""
        entry = entry_of(found, typed, self._settings, self._wanted)
        if not self._wanted.groups:
            return entry
        return replace(entry, groups=self._groups.of(found, partial(self._search, deadline=deadline)))

    def _search(self, search: Search, deadline: float) -> tuple[list[Found], Result]:
        """Return what was found, and whether that was all: the result is success or sizeLimitExceeded."""

        def ask(connection: Connection) -> tuple[list[Found], Result]:
            found, result = connection.search(search, deadline)
            return found, _unless_overloaded(result)

        found, result = self._searching.run(ask, deadline, repeatable=True)
        if result.code not in (SUCCESS, SIZE_LIMIT_EXCEEDED):
            raise Unavailable("directory", f"the search in {search.base!r} failed: {result}")
        return found, result

    def _bind(self, dn: str, password: bytes, deadline: float) -> BindResult:
        def ask(connection: Connection) -> Result:
            return _unless_overloaded(connection.bind(dn, password, deadline))

        result = self._binding.run(ask, deadline, repeatable=False)
        verdict = verdict_of(result)
        if verdict is None:
            raise Unavailable("directory", f"no verdict on the password: {result}")
        return verdict

    def _probe(self, endpoint: Endpoint) -> None:
        """Ask one server what every login asks it. Raises Broken where a login would pass it over, or Unavailable."""
        settings = self._settings
        deadline = self._clock() + settings.connect_timeout + settings.timeout
        with closing(self._dial_to_search(endpoint, deadline)) as connection:
            _unless_overloaded(connection.search(base_search(settings), deadline)[1])

    def _changed(self, server: ServerState) -> None:
        self._tell(ServerChange(self._settings.name, server.url, server.well, server.cause))


def dialling_of(settings: Directory, clock: Callable[[], float]) -> Dialling:
    """Return how connections are opened under these settings."""
    tls = Tls(settings.ca_file, settings.client_certificate, settings.client_key, settings.tls_minimum)
    return Dialling(tls, settings.start_tls, settings.connect_timeout, settings.timeout, clock)


def base_search(settings: Directory) -> Search:
    """Return the search that finds the base entry, without reading anything of it."""
    return Search(settings.base, Scope.BASE, presence("objectClass"), (NO_ATTRIBUTES,), 1, 0)


def _referral_search(settings: Directory, user: str) -> Search:
    """Return the search for a referral in the place of a person's entry (RFC 3296 section 2)."""
    text = f"(&(objectClass=referral)({settings.name_attribute}={escaped(user)}))"
    return Search(settings.base, Scope.SUBTREE, text, ("ref",), 1, math.ceil(settings.timeout), manage_dsa_it=True)


def _unless_overloaded(result: Result) -> Result:
    """Return the result, or take the connection for broken: the server asks us to go elsewhere."""
    if result.code in (BUSY, UNAVAILABLE):
        raise Broken(f"{result}", sent=True)
    return result
