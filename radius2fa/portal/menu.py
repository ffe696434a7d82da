"""Owns the menu: which pages a visitor may go to, and on which of them they are."""

from dataclasses import dataclass

from flask import current_app, request, url_for

from radius2fa.login.ports import Unavailable
from radius2fa.portal.visitor import Role, role, visitor

# Each with the role that it needs; the text's key is "menu." and the room.
_PAGES = (
    ("tokens.page", Role.USER),
    ("logins.page", Role.USER),
    ("logincode.page", Role.USER),
    ("people.page", Role.HELPDESK),
    ("stock.page", Role.HELPDESK),
    ("rollout.page", Role.HELPDESK),
    ("audit.page", Role.HELPDESK),
)


@dataclass(frozen=True, slots=True)
class Link:
    """One entry of the menu; `here` tells that the visitor is in that room."""

    key: str
    url: str
    here: bool


def menu() -> list[Link]:
    """Return the entries for this visitor; none for who has still to enrol."""
    if visitor().session is None or visitor().enrolling:
        return []
    try:
        mine = role()
    except Unavailable:  # the page that says so has a menu too
        mine = Role.USER
    return [
        Link(f"menu.{endpoint.partition('.')[0]}", url_for(endpoint), request.blueprint == endpoint.partition(".")[0])
        for endpoint, least in _PAGES
        if mine >= least and endpoint in current_app.view_functions
    ]
