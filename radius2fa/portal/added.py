"""Owns who may give themselves a device, and what follows when they have: notice, rights, recovery codes."""

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import g, redirect, url_for
from werkzeug.wrappers import Response

from radius2fa.portal import forms, notices
from radius2fa.portal.devices import is_full
from radius2fa.portal.page import page as shown
from radius2fa.portal.pen import pen
from radius2fa.portal.visitor import drop_cookie, fresh, set_cookie, signed_in_session, signed_in_token, visitor
from radius2fa.portal.waiting import wait
from radius2fa.portal.world import world
from radius2fa.store.sessions import Session
from radius2fa.store.tokens import NotTheFirst

P = ParamSpec("P")
R = TypeVar("R")

_UNENROLLED = "not-enrolled"  # the factor of a session that was let in by the password alone


def may_add(page: Callable[P, R]) -> Callable[P, R | Response]:
    """Let in whoever may give themselves a device: with one that they have just used, or as their first.

    A session that was let in by the password alone, because there was no device, is worth nothing once there is one:
    somebody else may sit in it. Whoever has as many as one may have is sent to the page that says so.
    """

    @wraps(page)
    def inner(*args: P.args, **kwargs: P.kwargs) -> R | Response:
        session = signed_in_session()
        if _is_overtaken(session):
            return _put_out()
        if is_full(world().store.tokens.list(session.subject)):
            return redirect(url_for("enrol.page"), 303)
        try:
            return page(*args, **kwargs)
        except NotTheFirst:  # somebody was faster, since we looked
            return _put_out()

    when_fresh = fresh(inner)

    @wraps(page)
    def outer(*args: P.args, **kwargs: P.kwargs) -> R | Response:
        return inner(*args, **kwargs) if visitor().enrolling else when_fresh(*args, **kwargs)

    return outer


def must_be_first() -> bool:
    """Tell whether what the visitor adds has to be the first of its owner, or the store refuses it with NotTheFirst."""
    return visitor().enrolling and signed_in_session().factor == _UNENROLLED


def after_adding(called: str, factor: str, *, by_passkey: bool = False) -> Response:
    """Say that there is a new device, and return the answer that leads on.

    `called` is its name for people, `factor` its kind, `by_passkey` says that it is one. With the first device the
    session has shown a second factor, and gets a new cookie; and its owner gets recovery codes, if they have none.
    """
    session = signed_in_session()
    first = visitor().enrolling
    notices.tell(session, "added", token=called)
    done = "passkey-added" if by_passkey else "token-added"
    response = redirect(url_for("tokens.page", done=done), 303)
    if not first:
        return response
    if not _prove(factor, by_passkey=by_passkey):
        return redirect(url_for("signin.page", done=done), 303)
    if world().store.codes.of(session.subject, world().clock.now()).recovery_left == 0:
        make_recovery_codes(session)
        response = redirect(url_for("recovery.codes", done=done), 303)
    set_cookie(response, "session", forms.encoded(signed_in_token()))
    return response


def make_recovery_codes(session: Session) -> None:
    """Make ten new recovery codes, which wait in the session to be shown, once."""
    wait(recovery=pen().codes.new_recovery(session.subject, session.name, world().clock.now()))


def _is_overtaken(session: Session) -> bool:
    here = world()
    return must_be_first() and here.store.ledger.standing(session.subject, "", here.clock.now()).enrolled


def _put_out() -> Response:
    world().store.sessions.end(signed_in_token())
    g.visitor = replace(visitor(), session=None, token=None)
    response = Response(shown("overtaken.html"), 403, mimetype="text/html")
    drop_cookie(response, "session")
    return response


def _prove(factor: str, *, by_passkey: bool) -> bool:
    """Note that a second factor was shown, and go on in the session's new name. False if the session is over."""
    here, now = world(), world().clock.now()
    token = here.store.sessions.prove(signed_in_token(), factor, now, by_passkey=by_passkey)
    session = None if token is None else here.store.sessions.find(token, now, here.settings.portal.idle)
    if session is None:
        return False
    g.visitor = replace(visitor(), session=session, token=token)
    return True
