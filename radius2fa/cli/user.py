"""Owns `radius2fa user`: what the helpdesk asks about a person, and does for them."""

import time
from contextlib import closing

import typer

from radius2fa.cli import bypassing, issuing
from radius2fa.cli.dossier import dossier_of
from radius2fa.cli.opening import open_settings, open_store
from radius2fa.cli.person import UserName, person_of
from radius2fa.cli.showing import Json, print_json
from radius2fa.printable import printable

app = typer.Typer(no_args_is_help=True, help="The people who log in.")


@app.command()
def show(user: UserName, *, as_json: Json = False) -> None:
    """Show what is known of a person, and how their last logins ended: why was one refused?"""
    settings = open_settings()
    with closing(open_store(settings)) as store:
        dossier = dossier_of(person_of(user, settings, store), store, time.time())
    if as_json:
        print_json(dossier.described())
    else:
        dossier.print(several=len(settings.directory) > 1)


@app.command()
def unlock(user: UserName) -> None:
    """Forget a person's failures, and so end a lock."""
    settings = open_settings()
    with closing(open_store(settings)) as store:
        person = person_of(user, settings, store)
        account = store.accounts.get(person.subject)
        failures = account.failures.count if account else 0
        if failures:
            store.accounts.unlock(person.subject)
    if failures:
        typer.echo(f"{printable(person.name)} is unlocked; the failures in a row were {failures}.")
    else:
        typer.echo(f"{printable(person.name)} was not locked.")


app.command()(issuing.recovery_codes)
app.command()(issuing.temp_code)
app.command()(bypassing.bypass)
