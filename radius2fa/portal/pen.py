"""Owns the name under which a visitor's changes are written down."""

from radius2fa.portal.visitor import signed_in_session
from radius2fa.portal.world import world
from radius2fa.store.engine import Store


def pen(why: str = "") -> Store:
    """Return the store in which whoever has signed in makes changes, for the reason that they give."""
    return world().store.by(f"portal:{signed_in_session().name}", why)
