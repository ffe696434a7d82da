"""Owns `radius2fa db`: the care of the tables."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from radius2fa.cli.opening import MISCONFIGURED, NO, fail, open_settings
from radius2fa.config.places import STATE_FOLDER
from radius2fa.printable import printable

if TYPE_CHECKING:  # imported where it is needed: it is heavy
    from radius2fa.config.model import Settings

app = typer.Typer(no_args_is_help=True, help="The care of the database.")


@app.callback()
def group() -> None:
    """Take care of the database."""


@app.command()
def upgrade(
    *,
    backup: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where the backup goes; by default beside the database, or in its folder."),
    ] = None,
    no_backup: Annotated[bool, typer.Option("--no-backup", help="Make no backup first.")] = False,
) -> None:
    """Bring the tables to this program's revision: make those of an empty database, change those of an older one.

    Tables that are changed are backed up first; the backup opens with the master key.
    """
    from rich.progress import Progress  # noqa: PLC0415 - heavy

    from radius2fa.store.engine import BadUrl, SchemaTooNew  # noqa: PLC0415 - heavy
    from radius2fa.store.upgrade import upgrade as bring_up  # noqa: PLC0415 - heavy

    settings = open_settings()
    steps: list[str] = []
    try:
        if not no_backup:
            _back_up(settings, backup)
        with Progress() as progress:
            task = progress.add_task("Tables", total=None)

            def step(name: str, done: int, total: int) -> None:
                steps.append(name)
                progress.update(task, description=name, completed=done, total=total)

            bring_up(settings.store, step)
            progress.update(task, visible=bool(steps))
    except (BadUrl, SchemaTooNew) as wrong:
        fail(MISCONFIGURED, str(wrong))
    typer.echo(f"{len(steps)} step(s) done." if steps else "The tables are up to date; nothing was to be done.")


def _back_up(settings: "Settings", wanted: Path | None) -> None:
    """Write a backup of tables that are about to be changed, and say where; there may be none."""
    from radius2fa.cli.backup import key_lock, told, write  # noqa: PLC0415 - heavy
    from radius2fa.store.upgrade import older_revision  # noqa: PLC0415 - heavy

    revision = older_revision(settings.store)
    if revision is None:
        return
    file = wanted or _folder(settings) / f"radius2fa-{revision}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.backup"
    if not file.parent.is_dir():
        fail(NO, f"{printable(str(file.parent))} is no folder: name a file with --backup, or give --no-backup")
    counts = write(settings, file, key_lock(settings), {})
    typer.echo(f"Backup before the change: {printable(str(file))}; {told(counts)}.")


def _folder(settings: "Settings") -> Path:
    """Return the folder of the database, or, where that is a server's, the one for the program's state."""
    from radius2fa.store.engine import address  # noqa: PLC0415 - heavy

    url = address(settings.store)
    return Path(str(url.database)).absolute().parent if url.get_backend_name() == "sqlite" else STATE_FOLDER
