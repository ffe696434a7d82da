"""Owns `radius2fa policy`: which rule holds for somebody and why, and whom the rules let in without a second factor."""

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from radius2fa.cli.deciding import asker_of, opened
from radius2fa.cli.opening import NO, open_directory, open_house, open_settings, open_store
from radius2fa.cli.person import asked_words, nobody
from radius2fa.cli.showing import Json, print_json, print_table
from radius2fa.login.place import place_of
from radius2fa.login.ports import Entry, NotFound
from radius2fa.printable import printable

if TYPE_CHECKING:
    from radius2fa.cli.coverage import Coverage
    from radius2fa.config.model import Settings

app = typer.Typer(no_args_is_help=True, help="The rules: who must show what, where.")


@app.command("test")
def apply(
    user: Annotated[str, typer.Option("--user", metavar="NAME", help="The name, as it is typed at the login.")],
    *,
    client: Annotated[
        str | None, typer.Option(metavar="NAME", help="The client that would ask, if there are several.")
    ] = None,
    source: Annotated[str, typer.Option("--from", metavar="ADDRESS", help="Where the user would sit.")] = "",
    as_json: Json = False,
) -> None:
    """Say which rule holds for a user at a client, why the ones before it do not, and what it asks for.

    Exits with 1 if the rule lets the user in by no means.
    """
    from radius2fa.cli.ruling import NEVER, Ruling  # noqa: PLC0415 - heavy
    from radius2fa.login.case import Visit  # noqa: PLC0415 - heavy

    settings = open_settings()
    asker = asker_of(settings, client, source)
    with opened(settings) as (house, directories):
        entry = house.directory.find(user, asker.client.name, time.monotonic() + settings.server.patience)
        if isinstance(entry, NotFound):
            nobody(user, entry, asked_words(directories, user, asker.client.name))
        rule = house.policies.choose(asker.client.name, entry, asker.address)
        standing = house.ledger.standing(
            entry.subject, place_of(asker.client.name, asker.source, asker.address), time.time()
        )
        ruling = Ruling(house.policies, asker, Visit(entry, standing, rule), time.time())
    if as_json:
        print_json(ruling.described())
    else:
        ruling.print(several=len(settings.directory) > 1)
    if ruling.verdict == NEVER:
        raise typer.Exit(NO)


@app.command()
def report(
    *,
    client: Annotated[str | None, typer.Option(metavar="NAME", help="For this client only.")] = None,
    as_json: Json = False,
) -> None:
    """List whom the rules let in without a second factor, and who has no token yet.

    Looks at everybody whom the directory's user_filter can find, as if they sat at an unknown address.
    """
    settings = open_settings()
    wanted = None if client is None else asker_of(settings, client, "").client.name
    clients = {each.name: each.directories for each in settings.client if wanted in {None, each.name}}
    coverage = _looked_at(settings, clients)
    if as_json:
        print_json(coverage.described())
    else:
        _print_report(coverage)


def _looked_at(settings: "Settings", clients: "Mapping[str, tuple[str, ...] | None]") -> "Coverage":
    """Look at everybody; on a terminal, show how many they are so far.

    Where there are several directories, whose people may have the same names, these are followed by the directory.
    """
    from rich.console import Console  # noqa: PLC0415 - heavy

    from radius2fa.cli.coverage import Enrolled, coverage_of  # noqa: PLC0415 - only here

    with (
        closing(open_store(settings)) as store,
        closing(open_directory(settings)) as directory,
        Console(stderr=True).status("Looking at everybody …") as status,
    ):
        now, several = time.time(), len(settings.directory) > 1
        enrolled = Enrolled.of(store.tokens.list(), now)
        rules = open_house(settings, store, directory).policies

        def counted() -> Iterator[Entry]:
            for number, entry in enumerate(directory.people(), 1):
                if number % 100 == 0:
                    status.update(f"Looking at everybody: {number} so far …")
                yield replace(entry, name=f"{entry.name} ({entry.directory})") if several else entry

        return coverage_of(counted(), rules, clients, enrolled, now)


def _print_report(coverage: "Coverage") -> None:
    typer.echo(f"People: {coverage.people}, with a token: {coverage.with_token}\n")
    print_table(
        ("Client", "Rule", "Password and code", "No token yet", "Password alone", "Never"),
        [
            (row.client, row.rule or "(none)", *map(str, (row.code, row.no_token, row.alone, row.never)))
            for row in coverage.rows
        ],
    )
    typer.echo("\nLet in without a second factor")
    if coverage.without:
        print_table(
            ("User", "Client", "Rule", "Why"), [(one.name, one.client, one.rule, one.why) for one in coverage.without]
        )
    else:
        typer.echo("nobody")
    typer.echo("\nWithout a token")
    typer.echo(printable(", ".join(coverage.without_token)) or "nobody")
