"""Owns the probes of servers that are out: beside the logins, those of each in a thread that ends when it is well."""

from collections.abc import Callable
from threading import Lock, Thread, current_thread

from radius2fa.directory.endpoint import Endpoint
from radius2fa.directory.link import Broken
from radius2fa.directory.servers import Servers
from radius2fa.login.ports import Unavailable
from radius2fa.traced import traced

_FAREWELL = 1.0  # seconds for all of them: a probe that waits for an answer is not waited for to its end

Probe = Callable[[Endpoint], None]
"""Asks a server what a login would; raises Broken when it fails, Unavailable when it answers that we may not."""


class Prober:
    """Begins a thread for each server that goes out. A server that is slow to fail keeps no other one waiting."""

    def __init__(self, probe: Probe) -> None:
        """Start without a thread."""
        self._probe = probe
        self._lock = Lock()
        self._threads: set[Thread] = set()

    def begin(self, servers: Servers, endpoint: Endpoint) -> None:
        """Probe a server until it is well, in a thread that no end of the process waits for."""
        thread = Thread(target=self._run, args=(servers, endpoint), name="radius2fa-probe", daemon=True)
        with self._lock:
            self._threads.add(thread)
        try:
            thread.start()
        except RuntimeError:  # no thread is to be had: logins have to find out whether it is well
            self._threads.discard(thread)
            servers.probed(endpoint, "")

    def join(self) -> None:
        """Wait until all threads have ended, as they do after `Servers.close`; a second at most."""
        with self._lock:
            threads = self._threads - {current_thread()}
        for thread in threads:
            if thread.is_alive():
                thread.join(_FAREWELL / len(threads))

    def _run(self, servers: Servers, endpoint: Endpoint) -> None:
        until_well(servers, endpoint, self._probe)
        with self._lock:
            self._threads.discard(current_thread())


def until_well(servers: Servers, endpoint: Endpoint, probe: Probe) -> None:
    """Probe a server as often as it is due, until it is well, has vanished, or the servers are closed."""
    while servers.wait_to_probe(endpoint):
        if servers.probed(endpoint, _cause(probe, endpoint)):
            return


def _cause(probe: Probe, endpoint: Endpoint) -> str:
    """Return what went wrong, "" where nothing did."""
    try:
        probe(endpoint)
    except Unavailable:
        # It answers. That the service account is refused is a fault of the configuration; no other server is asked
        # because of it, and each login says so.
        return ""
    except Broken as broken:
        return broken.cause
    except Exception as fault:  # noqa: BLE001 - a thread that died of a bug would leave the server out for ever
        return traced(fault)
    return ""
