"""Owns where secrets come from: the file itself, a file beside it (`*_file`), a systemd credential (`*_credential`)."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radius2fa.config.faults import Finding, Findings, Key

# The one secret of each section
SECRETS = {"store": "password", "directory": "bind_password", "client": "secret", "portal.mail": "password"}
SUFFIXES = ("_file", "_credential")
MASTER_KEY = "master.key"  # the systemd credential that wins over store.key_file

_UNREAD = b"(a secret that could not be read)"  # stands in, so that the missing secret is reported once
_OTHERS = 0o007


@dataclass(frozen=True, slots=True)
class Sources:
    """Where to look: the folder that relative paths are relative to, and systemd's folder of credentials, if any."""

    folder: Path
    credentials: Path | None

    @classmethod
    def of(cls, file: Path, environment: Mapping[str, str]) -> "Sources":
        """Return the sources of a configuration file in this environment."""
        folder = environment.get("CREDENTIALS_DIRECTORY")
        return cls(file.absolute().parent, Path(folder) if folder else None)

    def master_key(self) -> Path | None:
        """Return the path of the systemd credential that holds the master key, if there is one."""
        path = self.credentials / MASTER_KEY if self.credentials else None
        return path if path and path.exists() else None


def resolve(section: dict[str, Any], key: Key, name: str, sources: Sources, findings: Findings) -> dict[str, Any]:
    """Return the section with `name` holding its secret, whichever of the three keys gave it."""
    given = [candidate for candidate in (name, *(name + suffix for suffix in SUFFIXES)) if candidate in section]
    if not given or given == [name]:
        return section
    others = {other: value for other, value in section.items() if other not in given}
    if len(given) > 1:
        remedy = f"Keep one of {', '.join(given)}."
        findings.faults.append(Finding((*key, given[1]), f"the secret is given {len(given)} times", remedy))
        return {**others, name: _UNREAD}
    place = (*key, given[0])
    try:
        path = _path(section[given[0]], sources, credential=given[0].endswith("_credential"))
        secret = _read(path)
    except (OSError, ValueError) as wrong:
        findings.faults.append(Finding(place, _why(wrong), "Give a readable file with the secret."))
        return {**others, name: _UNREAD}
    findings.warnings.extend(open_to_all(path, place))
    return {**others, name: secret}


def _read(path: Path) -> bytes:
    """Return the secret in a file, without the end of the line that editors and echo put behind it."""
    secret = path.read_bytes().removesuffix(b"\n").removesuffix(b"\r")
    if not secret:
        raise ValueError(f"{path} is empty")
    return secret


def _path(value: object, sources: Sources, *, credential: bool) -> Path:
    if not isinstance(value, str) or not value:
        raise ValueError("must be the name of a file, in quotes")
    if not credential:
        return sources.folder / value
    if sources.credentials is None:
        raise ValueError("$CREDENTIALS_DIRECTORY is not set: only a service of systemd has credentials")
    if os.sep in value:
        raise ValueError("must be the name of a credential, without a path")
    return sources.credentials / value


def _why(wrong: Exception) -> str:
    return f"{wrong.filename}: {wrong.strerror}" if isinstance(wrong, OSError) else str(wrong)


def open_to_all(path: Path, key: Key) -> Iterator[Finding]:
    """Yield a finding if everybody on the machine may read the file."""
    if path.stat().st_mode & _OTHERS:
        remedy = f"Run: chmod o= {path}; where the service may not read it then: chgrp radius2fa {path}"
        yield Finding(key, f"everybody may read {path}, which holds a secret", remedy)
