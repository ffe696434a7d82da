"""Owns what becomes of the messages of Twisted itself."""

from structlog.typing import FilteringBoundLogger
from twisted.logger import ILogObserver, LogEvent, LogLevel
from zope.interface import implementer

from radius2fa.traced import traced


@implementer(ILogObserver)
class TwistedLog:
    """Takes what Twisted caught by itself: a bug of ours, since nothing should come so far."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        """Write to this log."""
        self._log = log

    def __call__(self, event: LogEvent) -> None:
        """Take a message."""
        failure = event.get("log_failure")
        if failure is not None and event["log_level"] >= LogLevel.error:
            self._log.error("internal error", why=traced(failure.value))
