"""Owns `radius2fa user recovery-codes` and `temp-code`: codes that are handed out, and shown once."""

import time
from contextlib import closing
from typing import Annotated

import typer

from radius2fa.cli.durations import DAY, duration, in_words
from radius2fa.cli.opening import USAGE, fail, open_settings, open_store
from radius2fa.cli.person import UserName, entry_of, person_of
from radius2fa.cli.showing import Json, iso_time, local_time, print_json
from radius2fa.printable import printable

LONGEST = 14 * DAY  # what is needed for longer is a token
MOST_USES = 100


def recovery_codes(
    user: UserName,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask, even if earlier codes end by this.")] = False,
    as_json: Json = False,
) -> None:
    """Make ten recovery codes for the day on which USER has lost the token. Those made earlier end.

    They are shown this once: print them, or have them written down.
    """
    settings = open_settings()
    entry = entry_of(user, settings)
    with closing(open_store(settings)) as store:
        left = store.codes.of(entry.subject, time.time()).recovery_left
        if left and not yes:
            what = "1 recovery code" if left == 1 else f"{left} recovery codes"
            question = f"{printable(entry.name)} has {what} left. End these and make ten new ones?"
            typer.confirm(question, abort=True, err=True)
        now = time.time()
        codes = store.codes.new_recovery(entry.subject, entry.name, now)
    if as_json:
        print_json({"user": entry.name, "subject": entry.subject, "created": iso_time(now), "codes": codes})
    else:
        _print_list(entry.name, settings.codes.issuer, now, codes)


def temp_code(
    user: UserName,
    *,
    valid: Annotated[
        int | None,
        typer.Option(parser=duration, metavar="TIME", show_default="24h", help="How long it is good: 30m, 24h, 7d."),
    ] = None,
    uses: Annotated[
        int | None, typer.Option(min=1, max=MOST_USES, show_default="1", help="How many logins it is good for.")
    ] = None,
    revoke: Annotated[bool, typer.Option("--revoke", help="Instead, end the temporary codes that USER has.")] = False,
    as_json: Json = False,
) -> None:
    """Make a code that USER can log in with for a while, instead of a token's. It is shown this once."""
    if revoke:
        if valid is not None or uses is not None:
            fail(USAGE, "--revoke ends codes and makes none: leave --valid and --uses out")
        _revoke(user, as_json=as_json)
        return
    seconds, uses = DAY if valid is None else valid, 1 if uses is None else uses
    if seconds > LONGEST:
        fail(USAGE, f"--valid: a temporary code lasts {in_words(LONGEST)} at most: for longer, add a token")
    settings = open_settings()
    entry = entry_of(user, settings)
    until = time.time() + seconds
    with closing(open_store(settings)) as store:
        code = store.codes.new_temporary(entry.subject, entry.name, until=until, uses=uses, when=until - seconds)
    if as_json:
        print_json(
            {"user": entry.name, "subject": entry.subject, "code": code, "uses": uses, "valid_until": iso_time(until)}
        )
        return
    often = "once" if uses == 1 else f"{uses} times"
    typer.echo(f"Code: {code}")
    typer.echo(f"{printable(entry.name)} can log in with it {often}, until {local_time(until)}. It is not shown again.")


def _print_list(name: str, issuer: str, when: float, codes: tuple[str, ...]) -> None:
    typer.echo(f"Recovery codes of {printable(name)} for {printable(issuer)}, made on {local_time(when)}\n")
    for number, code in enumerate(codes, 1):
        typer.echo(f"  {number:2}  {code}")
    typer.echo(
        "\nEach of them works once, in place of a token's code. Strike out what is used, and keep the list where the\n"
        "token is not. They are not shown again; codes of an earlier list are good no more."
    )


def _revoke(user: str, *, as_json: bool) -> None:
    settings = open_settings()
    with closing(open_store(settings)) as store:
        person = person_of(user, settings, store)
        ended = store.codes.revoke(person.subject)
    if as_json:
        print_json({"user": person.name, "subject": person.subject, "revoked": ended})
    elif ended:
        typer.echo(
            f"{printable(person.name)}: {'1 temporary code is' if ended == 1 else f'{ended} temporary codes are'} over."
        )
    else:
        typer.echo(f"{printable(person.name)} had no temporary codes.")
