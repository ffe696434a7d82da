"""Owns the recovery codes: a new list, shown once."""

from flask import Blueprint, redirect, request, url_for
from werkzeug.wrappers import Response

from radius2fa.portal import notices
from radius2fa.portal.added import make_recovery_codes
from radius2fa.portal.page import page as shown
from radius2fa.portal.visitor import fresh, signed_in, signed_in_session
from radius2fa.portal.waiting import done, waiting
from radius2fa.portal.world import world

room = Blueprint("recovery", __name__)


@room.get("/recovery")
@signed_in
def page() -> str:
    """Say what a new list means."""
    here = world()
    left = here.store.codes.of(signed_in_session().subject, here.clock.now()).recovery_left
    return shown("recovery.html", left=left)


@room.post("/recovery")
@fresh
def make() -> Response:
    """Make a new list; the earlier one ends."""
    session = signed_in_session()
    make_recovery_codes(session)
    notices.tell(session, "recovery")
    return redirect(url_for("recovery.codes"), 303)


@room.get("/recovery/codes")
@signed_in
def codes() -> str | Response:
    """Show a new list, which is not here any more when the page is asked for again."""
    made = waiting().get("recovery")
    if made is None:
        return redirect(url_for("recovery.page"), 303)
    if request.method == "GET":  # HEAD shows nothing
        done("recovery")
    return shown("recovery-codes.html", codes=made)
