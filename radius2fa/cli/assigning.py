"""Owns `radius2fa token assign` and `unassign`: how a token comes out of the stock, and goes back into it."""

import time
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from radius2fa.cli.confirming import proof_of
from radius2fa.cli.finding import TokenName, no_room, require_no_passkey, secret_of, token_of
from radius2fa.cli.opening import NO, fail, open_settings, open_store
from radius2fa.cli.person import entry_of
from radius2fa.cli.token_facts import form, note
from radius2fa.printable import printable

if TYPE_CHECKING:  # imported where they are needed: each of them is heavy
    from radius2fa.config.model import Codes
    from radius2fa.login.ports import Entry
    from radius2fa.store.engine import Store
    from radius2fa.store.tokens import TokenRow


def assign(
    token: TokenName,
    user: Annotated[str, typer.Argument(metavar="USER", help="Whose it becomes: a name that they log in with.")],
    *,
    confirm: Annotated[
        bool,
        typer.Option("--confirm", help="Ask for a code first (two, of a button). If it is wrong, nothing is assigned."),
    ] = False,
) -> None:
    """Give a token of the stock to USER."""
    settings = open_settings()
    entry = entry_of(user, settings)
    with closing(open_store(settings)) as store:
        row = token_of(store, token)
        require_no_passkey(row)
        if row.name is not None:
            more = " already" if row.subject == entry.subject else f": first run `radius2fa token unassign {row.id}`"
            fail(NO, f"token {row.id} belongs to {printable(row.name)}{more}")
        if confirm:
            _require_room(store, entry)
            _require_at_hand(store, row, settings.codes)
        _give(store, row, entry)
    typer.echo(f"Token {row.id} for {printable(entry.name)}: {form(row)}.{note(row, time.time())}")


def unassign(token: TokenName) -> None:
    """Take a hardware token back into the stock, for somebody else.

    What a phone holds is better removed: its owner keeps the secret.
    """
    with closing(open_store(open_settings())) as store:
        row = token_of(store, token)
        require_no_passkey(row)
        if not store.tokens.unassign(row.id):
            fail(NO, f"token {row.id} is nobody's: it is in the stock already")
    typer.echo(f"Token {row.id} of {printable(str(row.name))} is in the stock again.{note(row, time.time())}")


def _require_room(store: "Store", entry: "Entry") -> None:
    """Return if the person may have one more active token: or codes would be typed, and used up, for nothing."""
    from radius2fa.store.tokens import MOST_ACTIVE  # noqa: PLC0415 - heavy

    if sum(row.active for row in store.tokens.list(entry.subject)) >= MOST_ACTIVE:
        no_room(entry.name)


def _require_at_hand(store: "Store", row: "TokenRow", codes: "Codes") -> None:
    """Return if whoever sits here has the token, with the code that shows it used up, while it is nobody's still."""
    if not row.active:
        fail(NO, f"token {row.id} is disabled: enable it first")
    seen = proof_of(secret_of(store, row), codes)
    if seen is not None:
        match, when = seen
        if store.tokens.advance(row.id, match.counter, match.drift, when):
            return
    fail(NO, f"token {row.id} stays in the stock")


def _give(store: "Store", row: "TokenRow", entry: "Entry") -> None:
    from radius2fa.store.tokens import TooManyTokens  # noqa: PLC0415 - heavy

    try:
        given = store.tokens.assign(row.id, entry.subject, entry.name, time.time())
    except TooManyTokens:
        no_room(entry.name)
    if not given:
        fail(NO, f"token {row.id} is in the stock no more: somebody else has just taken it")
