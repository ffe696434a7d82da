"""Owns the room of the audit: logins and acts by filter, page by page, as files, and as charts."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from flask import Blueprint, request
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from radius2fa.login.ports import Record, Result
from radius2fa.login.reason import Reason
from radius2fa.portal.helpdesk import sought, table
from radius2fa.portal.helpdesk.history import PERIODS, charts_of
from radius2fa.portal.page import page as shown
from radius2fa.portal.rules import NAME
from radius2fa.portal.visitor import Role, only
from radius2fa.portal.world import world
from radius2fa.store.acts import Act, Deed
from radius2fa.store.records import MOST

room = Blueprint("audit", __name__)

EACH = 50  # rows on a page
MOST_SENT = 100_000  # rows of a file

T = TypeVar("T")
Fetch = Callable[[int | None, int], tuple[tuple[int, T], ...]]

_LOGIN_TITLES = (
    *("when", "id", "client", "name", "source", "result", "reason", "factor", "policy", "token", "subject"),
    *("person", "serial", "node"),
)
_ACT_TITLES = ("when", "who", "what", "name", "token", "detail", "why", "subject", "node")


@room.get("/audit")
@only(Role.HELPDESK)
def page() -> str:
    """Show logins, the newest first."""
    rows = world().store.records.logins(sought.logins(request.args), sought.before(request.args), EACH + 1)
    return shown(
        "helpdesk/audit.html",
        rows=rows[:EACH],
        older=_older(rows),
        filters=sought.given(request.args, sought.LOGINS),
        clients=[*(client.name for client in world().settings.client), NAME],
        results=tuple(Result),
        reasons=tuple(Reason),
    )


@room.get("/audit/acts")
@only(Role.HELPDESK)
def acts() -> str:
    """Show what was changed, the newest first."""
    rows = world().store.records.acts(sought.acts(request.args), sought.before(request.args), EACH + 1)
    return shown(
        "helpdesk/acts.html",
        rows=rows[:EACH],
        older=_older(rows),
        filters=sought.given(request.args, sought.ACTS),
        deeds=tuple(Deed),
    )


@room.get("/audit/logins.<form>")
@only(Role.HELPDESK)
def logins_file(form: str) -> Response:
    """Give a file of the logins that the filters ask for."""
    which, records = sought.logins(request.args), world().store.records
    rows = _all(lambda before, limit: records.logins(which, before, limit))
    return _file("logins", form, _LOGIN_TITLES, (_login(login) for login in rows))


@room.get("/audit/acts.<form>")
@only(Role.HELPDESK)
def acts_file(form: str) -> Response:
    """Give a file of the acts that the filters ask for."""
    which, records = sought.acts(request.args), world().store.records
    rows = _all(lambda before, limit: records.acts(which, before, limit))
    return _file("acts", form, _ACT_TITLES, (_act(act) for act in rows))


@room.get("/audit/charts")
@only(Role.HELPDESK)
def charts() -> str:
    """Draw the logins of a day, a week or a month."""
    asked = request.args.get("period", "")
    period = next((one for one in PERIODS if one.name == asked), PERIODS[0])
    now = world().clock.now()
    return shown("helpdesk/charts.html", periods=PERIODS, period=period, **charts_of(period, now))


def _file(name: str, form: str, titles: tuple[str, ...], rows: Iterator[table.Row]) -> Response:
    if form not in table.FORMS:
        raise NotFound
    return table.download(name, form, titles, rows)


def _all(fetch: Fetch[T]) -> Iterator[T]:
    """Yield what a filter finds, the newest first, some at a time, and no more than MOST_SENT."""
    before, left = None, MOST_SENT
    while left > 0 and (rows := fetch(before, min(MOST, left))):
        for _, row in rows:
            yield row
        before, left = rows[-1][0], left - len(rows)


def _older(rows: tuple[tuple[int, T], ...]) -> int | None:
    """Return the number of the last row that is shown, where there are more behind it."""
    return rows[EACH - 1][0] if len(rows) > EACH else None


def _login(login: Record) -> table.Row:
    return {
        "when": table.iso(login.when),
        "id": login.id,
        "client": login.client,
        "name": login.name,
        "source": login.source,
        "result": login.result,
        "reason": login.reason,
        "factor": login.factor,
        "policy": login.policy,
        "token": login.token,
        "subject": login.subject,
        "person": login.person,
        "serial": login.serial,
        "node": login.node,
    }


def _act(act: Act) -> table.Row:
    return {
        "when": table.iso(act.at),
        "who": act.who,
        "what": act.what,
        "name": act.name,
        "token": act.token,
        "detail": act.detail,
        "why": act.why,
        "subject": act.subject,
        "node": act.node,
    }
