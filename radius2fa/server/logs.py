"""Owns the log: one shape for every line, no secret in any, and no way to inject a line by a name."""

import logging
import sys
from collections.abc import Callable
from typing import TextIO

import structlog
from structlog.typing import FilteringBoundLogger, Processor

from radius2fa.config.model import Log
from radius2fa.directory.servers import ServerChange
from radius2fa.login.ports import Result
from radius2fa.server.login import Login, Observer


def open_log(settings: Log, stream: TextIO = sys.stderr) -> FilteringBoundLogger:
    """Return the logger of this process: readable `key='value'` lines, or JSON; the journal adds nothing of its own."""
    last: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=True)
        if settings.format == "json"
        # Every value as its repr, which escapes control characters and whatever else prints nothing.
        else structlog.processors.KeyValueRenderer(key_order=["time", "level", "event"])
    )
    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.WriteLogger(stream),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, settings.level.upper())),
    ).bind()  # or every line would be bound anew
    return logger


def log_logins(log: FilteringBoundLogger) -> Observer:
    """Return an observer that writes one line a login."""

    def observe(login: Login) -> None:
        fields: dict[str, object] = {
            "id": login.id,
            "user": login.name,
            "client": login.client,
            "address": login.address,
            "ms": round(login.milliseconds, 1),
            "policy": login.policy,
            "factor": login.factor,
            "token": login.token,
            "reason": login.reason and login.reason.value,
        }
        log.info(_event(login), **{name: value for name, value in fields.items() if value is not None})

    return observe


def log_changes(log: FilteringBoundLogger) -> Callable[[ServerChange], None]:
    """Return what writes one line for each server of a directory that goes out, or is back."""

    def observe(change: ServerChange) -> None:
        if change.well:
            log.info("directory server back", directory=change.directory, url=change.url)
        else:
            log.warning("directory server failed", directory=change.directory, url=change.url, why=change.cause)

    return observe


_EVENTS = {Result.ACCEPT: "accepted", Result.REJECT: "rejected", Result.CHALLENGE: "challenged"}
ALONE = "accepted without second factor"


def _event(login: Login) -> str:
    """Say what came of it; who came in by a password alone must not be overlooked."""
    return ALONE if login.result is Result.ACCEPT and login.token is None else _EVENTS[login.result]
