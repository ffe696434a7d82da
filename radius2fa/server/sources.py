"""Owns whom the figures for Prometheus are asked of, beside those of logins."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from radius2fa.config.model import Settings
from radius2fa.directory.figures import DirectoryFigures
from radius2fa.server.load import Load


@dataclass(frozen=True, slots=True)
class Files:
    """Files whose age matters: certificates (PEM) by what they are for, and the master key."""

    certificates: tuple[tuple[str, Path], ...]
    master_key: Path


@dataclass(frozen=True, slots=True)
class Sources:
    """Whom the figures are asked of. `started` is in Unix seconds; `lost` are lines that the log has lost, by way out.

    All calls may come from any thread, and wait for nothing.
    """

    load: Callable[[], Load]
    directories: Callable[[], Iterable[DirectoryFigures]]
    lost: Callable[[], Mapping[str, int]]
    files: Callable[[], Files]
    started: float


def files_of(settings: Settings) -> Files:
    """Return the files that the settings name."""
    named: list[tuple[str, Path | None]] = [("portal", settings.portal.certificate)]
    for each in settings.directory:
        named += [("directory-ca", each.ca_file), ("directory-client", each.client_certificate)]
    if settings.portal.mail:
        named.append(("mail-ca", settings.portal.mail.ca_file))
    if settings.log.syslog:
        named += [("syslog-ca", settings.log.syslog.ca_file), ("syslog-client", settings.log.syslog.client_certificate)]
    certificates = dict.fromkeys((use, path) for use, path in named if path is not None)
    return Files(tuple(certificates), settings.store.key_file)
