"""Owns `radius2fa token`: the life of a token, as the helpdesk sees it."""

import time
from contextlib import closing
from typing import Annotated

import typer

from radius2fa.cli import adding, assigning, importing, inviting
from radius2fa.cli.confirming import LOOK, two_codes
from radius2fa.cli.finding import TokenName, activate, require, secret_of, token_of
from radius2fa.cli.moments import beginning, ending, require_order
from radius2fa.cli.opening import NO, USAGE, fail, open_settings, open_store
from radius2fa.cli.person import person_of
from radius2fa.cli.showing import Json, print_json
from radius2fa.cli.token_facts import described, note, owner, print_token, print_tokens, validity
from radius2fa.otp.token import YubiKey
from radius2fa.printable import printable

app = typer.Typer(no_args_is_help=True, help="The tokens that people log in with.")
app.command()(adding.add)
app.command()(assigning.assign)
app.command()(assigning.unassign)
app.command("import")(importing.import_)
app.command()(inviting.invite)


@app.command("list")
def list_(
    user: Annotated[str | None, typer.Argument(metavar="USER", help="Whose tokens; by default everybody's.")] = None,
    *,
    unassigned: Annotated[
        bool, typer.Option("--unassigned", help="Only those of the stock, which are nobody's.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the tokens of USER, those of the stock, or all of them."""
    if user is not None and unassigned:
        fail(USAGE, "what is --unassigned is nobody's: leave USER out")
    settings = open_settings()
    with closing(open_store(settings)) as store:
        subject = None if user is None else person_of(user, settings, store).subject
        rows = store.tokens.list(subject, unassigned=unassigned)
    if as_json:
        print_json([described(row, time.time()) for row in rows])
    elif rows:
        print_tokens(rows, time.time())
    else:
        typer.echo("There are no tokens in the stock." if unassigned else "There are no tokens.")


@app.command()
def show(token: TokenName, *, as_json: Json = False) -> None:
    """Show what is known of a token, but never its secret."""
    with closing(open_store(open_settings())) as store:
        row = token_of(store, token)
    if as_json:
        print_json(described(row, time.time()))
    else:
        print_token(row, time.time())


@app.command()
def qr(token: TokenName) -> None:
    """Draw a token's QR code again. THIS SHOWS THE SECRET: whoever sees it can make the codes."""
    settings = open_settings()
    with closing(open_store(settings)) as store:
        row = token_of(store, token)
        secret = secret_of(store, row)
    if isinstance(secret, YubiKey):
        fail(NO, f"token {row.id} is a YubiKey: no app can take its secret in")
    adding.show_secret(secret, settings.codes.issuer, row.name or row.serial or row.id)


@app.command()
def resync(
    token: TokenName,
    look: Annotated[
        int, typer.Option(min=1, max=100_000, help="How far to search: in codes ahead, or time steps to each side.")
    ] = LOOK,
) -> None:
    """Bring a token back into step, by two codes that it shows one after the other."""
    with closing(open_store(open_settings())) as store:
        row = token_of(store, token)
        secret = secret_of(store, row)
        if isinstance(secret, YubiKey):
            fail(NO, f"token {row.id} is a YubiKey: each touch counts on from the last, so it is never out of step")
        if not row.active:
            fail(NO, f"token {row.id} is disabled: enable it first")
        seen = two_codes(secret, look)
        if seen is None or not store.tokens.advance(row.id, seen[0].counter, seen[0].drift, seen[1]):
            fail(NO, "these are not two codes of the token in sequence, or have been used before")
    typer.echo(f"Token {row.id} is in step again.")


@app.command()
def enable(token: TokenName) -> None:
    """Let a token be used again."""
    with closing(open_store(open_settings())) as store:
        row = token_of(store, token)
        activate(store, row.id, owner(row))
    typer.echo(f"Token {row.id} is enabled.")


@app.command()
def disable(token: TokenName) -> None:
    """Refuse a token's codes until it is enabled again."""
    with closing(open_store(open_settings())) as store:
        row = token_of(store, token)
        require(store.tokens.set_active(row.id, False), token)  # noqa: FBT003 - the value that is set
    typer.echo(f"Token {row.id} is disabled.")


@app.command()
def valid(
    token: TokenName,
    *,
    since: Annotated[
        float | None, typer.Option("--from", parser=beginning, metavar="TIME", help="The day or time that begins it.")
    ] = None,
    until: Annotated[
        float | None,
        typer.Option("--until", parser=ending, metavar="TIME", help="Its last day, or the time that ends it."),
    ] = None,
    always: Annotated[bool, typer.Option("--always", help="Take both bounds away.")] = False,
) -> None:
    """Say from when and until when a token's codes are accepted. A bound that is not given stays as it is.

    A TIME is local: 2027-12-31, or 2027-12-31T18:00.
    """
    bounded = since is not None or until is not None
    if always == bounded:
        fail(USAGE, "say from when, until when, or both: --from TIME, --until TIME; or --always alone")
    with closing(open_store(open_settings())) as store:
        row = token_of(store, token)
        if not always:
            since, until = row.valid_from if since is None else since, row.valid_until if until is None else until
        require_order(since, until)
        require(store.tokens.set_valid(row.id, since, until), token)
        now = token_of(store, row.id)
    typer.echo(f"Token {row.id} is valid {validity(now)}.{note(now, time.time())}")


@app.command()
def remove(
    token: TokenName,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a token for ever."""
    with closing(open_store(open_settings())) as store:
        row = token_of(store, token)
        if not yes:
            typer.confirm(f"Remove token {row.id} of {printable(owner(row))}?", abort=True)
        require(store.tokens.remove(row.id), token)
    typer.echo(f"Token {row.id} is removed.")
