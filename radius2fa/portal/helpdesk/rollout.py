"""Owns the room that tells how far the rollout is: how many have a token, and who has none yet."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Protocol, runtime_checkable

from flask import Blueprint, request
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from radius2fa.login.dn import normal_dn
from radius2fa.login.ports import Entry
from radius2fa.otp.token import Kind
from radius2fa.portal.helpdesk import table
from radius2fa.portal.page import page as shown
from radius2fa.portal.visitor import Role, only
from radius2fa.portal.world import world

room = Blueprint("rollout", __name__)

MOST_PEOPLE = 20_000  # that are looked at
PATIENCE = 25.0  # seconds: what a reverse proxy waits for is often 30
SHOWN = 200  # of those without a token

_TITLES = ("name", "directory", "dn", "subject")


@runtime_checkable
class Listing(Protocol):
    """A directory that can tell of everybody."""

    def people(self) -> Iterator[Entry]:
        """Yield everybody. May raise Unavailable at any time."""
        ...


@dataclass(frozen=True, slots=True)
class Census:
    """The people of the directory: how many were looked at, and those of them without an active token.

    `whole` is false where there are more than could be looked at.
    """

    people: int
    without: tuple[Entry, ...]
    whole: bool


@dataclass(frozen=True, slots=True)
class Count:
    """How many devices of a kind people and the stock have."""

    kind: Kind
    tokens: int
    stock: int


@room.get("/rollout")
@only(Role.HELPDESK)
def page() -> str:
    """Show how many people have a token, and of which kind."""
    figures = world().store.records.figures()
    kinds = [kind for kind in Kind if kind in figures.tokens or kind in figures.stock]
    return shown(
        "helpdesk/rollout.html",
        enrolled=figures.enrolled,
        counts=[Count(kind, figures.tokens.get(kind, 0), figures.stock.get(kind, 0)) for kind in kinds],
        lists=isinstance(world().directory, Listing),
        groups=_groups(),
        group=_group(),
        census=None,
    )


@room.get("/rollout/without")
@only(Role.HELPDESK)
def without() -> str:
    """Show who of the directory has no token yet."""
    return shown("helpdesk/without.html", census=_census(), group=_group(), most=SHOWN)


@room.get("/rollout/without.csv")
@only(Role.HELPDESK)
def download() -> Response:
    """Give a file of them."""
    rows = [
        {"name": one.name, "directory": one.directory, "dn": one.dn, "subject": one.subject}
        for one in _census().without
    ]
    return table.download("without-token", "csv", _TITLES, rows)


def _groups() -> list[str]:
    """Return the groups that the configuration names: of others, an entry need not tell."""
    settings = world().settings
    named = {group for rule in settings.policy for group in (*(rule.groups or ()), *(rule.required_groups or ()))}
    return sorted(named | {*settings.portal.helpdesk_groups, *settings.portal.admin_groups})


def _group() -> str:
    """Return the group that was asked for, "" for none."""
    asked = request.args.get("group", "")
    return asked if asked in _groups() else ""


def _census() -> Census:
    here, group = world(), _group()
    if not isinstance(here.directory, Listing):
        raise NotFound
    enrolled, until = here.store.records.enrolled(), here.clock.monotonic() + PATIENCE
    looked_at, missing = 0, list[Entry]()
    everybody = here.directory.people()
    for entry in islice(everybody, MOST_PEOPLE):
        if group and normal_dn(group) not in entry.groups:
            continue
        looked_at += 1
        if entry.subject not in enrolled:
            missing.append(entry)
        if here.clock.monotonic() >= until:
            break
    more = next(everybody, None) is not None
    return Census(looked_at, tuple(sorted(missing, key=lambda one: one.name.casefold())), not more)
