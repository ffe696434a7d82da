"""Owns `radius2fa restore`: a backup is verified, taken apart, or filled into an empty database."""

import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from radius2fa.cli.backup import told
from radius2fa.cli.opening import MISCONFIGURED, NO, USAGE, fail, open_settings, open_store
from radius2fa.cli.passphrases import PassphraseFile, passphrase
from radius2fa.cli.showing import local_time
from radius2fa.printable import printable

if TYPE_CHECKING:  # imported where they are needed: each of them is heavy
    from radius2fa.store.backup import Contents
    from radius2fa.store.seal import KeyRing
    from radius2fa.store.sealedfile import Header

_MODES = {"master.key": 0o400}  # of the files that may be in a backup; else for the owner to read and change


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The backup.")],
    *,
    passphrase_file: PassphraseFile = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read it to its end and say what is in it; restore nothing.")
    ] = False,
    extract: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Only write the master key and the configuration in it to this folder."),
    ] = None,
) -> None:
    """Fill an empty database from a backup, after all of it was verified. SQLite and PostgreSQL take either's.

    A passphrase, if it needs one, is asked for.
    """
    if verify and extract:
        fail(USAGE, "--verify and --extract exclude each other")
    with _failing(file):
        from radius2fa.store import backup  # noqa: PLC0415 - heavy
        from radius2fa.store.sealedfile import key_of  # noqa: PLC0415 - heavy

        header = backup.header_of(file)
        key = key_of(header, _keys, lambda: passphrase(passphrase_file))
        if extract:
            _extract(backup.read(file, key, lambda _: None), extract)
        elif verify:
            contents = backup.read(file, key, lambda _: None)
            typer.echo(f"The backup is whole: {_made(header)}. {told(contents.counts)}.")
        else:
            contents = _restore(file, key, header)
            typer.echo(f"Restored and verified: {_made(header)}. {told(contents.counts)}.")


@contextmanager
def _failing(file: Path) -> Iterator[None]:
    """Turn what may be wrong into the end of the program."""
    from radius2fa.store.engine import BadUrl, SchemaTooNew, SchemaTooOld  # noqa: PLC0415 - heavy
    from radius2fa.store.restore import NotEmpty  # noqa: PLC0415 - heavy
    from radius2fa.store.seal import BadKeyFile  # noqa: PLC0415 - heavy
    from radius2fa.store.sealedfile import BadBackup  # noqa: PLC0415 - heavy

    name = printable(str(file))
    try:
        yield
    except BadBackup as wrong:
        fail(NO, f"{name}: {printable(str(wrong))}; nothing was restored")
    except NotEmpty as wrong:
        fail(NO, f"{wrong}; nothing was restored")
    except (BadKeyFile, BadUrl, SchemaTooOld, SchemaTooNew) as wrong:
        fail(MISCONFIGURED, f"{printable(str(wrong))}; nothing was restored")
    except OSError as wrong:
        fail(NO, f"{printable(str(wrong.filename or file))}: {wrong.strerror}")


def _keys() -> "KeyRing":
    from radius2fa.store.seal import KeyRing  # noqa: PLC0415 - heavy

    return KeyRing.read(open_settings().store.key_file)


def _made(header: "Header") -> str:
    made, by = header.get("made"), header.get("by")
    when = local_time(made) if isinstance(made, float) else "?"
    return printable(f"made {when} by radius2fa {by}, tables of revision {header['revision']}")


def _restore(file: Path, key: bytes, header: "Header") -> "Contents":
    from radius2fa.cli.bars import bar  # noqa: PLC0415 - heavy
    from radius2fa.store.acts import Deed  # noqa: PLC0415 - heavy
    from radius2fa.store.restore import restore  # noqa: PLC0415 - heavy

    settings = open_settings()
    with bar("Restore") as progress:
        contents = restore(settings.store, file, key, _keys(), progress)
    with closing(open_store(settings)) as store:
        store.note(Deed.RESTORED, time.time(), f"from {file.name}, {_made(header)}")
    return contents


def _extract(contents: "Contents", folder: Path) -> None:
    from radius2fa.store.wholefile import whole_file  # noqa: PLC0415 - with the others

    if not contents.files:
        fail(NO, "it holds neither key nor configuration: it was made without --with-key")
    for name, text in contents.files.items():
        path = folder / os.path.basename(name)  # noqa: PTH119 - a name, whatever stands in it
        with whole_file(path, _MODES.get(name, 0o600)) as out:
            out.write(text.encode())
        typer.echo(f"{printable(str(path))}: written")
