"""Owns the page of somebody's own sessions: where they are signed in, and the end of that."""

from flask import Blueprint, redirect, request, url_for
from werkzeug.wrappers import Response

from radius2fa.portal import notices
from radius2fa.portal.agents import browser_of
from radius2fa.portal.page import page as shown
from radius2fa.portal.pen import pen
from radius2fa.portal.visitor import fresh, signed_in, signed_in_session
from radius2fa.portal.world import world

room = Blueprint("sessions", __name__)


@room.get("/sessions")
@signed_in
def page() -> str:
    """List those that are not over."""
    here, session = world(), signed_in_session()
    now = here.clock.now()
    open_ones = [
        each
        for each in here.store.sessions.of(session.subject, now)
        if each.seen >= now - here.settings.portal.idle or each.id == session.id
    ]
    return shown("sessions.html", sessions=open_ones, own=session.id, browser_of=browser_of)


@room.post("/sessions")
@fresh
def end() -> Response:
    """End one of them, or all but the visitor's own."""
    session, which = signed_in_session(), request.form.get("session", "")
    sessions = pen().sessions
    if which:
        ended = which != session.id and sessions.end_one(session.subject, which)
    else:
        ended = sessions.end_all(session.subject, but=session.id) > 0
    if ended:
        notices.tell(session, "sessions")
    return redirect(url_for("sessions.page", done="sessions-ended"), 303)
