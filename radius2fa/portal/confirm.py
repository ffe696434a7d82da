"""Owns the question whether whoever has signed in is still there: a code or a key, then back to where they were."""

from dataclasses import replace

from flask import Blueprint, current_app, g, redirect, request, url_for
from werkzeug.exceptions import Forbidden, HTTPException
from werkzeug.wrappers import Response

from radius2fa.login.attempt import Reject
from radius2fa.login.confirm import confirm
from radius2fa.portal import attempts, ceremonies, forms
from radius2fa.portal.challenges import taken_challenge, waiting_challenge
from radius2fa.portal.page import page as shown
from radius2fa.portal.rules import CONFIRMING
from radius2fa.portal.visitor import set_cookie, signed_in, signed_in_session, signed_in_token, visitor
from radius2fa.portal.world import World, world

room = Blueprint("confirm", __name__)

_NO_WAY_BACK = frozenset({"static", "health", "home", "confirm.page", "signin.page", "signin.code"})
_LONGEST_WAY = 500  # characters of a path


@room.get("/confirm")
@signed_in
def page() -> str:
    """Ask for a code or a key."""
    return _page(refused=False)


@room.post("/confirm")
@signed_in
def answer() -> Response | tuple[str, int]:
    """Take a code."""
    return _answered(prove(attempts.squeezed(request.form.get("code", ""))))


@room.post("/confirm/passkey")
@signed_in
def passkey() -> Response | tuple[str, int]:
    """Take what a security key has signed."""
    return _answered(prove_by_key(request.form.get("response", "")))


def key_request() -> str | None:
    """Return the options with which they show a key for the challenge that waits, as JSON; None if they have no key."""
    subject = signed_in_session().subject
    return ceremonies.request_of(subject, waiting_challenge()) if ceremonies.has_key(subject) else None


def prove(code: bytes) -> bool:
    """Tell whether a code is good for whoever has signed in; then the session has a new name, and is fresh.

    A wrong one is counted and written down as at a sign-in. The answer has to carry the new name: `with_new_cookie`.

    Raises:
        TooManyRequests: this address has tried too often.
        Forbidden: the session has ended meanwhile.

    """
    here = world()
    since = here.clock.monotonic()
    attempts.require_patience(here, since)
    return _proved(here, since, code, by_passkey=False)


def prove_by_key(response: str) -> bool:
    """Judge what a key of theirs has signed for the challenge that waited, as `prove` judges a code."""
    here, session = world(), signed_in_session()
    since = here.clock.monotonic()
    attempts.require_patience(here, since)
    challenge = taken_challenge()
    code = ceremonies.NO_CODE
    if challenge is not None:
        code = ceremonies.code_for(session.subject, session.name, response, challenge)
    return _proved(here, since, code, by_passkey=True)


def with_new_cookie(response: Response) -> Response:
    """Return an answer that gives the browser the session's new name."""
    set_cookie(response, "session", forms.encoded(signed_in_token()))
    return response


def way_back(path: str) -> str:
    """Return the address of a page of ours: of this path, or else of the nearest above it that can be looked at.

    Where a change was to be made, the page that it belongs to stands above it. The address is made anew from what the
    path leads to here, so that it never leads to another host.
    """
    if len(path) <= _LONGEST_WAY and path.isprintable():
        parts = path.split("/")[1:] if path.startswith("/") else []
        for length in range(len(parts), 0, -1):
            found = _page_at("/" + "/".join(parts[:length]))
            if found is not None:
                return found
    return url_for("home")


def _proved(here: World, since: float, code: bytes, *, by_passkey: bool) -> bool:
    session = signed_in_session()
    house = replace(here.house, policies=CONFIRMING)
    outcome = confirm(attempts.attempt(here, session.typed, code, None), house, subject=session.subject)
    if isinstance(outcome, Reject):
        attempts.wait_for_hour(here, since, refused=True)
        return False
    now = here.clock.now()
    token = here.store.sessions.prove(signed_in_token(), outcome.factor, now, by_passkey=by_passkey)
    renewed = None if token is None else here.store.sessions.find(token, now, here.settings.portal.idle)
    if renewed is None:
        raise Forbidden
    g.visitor = replace(visitor(), session=renewed, token=token)
    g.form_token = token
    return True


def _page_at(path: str) -> str | None:
    if any(part in ("", ".", "..") or "\\" in part for part in path[1:].split("/")):
        return None
    try:
        endpoint, values = current_app.url_map.bind("localhost").match(path, method="GET")
    except HTTPException:  # no such page, none to look at, or one that leads elsewhere
        return None
    return None if endpoint in _NO_WAY_BACK else url_for(endpoint, **values)


def _answered(proved: bool) -> Response | tuple[str, int]:  # noqa: FBT001 - what it answers
    if not proved:
        return _page(refused=True), 401
    return with_new_cookie(redirect(way_back(request.form.get("back", "")), 303))


def _page(*, refused: bool) -> str:
    back = way_back(request.values.get("back", ""))
    return shown("confirm.html", refused=refused, passkey=key_request(), back=back)
