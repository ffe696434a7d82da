"""Owns the server's process: reactor, log, signals, the word to systemd."""

import gc
import os
import signal
import time
from pathlib import Path
from typing import Any

from structlog.typing import FilteringBoundLogger
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.logger import globalLogBeginner

from radius2fa import __version__
from radius2fa.config.model import Settings
from radius2fa.directory.directories import Directories
from radius2fa.server.activation import inherited
from radius2fa.server.condition import Moment, condition
from radius2fa.server.localsocket import CannotListen
from radius2fa.server.logs import log_logins, start_log
from radius2fa.server.metrics import figures_of, open_metrics
from radius2fa.server.notify import keep_watched, notify
from radius2fa.server.reactor import Reactor
from radius2fa.server.reload import Reload
from radius2fa.server.service import Service
from radius2fa.server.sources import Sources, files_of
from radius2fa.server.statusport import StatusPort
from radius2fa.server.twistedlog import TwistedLog
from radius2fa.store.engine import Store


def serve(path: Path, settings: Settings, store: Store, directory: Directories) -> None:
    """Answer requests until SIGTERM or SIGINT, then finish what is in flight and return.

    The settings are those of the file at the path; SIGHUP reads it again.

    Raises:
        ListenFailed: an address cannot be bound.
        UnusableReplies: attributes or values of the policies cannot be sent (`check` finds the same).
        CannotLog: the log cannot be had as it is configured.

    """
    journal = start_log(settings.log, "radius2fa")
    log, started = journal.log, time.time()
    if settings.server.one_processor:
        _stay_on_one_processor()
    loop: Any = reactor  # a module that becomes an object when a reactor is installed; it has no type
    figures = figures_of(settings.metrics)
    observers = [log_logins(log), *([figures.count] if figures else [])]
    given = inherited(os.environ, os.getpid())
    service = Service(
        settings, store=store, directory=directory, reactor=loop, log=log, observers=observers, given=given
    )
    globalLogBeginner.beginLoggingTo([TwistedLog(log)], redirectStandardIO=False)  # type: ignore[list-item]  # mypy knows no zope interface
    service.start()
    reload = Reload(service, path, reactor=loop, log=log, take_log=journal.take)
    status = open_status(service, reload, loop, log)
    metrics = None
    if figures:
        figures.ask(
            Sources(service.load, service.directories, journal.lost, lambda: files_of(service.setup.settings), started)
        )
        metrics = open_metrics(settings.metrics, figures, loop, log)

    # All that start-up made is here to stay, and need not be looked through again and again.
    gc.collect()
    gc.freeze()
    gc.enable()

    def ready() -> None:
        signal.signal(signal.SIGHUP, lambda *_: loop.callFromThread(reload.ask))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})  # one that came before is taken now
        log.info("ready", version=__version__, **service.listening())
        notify("READY=1", os.environ)
        keep_watched(loop, os.environ)

    def stop() -> Deferred[None]:
        notify("STOPPING=1", os.environ)
        log.info("stopping", under_way=service.port.under_way)
        return service.stop().addCallback(ended)

    def ended(_: object) -> None:
        for port in (status, metrics):
            if port:
                port.close()

    loop.callWhenRunning(ready)  # not before SIGTERM is handled: who hears of it may stop the server at once
    loop.addSystemEventTrigger("before", "shutdown", stop)
    loop.run()
    service.setup.directory.close()
    store.close()
    log.info("stopped", dropped={f"{cause} {client}".strip(): n for (cause, client), n in service.drops.items()})
    journal.close()


def open_status(service: Service, reload: Reload, reactor: Reactor, log: FilteringBoundLogger) -> StatusPort | None:
    """Return what answers `radius2fa status`; None where that is switched off, or cannot be had, which the log tells.

    No login waits or fails because of it.
    """
    path, started = service.setup.settings.server.status_socket, time.time()
    if path is None:
        return None

    def document() -> dict[str, object]:
        return condition(service.figures(started, reload.last), Moment(time.time(), time.monotonic()))

    try:
        status = StatusPort(path, document, reactor, log)
    except CannotListen as wrong:
        log.warning("no status socket", why=str(wrong), remedy="See `status_socket` in the section [server].")
        return None
    status.start()
    return status


def _stay_on_one_processor() -> None:
    """Keep this process on the processor that it runs on now; call it before there are other threads.

    One thread runs Python at a time, whatever the processors. Where the lock is handed over between two of them, a
    login cost 2000 to 2900 us of CPU instead of 1270 to 1570 us, at half the rate (measured on a virtual machine with
    two processors, 32 logins in flight).
    """
    processor = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[_PROCESSOR])
    os.sched_setaffinity(0, {processor})


_PROCESSOR = 36  # proc_pid_stat(5): field 39, counted from behind the name, which is field 2
