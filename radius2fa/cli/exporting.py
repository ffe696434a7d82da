"""Owns `radius2fa export`: a bundle for whoever helps, in which there are no secrets."""

import hashlib
import io
import json
import os
import platform
import re
import ssl
import sys
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from radius2fa import __version__
from radius2fa.cli.opening import CONFIG, NO, USAGE, fail
from radius2fa.login.ports import Unavailable
from radius2fa.printable import printable

if TYPE_CHECKING:  # imported where they are needed: each of them is heavy
    from radius2fa.config.model import Settings

ROWS = 1000
_FOLDER = "radius2fa-support"
_REQUIREMENT = re.compile(r"[A-Za-z0-9._-]+")

Pseudonym = Callable[[str, str], str]


def export(
    file: Annotated[Path, typer.Argument(metavar="FILE.tar.gz", help="The new file.")],
    *,
    censored: Annotated[bool, typer.Option("--censored", help="Without secrets; there is no other form.")] = False,
    with_names: Annotated[
        bool, typer.Option("--with-names", help="Keep names and addresses of people; else they get pseudonyms.")
    ] = False,
    rows: Annotated[int, typer.Option(min=0, max=100_000, help="How many of the last logins and acts.")] = ROWS,
) -> None:
    """Write a support bundle: configuration, versions, check, status, counts and the last logins, without secrets."""
    from radius2fa.store.wholefile import whole_file  # noqa: PLC0415 - with the others

    if not censored:
        fail(USAGE, "there is only `radius2fa export --censored`; what holds secrets is `radius2fa backup`")
    pages = dict(_pages(rows, with_names=with_names))
    try:
        with whole_file(file) as out, tarfile.open(fileobj=out, mode="w:gz") as bundle:
            for name, text in pages.items():
                page = tarfile.TarInfo(f"{_FOLDER}/{name}")
                page.size, page.mode, page.mtime = len(text), 0o600, int(time.time())
                bundle.addfile(page, io.BytesIO(text))
    except OSError as wrong:
        fail(NO, f"{printable(str(wrong.filename or file))}: {wrong.strerror}")
    typer.echo(f"{printable(str(file))}: {', '.join(pages)}. Look into it before you send it.")


def _pages(rows: int, *, with_names: bool) -> Iterator[tuple[str, bytes]]:
    """Yield the files of the bundle. What fails does so by itself: a bundle is made when something is broken."""
    from radius2fa.config.censored import censored  # noqa: PLC0415 - heavy
    from radius2fa.config.load import read  # noqa: PLC0415 - heavy

    reading = read(CONFIG.get(), now=time.time())
    settings = reading.settings
    yield "README", _README.encode()
    yield "versions.json", _json(_versions())
    yield "configuration.json", _json(_tried(lambda: censored(CONFIG.get(), with_names=with_names)))
    yield "check.json", _json(_tried(_checks))
    if settings is None:
        return
    pseudonym = None if with_names else _pseudonyms(settings)
    found = _tried(partial(_database, settings, rows, pseudonym))
    records: Mapping[str, list[dict[str, Any]]] = found.pop("records", {})
    yield "database.json", _json(found)
    yield "status.json", _json(_tried(partial(_status, settings, pseudonym)))
    for table, lines in records.items():
        yield f"{table}.jsonl", b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def _tried(job: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    """Return what a part of the bundle found out, or the type of what went wrong: its text may quote a value."""
    try:
        return dict(job())
    except Unavailable as broken:
        return {"unavailable": broken.backend}
    except Exception as wrong:  # noqa: BLE001 - whatever it is that is broken, the rest is told
        return {"failed": type(wrong).__name__}


def _json(value: object) -> bytes:
    return json.dumps(value, indent=2, default=str).encode() + b"\n"


def _versions() -> dict[str, Any]:
    required = metadata.requires("radius2fa") or []
    names = sorted({found[0] for each in required if (found := _REQUIREMENT.match(each))})
    return {
        "radius2fa": __version__,
        "python": sys.version,
        "platform": platform.platform(),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME") if Path("/etc/os-release").exists() else None,
        "processors": os.cpu_count(),
        "openssl": ssl.OPENSSL_VERSION,
        "libraries": {name: _version_of(name) for name in names},
        "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _version_of(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _checks() -> dict[str, Any]:
    """Return what `check --offline` says."""
    from radius2fa.cli.check import exit_code, of_configuration  # noqa: PLC0415 - heavy
    from radius2fa.config.load import read  # noqa: PLC0415 - heavy

    checks = list(of_configuration(CONFIG.get(), read(CONFIG.get(), now=time.time())))
    return {"exit_code": exit_code(one.verdict for one in checks), "checks": [asdict(one) for one in checks]}


def _database(settings: "Settings", rows: int, pseudonym: Pseudonym | None) -> dict[str, Any]:
    from radius2fa.store.extracts import extract  # noqa: PLC0415 - heavy

    return asdict(extract(settings.store, rows, pseudonym))


def _status(settings: "Settings", pseudonym: Pseudonym | None) -> dict[str, Any]:
    """Return what is in force, and what a running server tells."""
    from contextlib import closing  # noqa: PLC0415 - with the others

    from radius2fa.cli.opening import open_store  # noqa: PLC0415 - as above
    from radius2fa.cli.running import ask  # noqa: PLC0415 - heavy
    from radius2fa.cli.status import status_of  # noqa: PLC0415 - heavy

    told: dict[str, Any] = {"server": ask(settings.server.status_socket).document}
    try:
        with closing(open_store(settings)) as store:
            told |= status_of(store, time.time()).described()
    except (typer.Exit, Unavailable):
        told["database"] = "it could not be opened"
    return told if pseudonym is None else dict(_renamed(told, pseudonym))


_NAMES = {"user": "user", "subject": "person", "place": "address"}


def _renamed(value: Any, pseudonym: Pseudonym) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Return what JSON holds with people's names and addresses under pseudonyms."""
    if isinstance(value, dict):
        return {
            key: pseudonym(_NAMES[key], each.removeprefix("from "))
            if key in _NAMES and isinstance(each, str)
            else _renamed(each, pseudonym)
            for key, each in value.items()
        }
    return [_renamed(each, pseudonym) for each in value] if isinstance(value, list) else value


def _pseudonyms(settings: "Settings") -> Pseudonym:
    """Return what gives a name always the same pseudonym, from which only the master key would lead back."""
    from radius2fa.store.seal import BadKeyFile, KeyRing  # noqa: PLC0415 - heavy

    try:
        derive = KeyRing.read(settings.store.key_file).derive
    except BadKeyFile:
        secret = os.urandom(32)

        def derive(purpose: bytes, data: bytes) -> bytes:
            return hashlib.blake2b(data, key=secret, person=purpose[:16]).digest()

    def pseudonym(sort: str, name: str) -> str:
        return f"{sort}-{derive(b'pseudonym ' + sort.encode(), name.casefold().encode()).hex()[:10]}"

    return pseudonym


_README = """\
A support bundle of radius2fa, for whoever helps you. It holds no shared secret, password, key, seed or code.

versions.json       this program, Python, the system, the libraries
configuration.json  the keys of the configuration that are known to hold no secret; others say (removed)
check.json          what `radius2fa check --offline` says
database.json       which database, the revision of its tables, the number of their rows
status.json         what is in force, and what the running server tells
*.jsonl             the last logins and acts of administration, one a line

Names of people and the addresses that they come from are pseudonyms, the same in every bundle of one installation,
unless it was made --with-names. Names of clients, servers and rules, and addresses in the configuration, are as they
are: look into it before you send it.
"""
