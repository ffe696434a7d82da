"""Owns what waits in a session from one page to the next: sealed, and gone with the session at the latest."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from flask import g

from radius2fa.portal.visitor import signed_in_session, signed_in_token, visitor
from radius2fa.portal.world import world

Waiting = dict[str, Any]


def waiting() -> Waiting:
    """Return what waits in the session, by its name."""
    return _read(signed_in_session().held)


def wait(**values: object) -> None:
    """Let this wait in the session, beside what does already. Values are what JSON can hold."""
    _change(lambda held: held | values)


def done(*names: str) -> None:
    """Let this wait no longer."""
    if not waiting().keys().isdisjoint(names):
        _change(lambda held: {name: value for name, value in held.items() if name not in names})


def _change(change: Callable[[Waiting], Waiting]) -> None:
    here, session, token = world(), signed_in_session(), signed_in_token()
    # Read again: another tab may have changed it since this request came.
    now = here.store.sessions.find(token, here.clock.now(), here.settings.portal.idle) or session
    held = json.dumps(change(_read(now.held))).encode()
    here.store.sessions.keep(token, held)
    g.visitor = replace(visitor(), session=replace(now, held=held))


def _read(held: bytes) -> Waiting:
    found: Waiting = json.loads(held or b"{}")
    return found
