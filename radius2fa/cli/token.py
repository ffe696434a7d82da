"""Owns `radius2fa token`: the life of a token, as the helpdesk sees it."""

import os
import time
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from radius2fa.cli.opening import MISCONFIGURED, NO, USAGE, fail, open_settings, open_store
from radius2fa.cli.person import entry_of, person_of
from radius2fa.cli.showing import iso_time, local_time, print_facts, print_json, print_table
from radius2fa.otp.token import Algorithm, Kind, Token
from radius2fa.printable import printable

if TYPE_CHECKING:  # imported where they are needed: each of them is heavy
    from radius2fa.config.model import Codes
    from radius2fa.enrol.enrolment import Enrolment, Form
    from radius2fa.login.ports import Entry
    from radius2fa.store.engine import Store
    from radius2fa.store.tokens import TokenRow

TRIES = 3  # for the first code

app = typer.Typer(no_args_is_help=True, help="The tokens that people log in with.")

TokenId = Annotated[str, typer.Argument(metavar="ID", help="The token's id, as `token list` shows it.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@app.command()
def add(
    user: Annotated[str, typer.Argument(metavar="USER", help="Whose it is: a name that they log in with.")],
    *,
    kind: Annotated[Kind, typer.Option(help="What makes the next code: time, or a button.")] = Kind.TOTP,
    digits: Annotated[int, typer.Option(help="The length of a code: 6 or 8.")] = 6,
    period: Annotated[int, typer.Option(help="The seconds that a code of a TOTP token lasts: 30 or 60.")] = 30,
    algorithm: Annotated[
        Algorithm, typer.Option(case_sensitive=False, help="The hash; many apps know SHA1 only.")
    ] = Algorithm.SHA1,
    label: Annotated[str, typer.Option(help="A note that tells this token from others.")] = "",
    serial: Annotated[str | None, typer.Option(help="The serial number of a hardware token.")] = None,
    seed_file: Annotated[
        typer.FileText | None,
        typer.Option(
            metavar="FILE",
            errors="replace",
            help="The seed of a token that exists, in hex or base32. - reads it from standard input.",
        ),
    ] = None,
    confirm: Annotated[
        bool, typer.Option("--confirm", help="Ask for a first code. Until one is right, the token stays disabled.")
    ] = False,
) -> None:
    """Give USER a new token, and show its secret as a QR code and for typing.

    With --seed-file the token has its secret already, and nothing is shown.
    """
    from radius2fa.enrol.enrolment import Form  # noqa: PLC0415 - heavy

    settings = open_settings()
    entry = entry_of(user, settings)
    made = _begin(Form(kind, algorithm, digits, period), settings.codes.issuer, entry.name, seed_file)
    with closing(open_store(settings)) as store:
        _keep(store, made.token, entry, label, serial, active=not confirm)
        if seed_file is None:
            _show_secret(made)
        typer.echo(f"Token {made.token.id} for {printable(entry.name)}: {_words(made.token)}.")
        if confirm:
            _ask_for_the_first_code(store, made.token, settings.codes)


@app.command("list")
def list_(
    user: Annotated[str | None, typer.Argument(metavar="USER", help="Whose tokens; by default everybody's.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """List the tokens of USER, or all of them."""
    settings = open_settings()
    with closing(open_store(settings)) as store:
        rows = store.tokens.list(None if user is None else person_of(user, settings, store).subject)
    if as_json:
        print_json([described(row) for row in rows])
    elif rows:
        print_tokens(rows)
    else:
        typer.echo("There are no tokens.")


@app.command()
def show(token_id: TokenId, *, as_json: Json = False) -> None:
    """Show what is known of a token, but never its secret."""
    with closing(open_store(open_settings())) as store:
        row = _row(store, token_id)
    if as_json:
        print_json(described(row))
        return
    print_facts(
        [
            ("Token", row.id),
            ("User", row.name),
            ("Kind", _words(row)),
            ("Label", row.label),
            ("Serial", row.serial or ""),
            ("State", _state(row)),
            ("Counter", str(row.counter)),
            ("Drift", f"{row.drift} steps"),
            ("Created", local_time(row.created)),
            ("Last used", local_time(row.last_used)),
        ]
    )


@app.command()
def qr(token_id: TokenId) -> None:
    """Draw a token's QR code again. THIS SHOWS THE SECRET: whoever sees it can make the codes."""
    from radius2fa.enrol.enrolment import present  # noqa: PLC0415 - heavy

    settings = open_settings()
    with closing(open_store(settings)) as store:
        row, token = _row(store, token_id), _secret(store, token_id)
    _show_secret(present(token, settings.codes.issuer, row.name))


@app.command()
def resync(
    token_id: TokenId,
    look: Annotated[
        int, typer.Option(min=1, max=100_000, help="How far to search: in codes ahead, or time steps to each side.")
    ] = 1000,
) -> None:
    """Bring a token back into step, by two codes that it shows one after the other."""
    from radius2fa.otp import verify  # noqa: PLC0415 - as the others

    with closing(open_store(open_settings())) as store:
        token = _secret(store, token_id)
        if not _row(store, token_id).active:
            fail(NO, f"token {token_id} is disabled: enable it first")
        first, second = _ask_code("A code of the token"), _ask_code("Its next code")
        when = time.time()
        match = verify.resync(token, first, second, when, look)
        if match is None or not store.tokens.advance(token_id, match.counter, match.drift, when):
            fail(NO, "these are not two codes of the token in sequence, or have been used before")
    typer.echo(f"Token {token_id} is in step again.")


@app.command()
def enable(token_id: TokenId) -> None:
    """Let a token be used again."""
    with closing(open_store(open_settings())) as store:
        _enable(store, token_id)
    typer.echo(f"Token {token_id} is enabled.")


@app.command()
def disable(token_id: TokenId) -> None:
    """Refuse a token's codes until it is enabled again."""
    with closing(open_store(open_settings())) as store:
        if not store.tokens.set_active(token_id, False):  # noqa: FBT003 - the value that is set
            _unknown(token_id)
    typer.echo(f"Token {token_id} is disabled.")


@app.command()
def remove(
    token_id: TokenId,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a token for ever."""
    with closing(open_store(open_settings())) as store:
        row = _row(store, token_id)
        if not yes:
            typer.confirm(f"Remove token {row.id} of {printable(row.name)}?", abort=True)
        store.tokens.remove(token_id)
    typer.echo(f"Token {token_id} is removed.")


def described(row: "TokenRow") -> dict[str, object]:
    """Return a token as JSON has it."""
    return {
        "id": row.id,
        "user": row.name,
        "subject": row.subject,
        "kind": row.kind,
        "algorithm": row.algorithm,
        "digits": row.digits,
        "period": row.period if row.kind is Kind.TOTP else None,
        "counter": row.counter,
        "drift": row.drift,
        "label": row.label,
        "serial": row.serial,
        "active": row.active,
        "created": iso_time(row.created),
        "last_used": iso_time(row.last_used),
    }


def print_tokens(rows: "tuple[TokenRow, ...]") -> None:
    """Print tokens as a table."""
    titles = ("Token", "User", "Kind", "Label", "Serial", "State", "Last used")
    print_table(
        titles,
        [
            (row.id, row.name, _words(row), row.label, row.serial or "", _state(row), local_time(row.last_used))
            for row in rows
        ],
    )


def _begin(form: "Form", issuer: str, account: str, seed_file: "typer.FileText | None") -> "Enrolment":
    from radius2fa.enrol import enrolment, seed  # noqa: PLC0415 - heavy

    try:
        key = None if seed_file is None else seed.read(seed_file.read())
        return enrolment.begin(form, issuer, account, os.urandom, key)
    except ValueError as wrong:
        fail(USAGE, str(wrong))


def _keep(store: "Store", token: Token, entry: "Entry", label: str, serial: str | None, *, active: bool) -> None:
    from radius2fa.store.tokens import Taken, TooManyTokens  # noqa: PLC0415 - heavy

    try:
        store.tokens.add(token, entry.subject, entry.name, label, serial, time.time())
    except TooManyTokens:
        _no_room(entry.name)
    except Taken as taken:
        fail(NO, printable(str(taken)))
    if not active:
        store.tokens.set_active(token.id, False)  # noqa: FBT003 - the value that is set


def _ask_for_the_first_code(store: "Store", token: Token, codes: "Codes") -> None:
    """Enable the token, with its first code burned, or end the program with 1."""
    from radius2fa.enrol.enrolment import confirm  # noqa: PLC0415 - heavy
    from radius2fa.otp.verify import Windows  # noqa: PLC0415 - as the others

    windows = Windows(totp=codes.totp_window, hotp=codes.hotp_window)
    for _ in range(TRIES):
        code, when = _ask_code("The code that the token shows"), time.time()
        match = confirm(token, code, when, windows)
        if match is not None:
            _enable(store, token.id)
            store.tokens.advance(token.id, match.counter, match.drift, when)
            typer.echo("The code is right: the token is enabled.")
            return
        typer.echo("This is not a code of the token at this time.", err=True)
    fail(NO, f"the token stays disabled; see `radius2fa token enable {token.id}` and `token remove`")


def _ask_code(prompt: str) -> bytes:
    """Return what was typed, without the spaces that apps show between the digits."""
    return "".join(typer.prompt(prompt).split()).encode(errors="replace")


def _show_secret(made: "Enrolment") -> None:
    from radius2fa.enrol.qr import draw  # noqa: PLC0415 - heavy

    typer.echo(draw(made.uri))
    typer.echo(f"Secret: {made.secret}")


def _enable(store: "Store", token_id: str) -> None:
    from radius2fa.store.tokens import TooManyTokens  # noqa: PLC0415 - heavy

    try:
        known = store.tokens.set_active(token_id, True)  # noqa: FBT003 - the value that is set
    except TooManyTokens:
        _no_room("the user")
    if not known:
        _unknown(token_id)


def _row(store: "Store", token_id: str) -> "TokenRow":
    return store.tokens.get(token_id) or _unknown(token_id)


def _secret(store: "Store", token_id: str) -> Token:
    from radius2fa.store.seal import SealBroken  # noqa: PLC0415 - heavy

    try:
        return store.tokens.secret(token_id) or _unknown(token_id)
    except SealBroken as broken:
        fail(MISCONFIGURED, str(broken))


def _unknown(token_id: str) -> NoReturn:
    fail(NO, f"there is no token {printable(token_id)}")


def _no_room(name: str) -> NoReturn:
    from radius2fa.store.tokens import MOST_ACTIVE  # noqa: PLC0415 - heavy

    fail(NO, f"{printable(name)} has {MOST_ACTIVE} active tokens, which is the most: disable or remove one first")


def _words(token: "Token | TokenRow") -> str:
    lasting = f", {token.period} s" if token.kind is Kind.TOTP else ""
    return f"{token.kind.upper()} {token.algorithm}, {token.digits} digits{lasting}"


def _state(row: "TokenRow") -> str:
    return "active" if row.active else "disabled"
