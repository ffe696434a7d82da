"""Owns `radius2fa backup`: a backup of a database in use, sealed, in one file."""

import os
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from radius2fa.cli.opening import CONFIG, MISCONFIGURED, NO, USAGE, fail, open_settings, open_store
from radius2fa.cli.passphrases import PassphraseFile, new_passphrase
from radius2fa.cli.showing import Json, print_json
from radius2fa.printable import printable

if TYPE_CHECKING:  # imported where they are needed: each of them is heavy
    from radius2fa.config.model import Settings
    from radius2fa.store.sealedfile import Lock

KEY, CONFIGURATION = "master.key", "radius2fa.toml"  # the files that may go with a backup


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The new file; one that is there is not overwritten.")],
    *,
    with_passphrase: Annotated[
        bool, typer.Option("--passphrase", help="Ask for a passphrase to seal it with, instead of the master key.")
    ] = False,
    passphrase_file: PassphraseFile = None,
    with_key: Annotated[
        bool, typer.Option("--with-key", help="Put the master key and the configuration in; needs a passphrase.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Back up the database, while servers go on. It opens with the master key, or with a passphrase.

    Logins that wait for their code and sessions of the portal are left out.
    """
    from radius2fa.store.acts import Deed  # noqa: PLC0415 - heavy

    by_passphrase = with_passphrase or passphrase_file is not None
    if with_key and not by_passphrase:
        fail(USAGE, "--with-key needs --passphrase or --passphrase-file: the key cannot seal itself")
    settings = open_settings()
    with closing(open_store(settings)) as store:
        lock = _passphrase_lock(new_passphrase(passphrase_file)) if by_passphrase else key_lock(settings)
        counts = write(settings, file, lock, _files(settings) if with_key else {})
        sealed = "a passphrase" if by_passphrase else "the master key"
        store.note(Deed.BACKED_UP, time.time(), f"to {file.name}, sealed with {sealed}{', key in it' * with_key}")
    if as_json:
        print_json({"file": str(file), "octets": file.stat().st_size, "rows": dict(counts)})
    else:
        typer.echo(f"{printable(str(file))}: {told(counts)}; {file.stat().st_size} octets, sealed with {sealed}.")


def told(counts: Mapping[str, int]) -> str:
    """Return how many rows of which table, for people."""
    return "rows: " + ", ".join(f"{table} {count}" for table, count in counts.items())


def key_lock(settings: "Settings") -> "Lock":
    """Return a lock that opens with the current master key. A key file that cannot be used ends the program with 78."""
    from radius2fa.store.seal import BadKeyFile, KeyRing  # noqa: PLC0415 - heavy
    from radius2fa.store.sealedfile import locked_to_key  # noqa: PLC0415 - as above

    try:
        return locked_to_key(KeyRing.read(settings.store.key_file), os.urandom)
    except BadKeyFile as wrong:
        fail(MISCONFIGURED, str(wrong))


def _passphrase_lock(passphrase: bytes) -> "Lock":
    from radius2fa.store.sealedfile import locked_to_passphrase  # noqa: PLC0415 - heavy

    return locked_to_passphrase(passphrase, os.urandom)


def _files(settings: "Settings") -> dict[str, str]:
    """Return the texts of the master key and the configuration; they have been read before, so they are there."""
    return {
        KEY: settings.store.key_file.read_text(encoding="ascii"),
        CONFIGURATION: CONFIG.get().read_text(encoding="utf-8"),
    }


def write(settings: "Settings", file: Path, lock: "Lock", files: Mapping[str, str]) -> Mapping[str, int]:
    """Write a backup, with a bar on a terminal, and return how many rows of each table; a failure ends the program."""
    from radius2fa.cli.bars import bar  # noqa: PLC0415 - heavy
    from radius2fa.store.backup import back_up  # noqa: PLC0415 - heavy
    from radius2fa.store.engine import BadUrl, SchemaTooNew, SchemaTooOld  # noqa: PLC0415 - heavy

    try:
        with bar("Backup") as progress:
            return back_up(settings.store, file, lock, time.time(), progress, files=files)
    except (BadUrl, SchemaTooOld, SchemaTooNew) as wrong:
        fail(MISCONFIGURED, str(wrong))
    except OSError as wrong:
        fail(NO, f"{printable(str(wrong.filename or file))}: {wrong.strerror}")
