"""Owns whom a page of the helpdesk is about, and whether the visitor may act on them."""

from dataclasses import dataclass
from enum import StrEnum

from werkzeug.exceptions import NotFound as NoSuchPage

from radius2fa.login.dn import normal_dn
from radius2fa.login.ports import Entry
from radius2fa.portal import attempts
from radius2fa.portal.rules import NAME
from radius2fa.portal.visitor import Role, deadline, role, signed_in_session
from radius2fa.portal.world import world
from radius2fa.store.accounts import Account


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whom the directory or the store knows, by their stable id.

    `name` is the directory's spelling. `typed` is the name that led to them in the directory, and `entry` what it led
    to: "" and None for somebody who has left, or whose name leads there no more. `account` is None for somebody whom
    the store does not know yet.
    """

    subject: str
    name: str
    typed: str
    entry: Entry | None
    account: Account | None


class Bar(StrEnum):
    """Why a visitor may not act on somebody. The value is a key of the words."""

    SELF = "self"  # what the helpdesk does for others, nobody does for themselves
    PROTECTED = "protected"  # the helpdesk may not come by the rights of those who have more, or the same
    GONE = "gone"  # whose groups nobody can tell: they could be those


def person_of(subject: str, typed: str = "") -> Person:
    """Return the person of a stable id. `typed` is a name that may lead to them.

    Raises:
        werkzeug.exceptions.NotFound: nobody is known by this id.

    """
    account = world().store.accounts.get(subject)
    names = [name for name in (typed, account.name if account else "") if attempts.is_name(name)]
    for name in dict.fromkeys(names):
        found = world().directory.find(name, NAME, deadline(world()))
        if isinstance(found, Entry) and found.subject == subject:
            return Person(subject, found.name, name, found, account)
    if account is None:
        raise NoSuchPage
    return Person(subject, account.name, "", None, account)


def bar(person: Person, *, restrains: bool = False) -> Bar | None:
    """Return why the visitor may not act on a person, None if they may.

    What only `restrains` somebody may be done to those also whose groups are unknown since they have left.
    """
    if person.subject == signed_in_session().subject:
        return Bar.SELF
    if role() >= Role.ADMIN:
        return None
    if person.entry is None:
        return None if restrains else Bar.GONE
    return Bar.PROTECTED if _has_rights(person.entry) else None


def _has_rights(entry: Entry) -> bool:
    portal = world().settings.portal
    return not entry.groups.isdisjoint(map(normal_dn, (*portal.helpdesk_groups, *portal.admin_groups)))
