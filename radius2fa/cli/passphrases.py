"""Owns how a command learns a passphrase: from a file or by asking, never from its arguments, which others can see."""

from typing import Annotated, BinaryIO

import typer

from radius2fa.cli.opening import USAGE, fail

SHORTEST = 12  # octets of a new one
_LONGEST = 4096

PassphraseFile = Annotated[
    typer.FileBinaryRead | None,
    typer.Option(metavar="FILE", help="The passphrase, on the first line of a file. - reads standard input."),
]


def new_passphrase(file: BinaryIO | None) -> bytes:
    """Return a passphrase for something new. One that is too short ends the program with 64."""
    passphrase = _ask("Passphrase for the backup", twice=True) if file is None else _first_line(file)
    if len(passphrase) < SHORTEST:
        fail(USAGE, f"a passphrase has {SHORTEST} characters or more; five random words make a good one")
    return passphrase


def passphrase(file: BinaryIO | None) -> bytes:
    """Return the passphrase of something that is there."""
    return _ask("Passphrase of the backup", twice=False) if file is None else _first_line(file)


def _ask(prompt: str, *, twice: bool) -> bytes:
    typed: str = typer.prompt(prompt, hide_input=True, confirmation_prompt=twice, err=True)
    return typed.encode(errors="surrogateescape")


def _first_line(file: BinaryIO) -> bytes:
    return file.readline(_LONGEST).removesuffix(b"\n").removesuffix(b"\r")
