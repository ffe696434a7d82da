"""Owns the account that the services run under, and what `radius2fa check`, run by root, finds closed to it."""

import json
import os
import pwd
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from radius2fa.cli.verdict import Check, Verdict

if TYPE_CHECKING:  # imported where they are needed: they are heavy
    from radius2fa.config.model import Section, Settings

SERVICE_USER = "radius2fa"
_CREDENTIAL = Path("/run/credentials/radius2fa.service/master.key")  # for the service that runs
_MADE = frozenset({"status_socket", "file"})  # keys of what the services make themselves
Refusal = tuple[str, str]  # where, and what is wrong


def service_account() -> pwd.struct_passwd | None:
    """Return the account that the services run under, if it exists and we may act for it."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(SERVICE_USER)
    except KeyError:
        return None


def closed_to(account: pwd.struct_passwd, config: Path, settings: "Settings") -> Iterator[Check]:
    """Yield what the account may not read, or write, of what root has just read."""
    remedy = f"Give it to {account.pw_name} (chown), or to its group (chgrp, chmod g+r); folders above need their x."
    for where, wrong in _as(account, config, settings):
        yield Check(where, Verdict.WARNING, f"the user {account.pw_name}, who runs the services: {wrong}", remedy)


def _as(account: pwd.struct_passwd, config: Path, settings: "Settings") -> list[Refusal]:
    """Have a child look that has become the user: the kernel alone knows what all modes and lists come to."""
    from radius2fa.config.load import read  # noqa: PLC0415 - heavy; not in the child, which may be shut out from it

    credentials = {settings.store.key_file} if _CREDENTIAL.exists() else set[Path]()  # systemd reads it as root
    files = [path for path in dict.fromkeys(_named(settings)) if path not in credentials]
    database = _database(settings)

    def look() -> Iterator[Refusal]:
        for fault in read(config).faults:  # there were none for root: it is the file, or one with a secret
            where = str(fault.file) if fault.line is None else f"{fault.file}:{fault.line}"
            yield where, f"{fault.key} {fault.message}".strip()
        yield from _unreadable(files)
        if database is not None:
            yield from _unwritable(database)

    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.initgroups(account.pw_name, account.pw_gid)
            os.setgid(account.pw_gid)
            os.setuid(account.pw_uid)
            os.write(writing, json.dumps(list(look())).encode())
        finally:
            os._exit(0)  # nothing of the parent's is to be ended twice
    os.close(writing)
    with os.fdopen(reading, "rb") as told:
        found = told.read()
    os.waitpid(child, 0)
    return [(where, wrong) for where, wrong in json.loads(found)] if found else [(str(config), "that cannot be tried")]


def _named(section: "Section") -> Iterator[Path]:
    """Yield the files that a section and those below it name."""
    from radius2fa.config.model import Section  # noqa: PLC0415 - heavy

    for key, value in section:
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, Path) and key not in _MADE:
                yield each
            elif isinstance(each, Section):
                yield from _named(each)


def _database(settings: "Settings") -> Path | None:
    """Return the file of the embedded database, None for another one, or none that can be."""
    from radius2fa.store.engine import BadUrl, address  # noqa: PLC0415 - heavy

    try:
        url = address(settings.store)
    except BadUrl:  # which the look at the database tells
        return None
    return Path(str(url.database)) if url.get_backend_name() == "sqlite" else None


def _unreadable(files: Iterable[Path]) -> Iterator[Refusal]:
    for path in files:
        try:
            path.open("rb").close()
        except OSError as wrong:
            yield str(path), f"cannot be read: {wrong.strerror}"


def _unwritable(database: Path) -> Iterator[Refusal]:
    """Yield the database, or its folder, in which SQLite makes its log."""
    for path, needed in ((database.parent, os.R_OK | os.W_OK | os.X_OK), (database, os.R_OK | os.W_OK)):
        if path.exists() and not os.access(path, needed):  # that it is not there, others tell
            yield str(path), "cannot be written"
