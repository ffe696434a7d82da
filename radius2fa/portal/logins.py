"""Owns the page of somebody's own logins: when, from where, through what, with which token, and how it ended."""

from flask import Blueprint, request
from werkzeug.exceptions import NotFound

from radius2fa.login.ports import Record
from radius2fa.portal.devices import called
from radius2fa.portal.page import page as shown
from radius2fa.portal.rules import NAME
from radius2fa.portal.visitor import signed_in, signed_in_session
from radius2fa.portal.world import world
from radius2fa.store.records import LoginFilter

room = Blueprint("logins", __name__)

AT_ONCE = 50


@room.get("/logins")
@signed_in
def page() -> str:
    """List the last ones, or those before a number."""
    here, subject = world(), signed_in_session().subject
    found = here.store.records.logins(LoginFilter(subject=subject), _before(), AT_ONCE)
    names = {row.id: called(row) for row in here.store.tokens.list(subject)}

    def with_what(record: Record) -> str | None:
        """Return the name of the token that answered, None for what has none, or none any more."""
        return names.get(record.token or "")

    older = found[-1][0] if len(found) == AT_ONCE else None
    records = [record for _, record in found]
    return shown("logins.html", records=records, older=older, first=_before() is None, with_what=with_what, own=NAME)


def _before() -> int | None:
    text = request.args.get("before")
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18:  # noqa: PLR2004 - what fits into 64 bits
        raise NotFound
    return int(text)
