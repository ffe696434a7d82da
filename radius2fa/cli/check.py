"""Owns `radius2fa check`: every fault of the configuration at once, then whether all that logins need is there.

With a user it looks for that one name instead.
"""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from radius2fa.cli.opening import CONFIG, MISCONFIGURED, UNAVAILABLE, USAGE, fail
from radius2fa.cli.service_account import closed_to, service_account
from radius2fa.cli.showing import WIDE, print_facts, print_json
from radius2fa.cli.verdict import Check, Verdict
from radius2fa.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from radius2fa.config.load import Reading
    from radius2fa.config.model import Settings

_MARKS = {
    Verdict.OK: "green",
    Verdict.WARNING: "yellow",
    Verdict.FAULT: "bold red",
    Verdict.UNAVAILABLE: "bold red",
}


def check(
    offline: Annotated[bool, typer.Option("--offline", help="Look at the configuration only.")] = False,  # noqa: FBT002 - a flag
    user: Annotated[
        str | None, typer.Option(metavar="NAME", help="Instead, say whom this name leads to, and which rule applies.")
    ] = None,
    client: Annotated[str | None, typer.Option(metavar="NAME", help="With --user: at this client only.")] = None,
    diff: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--diff", help="Instead, say what is other in it than in the server that is running here.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Find every fault of the configuration; then try key, database, directory, listen addresses and clock.

    Run by root, it also looks for files that are closed to the services' user.

    Exits with 78 if something has to be changed, with 69 if a backend is unavailable, with 0 otherwise.

    With --user it exits with 1 if the name leads to nobody, or to several. --diff is for root and the server's user.
    """
    from radius2fa.config.load import read  # noqa: PLC0415 - heavy

    if user is None and client is not None:
        fail(USAGE, "--client is for --user")
    if user is not None and offline:
        fail(USAGE, "--user looks in the directory: leave --offline out")
    if user is not None and any("\ud800" <= one <= "\udfff" for one in user):  # octets that are no UTF-8 (PEP 383)
        fail(USAGE, "--user: the name is not UTF-8")
    if diff and (user is not None or offline):
        fail(USAGE, "--diff looks at all of the configuration, and asks the running server: give it alone")
    path = CONFIG.get()
    reading = read(path, now=time.time())
    checks = list(of_configuration(path, reading))
    if user is not None and reading.settings and exit_code(one.verdict for one in checks) == 0:
        _person(reading.settings, user, client, as_json=as_json)
    if diff and reading.settings and exit_code(one.verdict for one in checks) == 0:
        _compare(reading.settings, as_json=as_json)
    if reading.settings and not offline and not diff:
        account = service_account()
        checks += closed_to(account, path, reading.settings) if account else ()
        checks += _live(reading.settings)
    code = exit_code(one.verdict for one in checks)
    (_print_json if as_json else _print_table)(checks, code)
    raise typer.Exit(code)


def exit_code(verdicts: "Iterable[Verdict]") -> int:
    """Return the exit code for what was found: what has to be changed counts before what may come back by itself."""
    found = set(verdicts)
    return MISCONFIGURED if Verdict.FAULT in found else UNAVAILABLE if Verdict.UNAVAILABLE in found else 0


def of_configuration(path: Path, reading: "Reading") -> "Iterator[Check]":
    """Yield what was found out about a configuration by itself."""
    from radius2fa.config.load import located  # noqa: PLC0415 - heavy
    from radius2fa.server.replies import replies  # noqa: PLC0415 - heavy

    faults = reading.faults
    if reading.settings:
        faults += located(path, replies(reading.settings).faults)
    for verdict, found in ((Verdict.FAULT, faults), (Verdict.WARNING, reading.warnings)):
        for one in found:
            place = str(one.file) if one.line is None else f"{one.file}:{one.line}"
            yield Check(place, verdict, f"{one.key}: {one.message}" if one.key else one.message, one.remedy)
    if reading.settings and not faults:
        clients, policies = len(reading.settings.client), len(reading.settings.policy)
        yield Check(str(path), Verdict.OK, f"clients: {clients}, policies: {policies}")


def _live(settings: "Settings") -> "Iterator[Check]":
    """Yield the live checks; on a terminal, show meanwhile that something is going on."""
    from rich.console import Console  # noqa: PLC0415 - heavy

    from radius2fa.cli.examine import everything  # noqa: PLC0415 - heavy

    with Console(stderr=True).status("Trying key, database, directory, addresses, clock …"):
        yield from everything(settings)


def _person(settings: "Settings", user: str, client: str | None, *, as_json: bool) -> NoReturn:
    """Say what is found out about a name, and end the program."""
    from radius2fa.cli.examine_person import person  # noqa: PLC0415 - heavy

    found = person(settings, user, client)
    if as_json:
        print_json(found.described())
    else:
        print_facts(found.facts())
        if found.checks:
            typer.echo()
            _print_checks(found.checks)
    raise typer.Exit(found.exit_code)


def _compare(settings: "Settings", *, as_json: bool) -> NoReturn:
    """Say what the running server has otherwise, and end the program."""
    from radius2fa.cli.comparing import compare  # noqa: PLC0415 - heavy

    found = compare(settings)
    if as_json:
        print_json(found.described())
    else:
        found.print()
    raise typer.Exit


def _print_json(checks: list[Check], code: int) -> None:
    from dataclasses import asdict  # noqa: PLC0415 - only here

    print_json({"exit_code": code, "checks": [asdict(one) for one in checks]})


def _print_table(checks: list[Check], code: int) -> None:
    _print_checks(checks)
    warnings = sum(one.verdict is Verdict.WARNING for one in checks)
    note = f" Warnings: {warnings}." if warnings else ""
    typer.echo(f"{'All is well.' if code == 0 else 'Not ready.'}{note}")


def _print_checks(checks: "Iterable[Check]") -> None:
    from rich.console import Console  # noqa: PLC0415 - heavy
    from rich.table import Table  # noqa: PLC0415 - heavy
    from rich.text import Text  # noqa: PLC0415 - heavy

    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for one in checks:
        found = Text(printable(one.message))
        if one.remedy:
            found.append(f"\n{printable(one.remedy)}", "dim")
        table.add_row(Text(one.verdict, _MARKS[one.verdict]), Text(printable(one.subject)), found)
    Console(highlight=False, width=None if sys.stdout.isatty() else WIDE).print(table)
