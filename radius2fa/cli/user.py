"""Owns `radius2fa user`: what the helpdesk asks about a person, and does for them."""

import math
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from radius2fa.cli.opening import open_settings, open_store
from radius2fa.cli.person import Person, person_of
from radius2fa.cli.showing import iso_time, local_time, print_facts, print_json, print_table
from radius2fa.cli.token import described, print_tokens
from radius2fa.login.lockout import Failures
from radius2fa.printable import printable

if TYPE_CHECKING:  # imported where they are needed: each of them is heavy
    from radius2fa.login.ports import Record
    from radius2fa.store.engine import Store
    from radius2fa.store.tokens import TokenRow

LAST = 10  # logins

app = typer.Typer(no_args_is_help=True, help="The people who log in.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="A name that they log in with.")]


@app.command()
def show(
    name: Name,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Show a person's tokens, failures and last logins: why was a login refused?"""
    settings = open_settings()
    with closing(open_store(settings)) as store:
        person = person_of(name, settings, store)
        tokens = store.tokens.list(person.subject)
        failures = _failures(store, person)
        logins = store.accounts.recent(person.subject, LAST)
    if as_json:
        print_json(_described(person, tokens, failures, logins))
    else:
        _print(person, tokens, failures, logins)


@app.command()
def unlock(name: Name) -> None:
    """Forget a person's failures, and so end a lock."""
    settings = open_settings()
    with closing(open_store(settings)) as store:
        person = person_of(name, settings, store)
        before = _failures(store, person)
        store.accounts.unlock(person.subject)
    if before.count:
        typer.echo(f"{printable(person.name)} is unlocked; the failures in a row were {before.count}.")
    else:
        typer.echo(f"{printable(person.name)} was not locked.")


def _failures(store: "Store", person: Person) -> Failures:
    account = store.accounts.get(person.subject)
    return Failures() if account is None else account.failures


def _print(person: Person, tokens: "tuple[TokenRow, ...]", failures: Failures, logins: "tuple[Record, ...]") -> None:
    print_facts(
        [
            ("User", person.name),
            ("Entry", person.dn or "none any more: they have left the directory"),
            ("Id", person.subject),
            ("Failures", _words(failures)),
        ]
    )
    typer.echo("\nTokens")
    if tokens:
        print_tokens(tokens)
    else:
        typer.echo("none")
    typer.echo("\nLast logins")
    if logins:
        print_table(("When", "Client", "From", "Name", "Result", "Why", "What to do"), map(_row, logins))
    else:
        typer.echo("none")


def _words(failures: Failures) -> str:
    if not failures.count:
        return "none"
    if failures.blocked_until == math.inf:
        return f"{failures.count} in a row: locked until an unlock"
    refused = f", refused until {local_time(failures.blocked_until)}" if failures.blocked_until else ""
    return f"{failures.count} in a row{refused}"


def _row(login: "Record") -> tuple[str, ...]:
    reason = login.reason
    why, remedy = (reason, reason.remedy) if reason else ("", "")
    return local_time(login.when), login.client, login.source, login.name, login.result, why, remedy


def _described(
    person: Person, tokens: "tuple[TokenRow, ...]", failures: Failures, logins: "tuple[Record, ...]"
) -> dict[str, object]:
    locked = failures.blocked_until == math.inf
    blocked = failures.blocked_until > 0 and not locked
    return {
        "name": person.name,
        "subject": person.subject,
        "dn": person.dn,
        "failures": {
            "count": failures.count,
            "locked": locked,
            "blocked_until": iso_time(failures.blocked_until) if blocked else None,
        },
        "tokens": [described(token) for token in tokens],
        "logins": [
            {
                "id": login.id,
                "when": iso_time(login.when),
                "client": login.client,
                "source": login.source,
                "name": login.name,
                "result": login.result,
                "reason": login.reason,
                "remedy": login.reason.remedy if login.reason else None,
                "token": login.token,
            }
            for login in logins
        ],
    }
