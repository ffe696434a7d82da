"""A directory in memory, which passes the suite of tests/directory/test_conformance.py as LDAP does."""

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from radius2fa.login.dn import normal_dn
from radius2fa.login.policy import folded
from radius2fa.login.ports import BindResult, Entry, NotFound, Unavailable


@dataclass(slots=True)
class _Person:
    subject: str
    uid: str
    password: bytes = field(repr=False)
    state: BindResult
    groups: set[str]
    attributes: Mapping[str, tuple[str, ...]]

    def entry(self, typed: str) -> Entry:
        dn = f"uid={self.uid},ou=people,dc=example,dc=org"
        return Entry(
            self.subject, dn, self.uid, typed, frozenset(self.groups), self.attributes, frozenset({folded(self.uid)})
        )


class FakeDirectory:
    """One directory, of people who were added. `binds` counts; `down` makes everything Unavailable."""

    def __init__(self) -> None:
        self.binds = 0
        self.down = False
        self._people: dict[str, _Person] = {}

    def add(
        self,
        name: str,
        password: str | bytes,
        *,
        subject: str | None = None,
        state: BindResult = BindResult.OK,
        groups: Iterable[str] = (),
        attributes: Mapping[str, Iterable[str]] | None = None,
    ) -> str:
        """Add a person, and return the stable id. `state` is what a right password leads to.

        `groups` are DNs in any spelling, all of those that they belong to; `attributes` have names in any case.
        """
        octets = password.encode() if isinstance(password, str) else password
        kept = {key.lower(): tuple(values) for key, values in (attributes or {}).items()}
        person = _Person(subject or str(uuid.uuid4()), name, octets, state, set(map(normal_dn, groups)), kept)
        self._people[person.subject] = person
        return person.subject

    def join(self, name: str, *groups: str) -> None:
        """Make a person a member of groups, given by their DNs."""
        (person,) = self._named(name)
        person.groups.update(map(normal_dn, groups))

    def rename(self, name: str, new_name: str) -> None:
        """Give a person another name; the stable id stays."""
        (person,) = self._named(name)
        person.uid = new_name

    def disable(self, name: str) -> None:
        """Disable an account."""
        (person,) = self._named(name)
        person.state = BindResult.ACCOUNT_DISABLED

    def find(self, name: str, deadline: float) -> Entry | NotFound:  # noqa: ARG002 - nothing takes time here
        self._check()
        match self._named(name):
            case []:
                return NotFound.UNKNOWN
            case [person]:
                return person.entry(name)
            case _:
                return NotFound.AMBIGUOUS

    def bind(self, entry: Entry, password: bytes, deadline: float) -> BindResult:  # noqa: ARG002 - as above
        self._check()
        if not password or b"\0" in password:
            return BindResult.WRONG_PASSWORD
        self.binds += 1
        person = self._people.get(entry.subject)
        if person is None or person.password != password:
            return BindResult.WRONG_PASSWORD
        return person.state

    def people(self) -> Iterator[Entry]:
        """Yield everybody."""
        self._check()
        yield from [person.entry(person.uid) for person in self._people.values()]

    def _named(self, name: str) -> list[_Person]:
        return [person for person in self._people.values() if _matching(person.uid) == _matching(name)]

    def _check(self) -> None:
        if self.down:
            raise Unavailable("directory", "it is down")


@dataclass(frozen=True, slots=True)
class ForAnyClient:
    """`login.ports.Directory` over one fake, whichever client asks."""

    directory: FakeDirectory

    def find(self, name: str, client: str | None, deadline: float) -> Entry | NotFound:  # noqa: ARG002 - whichever
        return self.directory.find(name, deadline)

    def bind(self, entry: Entry, password: bytes, deadline: float) -> BindResult:
        return self.directory.bind(entry, password, deadline)

    def people(self) -> Iterator[Entry]:
        """Yield everybody."""
        return self.directory.people()


def _matching(name: str) -> str:
    """The name as caseIgnoreMatch compares it (RFC 4517 section 4.2.11), near enough."""
    return " ".join(name.split()).casefold()
