"""Owns `radius2fa explain`: a login rehearsed step by step, to tell why it is refused; nothing is changed by it."""

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from radius2fa.cli.deciding import asker_of, opened
from radius2fa.cli.opening import NO, UNAVAILABLE, USAGE, fail, open_settings
from radius2fa.cli.person import asked_words
from radius2fa.cli.showing import Json, print_json, print_table
from radius2fa.login.reason import Reason
from radius2fa.printable import printable

if TYPE_CHECKING:
    from radius2fa.cli.walk import Explanation


def explain(
    user: Annotated[str | None, typer.Argument(metavar="USER", help="The name, as it is typed at the login.")] = None,
    *,
    client: Annotated[
        str | None, typer.Option(metavar="NAME", help="The client that would ask, if there are several.")
    ] = None,
    source: Annotated[str, typer.Option("--from", metavar="ADDRESS", help="Where the user would sit.")] = "",
    reasons: Annotated[bool, typer.Option("--reasons", help="Instead, list every reason and its remedy.")] = False,
    as_json: Json = False,
) -> None:
    """Ask for password and code, walk through the real decision, and say what it would be and why.

    Nothing is changed: the code is not used up, and no failure is counted here.

    But a wrong password behind a right code is a real attempt to the directory.
    """
    if reasons:
        _print_reasons(as_json=as_json)
        return
    if user is None:
        fail(USAGE, "whose login? Give a USER")
    from radius2fa.cli.walk import Typed, rehearse  # noqa: PLC0415 - heavy

    settings = open_settings()
    asker = asker_of(settings, client, source)
    typed = Typed(user, _secret("Password"), _secret("One-time code (empty for none)"))
    with opened(settings) as (house, directories):
        asked = asked_words(directories, user, asker.client.name)
        explanation = rehearse(house, asker, typed, settings.server.patience, asked)
    if as_json:
        print_json(asdict(explanation))
    else:
        _print(explanation)
    if explanation.outcome != "accept":
        raise typer.Exit(UNAVAILABLE if explanation.outcome == "silence" else NO)


def _print(explanation: "Explanation") -> None:
    print_table(
        ("Step", "What came of it", "ms"),
        [(step.what, step.verdict, f"{step.milliseconds:.1f}") for step in explanation.steps],
    )
    titles = {"accept": "ACCEPTED", "reject": "REFUSED", "challenge": "ASKED", "silence": "SILENCE"}
    colour = "green" if explanation.outcome == "accept" else "red"
    typer.secho(f"\n{titles[explanation.outcome]}  {printable(explanation.words)}", fg=colour)


def _print_reasons(*, as_json: bool) -> None:
    if as_json:
        print_json({reason.value: reason.remedy for reason in Reason})
    else:
        print_table(("Reason", "What happened, and what to do"), [(reason.value, reason.remedy) for reason in Reason])


def _secret(prompt: str) -> bytes:
    """Ask for a secret without showing it, or take the next line of what is not a terminal."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n").encode()
    typed: str = typer.prompt(prompt, default="", show_default=False, hide_input=True)
    return typed.encode()
