"""Owns the room where the helpdesk finds people, sees what is wrong, and mends it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from flask import Blueprint, redirect, request, url_for
from werkzeug.wrappers import Response

from radius2fa.login.ports import Entry, NotFound
from radius2fa.otp.token import Kind
from radius2fa.portal import attempts
from radius2fa.portal.helpdesk import doings
from radius2fa.portal.helpdesk.doings import Refused
from radius2fa.portal.helpdesk.facts import facts_of
from radius2fa.portal.helpdesk.whom import Person, bar, person_of
from radius2fa.portal.page import page as shown
from radius2fa.portal.rules import NAME
from radius2fa.portal.visitor import Role, deadline, is_fresh, only
from radius2fa.portal.world import world
from radius2fa.printable import printable
from radius2fa.store.accounts import Account
from radius2fa.store.tokens import TokenRow

room = Blueprint("people", __name__)
room.add_app_template_filter(printable, "plain")  # for names and whatever else strangers have written

MOST_FOUND = 50

Answer = str | Response | tuple[str, int]


@dataclass(frozen=True, slots=True)
class Hit:
    """Somebody who was found. `dn` is None for those who were found in the store, by a part of their name."""

    subject: str
    name: str
    dn: str | None
    url: str


@room.get("/people")
@only(Role.HELPDESK)
def page() -> Answer:
    """Find people by their name in the directory, or by a part of it where they are known here already."""
    typed = request.args.get("q", "").strip()
    if not typed:
        now = world().clock.now()
        locked = world().store.accounts.locked(now)
        return _list("", [], locked=locked[:MOST_FOUND], more=len(locked) > MOST_FOUND)
    found = world().directory.find(typed, NAME, deadline(world())) if attempts.is_name(typed) else NotFound.UNKNOWN
    known = world().store.records.people(typed, MOST_FOUND + 1)
    hits = [_entry_hit(found, typed)] if isinstance(found, Entry) else []
    hits += [_account_hit(one) for one in known if one.subject not in {hit.subject for hit in hits}]
    why = "" if isinstance(found, Entry) else found.name.lower()
    return _list(typed, hits[:MOST_FOUND], why=why, more=len(hits) > MOST_FOUND)


@room.get("/people/<subject>")
@only(Role.HELPDESK)
def person(subject: str) -> Answer:
    """Show what is known of somebody, and what can be done for them."""
    return _shown(person_of(subject))


@room.get("/people/<subject>/as/<path:name>")
@only(Role.HELPDESK)
def newcomer(subject: str, name: str) -> Answer:
    """Show somebody whom only the directory knows yet, by the name that leads to them."""
    return _shown(person_of(subject, name))


@room.post("/people/<subject>/<doing>")
@only(Role.HELPDESK)
def act(subject: str, doing: str) -> Answer:
    """Do something for somebody."""
    return _done(subject, doing, doing, dict(request.form.items()))


@room.post("/people/<subject>/token/<token>")
@only(Role.HELPDESK)
def act_on_token(subject: str, token: str) -> Answer:
    """Do something with a token of somebody's."""
    change = request.form.get("change", "")
    doing = change if change in doings.OF_TOKENS else "-"
    return _done(subject, doing, f"token-{token}", {**request.form, "token": token})


def _list(typed: str, hits: list[Hit], *, why: str = "", locked: tuple[Account, ...] = (), more: bool) -> str:
    return shown("helpdesk/people.html", typed=typed, hits=hits, why=why, locked=locked, more=more, forever=math.inf)


def _done(subject: str, doing: str, form: str, fields: dict[str, str]) -> Answer:
    whom = person_of(subject, fields.get("name", ""))
    try:
        given = doings.do(doing, whom, fields)
    except Refused as refused:
        return _shown(person_of(subject, whom.typed), refused.key, form, fields), 422
    if given is not None:
        return shown("helpdesk/given.html", person=whom, given=given, back=_url(whom))
    return redirect(_url(whom, done=f"person-{doing}"), 303)


def _shown(whom: Person, error: str = "", failed: str = "", fields: dict[str, str] | None = None) -> str:
    """Return somebody's page; after something went wrong, with why, and with what was typed."""
    sentence = bar(whom)
    return shown(
        "helpdesk/person.html",
        person=whom,
        facts=facts_of(whom),
        bar="" if sentence is None else sentence.value,
        fresh=is_fresh(),
        changes_of=_changes,
        can={name: doings.allowed(name, whom) for name in doings.NAMES},
        choices=doings,
        error=error,
        failed=failed,
        fields=fields or {},
    )


def _url(whom: Person, done: str | None = None) -> str:
    """Return the address of somebody's page: where only the directory knows them, with the name that leads there."""
    if whom.account is None:
        return url_for("people.newcomer", subject=whom.subject, name=whom.typed, done=done)
    return url_for("people.person", subject=whom.subject, done=done)


def _changes(row: TokenRow, can: Mapping[str, bool]) -> list[str]:
    """Return what the visitor may do with a token, and makes sense."""
    senseless = {"enable" if row.active else "disable"} | ({"unassign"} if row.kind is Kind.WEBAUTHN else set())
    return [name for name in doings.OF_TOKENS if can[name] and name not in senseless]


def _entry_hit(entry: Entry, typed: str) -> Hit:
    if world().store.accounts.get(entry.subject) is None:
        url = url_for("people.newcomer", subject=entry.subject, name=typed)
    else:
        url = url_for("people.person", subject=entry.subject)
    return Hit(entry.subject, entry.name, entry.dn, url)


def _account_hit(one: Account) -> Hit:
    return Hit(one.subject, one.name, None, url_for("people.person", subject=one.subject))
