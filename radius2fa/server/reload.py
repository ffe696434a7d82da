"""Owns the reload: a configuration is read and made ready in a thread, then put in force in one step, or refused whole.

What is refused changes nothing, and is told in the log, to systemd, and by `radius2fa status`.
"""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from radius2fa.config.differences import Difference, Fate, differences
from radius2fa.config.load import ConfigError, load, located
from radius2fa.config.model import Log, Settings
from radius2fa.login.ports import Unavailable
from radius2fa.server.listener import ListenFailed
from radius2fa.server.reactor import Reactor
from radius2fa.server.reloaded import Reloaded
from radius2fa.server.reloads import Reloads
from radius2fa.server.replies import UnusableReplies
from radius2fa.server.service import Service, Successor
from radius2fa.server.setup import censored
from radius2fa.store.seal import BadKeyFile, KeyRing
from radius2fa.traced import traced


@dataclass(frozen=True, slots=True)
class _Ready:
    successor: Successor
    differences: tuple[Difference, ...]


class Reload(Reloads):
    """Reloads when asked to. All its methods run in the reactor thread, but for the making ready."""

    def __init__(
        self,
        service: Service,
        path: Path,
        *,
        reactor: Reactor,
        log: FilteringBoundLogger,
        take_log: Callable[[Log], None],
        environment: Mapping[str, str] = os.environ,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Read the configuration at the path; `take_log` takes what of `[log]` changes; `now` gives Unix seconds."""
        super().__init__(reactor, environment)
        self._service = service
        self._path = path
        self._log = log
        self._take_log = take_log
        self._now = now
        self.last: Reloaded | None = None

    def _work(self) -> None:
        try:
            ready = self._read()
        except Exception as fault:  # noqa: BLE001 - whatever it is, what is in force stays in force
            self._reactor.callFromThread(self._refuse, _faults(fault, self._path))
        else:
            self._reactor.callFromThread(self._take, ready)

    def _read(self) -> _Ready:
        settings = load(self._path, self._environment)
        keys = KeyRing.read(settings.store.key_file)
        found = self._differences(settings)  # first of all: what is prepared has to be taken
        return _Ready(self._service.prepare(settings, keys), found)

    def _differences(self, settings: Settings) -> tuple[Difference, ...]:
        running = self._service.setup
        return differences(running.values, censored(settings, running.store.keys))

    def _take(self, ready: _Ready) -> None:
        successor = ready.successor
        if not self._service.take(successor):  # it is about to end
            return
        changed = tuple(each.key for each in ready.differences if each.fate is Fate.RELOAD)
        waiting = tuple(each.key for each in ready.differences if each.fate is Fate.RESTART)
        self.last = Reloaded(self._now(), (), changed, waiting)
        keys = successor.setup.store.keys.names
        self._log.info("reloaded", changed=list(changed), **self._service.listening(), master_keys=list(keys))
        if waiting:
            self._log.warning("needs a restart", keys=list(waiting), remedy="Run: systemctl restart radius2fa")
        self._take_log(successor.setup.settings.log)
        self._end("Configuration reloaded" + (f"; {len(waiting)} changed key(s) need a restart" if waiting else ""))

    def _refuse(self, faults: tuple[str, ...]) -> None:
        self.last = Reloaded(self._now(), faults)
        for fault in faults:
            self._log.error("not reloaded", why=fault, remedy="What was in force before stays so.")
        self._end("Reload refused, the earlier configuration stays in force: see `radius2fa status`")


def _faults(fault: Exception, path: Path) -> tuple[str, ...]:
    """Return what was wrong, in sentences without a secret."""
    match fault:
        case ConfigError():
            return tuple(map(str, fault.faults))
        case UnusableReplies():
            with suppress(OSError, ValueError):  # the file is gone by now, or half of another
                return tuple(map(str, located(path, fault.faults)))
            return tuple(each.message for each in fault.faults)
        case _:
            return (_why(fault),)


def _why(fault: Exception) -> str:
    match fault:
        case Unavailable():
            return f"the master keys cannot be compared: the {fault.backend} is unavailable: {fault.cause}"
        case ListenFailed():
            return f"{fault}. What overlaps with an address in use needs a restart"
        case BadKeyFile():
            return str(fault)
        case ValueError():
            return f"directory: {fault}"
        case _:
            return traced(fault)
