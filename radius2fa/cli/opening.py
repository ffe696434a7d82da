"""Owns how a command opens what it works on: the settings, the store, the directory; and how it fails."""

from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from radius2fa.config.places import CONFIG_FILE

if TYPE_CHECKING:  # imported where they are needed: each of them is heavy
    from collections.abc import Iterable

    from radius2fa.config.faults import Fault
    from radius2fa.config.model import Settings
    from radius2fa.directory.ldap import LdapDirectory
    from radius2fa.store.engine import Store

NO = 1
USAGE = 64  # the numbers of sysexits.h
UNAVAILABLE = 69
SOFTWARE = 70
MISCONFIGURED = 78

CONFIG: ContextVar[Path] = ContextVar("CONFIG", default=CONFIG_FILE)


def fail(exit_code: int, message: str) -> NoReturn:
    """Print the message to standard error and end the program with the exit code."""
    typer.secho(f"radius2fa: {message}", err=True, fg="red")
    raise typer.Exit(exit_code)


def refuse(faults: "Iterable[Fault]") -> None:
    """If there are faults of the configuration, print them all, and end the program with 78."""
    lines = [str(fault) for fault in faults]
    for line in lines:
        typer.secho(line, err=True, fg="red")
    if lines:
        what = "a fault" if len(lines) == 1 else f"{len(lines)} faults"
        fail(MISCONFIGURED, f"the configuration has {what}")


def open_settings() -> "Settings":
    """Return the checked configuration. Its faults, if any, are all printed, and the program ends with 78."""
    from radius2fa.config.load import ConfigError, load  # noqa: PLC0415 - heavy

    try:
        return load(CONFIG.get())
    except ConfigError as wrong:
        refuse(wrong.faults)
        raise


def open_store(settings: "Settings") -> "Store":
    """Return the open store. A wrong key or wrong tables end the program with 78.

    Raises:
        Unavailable: the database does not answer.

    """
    import os  # noqa: PLC0415 - as the others, only where needed
    import time  # noqa: PLC0415 - as above

    from radius2fa.store import engine, seal  # noqa: PLC0415 - heavy

    try:
        keys = seal.KeyRing.read(settings.store.key_file)
        threads = settings.server.threads
        return engine.open_store(settings.store, keys, threads=threads, clock=time.monotonic, random=os.urandom)
    except (seal.BadKeyFile, engine.BadUrl, engine.SchemaTooOld, engine.SchemaTooNew) as wrong:
        fail(MISCONFIGURED, str(wrong))


def open_directory(settings: "Settings") -> "LdapDirectory":
    """Return the directory; it connects when it is first asked. Unusable settings end the program with 78."""
    import time  # noqa: PLC0415 - as above

    from radius2fa.directory.ldap import LdapDirectory  # noqa: PLC0415 - heavy

    try:
        return LdapDirectory(settings.directory[0], time.monotonic)
    except ValueError as wrong:
        fail(MISCONFIGURED, f"directory: {wrong}")
