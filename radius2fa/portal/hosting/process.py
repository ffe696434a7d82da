"""Owns the portal's process: reactor, signals, the word to systemd, and the removal of what is over."""

import gc
import os
import signal
import time
from collections.abc import Callable
from typing import Any
from wsgiref.types import WSGIApplication

from structlog.typing import FilteringBoundLogger
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.logger import globalLogBeginner

from radius2fa import __version__
from radius2fa.config.model import Portal
from radius2fa.login.ports import Unavailable
from radius2fa.portal.hosting.host import Host
from radius2fa.portal.hosting.reload import Reload
from radius2fa.server.notify import keep_watched, notify
from radius2fa.server.twistedlog import TwistedLog

_SWEEP = 60.0  # seconds between two removals of what has expired


def serve(
    portal: Portal,
    pages: WSGIApplication,
    *,
    sweep: Callable[[float], None],
    reread: Callable[[], str],
    log: FilteringBoundLogger,
) -> None:
    """Answer browsers until SIGTERM or SIGINT, then finish what is under way and return.

    SIGHUP reads the certificate again, and then calls `reread`, in a thread; it returns how that ended, for systemd.
    `sweep` is called every minute, in a thread, with the time in Unix seconds: sessions end also where no RADIUS server
    runs that would remove them.

    Raises:
        ListenFailed: an address cannot be bound.
        UnusableCertificate: certificate or key cannot be used.

    """
    loop: Any = reactor  # a module that becomes an object when a reactor is installed; it has no type
    host = Host(portal, pages, reactor=loop, clock=time.monotonic, log=log)
    globalLogBeginner.beginLoggingTo([TwistedLog(log)], redirectStandardIO=False)  # type: ignore[list-item]  # mypy knows no zope interface
    host.start()

    def read() -> str:
        host.reload()
        return reread()

    reload = Reload(read, reactor=loop)

    # All that start-up made is here to stay, and need not be looked through again and again.
    gc.collect()
    gc.freeze()
    gc.enable()

    def ready() -> None:
        signal.signal(signal.SIGHUP, lambda *_: loop.callFromThread(reload.ask))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})  # one that came before is taken now
        log.info("ready", version=__version__, listen=[f"{where} port {port}" for where, port in host.addresses])
        notify("READY=1", os.environ)
        keep_watched(loop, os.environ)
        sweep_now_and_then()

    def sweep_now_and_then() -> None:
        if not host.site.stopping:
            loop.callInThread(_swept, sweep, log)
            loop.callLater(_SWEEP, sweep_now_and_then)

    def stop() -> Deferred[None]:
        notify("STOPPING=1", os.environ)
        log.info("stopping", under_way=host.site.under_way)
        return host.stop()

    loop.callWhenRunning(ready)  # not before SIGTERM is handled: who hears of it may stop the portal at once
    loop.addSystemEventTrigger("before", "shutdown", stop)
    loop.run()
    log.info("stopped")


def _swept(sweep: Callable[[float], None], log: FilteringBoundLogger) -> None:
    try:
        sweep(time.time())
    except Unavailable as fault:
        log.warning("not swept", why=str(fault))
