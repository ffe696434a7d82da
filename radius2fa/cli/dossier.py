"""Owns what is known of one person: what they answer with, what keeps them out, what they and others did last."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from radius2fa.cli.person import Person
from radius2fa.cli.showing import iso_time, local_time, print_facts, print_section
from radius2fa.cli.token_facts import described, print_tokens
from radius2fa.login.lockout import Failures

if TYPE_CHECKING:  # imported where they are needed: each of them is heavy
    from radius2fa.login.ports import Record
    from radius2fa.store.acts import Act
    from radius2fa.store.codes import Issued, Temporary
    from radius2fa.store.engine import Store
    from radius2fa.store.tokens import TokenRow

LAST = 10  # logins, and acts of administration


@dataclass(frozen=True, slots=True)
class Dossier:
    """A person at one time, `when` (Unix seconds). `bypass_until` is None where no bypass is in force."""

    person: Person
    when: float
    failures: Failures
    bypass_until: float | None
    tokens: "tuple[TokenRow, ...]"
    codes: "Issued"
    logins: "tuple[Record, ...]"
    acts: "tuple[Act, ...]"

    def print(self, *, several: bool) -> None:
        """Print it for people; `several` directories need to be told apart."""
        print_facts(
            [
                ("User", self.person.name),
                ("Entry", self.person.dn or "none any more: they have left the directory"),
                *([("Directory", self.person.directory)] if several and self.person.directory else []),
                ("Id", self.person.subject),
                ("Failures", failures_in_words(self.failures)),
                ("Bypass", "none" if self.bypass_until is None else bypass_in_words(self.bypass_until)),
                ("Recovery codes", f"{self.codes.recovery_left} left" if self.codes.recovery_left else "none"),
                ("Temporary codes", "; ".join(map(temporary_in_words, self.codes.temporary)) or "none"),
                *([("Invitation", invitation_in_words(self.codes.invitation))] if self.codes.invitation else []),
            ]
        )
        typer.echo("\nTokens")
        if self.tokens:
            print_tokens(self.tokens, self.when)
        else:
            typer.echo("none")
        print_section("Last logins", _LOGIN_TITLES, [_login_cells(login) for login in self.logins])
        explained = any(act.why for act in self.acts)
        titles = (*_ACT_TITLES, "Why") if explained else _ACT_TITLES
        print_section("Administration", titles, [_act_cells(act)[: len(titles)] for act in self.acts])

    def described(self) -> dict[str, object]:
        """Return it as JSON has it."""
        locked = self.failures.blocked_until == math.inf
        blocked = self.failures.blocked_until > 0 and not locked
        return {
            "name": self.person.name,
            "subject": self.person.subject,
            "dn": self.person.dn,
            "directory": self.person.directory,
            "failures": {
                "count": self.failures.count,
                "locked": locked,
                "blocked_until": iso_time(self.failures.blocked_until) if blocked else None,
            },
            "bypass_until": iso_time(self.bypass_until),
            "recovery_codes_left": self.codes.recovery_left,
            "temporary_codes": [temporary_described(code) for code in self.codes.temporary],
            "invitation": temporary_described(self.codes.invitation) if self.codes.invitation else None,
            "tokens": [described(token, self.when) for token in self.tokens],
            "logins": [_login_described(login) for login in self.logins],
            "administration": [_act_described(act) for act in self.acts],
        }


def dossier_of(person: Person, store: "Store", when: float) -> Dossier:
    """Return what the store knows of a person at `when` (Unix seconds).

    Raises:
        Unavailable: the database does not answer.

    """
    account = store.accounts.get(person.subject)
    return Dossier(
        person,
        when,
        account.failures if account else Failures(),
        account.bypass_until if account and when < account.bypass_until else None,
        store.tokens.list(person.subject),
        store.codes.of(person.subject, when),
        store.accounts.recent(person.subject, LAST),
        store.acts.recent(person.subject, LAST),
    )


def failures_in_words(failures: Failures) -> str:
    """Return how many failures there are in a row, and until when these keep somebody out."""
    if not failures.count:
        return "none"
    if failures.blocked_until == math.inf:
        return f"{failures.count} in a row: locked until an unlock"
    refused = f", refused until {local_time(failures.blocked_until)}" if failures.blocked_until else ""
    return f"{failures.count} in a row{refused}"


def bypass_in_words(until: float) -> str:
    """Return what a bypass means."""
    return f"the password alone is enough until {local_time(until)}"


def temporary_in_words(code: "Temporary") -> str:
    """Return how often and until when a temporary code is good."""
    return f"used {code.used} of {code.uses} times, until {local_time(code.valid_until)}"


def invitation_in_words(code: "Temporary") -> str:
    """Return until when an invitation that was not used yet is good."""
    return f"open until {local_time(code.valid_until)}"


def temporary_described(code: "Temporary") -> dict[str, object]:
    """Return a temporary code or an invitation as JSON has it."""
    return {
        "id": code.id,
        "uses": code.uses,
        "used": code.used,
        "valid_until": iso_time(code.valid_until),
        "created": iso_time(code.created),
    }


_LOGIN_TITLES = ("When", "Client", "From", "Name", "Result", "Factor", "Policy", "Why", "What to do")


def _login_cells(login: "Record") -> tuple[str, ...]:
    reason = login.reason
    return (
        local_time(login.when),
        login.client,
        login.source,
        login.name,
        login.result,
        login.factor or "",
        login.policy or "",
        reason or "",
        reason.remedy if reason else "",
    )


def _login_described(login: "Record") -> dict[str, object]:
    return {
        "id": login.id,
        "when": iso_time(login.when),
        "client": login.client,
        "source": login.source,
        "name": login.name,
        "result": login.result,
        "factor": login.factor,
        "policy": login.policy,
        "reason": login.reason,
        "remedy": login.reason.remedy if login.reason else None,
        "token": login.token,
    }


_ACT_TITLES = ("When", "Who", "What", "Token", "Detail")


def _act_cells(act: "Act") -> tuple[str, ...]:
    return local_time(act.at), act.who, act.what, act.token or "", act.detail, act.why


def _act_described(act: "Act") -> dict[str, object]:
    return {
        "when": iso_time(act.at),
        "who": act.who,
        "what": act.what,
        "token": act.token,
        "detail": act.detail,
        "why": act.why,
    }
