"""Owns `radius2fa user bypass`: the password alone, for one person and a few hours."""

import time
from contextlib import closing
from typing import Annotated

import typer

from radius2fa.cli.durations import HOUR, duration, in_words
from radius2fa.cli.opening import USAGE, fail, open_settings, open_store
from radius2fa.cli.person import UserName, entry_of, person_of
from radius2fa.cli.showing import local_time
from radius2fa.printable import printable

LONGEST = 4 * HOUR


def bypass(
    user: UserName,
    *,
    lasting: Annotated[
        int | None,
        typer.Option("--for", parser=duration, metavar="TIME", help="How long: 30m, 2h; 4h at most."),
    ] = None,
    end: Annotated[bool, typer.Option("--end", help="Instead, end the bypass that is in force.")] = False,
) -> None:
    """Let USER log in with the password alone for a while. A temporary code is safer: see `temp-code`.

    What a policy or the directory forbids stays forbidden.
    """
    if end == (lasting is not None):
        fail(USAGE, "say for how long, for instance --for 2h; or --end, to end a bypass")
    if lasting is None:
        _end(user)
        return
    if lasting > LONGEST:
        fail(
            USAGE,
            f"--for: a bypass lasts {in_words(LONGEST)} at most, since whoever has the password needs nothing else "
            "meanwhile. For longer, make a code: `radius2fa user temp-code`",
        )
    settings = open_settings()
    entry = entry_of(user, settings)
    now = time.time()
    with closing(open_store(settings)) as store:
        store.accounts.bypass(entry.subject, entry.name, now + lasting, now)
    name = printable(entry.name)
    typer.secho(f"WARNING: until {local_time(now + lasting)} the password alone lets {name} in.", fg="yellow")
    typer.echo(f"Whoever else knows it gets in as well. End it early with `radius2fa user bypass {name} --end`.")


def _end(user: str) -> None:
    settings = open_settings()
    with closing(open_store(settings)) as store:
        person = person_of(user, settings, store)
        ended = store.accounts.end_bypass(person.subject, time.time())
    name = printable(person.name)
    typer.echo(f"The bypass of {name} has ended." if ended else f"{name} had no bypass.")
