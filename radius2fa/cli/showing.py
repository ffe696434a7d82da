"""Owns how the commands show what they know: tables and local times for people, JSON for programs."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated

import typer

from radius2fa.printable import printable

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def local_time(when: float | None) -> str:
    """Return a time (Unix seconds) as people here read it, "never" for None."""
    return "never" if when is None else f"{datetime.fromtimestamp(when).astimezone():%Y-%m-%d %H:%M:%S %Z}"


def iso_time(when: float | None) -> str | None:
    """Return a time (Unix seconds) in ISO 8601, with the offset of the local zone."""
    return None if when is None else datetime.fromtimestamp(when).astimezone().isoformat()


def print_json(value: object) -> None:
    """Print a value as JSON, in ASCII."""
    typer.echo(json.dumps(value, indent=2))


def print_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Print one line for each name and text. The texts may be from outside."""
    lines = [(name, printable(text)) for name, text in facts]
    width = max(len(name) for name, _ in lines)
    for name, text in lines:
        typer.echo(f"{name:{width}}  {text}".rstrip())


def print_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows of texts, which may be from outside, below titles."""
    from rich import box  # noqa: PLC0415 - heavy
    from rich.console import Console  # noqa: PLC0415 - heavy
    from rich.table import Table  # noqa: PLC0415 - heavy
    from rich.text import Text  # noqa: PLC0415 - heavy

    table = Table(box=box.SIMPLE, pad_edge=False, show_edge=False)
    for title in titles:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(text)) for text in row))  # as Text, so that no markup is read into it
    Console(width=None if sys.stdout.isatty() else WIDE).print(table)


def print_section(heading: str, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows as a table below a heading, or that there are none."""
    typer.echo(f"\n{heading}")
    if rows:
        print_table(titles, rows)
    else:
        typer.echo("none")


WIDE = 1000  # columns of a file or pipe, which have no width of their own: nothing is folded there
