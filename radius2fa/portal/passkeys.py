"""Owns the enrolment of a security key or passkey: a name, and a credential that the browser has made."""

from flask import Blueprint, redirect, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from radius2fa.otp.token import Kind
from radius2fa.portal import ceremonies
from radius2fa.portal.added import after_adding, may_add, must_be_first
from radius2fa.portal.ceremonies import Registered, Unproven
from radius2fa.portal.challenges import taken_challenge, waiting_challenge
from radius2fa.portal.devices import label_of
from radius2fa.portal.page import page as shown
from radius2fa.portal.pen import pen
from radius2fa.portal.visitor import signed_in_session, visitor
from radius2fa.portal.words import text
from radius2fa.portal.world import world
from radius2fa.store.passkeys import NewPasskey
from radius2fa.store.tokens import Taken, TooManyTokens

room = Blueprint("passkeys", __name__)

_ID_OCTETS = 8


@room.get("/enrol/passkey")
@may_add
def register() -> str:
    """Ask for a name and a key."""
    _require_offered()
    return _page(_default_label())


@room.post("/enrol/passkey")
@may_add
def registered() -> Response | tuple[str, int]:
    """Take the credential that the browser has made."""
    _require_offered()
    label = label_of(request.form.get("label", "")) or _default_label()
    challenge = taken_challenge()
    if challenge is None:  # done in another window, or too long ago
        return _page(label, "too-late"), 422
    try:
        made = ceremonies.registered(request.form.get("response", ""), challenge)
        _add(made, label)
    except TooManyTokens:
        return redirect(url_for("enrol.page"), 303)
    except Taken:
        return _page(label, "taken"), 422
    except Unproven as wrong:
        world().log.info("security key not enrolled", user=signed_in_session().name, why=str(wrong))
        return _page(label, wrong.why), 422
    return after_adding(label, Kind.PASSKEY.value, by_passkey=True)


def _add(made: Registered, label: str) -> None:
    here, session = world(), signed_in_session()
    try:
        new = NewPasskey(
            here.clock.random(_ID_OCTETS).hex(),
            session.subject,
            session.name,
            label,
            made.credential_id,
            made.public_key,
            made.sign_count,
            made.aaguid,
            made.transports,
            made.backed_up,
        )
    except ValueError as wrong:
        raise Unproven("not-registered", str(wrong)) from None
    pen().passkeys.add(new, here.clock.now(), first=must_be_first())


def _page(label: str, wrong: str = "") -> str:
    session = signed_in_session()
    options = ceremonies.registration_for(session.subject, session.name, waiting_challenge())
    return shown("passkeys.html", options=options, label=label, wrong=wrong)


def _default_label() -> str:
    return str(text(visitor().language, "passkeys.default-name"))


def _require_offered() -> None:
    if "passkey" not in world().settings.portal.offer:
        raise NotFound
