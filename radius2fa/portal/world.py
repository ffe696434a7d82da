"""Owns what every page of the portal works with, and how a page gets at it."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import SystemRandom
from typing import cast

from flask import current_app
from structlog.typing import FilteringBoundLogger

from radius2fa.config.model import Settings
from radius2fa.login.case import House
from radius2fa.login.ports import Directory
from radius2fa.portal.letter import Post
from radius2fa.portal.limits import Limits
from radius2fa.portal.rules import portal_rules
from radius2fa.server.wiring import house_by
from radius2fa.store.engine import Store

_KEY = "radius2fa"


@dataclass(frozen=True, slots=True)
class Clock:
    """Time and chance, which the pages take from here alone.

    `now` gives Unix seconds, `monotonic` seconds that never leap, those of the web server; `random` gives as many
    random octets as it is told, `jitter` a number from 0 to 1.
    """

    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    random: Callable[[int], bytes] = os.urandom
    jitter: Callable[[], float] = SystemRandom().random


@dataclass(frozen=True, slots=True)
class World:
    """The settings, the two backends, the decision with the portal's own rules, the mail, the log and the clock."""

    settings: Settings
    store: Store
    directory: Directory
    house: House
    post: Post
    log: FilteringBoundLogger
    clock: Clock = Clock()
    # To sign in, of one address, behind which may be a whole office; and serial numbers that one person types.
    tries: Limits = field(default_factory=lambda: Limits(burst=60, seconds_each=1.0))
    serials: Limits = field(default_factory=lambda: Limits(burst=20, seconds_each=6.0))


def world_of(
    settings: Settings,
    store: Store,
    directory: Directory,
    *,
    post: Post,
    log: FilteringBoundLogger,
    clock: Clock = Clock(),
) -> World:
    """Return the portal's world, with the decision as the RADIUS server has it but for the rules."""
    house = house_by(portal_rules(settings.portal), settings, store, directory)
    return World(settings, store, directory, house, post, log, clock)


def settle(app_extensions: dict[str, object], world: World) -> None:
    """Put a world into an application."""
    app_extensions[_KEY] = world


def world() -> World:
    """Return the world of the application that answers this request."""
    return cast("World", current_app.extensions[_KEY])
