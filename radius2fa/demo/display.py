"""Owns what the demo shows: the people, the token, the lines to copy, one line for each login."""

import math
import time
from dataclasses import dataclass

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from radius2fa import __version__
from radius2fa.demo.world import CLIENT_SECRET, PASSWORD, PEOPLE
from radius2fa.enrol.enrolment import Enrolment
from radius2fa.enrol.qr import draw
from radius2fa.login.ports import Result
from radius2fa.otp.oath import code_at, step
from radius2fa.otp.token import Token
from radius2fa.printable import printable
from radius2fa.server.login import Login

_COLOURS = {Result.ACCEPT: "bold green", Result.CHALLENGE: "bold yellow", Result.REJECT: "bold red"}
_WORDS = {Result.ACCEPT: "accepted", Result.CHALLENGE: "asked for the code", Result.REJECT: "rejected"}
_NAME_LENGTH = 32


def opening(address: str, portal: str, alice: Enrolment) -> list[RenderableType]:
    """Return what is shown once. `address` is the server's HOST:PORT, `portal` a URL, `alice` the token to scan."""
    return [
        Text(f"radius2fa {__version__}, demonstration", style="bold"),
        Text(f"A second-factor server on UDP {address}, shared secret {CLIENT_SECRET}."),
        Text.assemble("Its portal: ", (portal, "bold"), " (bob enrols there; alice is its helpdesk)"),
        Text("Its directory, its database and its keys were made just now and go when it ends."),
        Text(),
        _people(),
        Text(),
        Text("Alice's token for an authenticator app (or take the codes from below):"),
        Text.from_ansi(draw(alice.uri), no_wrap=True),
        Text.assemble("By hand: ", (alice.secret, "bold")),
    ]


def _people() -> Table:
    table = Table("User", "Password", "One-time code", "What happens", box=None, pad_edge=False, header_style="bold")
    for person in PEOPLE:
        table.add_row(person.account.uid, PASSWORD, person.code, person.outcome)
    return table


@dataclass(frozen=True, slots=True)
class Moment:
    """What is true at one time: the current code, how many seconds it lasts, and the codes that are still unused.

    The server accepts the next code already. So there are up to two, and with each code good for one login, both ways
    to log in can be shown with one that works.
    """

    code: str
    seconds: int
    unused: tuple[str, ...]


def moment(token: Token, when: float) -> Moment:
    """Return the codes of a TOTP token at `when` (Unix seconds); its counter says which are used up."""
    now = step(token, when)
    return Moment(
        code=code_at(token, now).decode(),
        seconds=math.ceil(token.period - when % token.period),
        unused=tuple(code_at(token, at).decode() for at in (now, now + 1) if at >= token.counter),
    )


def block(now: Moment, address: str) -> list[Text]:
    """Return the lines to copy, with codes that work now."""
    if not now.unused:
        return [Text(), Text("Every code works once, and those of the moment are used: wait for the next one.")]
    return [
        Text(),
        Text("Try it in another terminal (with the tools of Debian's freeradius-utils)."),
        Text("As alice, bob or carol, password and code in one:"),
        Text(appended("alice", now.unused[0], address), style="cyan"),
        Text("Or the password first, which is answered by an Access-Challenge with a State:"),
        Text(first_leg("alice", address), style="cyan"),
        Text("and then the code, with the State that this line takes from a fresh challenge:"),
        Text(second_leg("alice", now.unused[-1], address), style="cyan"),
        Text(),
    ]


def status(now: Moment) -> Text:
    """Return the line that counts down."""
    return Text.assemble(
        "Alice's code ", (now.code, "bold"), f", {now.seconds:2} s left. Waiting for logins; Ctrl-C ends the demo."
    )


def appended(user: str, code: str, address: str) -> str:
    """Return a radtest line with the code behind the password."""
    return f"radtest {user} '{PASSWORD}{code}' {address} 0 {CLIENT_SECRET}"


def first_leg(user: str, address: str) -> str:
    """Return a radclient line that is answered by a challenge."""
    return f"{_radclient(address)} <<< 'User-Name={user},User-Password={PASSWORD},{_SIGNED}'"


def second_leg(user: str, code: str, address: str) -> str:
    """Return a radclient line that has itself challenged (by the first leg, within it) and answers."""
    state = f"$({first_leg(user, address)} | awk '/State/{{print $3}}')"
    return f'{_radclient(address)} <<< "User-Name={user},User-Password={code},State={state},{_SIGNED}"'


_SIGNED = "Message-Authenticator=0x00"  # radclient puts the value in


def _radclient(address: str) -> str:
    return f"radclient -x {address} auth {CLIENT_SECRET}"


def line(login: Login) -> Text:
    """Return one login in one line: when, who, what came of it, how fast; and for a refusal why, and the remedy."""
    why = "" if login.reason is None else f" {login.reason.value}: {login.reason.remedy}"
    return Text.assemble(
        (time.strftime("%H:%M:%S ", time.localtime(login.when)), "dim"),
        (printable(login.name[:_NAME_LENGTH]), "bold"),
        f" via {login.client}: ",
        (_WORDS[login.result], _COLOURS[login.result]),
        (f" ({login.milliseconds:.0f} ms)", "dim"),
        why,
    )
