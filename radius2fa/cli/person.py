"""Owns whom a name on the command line means."""

import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from radius2fa.cli.opening import NO, fail, open_directory
from radius2fa.login.ports import Entry, NotFound
from radius2fa.printable import printable

if TYPE_CHECKING:  # imported where they are needed: each of them is heavy
    from radius2fa.config.model import Settings
    from radius2fa.directory.directories import Directories
    from radius2fa.store.engine import Store

UserName = Annotated[str, typer.Argument(metavar="USER", help="A name that they log in with.")]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whom a directory or the store knows.

    `dn`, and the `directory` that it is in, are None for somebody who has left.
    """

    subject: str
    name: str
    dn: str | None
    directory: str | None


def entry_of(name: str, settings: "Settings") -> Entry:
    """Return the entry that a login by the name would lead to. If there is not exactly one, the program ends with 1."""
    found = _find(name, settings)
    return found if isinstance(found, Entry) else nobody(name, found.why, found.asked)


def person_of(name: str, settings: "Settings", store: "Store") -> Person:
    """Return the person whom the name means in the directory, or meant before they left it.

    If there is not exactly one, the program ends with 1.
    """
    found = _find(name, settings)
    if isinstance(found, Entry):
        return Person(found.subject, found.name, found.dn, found.directory)
    left = store.accounts.by_name(name) if found.why is NotFound.UNKNOWN else ()
    if not left:
        nobody(name, found.why, found.asked)
    if len(left) > 1:
        nobody(name, NotFound.AMBIGUOUS)
    return Person(left[0].subject, left[0].name, None, None)


def asked_words(directories: "Directories", name: str, client: str | None) -> str:
    """Name the directories in which a name is looked for at a client; "" where there is only one directory at all."""
    if len(directories.opened) == 1:
        return ""
    return ", then ".join(directories.asked(name, client)) or "none in which the users of this client may be"


def nobody(name: str, why: NotFound, asked: str = "") -> NoReturn:
    """Say why the name means nobody, and where it was looked for, if that needs to be said; end the program with 1."""
    fail(NO, f"{printable(name)}: {why.value}{f' (looked for in: {asked})' if asked else ''}")


@dataclass(frozen=True, slots=True)
class _Nobody:
    why: NotFound
    asked: str


def _find(name: str, settings: "Settings") -> Entry | _Nobody:
    with closing(open_directory(settings, for_policy=False)) as directories:
        found = directories.find(name, None, time.monotonic() + settings.server.patience)
        return found if isinstance(found, Entry) else _Nobody(found, asked_words(directories, name, None))
