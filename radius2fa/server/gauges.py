"""Owns the figures that are read when Prometheus asks: what the parts of the server have counted, and how they are now.

Nothing here is called in the reactor thread: files are read, and logins shall not wait for them.
"""

import platform
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from cryptography.x509 import InvalidVersion, load_pem_x509_certificates
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from radius2fa import __version__
from radius2fa.directory.figures import DirectoryFigures
from radius2fa.server.load import Load
from radius2fa.server.sources import Files, Sources

_Values = TypeVar("_Values", bound=tuple[str, ...])


class Gauges(Collector):
    """Asks the parts of the server, each time anew."""

    def __init__(self, sources: Sources) -> None:
        """Ask these."""
        self._sources = sources

    def collect(self) -> Iterable[Metric]:
        """Yield all figures as of now."""
        yield InfoMetricFamily(
            "radius2fa_build",
            "The version that runs.",
            value={"version": __version__, "python": platform.python_version()},
        )
        yield GaugeMetricFamily(
            "radius2fa_start_time_seconds", "When the process began to serve, in Unix seconds.", self._sources.started
        )
        yield from _of_load(self._sources.load())
        yield from _of_directories(self._sources.directories())
        yield _counter(
            "radius2fa_log_lines_lost",
            "Log lines that could not be written or sent.",
            ("output",),
            {(output,): lost for output, lost in self._sources.lost().items()},
        )
        yield from _of_files(self._sources.files())


def _of_load(load: Load) -> Iterator[Metric]:
    yield _counter(
        "radius2fa_requests",
        "Well-framed requests of known clients, repetitions included, by whether they bore a Message-Authenticator.",
        ("client", "code", "message_authenticator"),
        {
            (client, code, "present" if signed else "absent"): count
            for (client, code, signed), count in load.requests.items()
        },
    )
    yield _counter(
        "radius2fa_repeats",
        "Requests that were repeated after their answer, and got the same octets again.",
        ("client", "port"),
        load.repeats,
    )
    yield _counter(
        "radius2fa_drops",
        "Datagrams that got no answer. The client is empty where the address belongs to none.",
        ("cause", "client", "port"),
        load.drops,
    )
    yield _counter(
        "radius2fa_accounting_acknowledged",
        "Accounting-Responses, repetitions not included, by what was reported; Status-Server asks for one too.",
        ("client", "status"),
        load.acknowledged,
    )
    yield GaugeMetricFamily(
        "radius2fa_requests_in_progress",
        "Requests at the authentication port that wait for a thread or are worked at.",
        load.in_progress,
    )
    yield GaugeMetricFamily(
        "radius2fa_accounting_in_progress", "The same at the accounting port.", load.accounting_in_progress
    )
    yield GaugeMetricFamily("radius2fa_requests_waiting", "Those of both ports that wait for a thread.", load.waiting)
    yield GaugeMetricFamily(
        "radius2fa_backlog_limit", "How many may be in progress at each port (server.backlog).", load.backlog
    )
    yield GaugeMetricFamily("radius2fa_threads", "Threads that work at requests (server.threads).", load.threads)
    yield GaugeMetricFamily(
        "radius2fa_replies_held_back", "Refusals and challenges that wait for their hour, without a thread.", load.held
    )


def _of_directories(directories: Iterable[DirectoryFigures]) -> Iterator[Metric]:
    up = GaugeMetricFamily(
        "radius2fa_directory_server_up",
        "Whether a directory's server is well (1) or out (0).",
        labels=("directory", "url"),
    )
    lookups = CounterMetricFamily(
        "radius2fa_directory_lookups",
        "Names that were looked up: answered from memory (hit), or asked for (miss).",
        labels=("directory", "memory"),
    )
    for figures in directories:
        for server in figures.servers:
            up.add_metric((figures.name, server.url), float(server.well))
        lookups.add_metric((figures.name, "hit"), figures.lookups.hits)
        lookups.add_metric((figures.name, "miss"), figures.lookups.misses)
    yield up
    yield lookups


def _of_files(files: Files) -> Iterator[Metric]:
    """Yield ages; a file that this process may not read, or that is gone, has none."""
    ends = GaugeMetricFamily(
        "radius2fa_certificate_expiry_timestamp_seconds",
        "When the first of the certificates in a file ends, in Unix seconds.",
        labels=("use", "file"),
    )
    for use, path in files.certificates:
        with suppress(OSError, ValueError, InvalidVersion):
            ends.add_metric((use, str(path)), _first_end(path))
    yield ends
    key = GaugeMetricFamily(
        "radius2fa_master_key_timestamp_seconds",
        "When the file of the master key was last written, in Unix seconds.",
        labels=("file",),
    )
    with suppress(OSError):
        key.add_metric((str(files.master_key),), files.master_key.stat().st_mtime)
    yield key


def _first_end(path: Path) -> float:
    return min(each.not_valid_after_utc for each in load_pem_x509_certificates(path.read_bytes())).timestamp()


def _counter(name: str, text: str, labels: tuple[str, ...], values: Mapping[_Values, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family
