"""Owns the trial of a token: a code that is judged as at a login, and two that bring it back into step."""

from dataclasses import replace

from flask import Blueprint, redirect, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from radius2fa.login.attempt import Reject
from radius2fa.login.confirm import confirm
from radius2fa.login.ports import Unavailable
from radius2fa.login.reason import Reason
from radius2fa.otp.token import Kind, Token
from radius2fa.otp.verify import resync as in_sequence
from radius2fa.portal import notices
from radius2fa.portal.attempts import attempt, require_patience, squeezed, wait_for_hour
from radius2fa.portal.devices import called
from radius2fa.portal.hardware import LOOK
from radius2fa.portal.rules import CONFIRMING
from radius2fa.portal.tokens import my, shown_one
from radius2fa.portal.visitor import fresh, signed_in_session
from radius2fa.portal.world import world
from radius2fa.store.seal import SealBroken
from radius2fa.store.tokens import TokenRow

room = Blueprint("trial", __name__)

_SAID = {
    Reason.CODE_ALREADY_USED: "tokens.tried-used",
    Reason.OUT_OF_STEP: "tokens.tried-out-of-step",
    Reason.TOKEN_DISABLED: "tokens.tried-disabled",
    Reason.TOKEN_EXPIRED: "tokens.tried-expired",
    Reason.TOKEN_NOT_YET_VALID: "tokens.tried-expired",
    Reason.LOCKED_OUT: "tokens.tried-locked",
    Reason.ADDRESS_BLOCKED: "tokens.tried-locked",
}


@room.post("/tokens/<token>/try")
@fresh
def code(token: str) -> Response | tuple[str, int]:
    """Judge a code. It is used up by that, and a wrong one is a guess like any other."""
    row, here, session = my(token), world(), signed_in_session()
    if row.kind is Kind.WEBAUTHN:
        raise NotFound
    since, typed = here.clock.monotonic(), squeezed(request.form.get("code", ""))
    require_patience(here, since)
    house = replace(here.house, policies=CONFIRMING)
    outcome = confirm(attempt(here, session.typed, typed, None), house, subject=session.subject)
    if isinstance(outcome, Reject):
        wait_for_hour(here, since, refused=True)
        return shown_one(row, tried=_SAID.get(outcome.reason, "tokens.tried-wrong")), 422
    if outcome.token != row.id:
        return shown_one(row, tried="tokens.tried-other"), 422
    return redirect(url_for("tokens.one", token=row.id, done="code-right"), 303)


@room.post("/tokens/<token>/resync")
@fresh
def resync(token: str) -> Response | tuple[str, int]:
    """Bring a token back into step."""
    row, here, now = my(token), world(), world().clock.now()
    since = here.clock.monotonic()
    require_patience(here, since)
    first, second = (squeezed(request.form.get(name, "")) for name in ("code", "second"))
    match = in_sequence(_secret(row), first, second, now, LOOK)
    if match is None or not here.store.tokens.advance(row.id, match.counter, match.drift, now):
        wait_for_hour(here, since, refused=True)
        return shown_one(row, resynced="tokens.not-in-sequence"), 422
    notices.tell(signed_in_session(), "resynced", token=called(row))
    return redirect(url_for("tokens.one", token=row.id, done="resynced"), 303)


def _secret(row: TokenRow) -> Token:
    try:
        token = world().store.tokens.secret(row.id)
    except SealBroken as broken:
        raise Unavailable("master key", str(broken)) from None
    if not isinstance(token, Token):  # a YubiKey is never out of step
        raise NotFound
    return token
