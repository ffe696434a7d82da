"""Owns `radius2fa token invite`: the code with which somebody who has no token yet comes into the portal."""

import time
from contextlib import closing
from typing import Annotated

import typer

from radius2fa.cli.durations import DAY, duration, in_words
from radius2fa.cli.opening import NO, USAGE, fail, open_settings, open_store
from radius2fa.cli.person import UserName, entry_of, person_of
from radius2fa.cli.showing import Json, iso_time, local_time, print_json
from radius2fa.printable import printable

USUAL = 7 * DAY
LONGEST = 30 * DAY  # it waits in somebody's mail


def invite(
    user: UserName,
    *,
    valid: Annotated[
        int | None,
        typer.Option(parser=duration, metavar="TIME", show_default="7d", help="How long it is good: 30m, 24h, 7d."),
    ] = None,
    revoke: Annotated[bool, typer.Option("--revoke", help="Instead, end the invitation that USER has.")] = False,
    as_json: Json = False,
) -> None:
    """Make an invitation, with which USER signs in to the portal once, to enrol a token. One made earlier ends.

    It is shown this once. It is good beside the password only, and for nothing but the portal.
    """
    if revoke:
        if valid is not None:
            fail(USAGE, "--revoke ends an invitation and makes none: leave --valid out")
        _revoke(user, as_json=as_json)
        return
    seconds = USUAL if valid is None else valid
    if seconds > LONGEST:
        fail(USAGE, f"--valid: an invitation lasts {in_words(LONGEST)} at most")
    settings = open_settings()
    portal = settings.portal.url
    if portal is None:
        fail(NO, "there is no portal to be invited to: `url` of [portal] is not set")
    if settings.portal.enrolment == "closed":
        fail(NO, 'the portal takes no invitations: `enrolment` of [portal] is "closed"')
    entry = entry_of(user, settings)
    until = time.time() + seconds
    with closing(open_store(settings)) as store:
        code = store.codes.new_invitation(entry.subject, entry.name, until=until, when=until - seconds)
    if as_json:
        person = {"user": entry.name, "subject": entry.subject}
        print_json(person | {"code": code, "portal": portal, "valid_until": iso_time(until)})
        return
    typer.echo(f"Invitation: {code}")
    typer.echo(
        f"{printable(entry.name)} can sign in with it once, beside the password, at {portal}, "
        f"until {local_time(until)}. It is not shown again."
    )


def _revoke(user: str, *, as_json: bool) -> None:
    settings = open_settings()
    with closing(open_store(settings)) as store:
        person = person_of(user, settings, store)
        ended = store.codes.revoke_invitation(person.subject)
    if as_json:
        print_json({"user": person.name, "subject": person.subject, "revoked": ended})
    else:
        typer.echo(f"{printable(person.name)}{': the invitation is over.' if ended else ' had no open invitation.'}")
