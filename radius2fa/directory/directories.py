"""Owns the directory port over all `[[directory]]` sections: in which of them a name is looked for, and who binds."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from radius2fa.config.model import Client, Settings
from radius2fa.config.model import Directory as Section
from radius2fa.directory.figures import Figured
from radius2fa.directory.ldap import LdapDirectory
from radius2fa.directory.names import is_within
from radius2fa.directory.servers import ServerChange
from radius2fa.directory.wanted import NOTHING_MORE, Wanted
from radius2fa.login.ports import BindResult, Entry, NotFound, Unavailable


class OneDirectory(Figured, Protocol):
    """What one directory has to be able to do; `ldap.LdapDirectory` says what each method returns and raises."""

    def find(self, name: str, deadline: float) -> Entry | NotFound:
        """Look a typed name up."""
        ...

    def bind(self, entry: Entry, password: bytes, deadline: float) -> BindResult:
        """Check a password with one bind."""
        ...

    def people(self) -> Iterator[Entry]:
        """Yield everybody."""
        ...

    def probe(self, deadline: float) -> None:
        """Return if it answers."""
        ...

    def unreadable(self, dn: str, deadline: float) -> str:
        """Return why an entry cannot be read, "" if it can."""
        ...

    def observe(self, tell: Callable[[ServerChange], None]) -> None:
        """Tell of each server that goes out or is back."""
        ...

    def close(self) -> None:
        """Close all connections."""
        ...


@dataclass(frozen=True, slots=True)
class Opened:
    """A `[[directory]]` section, and the directory that it describes."""

    section: Section
    directory: OneDirectory
    made_of: object = field(default=None, repr=False)  # what it was made of, files too; None where that is not known

    @property
    def name(self) -> str:
        """Its name in the configuration, which its entries bear."""
        return self.section.name


class Directories:
    """All directories of a configuration as one `login.ports.Directory`. Blocking, and safe to use from all threads.

    Every method raises Unavailable as one directory does; where there are several, its cause names the one.
    """

    def __init__(self, opened: Sequence[Opened], clients: Iterable[Client] = ()) -> None:
        """Take the directories in the order of the file, under names that differ.

        The clients say which directories their users may be in; any other client's may be in all.
        """
        self._opened = tuple(opened)
        self._by_name = {each.name: each for each in opened}
        self._of_client = {each.name: frozenset(each.directories) for each in clients if each.directories is not None}

    @classmethod
    def of(cls, settings: Settings, clock: Callable[[], float], wanted: Wanted = NOTHING_MORE) -> Self:
        """Return those of the configuration; nothing is connected yet.

        `clock` gives monotonic seconds. `wanted` says which of an entry's groups and attributes are filled in.

        Raises:
            ValueError: naming the key that is wrong, and the directory, where there are several.

        """
        return cls((), ()).renewed(settings, clock, wanted)

    def renewed(self, settings: Settings, clock: Callable[[], float], wanted: Wanted = NOTHING_MORE) -> Self:
        """Return those of another configuration, as `of` does. What would be made as it is here already is taken over.

        That has its connections and what it remembers, then; who replaces this by the new one closes the others.

        Raises:
            ValueError: as `of`.

        """
        opened = []
        for section in settings.directory:
            try:
                opened.append(self._open(section, clock, wanted))
            except ValueError as wrong:
                raise ValueError(f"{section.name}: {wrong}" if len(settings.directory) > 1 else str(wrong)) from wrong
        return type(self)(opened, settings.client)

    def _open(self, section: Section, clock: Callable[[], float], wanted: Wanted) -> Opened:
        made_of = (section, wanted, _files_of(section))
        here = self._by_name.get(section.name)
        if here is not None and here.made_of == made_of:
            return here
        return Opened(section, LdapDirectory(section, clock, wanted), made_of)

    @property
    def opened(self) -> tuple[Opened, ...]:
        """Each of them, in the order of the file."""
        return self._opened

    def find(self, name: str, client: str | None, deadline: float) -> Entry | NotFound:
        """Look a typed name up for a client, or for nobody in particular (None), who may use every directory.

        A name with a realm or domain that directories list is looked for in those only; of them, in those that the
        client may use. Any other is looked for, of those that the client may use, in those that are the default, or in
        all if none is. Always in the order of the file.
        The first one counts in which the name means anybody, even if it does not mean one person that could log in.

        Raises:
            Unavailable: when one of them cannot say whether it knows the name, before one was found that does. Those
                behind it are not asked: while the directory of one Alice is down, the Alice of another could come in
                under her name.

        """
        for each in self._where(name, client):
            with self._named(each):
                found = each.directory.find(name, deadline)
            if found is not NotFound.UNKNOWN:
                return found
        return NotFound.UNKNOWN

    def asked(self, name: str, client: str | None) -> tuple[str, ...]:
        """Return the names of the directories in which `find` would look for a name, in that order."""
        return tuple(each.name for each in self._where(name, client))

    def bind(self, entry: Entry, password: bytes, deadline: float) -> BindResult:
        """Check a password with one bind, in the directory that the entry was found in and no other.

        Raises:
            Unavailable: also when that is none of these.

        """
        each = self._by_name.get(entry.directory)
        if each is None:
            raise Unavailable("directory", f"no directory is named {entry.directory!r}, where {entry.dn!r} was found")
        with self._named(each):
            return each.directory.bind(entry, password, deadline)

    def people(self) -> Iterator[Entry]:
        """Yield everybody of every directory, also those whom an earlier one hides from the names without a realm."""
        for each in self._opened:
            with self._named(each):
                yield from each.directory.people()

    def probe(self, deadline: float) -> None:
        """Return if a directory answers.

        While one of several does not, clients must not take this server for dead: the people of the others log in here.

        Raises:
            Unavailable: when none does.

        """
        causes = []
        for each in self._opened:
            try:
                return each.directory.probe(deadline)
            except Unavailable as fault:
                causes.append(self._of(each, fault.cause))
        raise Unavailable("directory", "; ".join(causes))

    def unreadable(self, dn: str, deadline: float) -> str:
        """Return why no service account can read an entry, "" if one can.

        Raises:
            Unavailable: when no directory can read it, and one cannot be asked.

        """
        reasons, broken = [], []
        for each in self._opened:
            try:
                with self._named(each):
                    reason = each.directory.unreadable(dn, deadline)
            except Unavailable as fault:
                broken.append(fault)
                continue
            if not reason:
                return ""
            reasons.append(self._of(each, reason))
        if broken:
            raise broken[0]
        return "; ".join(reasons)

    def close(self) -> None:
        """Close all connections, from any thread. Whatever is asked afterwards is Unavailable."""
        for each in self._opened:
            each.directory.close()

    def _where(self, name: str, client: str | None) -> Iterator[Opened]:
        names = self._by_name if client is None else self._of_client.get(client, self._by_name)
        allowed = [each for each in self._opened if each.name in names]
        if any(is_within(name, each.section.realms, each.section.domains) for each in self._opened):
            return (each for each in allowed if is_within(name, each.section.realms, each.section.domains))
        return iter([each for each in allowed if each.section.default] or allowed)

    def _named(self, each: Opened) -> "_Named":
        """Say in what goes wrong which directory it was."""
        return _Named(partial(self._of, each))

    def _of(self, each: Opened, cause: str) -> str:
        return f"{each.name}: {cause}" if len(self._opened) > 1 else cause


class _Named:
    """Words the cause of Unavailable anew. A login enters two; contextlib's generators take three times as long."""

    __slots__ = ("_worded",)

    def __init__(self, worded: Callable[[str], str]) -> None:
        self._worded = worded

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Look at what came out."""
        if isinstance(error, Unavailable):
            raise Unavailable(error.backend, self._worded(error.cause)) from error


def _files_of(section: Section) -> tuple[bytes, ...]:
    """Return digests of the files that a section names: a renewed one may have the same name."""
    return tuple(map(_digest, (section.ca_file, section.client_certificate, section.client_key)))


def _digest(path: Path | None) -> bytes:
    try:
        return b"" if path is None else sha256(path.read_bytes()).digest()
    except OSError:  # who has to read it says so
        return b""
