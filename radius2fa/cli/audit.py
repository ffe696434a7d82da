"""Owns `radius2fa audit`: how logins ended and what administrators did, by filter, as they come, for other programs."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from enum import StrEnum
from typing import Annotated

import typer

from radius2fa.cli import proving
from radius2fa.cli.audited import ACTS, LOGINS, Kind, Rows, acts_of, logins_of
from radius2fa.cli.durations import duration
from radius2fa.cli.moments import beginning
from radius2fa.cli.opening import USAGE, fail, open_settings, open_store
from radius2fa.cli.showing import print_table
from radius2fa.login.ports import Result
from radius2fa.login.reason import Reason
from radius2fa.printable import printable
from radius2fa.sheet import csv_line

app = typer.Typer(help="The record of logins and of administration, and its proof.", invoke_without_command=True)
app.command()(proving.verify)
app.command()(proving.head)

_LAST = 50  # rows of a table, where nobody says how many
_POLL = 1.0  # seconds between two looks
# A row may become visible behind one of a higher number, where several connections write: so many are looked at again.
_LATE = 500


class Form(StrEnum):
    """What rows are printed as."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


@app.callback()
def audit(
    context: typer.Context,
    *,
    acts: Annotated[bool, typer.Option("--acts/--logins", help="What administrators did, or the logins.")] = False,
    user: Annotated[str, typer.Option(metavar="NAME", help="A part of the user's name.")] = "",
    client: Annotated[str, typer.Option(metavar="NAME", help="The RADIUS client.")] = "",
    result: Annotated[Result | None, typer.Option(help="How the login ended.")] = None,
    reason: Annotated[
        Reason | None, typer.Option(metavar="REASON", help="Why it was refused: one of `explain --reasons`.")
    ] = None,
    since: Annotated[str, typer.Option(metavar="WHEN", help="From then on: 1h, 7d, a day, a time.")] = "",
    until: Annotated[str, typer.Option(metavar="WHEN", help="Before then.")] = "",
    last: Annotated[int | None, typer.Option(min=1, help="So many rows, the newest; a table has 50 else.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new rows as they come.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """Show how logins ended, or what administrators did."""
    if context.invoked_subcommand is not None:
        return
    if as_json and as_csv:
        fail(USAGE, "choose one of --json and --csv")
    if acts and (client or result or reason):
        fail(USAGE, "--client, --result and --reason are of logins, not of acts")
    form = Form.JSON if as_json else Form.CSV if as_csv else Form.TABLE
    now = time.time()
    begin, end = _moment("--since", since, now), _moment("--until", until, now)
    with closing(open_store(open_settings(), threads=1)) as store:
        rows = acts_of(store, user, begin, end) if acts else logins_of(store, user, client, result, reason, begin, end)
        show(ACTS if acts else LOGINS, rows, form, last, follow=follow)


def show(
    kind: Kind, rows: Rows, form: Form, last: int | None, *, follow: bool, pause: Callable[[float], None] = time.sleep
) -> None:
    """Print rows, the oldest first; if told to, go on until the user ends it. `pause` waits for so many seconds."""
    if last is None and form is Form.TABLE:
        last = _LAST
    highest = 0
    if form is Form.CSV:
        typer.echo(csv_line(kind.titles), nl=False)
    if form is Form.TABLE:
        found = list(rows.newest(last or _LAST))
        highest = max((number for number, _ in found), default=0)
        print_table(kind.headings, [kind.cells(row) for _, row in found])
    else:
        for number, row in rows.newest(last) if last else rows.all():
            highest = max(highest, number)
            _print(kind, row, form)
    if follow:
        try:
            for row in followed(rows, highest, pause):
                _print(kind, row, form)
        except KeyboardInterrupt:
            return


def followed(rows: Rows, highest: int, pause: Callable[[float], None]) -> Iterator[object]:
    """Yield each row that is new since the one of number `highest`, without an end."""
    seen = {number for number, _ in rows.after(max(0, highest - _LATE))}
    while True:
        pause(_POLL)
        for number, row in rows.after(max(0, max(seen, default=highest) - _LATE)):
            if number not in seen:
                seen.add(number)
                yield row
        seen = {number for number in seen if number > max(seen) - 2 * _LATE}


def _print(kind: Kind, row: object, form: Form) -> None:
    described = kind.described(row)
    match form:
        case Form.JSON:
            typer.echo(json.dumps(described).replace("\x7f", "\\u007f"))  # in ASCII, all of it printable
        case Form.CSV:
            cells = (printable(cell) if isinstance(cell, str) else cell for cell in described.values())
            typer.echo(csv_line(cells), nl=False)
        case Form.TABLE:
            typer.echo("  ".join(printable(cell) for cell in kind.cells(row) if cell))


def _moment(option: str, text: str, now: float) -> float | None:
    if not text:
        return None
    with suppress(typer.BadParameter):
        return now - duration(text)
    try:
        return beginning(text)
    except typer.BadParameter as wrong:
        raise typer.BadParameter(f"{option}: {wrong.message}; or a span of time before now, as 1h or 7d") from None
