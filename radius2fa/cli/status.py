"""Owns `radius2fa status`: what is in force at the moment, as the database has it, and what a running server tells."""

import math
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from radius2fa.cli.dossier import failures_in_words, temporary_described
from radius2fa.cli.opening import CONFIG, NO, USAGE, fail, open_settings, open_store
from radius2fa.cli.showing import Json, iso_time, local_time, print_json, print_section
from radius2fa.cli.token_facts import PASSKEY, State, state
from radius2fa.cli.watching import watch
from radius2fa.login.ports import Unavailable
from radius2fa.otp.token import Kind
from radius2fa.printable import printable

if TYPE_CHECKING:  # imported where they are needed: each of them is heavy
    from pathlib import Path

    from radius2fa.store.accounts import Account
    from radius2fa.store.engine import Store
    from radius2fa.store.watch import Blocked, Ends, OnLoan

LOOK_BACK = 3600.0  # seconds in which logins are counted

_KINDS = {Kind.TOTP: "TOTP", Kind.HOTP: "HOTP", Kind.YUBIKEY: "YubiKey", Kind.WEBAUTHN: PASSKEY.capitalize()}


@dataclass(frozen=True, slots=True)
class Status:
    """What is in force at one time, `when` (Unix seconds).

    `tokens` counts them by kind and state, `logins` are the ends of those of the last hour.
    """

    when: float
    bypasses: "tuple[Account, ...]"
    kept_out: "tuple[Account, ...]"
    blocked: "tuple[Blocked, ...]"
    codes: "tuple[OnLoan, ...]"
    tokens: Counter[tuple[Kind, State]]
    logins: "tuple[Ends, ...]"

    def print(self) -> None:
        """Print it for people."""
        typer.echo(f"As of {local_time(self.when)}")
        print_section(
            "Bypasses in force: the password alone is enough",
            ("User", "Until"),
            [(one.name, local_time(one.bypass_until)) for one in self.bypasses],
        )
        print_section(
            "Kept out by failures",
            ("User", "Failures"),
            [(one.name, failures_in_words(one.failures)) for one in self.kept_out],
        )
        print_section(
            "Places blocked for names that do not exist",
            ("Place", "Failures"),
            [(one.place, failures_in_words(one.failures)) for one in self.blocked],
        )
        print_section(
            "Temporary codes in force",
            ("User", "Used", "Until"),
            [(one.name, f"{one.code.used} of {one.code.uses}", local_time(one.code.valid_until)) for one in self.codes],
        )
        print_section("Tokens", ("Kind", *State), [self._token_cells(kind) for kind in _KINDS if self._has(kind)])
        print_section(
            "Logins of the last hour",
            ("Result", "Why", "How many"),
            [(one.result, one.reason or "", str(one.count)) for one in self.logins],
        )

    def described(self) -> dict[str, object]:
        """Return it as JSON has it."""
        return {
            "at": iso_time(self.when),
            "bypasses": [
                {"user": one.name, "subject": one.subject, "until": iso_time(one.bypass_until)} for one in self.bypasses
            ],
            "kept_out": [_kept_out(one) for one in self.kept_out],
            "blocked_places": [
                {
                    "place": one.place,
                    "failures": one.failures.count,
                    "until": iso_time(one.failures.blocked_until),
                }
                for one in self.blocked
            ],
            "temporary_codes": [
                {"user": one.name, "subject": one.subject} | temporary_described(one.code) for one in self.codes
            ],
            "tokens": {kind: {each: self.tokens[kind, each] for each in State} for kind in _KINDS},
            "logins": [{"result": one.result, "reason": one.reason, "count": one.count} for one in self.logins],
        }

    def _has(self, kind: Kind) -> bool:
        return any(self.tokens[kind, each] for each in State)

    def _token_cells(self, kind: Kind) -> tuple[str, ...]:
        return _KINDS[kind], *(str(self.tokens[kind, each] or "") for each in State)


def status(
    *,
    as_json: Json = False,
    again: Annotated[bool, typer.Option("--watch", help="Show it anew every two seconds, until Ctrl-C.")] = False,
    only_running: Annotated[
        bool, typer.Option("--running", help="Ask the server that runs here, and nothing else: 1 if none answers.")
    ] = False,
) -> None:
    """Show what is in force: bypasses, people and places kept out, codes, tokens; and how the last logins ended.

    A server that is running here is asked how it does: its clients, threads, directories, and its last reload.
    """
    from radius2fa.cli.running import ask  # noqa: PLC0415 - heavy
    from radius2fa.config.load import status_socket  # noqa: PLC0415 - heavy

    if again and (as_json or only_running):
        fail(USAGE, "--watch is for people: leave --json and --running out")
    place = status_socket(CONFIG.get())
    if again:
        with closing(open_store(open_settings())) as store:
            watch(lambda: _show_again(place, store))
        return
    server = ask(place)
    if only_running:
        print_json({"server": server.document}) if as_json else server.print()
        raise typer.Exit(NO if server.document is None else 0)
    if not as_json:
        server.print()  # even if the file has a fault by now, or the database does not answer
    with closing(open_store(open_settings())) as store:
        now = status_of(store, time.time())
    if as_json:
        print_json(now.described() | {"server": server.document})
    else:
        typer.echo()
        now.print()


def _show_again(place: "Path | None", store: "Store") -> None:
    """Show it all; also while the database does not answer."""
    from radius2fa.cli.running import ask  # noqa: PLC0415 - heavy

    ask(place).print()
    typer.echo()
    try:
        status_of(store, time.time()).print()
    except Unavailable as fault:
        typer.echo(f"The {fault.backend} is unavailable: {printable(fault.cause)}")


def status_of(store: "Store", when: float) -> Status:
    """Return what is in force at `when` (Unix seconds).

    Raises:
        Unavailable: the database does not answer.

    """
    tokens = Counter((row.kind, state(row, when)) for row in store.tokens.list())
    return Status(
        when,
        store.accounts.bypasses(when),
        store.accounts.locked(when),
        store.watch.blocked(when),
        store.watch.temporary(when),
        tokens,
        store.watch.ends(when - LOOK_BACK),
    )


def _kept_out(one: "Account") -> dict[str, object]:
    locked = one.failures.blocked_until == math.inf
    return {
        "user": one.name,
        "subject": one.subject,
        "failures": one.failures.count,
        "locked": locked,
        "until": None if locked else iso_time(one.failures.blocked_until),
    }
