"""Owns the login code: a passkey's proof in eight digits, for whatever has never heard of passkeys."""

from datetime import datetime

from flask import Blueprint, redirect, request, url_for
from werkzeug.wrappers import Response

from radius2fa.portal import ceremonies, confirm
from radius2fa.portal.ceremonies import CODE_SECONDS
from radius2fa.portal.page import page as shown
from radius2fa.portal.pen import pen
from radius2fa.portal.visitor import signed_in, signed_in_session
from radius2fa.portal.world import world

room = Blueprint("logincode", __name__)

_GROUP = 4  # digits


@room.get("/login-code")
@signed_in
def page() -> str:
    """Say what it is, and offer one."""
    return _page(refused=False)


@room.post("/login-code")
@signed_in
def make() -> str | Response:
    """Make a code for whoever has shown a key a moment ago."""
    if not _may_have_one():
        return redirect(url_for("logincode.page"), 303)
    return _made()


@room.post("/login-code/passkey")
@signed_in
def passkey() -> Response | tuple[str, int]:
    """Take what a key has signed, and make a code."""
    if not confirm.prove_by_key(request.form.get("response", "")):
        return _page(refused=True), 401
    return confirm.with_new_cookie(Response(_made(), mimetype="text/html"))


def _may_have_one() -> bool:
    """Tell whether a key of theirs has signed lately, and they still have one: a code that was typed does not count."""
    here, session = world(), signed_in_session()
    lately = session.by_passkey is not None and here.clock.now() - session.by_passkey <= here.settings.portal.fresh
    return lately and ceremonies.has_key(session.subject)


def _made() -> str:
    here, session = world(), signed_in_session()
    now = here.clock.now()
    until = now + CODE_SECONDS
    code = pen().codes.new_login_code(session.subject, session.name, until=until, when=now)
    groups = [code[start : start + _GROUP] for start in range(0, len(code), _GROUP)]
    return shown("logincode_made.html", groups=groups, until=datetime.fromtimestamp(until).astimezone())


def _page(*, refused: bool) -> str:
    may = _may_have_one()
    return shown(
        "logincode.html",
        refused=refused,
        may=may,
        passkey=None if may else confirm.key_request(),
        offered="passkey" in world().settings.portal.offer,
    )
