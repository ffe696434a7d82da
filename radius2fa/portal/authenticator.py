"""Owns the enrolment of an authenticator app: a QR code, and the first code that the app shows.

The key waits in the session until that code is right, so that a page that is loaded again shows the same QR code.
Nothing is in the table of tokens before.
"""

import base64
from dataclasses import dataclass, replace

from flask import Blueprint, redirect, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from radius2fa.config.model import Codes
from radius2fa.enrol.enrolment import Form, begin, confirm, present
from radius2fa.otp.token import Token
from radius2fa.otp.verify import Windows
from radius2fa.portal.added import after_adding, may_add, must_be_first
from radius2fa.portal.attempts import squeezed
from radius2fa.portal.devices import label_of
from radius2fa.portal.drawing import qr_code
from radius2fa.portal.page import page as shown
from radius2fa.portal.pen import pen
from radius2fa.portal.visitor import signed_in_session, visitor
from radius2fa.portal.waiting import done, wait, waiting
from radius2fa.portal.words import text
from radius2fa.portal.world import world
from radius2fa.store.tokens import NewToken, Taken, TooManyTokens

room = Blueprint("authenticator", __name__)

MOST_TRIES = 10  # wrong codes; then there is a new key


@dataclass(frozen=True, slots=True)
class _Pending:
    """A token that waits for its first code, after so many wrong ones."""

    token: Token
    tries: int = 0


@room.get("/enrol/app")
@may_add
def page() -> str:
    """Show the key that waits, or a new one."""
    _require_offered()
    return _page(_pending() or _new())


@room.post("/enrol/app")
@may_add
def check() -> Response | tuple[str, int]:
    """Take the first code; if it is right, there is a new token, with that code used up."""
    _require_offered()
    pending, here = _pending(), world()
    label = label_of(request.form.get("label", "")) or _default_label()
    if pending is None:  # done in another tab, or gone with an earlier session
        return redirect(url_for("authenticator.page"), 303)
    code = squeezed(request.form.get("code", ""))
    match = confirm(pending.token, code, here.clock.now(), wide(here.settings.codes))
    if match is None:
        return _wrong(pending, label)
    token = replace(pending.token, counter=match.counter + 1, drift=match.drift)
    session = signed_in_session()
    try:
        new = NewToken(token, session.subject, session.name, label)
        pen().tokens.add(new, here.clock.now(), first=must_be_first())
    except TooManyTokens:
        return redirect(url_for("enrol.page"), 303)
    except Taken:  # another tab was faster with the same key
        return redirect(url_for("tokens.page"), 303)
    done("seed")
    return after_adding(label, token.kind.value)


def wide(codes: Codes) -> Windows:
    """Return how far the first code of a new token may be off: its owner guesses nothing, and clocks have drifted."""
    return Windows(totp=max(codes.totp_window, codes.totp_resync), hotp=codes.hotp_window)


def _wrong(pending: _Pending, label: str) -> tuple[str, int]:
    tried = replace(pending, tries=pending.tries + 1)
    if tried.tries >= MOST_TRIES:
        return _page(_new(), label, "enrol.new-secret"), 422
    _keep(tried)
    return _page(tried, label, "enrol.wrong-code"), 422


def _page(pending: _Pending, label: str | None = None, wrong: str = "") -> str:
    made = present(pending.token, world().settings.codes.issuer, signed_in_session().name)
    qr = qr_code(made.uri, text(visitor().language, "enrol.qr"))
    label = _default_label() if label is None else label
    return shown("authenticator.html", qr=qr, uri=made.uri, secret=made.secret, label=label, wrong=wrong)


def _default_label() -> str:
    return str(text(visitor().language, "enrol.default-name"))


def _require_offered() -> None:
    if "app" not in world().settings.portal.offer:
        raise NotFound


def _new() -> _Pending:
    pending = _Pending(begin(Form(), world().clock.random))
    _keep(pending)
    return pending


def _keep(pending: _Pending) -> None:
    token = pending.token
    wait(seed={"id": token.id, "key": base64.b32encode(token.key).decode(), "tries": pending.tries})


def _pending() -> _Pending | None:
    seed = waiting().get("seed")
    if seed is None:
        return None
    return _Pending(Token(seed["id"], Form().kind, base64.b32decode(seed["key"])), seed["tries"])
