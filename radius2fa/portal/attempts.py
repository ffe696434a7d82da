"""Owns how a form becomes an attempt that the decision takes, and when its answer may leave."""

from flask import g
from werkzeug.exceptions import TooManyRequests

from radius2fa.login.attempt import Attempt
from radius2fa.login.place import place_of
from radius2fa.login.stages import Stopwatch
from radius2fa.portal.rules import CLIENT, NAME
from radius2fa.portal.visitor import deadline, visitor
from radius2fa.portal.world import World

MOST_OCTETS = 253  # of a name, as RADIUS has it (RFC 2865 section 5)
MOST_PASSWORD = 1024  # octets

_HOUR = 0.15  # seconds: a look-up with groups and a bind take less where the directory is near


def attempt(here: World, name: str, answer: bytes, state: bytes | None) -> Attempt:
    """Return one try to come in, by a password, or by the answer to the challenge of `state`."""
    who = visitor()
    return Attempt(
        here.clock.random(8).hex(),
        CLIENT,
        name,
        answer,
        state,
        who.source,
        who.address,
        here.clock.now(),
        deadline(here),
        Stopwatch(here.clock.monotonic, here.clock.monotonic()),
    )


def is_name(name: str) -> bool:
    """Tell whether somebody may be called so: as in RADIUS, no control characters, and not too long."""
    return 0 < len(name.encode("utf-8", "replace")) <= MOST_OCTETS and name.isprintable()


def is_password(password: bytes) -> bool:
    """Tell whether a directory can be asked about this password: one with a NUL is no password to some."""
    return b"\0" not in password and len(password) <= MOST_PASSWORD


def squeezed(code: str) -> bytes:
    """Return a code without the spaces that apps show within it."""
    return "".join(code.split()).encode("utf-8", "replace")


def require_patience(here: World, since: float) -> None:
    """Return if this place has not tried more often than people do. `since` is as in `wait_for_hour`.

    Raises:
        TooManyRequests: it has.

    """
    who = visitor()
    if not here.tries.allows(place_of(NAME, who.source, who.address), since):
        raise TooManyRequests


def wait_for_hour(here: World, since: float, *, refused: bool) -> None:
    """Have this answer leave no sooner than others of its kind, so that its time tells nothing; nobody waits here.

    `since` is when the request came (monotonic seconds).
    """
    server = here.settings.server
    g.leave_at = since + (server.reject_delay + server.reject_jitter * here.clock.jitter() if refused else _HOUR)
