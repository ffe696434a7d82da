"""Owns the choice of a second factor: which there are, and the way to each."""

from flask import Blueprint, current_app, url_for

from radius2fa.portal.devices import is_full
from radius2fa.portal.page import page as shown
from radius2fa.portal.visitor import may_enrol, signed_in_session, visitor
from radius2fa.portal.world import world

room = Blueprint("enrol", __name__)

# In the order in which they are shown: what most people have comes first.
_WAYS = (
    ("app", "authenticator.page"),
    ("passkey", "passkeys.register"),
    ("hardware", "hardware.page"),
    ("yubikey", "hardware.touch"),
)


@room.get("/enrol")
@may_enrol
def page() -> str:
    """Show what there is to choose from."""
    offer = world().settings.portal.offer
    ways = [
        (name, url_for(endpoint))
        for name, endpoint in _WAYS
        if name in offer and endpoint in current_app.view_functions
    ]
    full = is_full(world().store.tokens.list(signed_in_session().subject))
    return shown("enrol.html", ways=ways, full=full, first=visitor().enrolling)
