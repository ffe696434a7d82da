"""Owns the log: one shape for every line, no secret in any, and no way to inject a line by a name."""

import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor

from radius2fa.config.model import Log
from radius2fa.directory.servers import ServerChange
from radius2fa.login.ports import Result
from radius2fa.server.logfile import CannotLog, LogFile, Stream
from radius2fa.server.login import Login, Observer
from radius2fa.server.syslog import SyslogSender

_LONGEST = 4096  # characters of one value
_FORMS: dict[str, Processor] = {
    "json": structlog.processors.JSONRenderer(ensure_ascii=True),
    # Every value as its repr, which escapes control characters and whatever else prints nothing.
    "readable": structlog.processors.KeyValueRenderer(key_order=["time", "level", "event"]),
}
_LEVELS = {name: getattr(logging, name.upper()) for name in ("debug", "info", "warning", "error", "critical")}


@dataclass(frozen=True, slots=True)
class OpenLog:
    """The log of a process that serves. `lost` tells how many lines each way out has lost so far, by its name.

    `take` takes what a reload takes: the level and the format of all lines from then on, from any thread.
    """

    log: FilteringBoundLogger
    lost: Callable[[], dict[str, int]]
    take: Callable[[Log], None]
    close: Callable[[], None]


class _Manner:
    """From which level on lines are written, and in which form, just now."""

    def __init__(self, settings: Log) -> None:
        self.take(settings)

    def take(self, settings: Log) -> None:
        self._least = _LEVELS[settings.level]
        self._form = _FORMS[settings.format]

    def heard(self, _logger: object, method: str, line: EventDict) -> EventDict:
        if _LEVELS[method] < self._least:
            raise structlog.DropEvent
        return line

    def written(self, logger: object, method: str, line: EventDict) -> Any:  # noqa: ANN401 - text, of any processor
        return self._form(logger, method, line)


def open_log(settings: Log, stream: TextIO = sys.stderr) -> FilteringBoundLogger:
    """Return a logger to a stream: readable `key='value'` lines, or JSON; the journal adds nothing of its own."""
    return _logger(_Manner(settings), stream)


def start_log(settings: Log, program: str, stream: TextIO = sys.stderr) -> OpenLog:
    """Return the log of this process: lines to the file that is configured or else the stream, and to syslog, if asked.

    `program` is the name that a syslog server sees. Nothing that happens to the log makes a caller fail, or wait for
    anything but a disk, or the reader of the stream.

    Raises:
        CannotLog: the file cannot be opened, or what is needed for TLS to the syslog server cannot be used.

    """
    out = Stream(stream) if settings.file is None else LogFile(settings.file)
    name = "stderr" if settings.file is None else "file"
    manner = _Manner(settings)
    beside = _logger(manner, out)
    if settings.syslog is None:
        return OpenLog(beside, lambda: {name: out.lost}, manner.take, lambda: None)

    def tell(level: str, line: Mapping[str, object]) -> None:
        getattr(beside, level)(**line)

    try:
        sender = SyslogSender(settings.syslog, program, tell)
    except ValueError as wrong:
        raise CannotLog(f"log.syslog: {wrong}") from None
    sender.start()
    log = _logger(manner, out, sender)
    return OpenLog(log, lambda: {name: out.lost, "syslog": sender.lost}, manner.take, sender.stop)


def _logger(manner: _Manner, out: Any, sender: Callable[[EventDict], None] | None = None) -> FilteringBoundLogger:  # noqa: ANN401 - it writes and flushes
    def send(_logger: object, _method: str, line: EventDict) -> EventDict:
        if sender is not None:
            sender(dict(line))
        return line

    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.WriteLogger(out),
        processors=[
            manner.heard,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            _clipped,
            *([send] if sender else []),
            manner.written,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
    ).bind()  # or every line would be bound anew
    return logger


def _clipped(_logger: object, _method: str, line: EventDict) -> EventDict:
    """Cut values that are longer than any of ours is: whoever chose one shall not fill the disk."""
    for name, value in line.items():
        if isinstance(value, str) and len(value) > _LONGEST:
            line[name] = f"{value[:_LONGEST]}... ({len(value)} characters)"
    return line


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
