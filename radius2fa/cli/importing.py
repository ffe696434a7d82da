"""Owns `radius2fa token import`: many tokens from one file, and what is told of them."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, NoReturn

import typer

from radius2fa.cli.opening import NO, USAGE, fail, open_directory, open_settings, open_store
from radius2fa.cli.showing import Json, print_json, print_table
from radius2fa.enrol.formats.rows import BadFile, Format, Reader, Rejected
from radius2fa.login.ports import Entry, NotFound, Unavailable
from radius2fa.printable import printable

if TYPE_CHECKING:  # imported where they are needed: each of them is heavy
    from radius2fa.config.model import Settings
    from radius2fa.directory.directories import Directories
    from radius2fa.enrol.formats.source import Source
    from radius2fa.enrol.formats.xmlenc import Ask, Need
    from radius2fa.enrol.importing import Import, LookUp, Tally
    from radius2fa.enrol.rejects import Write

REASONS = 10  # of those for which entries are rejected, so many are shown
STDIN = "standard-input"  # what a file without a name is called


def import_(
    file: Annotated[typer.FileBinaryRead, typer.Argument(metavar="FILE", help="The file. - reads standard input.")],
    *,
    wanted: Annotated[
        Format | None, typer.Option("--format", help="What the file is; by default, what it looks like inside.")
    ] = None,
    key_file: Annotated[
        typer.FileText | None,
        typer.Option(
            metavar="FILE", errors="replace", help="The key of an encrypted PSKC file, in hexadecimal digits."
        ),
    ] = None,
    password_file: Annotated[
        typer.FileBinaryRead | None,
        typer.Option(metavar="FILE", help="The password of an encrypted PSKC file. What is not given is asked for."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would happen, and change nothing.")] = False,
    rejects: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where rejected entries go; by default FILE.rejected.csv or .rejected.xml."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Take in the tokens of a PSKC file, of an OATH CSV, or of a CSV for YubiKeys or Entra ID.

    What is rejected goes to a file with the reasons, to be corrected and imported.

    What is there already stays as it is: an import that was broken off is finished by doing it again.
    """
    from radius2fa.enrol.formats.source import Source  # noqa: PLC0415 - heavy
    from radius2fa.enrol.importing import Import  # noqa: PLC0415 - heavy

    settings = open_settings()
    name, source = _name(file), Source(file)
    reader = _reader(name, source, wanted, _ask(name, key_file, password_file))
    with ExitStack() as stack:
        store = stack.enter_context(closing(open_store(settings)))
        path, write = _rejects(stack, name, rejects, reader, dry=dry_run)
        take_in = partial(store.tokens.take_in, when=time.time(), dry=dry_run)
        doing = Import(_look_up(settings, stack), take_in, write)
        tally = _run(doing, reader, stack.enter_context(_progress(source, _size(file))))
    if tally.stopped and not (tally.added or tally.known or tally.rejected):
        _refuse(name, tally.stopped)
    _tell(name, reader, tally, path if tally.rejected else None, dry=dry_run, as_json=as_json)
    if tally.rejected or tally.stopped:
        raise typer.Exit(NO)


def _name(file: BinaryIO) -> str:
    name = getattr(file, "name", STDIN)
    return name if isinstance(name, str) and name != "<stdin>" else STDIN


def _size(file: BinaryIO) -> int | None:
    """Return how many octets the file has, None for one that does not know."""
    try:
        return os.fstat(file.fileno()).st_size or None
    except OSError:
        return None


def _reader(name: str, source: "Source", wanted: Format | None, ask: "Ask") -> Reader:
    from radius2fa.enrol.formats.recognise import reader  # noqa: PLC0415 - heavy
    from radius2fa.enrol.naming import new_id  # noqa: PLC0415 - as the others

    try:
        return reader(source, wanted, lambda: new_id(os.urandom), ask, time.time())
    except BadFile as bad:
        _refuse(name, bad)


def _refuse(name: str, bad: BadFile) -> NoReturn:
    fail(NO, f"{_where(name, bad)}; nothing was imported")


def _where(name: str, bad: BadFile) -> str:
    line = "" if bad.line is None else f"line {bad.line}: "
    return f"{printable(name)}: {line}{bad.reason}"


def _ask(name: str, key_file: typer.FileText | None, password_file: typer.FileBinaryRead | None) -> "Ask":
    """Return what gives the key or password of a file, from a file if that is named."""

    def ask(need: "Need") -> bytes:
        from radius2fa.enrol.formats.xmlenc import Need  # noqa: PLC0415 - heavy

        if need is Need.KEY:
            return _hexadecimal(_typed("key", name, password_file) if key_file is None else key_file.read())
        if password_file is None:
            return _typed("password", name, key_file).encode()
        return password_file.read().removesuffix(b"\n").removesuffix(b"\r")

    return ask


def _typed(what: str, name: str, other: object) -> str:
    """Return a key or password that somebody types, unless the `other` of the two was given, or nobody can type."""
    if other is not None or name == STDIN:
        fail(USAGE, f"{printable(name)} is encrypted under a {what}: give it by --{what}-file")
    typed: str = typer.prompt(f"The {what} that the file is encrypted under", hide_input=True, err=True)
    return typed


def _hexadecimal(text: str) -> bytes:
    try:
        return bytes.fromhex("".join(text.split()))
    except ValueError:
        fail(USAGE, "the key is not made of hexadecimal digits, two for each octet")


def _look_up(settings: "Settings", stack: ExitStack) -> "LookUp":
    """Return what asks the directory, which is opened when somebody is looked up, and closed with the stack."""

    @cache
    def directory() -> "Directories":
        return stack.enter_context(closing(open_directory(settings, for_policy=False)))

    def look_up(name: str) -> Entry | NotFound:
        return directory().find(name, None, time.monotonic() + settings.server.patience)

    return look_up


def _rejects(
    stack: ExitStack, name: str, wanted: Path | None, reader: Reader, *, dry: bool
) -> "tuple[Path | None, Write]":
    """Open the file of rejected entries, which nothing is overwritten by; none in a dry run."""
    from radius2fa.enrol.rejects import free_name, written_to  # noqa: PLC0415 - as the others

    def forget(_: Rejected) -> None:
        """Write nothing."""

    if dry:
        return None, forget
    path = wanted or free_name(Path(name), reader.suffix)
    try:
        return path, stack.enter_context(written_to(path, reader))
    except OSError as wrong:
        why = f"{printable(str(path))}, where rejected entries would go: {wrong.strerror}"
        fail(NO, f"{why}; name another file by --rejects. Nothing was imported")


def _run(doing: "Import", reader: Reader, step: Callable[[], None]) -> "Tally":
    try:
        return doing.run(reader.rows(), step)
    except Unavailable:
        done = f"{doing.tally.added} tokens were added before; import the file again for the rest"
        typer.secho(f"radius2fa: {done}", err=True, fg="red")
        raise


@contextmanager
def _progress(source: "Source", size: int | None) -> Iterator[Callable[[], None]]:
    """Give what draws a bar on a terminal, from its first call on: what is asked for is asked before."""
    from rich.console import Console  # noqa: PLC0415 - heavy
    from rich.progress import Progress  # noqa: PLC0415 - heavy

    bar = Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
    task = bar.add_task("Importing", total=size)

    def step() -> None:
        bar.start()
        bar.update(task, completed=source.read)

    try:
        yield step
    finally:
        bar.stop()


def _tell(name: str, reader: Reader, tally: "Tally", path: Path | None, *, dry: bool, as_json: bool) -> None:
    if as_json:
        print_json(_described(reader, tally, path, dry=dry))
    else:
        _show(reader, tally, path, dry=dry)
    if tally.stopped:
        stopped = f"{_where(name, tally.stopped)}; what stands before it was done"
        typer.secho(f"radius2fa: {stopped}", err=True, fg="red")


def _show(reader: Reader, tally: "Tally", path: Path | None, *, dry: bool) -> None:
    would = "would be " if dry else ""
    counts = ((f"{would}added", tally.added), ("there already", tally.known), (f"{would}rejected", tally.rejected))
    print_table(("Tokens", "Number"), [(what, str(number)) for what, number in counts])
    if tally.reasons:
        typer.echo()
        groups = list(tally.reasons.items())
        rows = [(str(group.number), _lines(group.lines, group.number), why) for why, group in groups[:REASONS]]
        print_table(("Rejected", "Lines", "Why"), rows)
    typer.echo()
    if len(tally.reasons) > REASONS:
        typer.echo(f"There are {len(tally.reasons) - REASONS} more reasons.")
    for sentence in (*reader.notes(), *_sentences(tally, path, dry=dry)):
        typer.echo(sentence)


def _sentences(tally: "Tally", path: Path | None, *, dry: bool) -> Iterator[str]:
    if path is not None:
        yield f"What was rejected is in {printable(str(path))}, with the reasons: correct it, and import that file."
    if dry:
        yield "This was a dry run: nothing was changed."
    elif tally.known and not (tally.added or tally.rejected):
        yield "All of the tokens were there already: nothing was added."


def _lines(lines: list[int], number: int) -> str:
    more = ", ..." if number > len(lines) else ""
    return ", ".join(map(str, lines)) + more


def _described(reader: Reader, tally: "Tally", path: Path | None, *, dry: bool) -> dict[str, object]:
    stopped = tally.stopped
    return {
        "format": reader.format,
        "dry_run": dry,
        "added": tally.added,
        "known": tally.known,
        "rejected": tally.rejected,
        "reasons": [
            {"reason": why, "number": group.number, "first_lines": group.lines} for why, group in tally.reasons.items()
        ],
        "rejects": None if path is None else str(path),
        "stopped": None if stopped is None else {"line": stopped.line, "reason": stopped.reason},
        "notes": list(reader.notes()),
    }
