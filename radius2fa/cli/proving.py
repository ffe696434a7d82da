"""Owns `radius2fa audit verify` and `audit head`: the proof that no row of the audit record was tampered with."""

import json
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from radius2fa.cli.opening import NO, USAGE, fail, open_settings, open_store
from radius2fa.cli.showing import Json, iso_time, local_time, print_json
from radius2fa.printable import printable

if TYPE_CHECKING:  # imported where they are needed: each of them is heavy
    from radius2fa.store.engine import Store
    from radius2fa.store.verify import Fault, Head, Verdict

_NO_HASH = "-"  # of a chain whose head is no longer one

HeadFile = Annotated[
    Path | None, typer.Option("--head", metavar="FILE", help="Heads that `radius2fa audit head` printed earlier.")
]


def verify(*, head: HeadFile = None, as_json: Json = False) -> None:
    """Prove that no row of the record was changed, removed or put in; name the first that was."""
    earlier = () if head is None else read_heads(head)
    with closing(open_store(open_settings(), threads=1)) as store:
        verdict = _walked(store, earlier)
    if as_json:
        print_json(_described(verdict))
    else:
        _print(verdict)
    if not verdict.holds:
        raise typer.Exit(NO)


def head(*, as_json: Json = False) -> None:
    """Print the last row of each chain, to be kept elsewhere: place, hash, table, writer."""
    with closing(open_store(open_settings(), threads=1)) as store:
        heads = store.audit.heads()
    if as_json:
        print_json([_head_described(one) for one in heads])
    else:
        for one in heads:
            typer.echo(f"{one.sequence} {one.hash.hex() or _NO_HASH} {one.book} {printable(one.writer)}")


def read_heads(file: Path) -> "tuple[Head, ...]":
    """Return the heads of a file, as text or JSON. If it holds something else, the program ends with 64."""
    try:
        text = file.read_text("utf-8")
    except OSError as error:
        fail(USAGE, f"{file}: {error.strerror}")
    except UnicodeDecodeError:
        fail(USAGE, f"{file}: no text; `radius2fa audit head` makes such a file")
    try:
        heads = _of_json(text) if text.lstrip().startswith("[") else _of_lines(text)
    except (ValueError, KeyError, TypeError):
        fail(USAGE, f"{file}: holds something else than `radius2fa audit head` prints")
    return heads or fail(USAGE, f"{file}: holds no head")


def _of_json(text: str) -> "tuple[Head, ...]":
    return tuple(_head(one["sequence"], one["hash"], one["book"], one["writer"]) for one in json.loads(text))


def _of_lines(text: str) -> "tuple[Head, ...]":
    lines = [line.split(maxsplit=3) for line in text.splitlines() if line.strip()]
    return tuple(_head(*line) for line in lines)


def _head(sequence: str, digest: str, book: str, writer: str) -> "Head":
    from radius2fa.store.links import Book  # noqa: PLC0415 - heavy
    from radius2fa.store.verify import Head  # noqa: PLC0415 - heavy

    return Head(writer, Book(book), int(sequence), b"" if digest == _NO_HASH else bytes.fromhex(digest))


def _walked(store: "Store", heads: "tuple[Head, ...]") -> "Verdict":
    from rich.console import Console  # noqa: PLC0415 - heavy
    from rich.progress import Progress  # noqa: PLC0415 - heavy

    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("Rows", total=store.audit.length())
        return store.audit.verify(heads, lambda rows: bar.advance(task, rows))


def _print(verdict: "Verdict") -> None:
    from radius2fa.store.verify import Kept  # noqa: PLC0415 - heavy

    for fault in verdict.faults:
        typer.secho(printable(_in_words(fault)), fg="red")
    for one, kept in verdict.heads:
        line = f"head {one.sequence} of {_chain(one.book, one.writer)}: {kept}"
        typer.secho(printable(line), fg="red" if kept is Kept.GONE else None)
    if verdict.before:
        typer.echo(f"{verdict.before} rows are older than the chains: nothing proves them.")
    chains = "1 chain" if verdict.chains == 1 else f"{verdict.chains} chains"
    rows = "1 row" if verdict.rows == 1 else f"{verdict.rows} rows"
    typer.echo(f"{rows} in {chains} {'proven' if verdict.holds else 'walked: the record was tampered with'}.")


def _in_words(fault: "Fault") -> str:
    parts = [
        "" if fault.book is None else _chain(fault.book, fault.writer),
        "" if fault.sequence is None else f"place {fault.sequence}",
        "" if fault.number is None else f"row {fault.number}",
        "" if fault.at is None else local_time(fault.at),
    ]
    return f"{fault.finding}: {', '.join(part for part in parts if part)}: {fault.detail}".replace(": : ", ": ")


def _chain(book: str, writer: str | None) -> str:
    return book if writer is None else f"{book} of {writer}"


def _described(verdict: "Verdict") -> dict[str, object]:
    return {
        "holds": verdict.holds,
        "rows": verdict.rows,
        "chains": verdict.chains,
        "before": verdict.before,
        "faults": [
            {
                "finding": fault.finding,
                "book": fault.book,
                "writer": fault.writer,
                "sequence": fault.sequence,
                "number": fault.number,
                "at": iso_time(fault.at),
                "detail": fault.detail,
            }
            for fault in verdict.faults
        ],
        "heads": [_head_described(one) | {"kept": kept} for one, kept in verdict.heads],
    }


def _head_described(one: "Head") -> dict[str, object]:
    return {"writer": one.writer, "book": one.book, "sequence": one.sequence, "hash": one.hash.hex()}
