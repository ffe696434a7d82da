"""Owns how a command opens what it works on: the settings, the store, the directory; and how it fails."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from radius2fa.config.places import CONFIG_FILE

if TYPE_CHECKING:  # imported where they are needed: each of them is heavy
    from collections.abc import Iterable

    from radius2fa.config.faults import Fault
    from radius2fa.config.model import Settings
    from radius2fa.directory.directories import Directories
    from radius2fa.directory.wanted import Wanted
    from radius2fa.login.case import House
    from radius2fa.server.replies import UnusableReplies
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


@contextmanager
def reloads_held() -> Iterator[None]:
    """Let a SIGHUP wait until the process is ready for it: by default it would be the end of one that begins.

    What comes to nothing leaves all as it was.
    """
    import signal  # noqa: PLC0415 - for two commands only

    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def open_settings() -> "Settings":
    """Return the checked configuration. Its faults, if any, are all printed, and the program ends with 78."""
    from radius2fa.config.load import ConfigError, load  # noqa: PLC0415 - heavy

    try:
        return load(CONFIG.get())
    except ConfigError as wrong:
        refuse(wrong.faults)
        raise


def open_store(settings: "Settings", by: str | None = None, threads: int | None = None) -> "Store":
    """Return the open store. A wrong key or wrong tables end the program with 78.

    `by` is whom the record of administration names, and the writer's role; None is the person at the command line.
    As many `threads` may work with it at the same time as are given; None are those of the RADIUS server.

    Raises:
        Unavailable: the database does not answer.

    """
    import os  # noqa: PLC0415 - as the others, only where needed
    import time  # noqa: PLC0415 - as above

    from radius2fa.cli.actor import actor  # noqa: PLC0415 - as above
    from radius2fa.store import engine, seal  # noqa: PLC0415 - heavy

    try:
        keys = seal.KeyRing.read(settings.store.key_file)
        return engine.open_store(
            settings.store,
            keys,
            threads=settings.server.threads if threads is None else threads,
            clock=time.monotonic,
            random=os.urandom,
            actor=actor() if by is None else by,
            node=settings.server.node,
            role="cli" if by is None else by,
        )
    except (seal.BadKeyFile, engine.BadUrl, engine.SchemaTooOld, engine.SchemaTooNew) as wrong:
        fail(MISCONFIGURED, str(wrong))


def open_directory(settings: "Settings", *, for_policy: bool = True) -> "Directories":
    """Return all directories as one, which connect when they are first asked.

    They tell of people what the policy speaks of, or, not `for_policy`, who they are and no more.

    Unusable settings end the program with 78.
    """
    from radius2fa.directory.wanted import NOTHING_MORE  # noqa: PLC0415 - as the others
    from radius2fa.server.wanted import wanted  # noqa: PLC0415 - heavy

    return open_directories(settings, wanted(settings) if for_policy else NOTHING_MORE)


def open_directories(settings: "Settings", wanted: "Wanted") -> "Directories":
    """Return all directories as `open_directory` does; they tell of people what is wanted."""
    import time  # noqa: PLC0415 - as above

    from radius2fa.directory.directories import Directories  # noqa: PLC0415 - heavy

    try:
        return Directories.of(settings, time.monotonic, wanted)
    except ValueError as wrong:
        fail(MISCONFIGURED, f"directory: {wrong}")


def open_house(settings: "Settings", store: "Store", directory: "Directories") -> "House":
    """Return what logins are decided with, as the server has it. Unusable policies end the program with 78."""
    from radius2fa.server.replies import UnusableReplies  # noqa: PLC0415 - heavy
    from radius2fa.server.wiring import house  # noqa: PLC0415 - heavy

    try:
        return house(settings, store, directory)
    except UnusableReplies as wrong:
        refuse_replies(wrong)


def refuse_replies(wrong: "UnusableReplies") -> NoReturn:
    """Print what is wrong with the replies of the policies, with the lines of the file, and end the program with 78."""
    from radius2fa.config.load import located  # noqa: PLC0415 - heavy

    refuse(located(CONFIG.get(), wrong.faults))
    raise wrong
