"""Owns whom a name on the command line means."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from radius2fa.cli.opening import NO, fail, open_directory
from radius2fa.login.ports import Entry, NotFound
from radius2fa.printable import printable

if TYPE_CHECKING:  # imported where they are needed: each of them is heavy
    from radius2fa.config.model import Settings
    from radius2fa.store.engine import Store

UserName = Annotated[str, typer.Argument(metavar="USER", help="A name that they log in with.")]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whom the directory or the store knows. `dn` is None for somebody who has left the directory."""

    subject: str
    name: str
    dn: str | None


def entry_of(name: str, settings: "Settings") -> Entry:
    """Return the directory's entry for the name. If there is not exactly one, the program ends with 1."""
    found = _find(name, settings)
    return found if isinstance(found, Entry) else _refuse(name, found)


def person_of(name: str, settings: "Settings", store: "Store") -> Person:
    """Return the person whom the name means in the directory, or meant before they left it.

    If there is not exactly one, the program ends with 1.
    """
    found = _find(name, settings)
    if isinstance(found, Entry):
        return Person(found.subject, found.name, found.dn)
    left = store.accounts.by_name(name) if found is NotFound.UNKNOWN else ()
    if len(left) != 1:
        _refuse(name, NotFound.AMBIGUOUS if left else found)
    return Person(left[0].subject, left[0].name, None)


def _find(name: str, settings: "Settings") -> Entry | NotFound:
    directory = open_directory(settings, for_policy=False)
    try:
        return directory.find(name, time.monotonic() + settings.server.patience)
    finally:
        directory.close()


def _refuse(name: str, why: NotFound) -> NoReturn:
    fail(NO, f"{printable(name)}: {why.value}")
