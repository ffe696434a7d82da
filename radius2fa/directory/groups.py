"""Owns the groups that somebody belongs to, directly and through other groups: one search for each level upward."""

import math
import re
from collections.abc import Callable

from radius2fa.config.model import Directory
from radius2fa.directory.diagnosis import SIZE_LIMIT_EXCEEDED
from radius2fa.directory.entries import OBJECT_SID, PRIMARY_GROUP_ID, own_names_of
from radius2fa.directory.filters import GroupFilter, escaped
from radius2fa.directory.terms import NO_ATTRIBUTES, Found, Result, Scope, Search
from radius2fa.login.dn import normal_dn
from radius2fa.login.ports import Unavailable

MOST_LEVELS = 10
MOST_GROUPS = 1000  # no more than Active Directory answers with to one search (MaxPageSize)
# Active Directory's matching rule that finds a member's groups and all above them (LDAP_MATCHING_RULE_IN_CHAIN).
_IN_CHAIN = ":1.2.840.113556.1.4.1941:"
_AT_ONCE = 100  # groups in one filter, so that it stays below what servers read of somebody anonymous (slapd: 256 kB)
_SID_HEAD = 8  # octets
_LEAST_PARTS = 3  # of what was read: the revision, the authority, and the part that is the person's own

Ask = Callable[[Search], tuple[list[Found], Result]]
"""Makes a search as the service account. Its result is success or sizeLimitExceeded; all else is Unavailable."""


class Groups:
    """How groups are found under the settings of one directory."""

    def __init__(self, settings: Directory) -> None:
        """Check the settings. Raises ValueError naming `group_filter` if that cannot serve."""
        self._settings = settings
        self._filter = GroupFilter(settings.group_filter)
        self._base = settings.group_base or settings.base
        self._nested = settings.nested_groups and self._filter.takes_dn
        self._climbs = _IN_CHAIN in settings.group_filter and self._filter.takes_dn

    def direct(self, person: Found, ask: Ask) -> list[str]:
        """Return the DNs of the groups that one search finds, as the server writes them. Raises as `of` does."""
        return self._search(self._filter_of(person), person.dn, ask)

    def of(self, person: Found, ask: Ask) -> frozenset[str]:
        """Return the DNs of all groups as `normal_dn` writes them, breadth first, each of them asked about once.

        Raises:
            Unavailable: when they cannot all be found: some of them must not be taken for all, since the rule for a
                missing one may be the stricter.

        """
        user, known = self._user(person), set[str]()
        level = self.direct(person, ask) + self._above_primary(person, user, ask)
        for _ in range(MOST_LEVELS):
            known.update(level)
            if len(known) > MOST_GROUPS:
                raise _too_many(person.dn)
            level = [dn for dn in self._above(level, user, ask) if dn not in known] if self._nested else []
            if not level:
                return frozenset(map(normal_dn, known))
        raise Unavailable("directory", f"the groups of {person.dn!r} are nested more than {MOST_LEVELS} levels deep")

    def _user(self, person: Found) -> str:
        return own_names_of(person, self._settings)[0] if self._filter.takes_user else ""

    def _filter_of(self, person: Found) -> str:
        """Return the filter for the groups of a person, with the primary one that only Active Directory has."""
        text = self._filter.fill([person.dn], self._user(person))
        primary = _primary_group(person)
        return f"(|{text}{_sid_is(primary)})" if primary else text

    def _above_primary(self, person: Found, user: str, ask: Ask) -> list[str]:
        """Return the groups above the primary one where nobody climbs to them: not we, and not the filter.

        A matching rule goes up from the person by `member`, which is silent about the primary group.
        """
        primary = _primary_group(person) if self._climbs and not self._nested else ""
        return self._above(self._search(_sid_is(primary), person.dn, ask), user, ask) if primary else []

    def _above(self, dns: list[str], user: str, ask: Ask) -> list[str]:
        """Return the groups to which any of these belongs, each once."""
        above: dict[str, None] = {}
        for start in range(0, len(dns), _AT_ONCE):
            some = dns[start : start + _AT_ONCE]
            above.update(dict.fromkeys(self._search(self._filter.fill(some, user), some[0], ask)))
        return list(above)

    def _search(self, text: str, dn: str, ask: Ask) -> list[str]:
        """Return the DNs of the groups that pass a filter, which is about this DN and perhaps others."""
        limit = math.ceil(self._settings.timeout)
        found, result = ask(Search(self._base, Scope.SUBTREE, text, (NO_ATTRIBUTES,), MOST_GROUPS, limit))
        if result.code == SIZE_LIMIT_EXCEEDED:
            raise _too_many(dn)
        return [group.dn for group in found]


def _primary_group(person: Found) -> str:
    """Return the SID of the primary group as text, or "" where the entry tells of none.

    It is that of the domain, as in the person's own, with primaryGroupID behind it ([MS-ADA3] 2.120).

    Raises:
        Unavailable: when one of the two cannot be read: the groups would not be all that there are.

    """
    sid, group = (person.attributes.get(name, ()) for name in (OBJECT_SID, PRIMARY_GROUP_ID))
    if not sid or not group:
        return ""
    parts = _parts_of(sid[0])
    if len(parts) < _LEAST_PARTS or not re.fullmatch(rb"[0-9]{1,10}", group[0]):
        raise Unavailable("directory", f"{person.dn!r} has an objectSid or a primaryGroupID that cannot be read")
    return "-".join(["S", *map(str, parts[:-1]), group[0].decode()])


def _parts_of(sid: bytes) -> list[int]:
    """Return the revision of a SID, its authority and its parts; nothing where it is none.

    It has a revision, which is 1, the number of its parts, 6 octets of authority, and parts of 4 ([MS-DTYP] 2.4.2.2),
    which Active Directory writes in little-endian order.
    """
    if len(sid) < _SID_HEAD or sid[0] != 1 or len(sid) != _SID_HEAD + 4 * sid[1]:
        return []
    parts = [int.from_bytes(sid[at : at + 4], "little") for at in range(_SID_HEAD, len(sid), 4)]
    return [sid[0], int.from_bytes(sid[2:_SID_HEAD], "big"), *parts]


def _sid_is(sid: str) -> str:
    return f"(objectSid={escaped(sid)})"


def _too_many(dn: str) -> Unavailable:
    return Unavailable("directory", f"{dn!r} is in more than {MOST_GROUPS} groups, or in more than the server lists")
