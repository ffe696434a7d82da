"""Owns reading the configuration file: from its octets to Settings, or to every fault that it has."""

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from radius2fa.config import credentials, crosschecks, words
from radius2fa.config.crosschecks import Parts
from radius2fa.config.faults import ConfigError, Fault, Finding, Findings, Key, written
from radius2fa.config.lines import line_of, lines_of
from radius2fa.config.model import (
    Client,
    Directory,
    Lockout,
    Log,
    Metrics,
    Policy,
    Portal,
    Section,
    Server,
    Settings,
    Store,
    Text,
)
from radius2fa.config.places import STATUS_SOCKET

__all__ = ["ConfigError", "Fault", "Reading", "load", "located", "read", "status_socket"]

_TOML_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
# Relative to the folder of the configuration
_PATHS = {
    "server": ("dictionaries", "status_socket"),
    "store": ("key_file",),
    "directory": ("ca_file", "client_certificate", "client_key"),
    "portal": ("certificate", "key", "attestation_roots"),
    "portal.mail": ("ca_file",),
    "log": ("file",),
    "log.syslog": ("ca_file", "client_certificate", "client_key"),
}
_WITHIN = {"portal": ("mail",), "log": ("syslog",)}  # sections in sections
Table = dict[str, Any]
S = TypeVar("S", bound=Section)


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of a file: settings if there are no faults, and in any case the warnings."""

    settings: Settings | None
    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...]


def load(path: Path, environment: Mapping[str, str] = os.environ) -> Settings:
    """Return the checked settings of the file.

    Raises:
        ConfigError: with every fault of the file.

    """
    reading = read(path, environment)
    if reading.settings is None:
        raise ConfigError(reading.faults)
    return reading.settings


def read(path: Path, environment: Mapping[str, str] = os.environ, now: float = 0.0) -> Reading:
    """Return the settings of the file, or its faults; and its warnings.

    Dates before `now` (Unix seconds) are among the warnings.
    """
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except OSError as wrong:
        return _unreadable(path, wrong)
    except UnicodeDecodeError as wrong:
        return _failed(Fault(path, None, "", f"is not UTF-8 (octet {wrong.start + 1})", "Save it as UTF-8."))
    except tomllib.TOMLDecodeError as wrong:
        return _failed(_syntax(path, text, str(wrong)))
    return _check(path, text, document, credentials.Sources.of(path, environment), now)


def status_socket(path: Path) -> Path | None:
    """Return where the server answers that runs by this file, whatever faults the file has by now; None for nowhere.

    Where the file does not tell, it is the usual place.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return STATUS_SOCKET
    match document.get("server"):
        case {"status_socket": str(place)}:
            return path.absolute().parent / place if place else None
        case _:
            return STATUS_SOCKET


def located(path: Path, findings: Iterable[Finding]) -> tuple[Fault, ...]:
    """Return what was found out about the settings of a file later on, with the places, in the order of the file.

    Raises:
        OSError: the file cannot be read any more.

    """
    return _located(path, lines_of(path.read_text(encoding="utf-8")), findings)


def _failed(fault: Fault) -> Reading:
    return Reading(None, (fault,), ())


def _unreadable(path: Path, wrong: OSError) -> Reading:
    remedy = "Run it as root or as the user radius2fa."
    if isinstance(wrong, FileNotFoundError):
        remedy = "Write one with: radius2fa init; or name another with --config."
    return _failed(Fault(path, None, "", f"cannot be read: {wrong.strerror}", remedy))


def _syntax(path: Path, text: str, message: str) -> Fault:
    place = _TOML_PLACE.search(message)
    line = int(place[1]) if place and place[1] else text.rstrip().count("\n") + 1
    return Fault(path, line, "", f"is not TOML: {_TOML_PLACE.sub('', message)}", "Correct this line, or the one above.")


def _check(path: Path, text: str, raw: Table, sources: credentials.Sources, now: float) -> Reading:
    """Check a document; the secrets first, so that the models see final values only."""
    found = Findings()
    document = {name: _resolved(name, value, sources, found) for name, value in raw.items()}
    if (master_key := sources.master_key()) and isinstance(store := document.setdefault("store", {}), dict):
        store["key_file"] = master_key
    settings = None
    try:
        settings = Settings.model_validate(document)
    except ValidationError as wrong:
        found.faults.extend(words.findings(wrong.errors(include_url=False, include_input=False)))
    parts = _parts(document)
    found.faults.extend(crosschecks.faults(parts))
    found.warnings.extend(crosschecks.warnings(parts, now))
    if any(name in item for section, name in credentials.SECRETS.items() for item in _tables(_section(raw, section))):
        found.warnings.extend(credentials.open_to_all(path, ()))
    lines = lines_of(text)
    faults = _located(path, lines, found.faults)
    return Reading(None if faults else settings, faults, _located(path, lines, found.warnings))


def _resolved(name: str, value: object, sources: credentials.Sources, found: Findings) -> object:
    """Return a section, or a list of them, with secrets and paths final; anything else as it is."""
    if isinstance(value, list):
        return [_table(item, (name, place), sources, found) for place, item in enumerate(value)]
    return _table(value, (name,), sources, found)


def _table(value: object, key: Key, sources: credentials.Sources, found: Findings) -> object:
    if not isinstance(value, dict):
        return value
    name = ".".join(part for part in key if isinstance(part, str))
    secret = credentials.SECRETS.get(name)
    table = credentials.resolve(value, key, secret, sources, found) if secret else value
    paths = {path: _absolute(table[path], sources.folder) for path in _PATHS.get(name, ()) if path in table}
    within = {sub: _table(table[sub], (*key, sub), sources, found) for sub in _WITHIN.get(name, ()) if sub in table}
    return {**table, **paths, **within}


def _section(document: Table, name: str) -> object:
    """Return what stands in the document as the section of this name, "portal.mail" for one."""
    found: object = document
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _absolute(value: object, folder: Path) -> object:
    """Return a path, or each of a list of them, in the folder; what is no path stays as it is, and "" names none."""
    match value:
        case str() if value:
            return folder / value
        case list():
            return [_absolute(each, folder) for each in value]
        case _:
            return value


def _parts(document: Table) -> Parts:
    """Return the sections that are valid by themselves, so that one fault does not hide the others."""
    return Parts(
        server=_valid(Server, document.get("server", {})),
        store=_valid(Store, document.get("store", {})),
        lockout=_valid(Lockout, document.get("lockout", {})),
        portal=_valid(Portal, document.get("portal", {})),
        text=_texts(document.get("text", {})),
        log=_valid(Log, document.get("log", {})),
        metrics=_valid(Metrics, document.get("metrics", {})),
        directories=_all_valid(Directory, document.get("directory")),
        clients=_all_valid(Client, document.get("client")),
        policies=_all_valid(Policy, document.get("policy")),
        client_names=frozenset(str(item.get("name")) for item in _tables(document.get("client"))),
        directory_names=frozenset(str(item.get("name", "main")) for item in _tables(document.get("directory"))),
    )


def _texts(value: object) -> dict[str, Text] | None:
    texts = {tag: _valid(Text, text) for tag, text in value.items()} if isinstance(value, dict) else {"": None}
    known = {tag: text for tag, text in texts.items() if text is not None}
    return known if len(known) == len(texts) else None


def _valid(model: type[S], value: object) -> S | None:
    try:
        return model.model_validate(value)
    except ValidationError:
        return None


def _all_valid(model: type[S], value: object) -> dict[int, S]:
    checked = ((place, _valid(model, item)) for place, item in enumerate(value if isinstance(value, list) else ()))
    return {place: item for place, item in checked if item is not None}


def _tables(value: object) -> list[Table]:
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, dict)]


def _located(path: Path, lines: dict[Key, int], findings: Iterable[Finding]) -> tuple[Fault, ...]:
    """Return the findings with their places, in the order of the file."""
    faults = (Fault(path, line_of(one.key, lines), written(one.key), one.message, one.remedy) for one in findings)
    return tuple(sorted(faults, key=lambda fault: fault.line or 0))
