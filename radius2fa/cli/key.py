"""Owns `radius2fa key`: which master keys there are, and their change while servers go on."""

import os
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from radius2fa.cli.opening import MISCONFIGURED, NO, USAGE, fail, open_settings, open_store
from radius2fa.cli.showing import Json, print_json, print_table
from radius2fa.printable import printable

if TYPE_CHECKING:  # imported where they are needed: each of them is heavy
    from radius2fa.config.model import Settings
    from radius2fa.store.engine import Store
    from radius2fa.store.rotation import Use

_TAKEN_BY = "reload every server and restart every portal"
SHOWN = 20  # of those whose codes need an old key, so many are named

app = typer.Typer(no_args_is_help=True, help="The master keys.")


@app.callback()
def group() -> None:
    """Take care of the master keys."""


@app.command("list")
def list_(*, as_json: Json = False) -> None:
    """Show the master keys by their names, and how much is sealed with each. The first one seals."""
    settings = open_settings()
    with closing(open_store(settings)) as store:
        uses = store.rotation.uses()
    if as_json:
        print_json([{"key": use.key, "tokens": use.tokens, "codes": use.codes} for use in uses])
    else:
        print_table(("Key", "Tokens", "Codes"), [(use.key, str(use.tokens), str(use.codes)) for use in uses])


@app.command()
def rotate(
    *,
    go_on: Annotated[
        bool, typer.Option("--continue", help="The second step: seal everything anew. May be done again at any time.")
    ] = False,
    finish: Annotated[bool, typer.Option("--finish", help="The third: take old keys out that nothing needs.")] = False,
) -> None:
    """Change the master key in three steps, while servers go on. Each step says what to do before the next.

    Without an option: put a new key into the key file, which only waits there.
    """
    from radius2fa.store.keyfile import Busy, alone_with  # noqa: PLC0415 - heavy

    if go_on and finish:
        fail(USAGE, "--continue and --finish are steps of their own")
    settings = open_settings()
    file = settings.store.key_file
    try:
        with alone_with(file):
            with closing(open_store(settings)):  # is everything as it should be?
                text = file.read_text(encoding="ascii")
            (_finish if finish else _continue if go_on else _begin)(settings, file, text)
    except Busy as busy:
        fail(NO, str(busy))
    except OSError as wrong:
        fail(MISCONFIGURED, f"{printable(str(wrong.filename or file))}: {wrong.strerror}")


def _begin(settings: "Settings", file: Path, text: str) -> None:
    from radius2fa.store.acts import Deed  # noqa: PLC0415 - heavy
    from radius2fa.store.keyfile import rewrite, waits, with_next  # noqa: PLC0415 - heavy
    from radius2fa.store.seal import new_key_text  # noqa: PLC0415 - heavy

    if waits(text):
        fail(NO, f"a new key waits in {file} already; {_TAKEN_BY}, then: radius2fa key rotate --continue")
    rewrite(file, with_next(text, new_key_text(os.urandom)))
    with closing(open_store(settings)) as store:
        store.note(Deed.KEY_ADDED, time.time(), f"key {store.rotation.uses()[1].key}, which waits")
    _next(f"A new key waits in {file}. Keep a copy of the file.", "radius2fa key rotate --continue")


def _continue(settings: "Settings", file: Path, text: str) -> None:
    from radius2fa.store.acts import Deed  # noqa: PLC0415 - heavy
    from radius2fa.store.keyfile import promoted, rewrite, waits  # noqa: PLC0415 - heavy

    if waits(text):
        _require_known(settings, file)
        rewrite(file, promoted(text))
    with closing(open_store(settings)) as store:
        _reseal(store)
        store.note(Deed.KEY_ROTATED, time.time(), f"to key {store.rotation.uses()[0].key}")
    _next("What is sealed from now on is sealed with the first key.", "radius2fa key rotate --finish")


def _finish(settings: "Settings", file: Path, text: str) -> None:
    from radius2fa.store.acts import Deed  # noqa: PLC0415 - heavy
    from radius2fa.store.keyfile import rewrite, waits, without  # noqa: PLC0415 - heavy

    if waits(text):
        fail(NO, f"a new key waits in {file}; next: radius2fa key rotate --continue")
    _require_known(settings, file)
    with closing(open_store(settings)) as store:
        _reseal(store)  # what servers sealed with the old key until they took the new one
        _first, *old = store.rotation.uses()
        over = [use.key for use in old if not (use.tokens or use.codes)]
        if over:
            rewrite(file, without(text, over))
            store.note(Deed.KEY_REMOVED, time.time(), f"keys {', '.join(over)}")
        for key in over:
            typer.echo(f"Key {key} was taken out of {file}. Keep a copy: backups that are sealed with it need it.")
        kept = [use for use in old if use.key not in over]
        for use in kept:
            _tell_why_kept(store, use)
    if kept:
        raise typer.Exit(NO)
    if not old:
        typer.echo("There is one key only; nothing was to be done.")


def _tell_why_kept(store: "Store", use: "Use") -> None:
    if use.tokens:
        typer.echo(f"Key {use.key} stays: {use.tokens} token(s) that do not open are under it.")
    holders = store.rotation.holders(use.key)
    if holders:
        named = ", ".join(printable(f"{name} ({kind})") for name, kind in holders[:SHOWN])
        more = f" and {len(holders) - SHOWN} more" if len(holders) > SHOWN else ""
        typer.echo(f"Key {use.key} stays, for codes that were handed out: {named}{more}.")
        typer.echo("They end when used, replaced (`radius2fa user recovery-codes NAME`) or out of date; then --finish.")


def _reseal(store: "Store") -> None:
    from radius2fa.cli.bars import bar  # noqa: PLC0415 - heavy

    with bar("Sealing anew") as progress:
        resealed = store.rotation.reseal(progress)
    typer.echo(f"{resealed.done} token(s) sealed anew.")
    for token in resealed.broken:
        typer.secho(f"Token {printable(token)} does not open, and was left as it is.", err=True, fg="red")
    for kept in store.rotation.keep_proof():
        said = f"What proves the rows of key {printable(kept.name)} does not open, and was left as it is: {kept.why}"
        typer.secho(said, err=True, fg="red")


def _require_known(settings: "Settings", file: Path) -> None:
    """Return unless the server here is known to go by other keys than the file has now."""
    from radius2fa.cli.running import NoAnswer, ask  # noqa: PLC0415 - heavy
    from radius2fa.store.seal import KeyRing  # noqa: PLC0415 - as above

    server = ask(settings.server.status_socket)
    if isinstance(server, NoAnswer):
        return
    known, there = server.answer.master_keys, KeyRing.read(file).names
    if known != there:
        fail(
            NO,
            f"the server here goes by the keys {', '.join(known)}, and {file} has {', '.join(there)}: "
            f"first {_TAKEN_BY}, on every node",
        )


def _next(done: str, then: str) -> None:
    typer.echo(done)
    typer.echo(f"Next: copy the file to every other node, there and here {_TAKEN_BY}, then run:")
    typer.echo(f"  {then}")
