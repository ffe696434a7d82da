"""Owns what comes into the decision and what comes out of it."""

from dataclasses import dataclass, field
from enum import StrEnum

from radius2fa.login.reason import Reason


class CodeMode(StrEnum):
    """Where a client's users type their one-time code."""

    APPENDED = "appended"
    CHALLENGE = "challenge"
    EITHER = "either"


@dataclass(frozen=True, slots=True)
class ClientRules:
    """What the decision needs to know of the client that asks.

    `delimiter` parts password and code, where the site wants one (UTF-8 octets).
    """

    name: str
    code: CodeMode = CodeMode.APPENDED
    delimiter: bytes | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request to come in.

    `id` names the attempt in every log line and in the journal. `name` is the user name as typed.
    `password` is what the user typed, as UTF-8: the password, the password with a code behind it, or (with a `state`)
    the answer to a challenge. `source` is where the user sits, as the client tells it, or "".
    `when` is the arrival in Unix seconds; `deadline` is the monotonic second after which nobody waits for the answer.
    """

    id: str
    client: ClientRules
    name: str
    password: bytes = field(repr=False)
    state: bytes | None = field(repr=False)
    source: str
    when: float
    deadline: float


@dataclass(frozen=True, slots=True)
class Accept:
    """Let the user in. `subject` is the directory's stable id, `token` the token whose code was burned."""

    subject: str
    token: str
    policy: str | None


@dataclass(frozen=True, slots=True)
class Challenge:
    """Ask for a code. `state` comes back with the answer; `seconds` is how long it may take.

    `reason` says why what was typed was no login by itself, where it looked like one: for the journal only.
    """

    state: bytes = field(repr=False)
    seconds: int
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Reject:
    """Keep the user out. The reason is for the journal and the helpdesk, never for the reply."""

    reason: Reason


Outcome = Accept | Challenge | Reject
