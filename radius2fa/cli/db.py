"""Owns `radius2fa db`: the care of the tables."""

import typer

from radius2fa.cli.opening import MISCONFIGURED, fail, open_settings

app = typer.Typer(no_args_is_help=True, help="The care of the database.")


@app.callback()
def group() -> None:
    """Take care of the database."""


@app.command()
def upgrade() -> None:
    """Bring the tables to this program's revision: make those of an empty database, change those of an older one."""
    from rich.progress import Progress  # noqa: PLC0415 - heavy

    from radius2fa.store.engine import BadUrl, SchemaTooNew  # noqa: PLC0415 - heavy
    from radius2fa.store.upgrade import upgrade as bring_up  # noqa: PLC0415 - heavy

    settings = open_settings()
    steps: list[str] = []
    with Progress() as progress:
        task = progress.add_task("Tables", total=None)

        def step(name: str, done: int, total: int) -> None:
            steps.append(name)
            progress.update(task, description=name, completed=done, total=total)

        try:
            bring_up(settings.store, step)
        except (BadUrl, SchemaTooNew) as wrong:
            fail(MISCONFIGURED, str(wrong))
        progress.update(task, visible=bool(steps))
    typer.echo(f"{len(steps)} step(s) done." if steps else "The tables are up to date; nothing was to be done.")
