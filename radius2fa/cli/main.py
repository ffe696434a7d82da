"""Owns the program `radius2fa`: its commands, its global options and its exit codes.

No module of this package imports anything heavy at its top, so that `radius2fa --help` answers at once.
"""

import gc
import itertools
import sys
from pathlib import Path
from typing import Annotated

import typer

from radius2fa import __version__
from radius2fa.cli import (
    audit,
    backup,
    check,
    db,
    demo,
    explain,
    exporting,
    init,
    key,
    policy,
    portal,
    restoring,
    serve,
    status,
    token,
    unblocking,
    user,
)
from radius2fa.cli.opening import CONFIG, SOFTWARE, UNAVAILABLE, USAGE
from radius2fa.config.places import CONFIG_ENVIRONMENT, CONFIG_FILE
from radius2fa.login.ports import Unavailable

app = typer.Typer(
    help="A self-hosted second-factor RADIUS server in front of LDAP and Active Directory.",
    epilog="Exit codes: 0 done, 1 the answer is no, 64 usage, 69 a backend is unavailable, 70 a fault of the program, "
    "78 wrong configuration.",
    pretty_exceptions_enable=False,  # its tracebacks show local variables, secrets among them
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(demo.demo)
app.command()(init.init)
app.command()(check.check)
app.command()(serve.serve)
app.command()(portal.portal)
app.command()(status.status)
app.command()(explain.explain)
app.command()(unblocking.unblock)
app.command()(backup.backup)
app.command()(restoring.restore)
app.command()(exporting.export)
app.add_typer(policy.app, name="policy")
app.add_typer(token.app, name="token")
app.add_typer(user.app, name="user")
app.add_typer(audit.app, name="audit")
app.add_typer(db.app, name="db")
app.add_typer(key.app, name="key")


def _version(asked: bool) -> None:  # noqa: FBT001 - the signature of an option's callback
    if asked:
        typer.echo(f"radius2fa {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    config: Annotated[
        Path, typer.Option(envvar=CONFIG_ENVIRONMENT, metavar="FILE", help="The configuration file.")
    ] = CONFIG_FILE,
    version: Annotated[  # noqa: ARG001, FBT002 - its callback does the work; an option of a command
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Note where the configuration is; without a command, show the help."""
    CONFIG.set(config)
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def config_first(arguments: list[str]) -> list[str]:
    """Return the arguments with `--config` moved to the front: people write a global option behind the command too."""
    front, rest, waiting = [], [], iter(arguments)
    for argument in waiting:
        if argument == "--":
            rest.append(argument)
            break
        if argument == "--config":
            front += [argument, *itertools.islice(waiting, 1)]
        elif argument.startswith("--config="):
            front.append(argument)
        else:
            rest.append(argument)
    return [*front, *rest, *waiting]


def run() -> None:
    """Run the program with the arguments of the process, and exit it."""
    gc.disable()  # what imports allocate stays: looking for garbage in it took 0.2 s of a start
    try:
        app(args=config_first(sys.argv[1:]), prog_name="radius2fa")
    except Unavailable as broken:
        typer.secho(f"radius2fa: {broken.backend} is unavailable: {broken.cause}", err=True, fg="red")
        sys.exit(UNAVAILABLE)
    except Exception as bug:  # noqa: BLE001 - the outermost edge
        from radius2fa.traced import traced  # noqa: PLC0415 - only here

        typer.secho(f"radius2fa: a fault of the program, please report it: {traced(bug)}", err=True, fg="red")
        sys.exit(SOFTWARE)
    except SystemExit as stop:
        sys.exit(USAGE if stop.code == 2 else stop.code)  # noqa: PLR2004 - what Typer gives for wrong usage
