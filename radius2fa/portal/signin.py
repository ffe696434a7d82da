"""Owns the way in: name and password, then a second factor, by the decision that RADIUS logins go through."""

import base64
import binascii
from collections.abc import Callable

from flask import Blueprint, redirect, request, url_for
from werkzeug.wrappers import Response

from radius2fa.login.attempt import Accept, Challenge, Outcome
from radius2fa.login.authenticate import authenticate, turn_away
from radius2fa.login.ports import Entry
from radius2fa.login.reason import Reason
from radius2fa.portal import attempts, ceremonies, forms
from radius2fa.portal.page import page as shown
from radius2fa.portal.rules import NAME
from radius2fa.portal.visitor import begin, cookie, deadline, drop_cookie, set_cookie, signed_in_token, visitor
from radius2fa.portal.world import world

room = Blueprint("signin", __name__)


@room.get("/signin")
def page() -> str | Response:
    """Ask for name and password."""
    if visitor().session is not None:
        return redirect(url_for("home"), 303)
    return shown("signin.html", refused=False)


@room.post("/signin")
def start() -> Response | tuple[str, int]:
    """Take name and password. What follows looks the same for everybody who is not let in."""
    here = world()
    since = here.clock.monotonic()
    attempts.require_patience(here, since)
    name, password = request.form.get("name", "").strip(), request.form.get("password", "").encode("utf-8", "replace")
    tried = attempts.attempt(here, name[: attempts.MOST_OCTETS], password, None)  # the journal shall keep no more of it
    if not attempts.is_name(name):
        return _refused(since, turn_away(tried, Reason.BAD_NAME, here.house))
    if not attempts.is_password(password):
        return _refused(since, turn_away(tried, Reason.BAD_PASSWORD, here.house))
    return _answered(since, name, authenticate(tried, here.house))


@room.get("/signin/code")
def code() -> str | Response:
    """Ask for the second factor. Whose keys there are to look up must show by the time no more than by the page."""
    here, step = world(), _step()
    since = here.clock.monotonic()
    if step is None:
        return redirect(url_for("signin.page"), 303)
    name, state = step
    if not _waits(name, state):  # a step that somebody made up shall cost no look-up in the directory
        return redirect(url_for("signin.page"), 303)
    passkey = ceremonies.request_for(name, state)
    attempts.wait_for_hour(here, since, refused=False)
    return shown("code.html", name=name, passkey=passkey)


@room.post("/signin/code")
def answer() -> Response | tuple[str, int]:
    """Take a code."""
    return _answer(lambda _name, _state: attempts.squeezed(request.form.get("code", "")))


@room.post("/signin/passkey")
def passkey() -> Response | tuple[str, int]:
    """Take what a security key has signed, in the place of a code."""
    return _answer(_signed, by_passkey=True)


@room.post("/signout")
def leave() -> Response:
    """End the session."""
    if visitor().token is not None:
        world().store.sessions.end(signed_in_token())
    response = redirect(url_for("signin.page", done="signed-out"), 303)
    drop_cookie(response, "session")
    return response


def _answer(typed: Callable[[str, bytes], bytes], *, by_passkey: bool = False) -> Response | tuple[str, int]:
    """Answer the challenge of the first leg with what `typed` makes of its name and State."""
    here, step = world(), _step()
    since = here.clock.monotonic()
    attempts.require_patience(here, since)
    if step is None:
        return redirect(url_for("signin.page"), 303)
    name, state = step
    attempt = attempts.attempt(here, name, typed(name, state), state)
    return _answered(since, name, authenticate(attempt, here.house), by_passkey=by_passkey)


def _signed(name: str, state: bytes) -> bytes:
    """Return a code in place of the signature that was sent; what is no code if that proves nothing.

    That goes the same way, and is refused and written down.
    """
    here = world()
    found = here.directory.find(name, NAME, deadline(here)) if _waits(name, state) else None
    if not isinstance(found, Entry):
        return ceremonies.NO_CODE
    challenge = ceremonies.sign_in_challenge(here, state)
    return ceremonies.code_for(found.subject, found.name, request.form.get("response", ""), challenge)


def _waits(name: str, state: bytes) -> bool:
    """Tell whether the first leg waits for its answer: it was gone through, not too long ago, and not answered yet."""
    here = world()
    return here.house.ledger.held(state, NAME, name, here.clock.now()) is not None


def _answered(since: float, name: str, outcome: Outcome, *, by_passkey: bool = False) -> Response | tuple[str, int]:
    match outcome:
        case Accept():
            return _welcome(name, outcome, by_passkey=by_passkey)
        case Challenge(state):
            attempts.wait_for_hour(world(), since, refused=False)
            response = redirect(url_for("signin.code"), 303)
            set_cookie(response, "step", _packed(name, state), world().house.challenge_seconds)
            return response
        case _:
            return _refused(since, outcome)


def _welcome(name: str, accept: Accept, *, by_passkey: bool) -> Response:
    here = world()
    found = here.directory.find(name, NAME, deadline(here))
    spelling = found.name if isinstance(found, Entry) else name
    token = begin(spelling, accept.subject, name, accept.factor, here.clock.now(), by_passkey=by_passkey)
    if visitor().token is not None:
        here.store.sessions.end(signed_in_token())
    response = redirect(url_for("home"), 303)
    set_cookie(response, "session", forms.encoded(token))
    for other in ("step", "form"):
        drop_cookie(response, other)
    return response


def _refused(since: float, _: object) -> tuple[str, int]:
    attempts.wait_for_hour(world(), since, refused=True)
    return shown("signin.html", refused=True), 401


# The first leg's State waits in the browser, as it does in a RADIUS client: 32 hexadecimal digits, then the name.


def _packed(name: str, state: bytes) -> str:
    return state.decode() + base64.urlsafe_b64encode(name.encode()).decode().rstrip("=")


def _step() -> tuple[str, bytes] | None:
    """Return the name and the State of the first leg, None where there was none lately."""
    packed = request.cookies.get(cookie("step"), "")
    state, name = packed[:32], packed[32:]
    try:
        typed = base64.urlsafe_b64decode(name.encode("ascii") + b"=" * (-len(name) % 4)).decode()
        return (typed, state.encode("ascii")) if attempts.is_name(typed) else None
    except (ValueError, binascii.Error):
        return None
