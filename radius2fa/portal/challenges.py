"""Owns the challenge that a security key is to sign for somebody who has signed in: it waits in the session, for once.

What the browser sends back says by itself whether a key was made or shown, so one challenge serves for both.
"""

from radius2fa.portal.waiting import done, wait, waiting
from radius2fa.portal.world import world

_OCTETS = 32
_SECONDS = 600.0  # a page may be open for so long
_KEY = "challenge"


def waiting_challenge() -> bytes:
    """Return the challenge that waits; a new one if there is none. So a page in a second window spoils none."""
    here = world()
    found = _read()
    if found is None:
        found = here.clock.random(_OCTETS)
        wait(**{_KEY: {"octets": found.hex(), "until": here.clock.now() + _SECONDS}})
    return found


def taken_challenge() -> bytes | None:
    """Return the challenge that waited, which does so no more; None if there was none."""
    found = _read()
    done(_KEY)
    return found


def _read() -> bytes | None:
    held = waiting().get(_KEY)
    return bytes.fromhex(held["octets"]) if held and world().clock.now() < held["until"] else None
