"""Owns what comes into the decision and what comes out of it."""

from dataclasses import dataclass, field
from enum import StrEnum

from radius2fa.login.place import Address
from radius2fa.login.reason import Reason
from radius2fa.login.stages import Stopwatch


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
    the answer to a challenge. `source` is where the user sits, as the client tells it, or "": an address, but perhaps
    also a telephone number or the name of a port; `address` is what of it can be read as an IP address.
    `when` is the arrival in Unix seconds; `deadline` is the monotonic second after which nobody waits for the answer.
    `watch` measures how long the stages take.
    """

    id: str
    client: ClientRules
    name: str
    password: bytes = field(repr=False)
    state: bytes | None = field(repr=False)
    source: str
    address: Address | None
    when: float
    deadline: float
    watch: Stopwatch = field(default_factory=Stopwatch, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Accept:
    """Let the user in.

    `subject` is the directory's stable id. `token` is the token whose code was burned, None where no second factor was
    asked for; `factor` says which kind it is, or why there was none. `policy` is the rule that was applied, None for
    none. `reply` is what the client is told about the user beyond the acceptance, as the rule made it.
    """

    subject: str
    token: str | None
    factor: str
    policy: str | None = None
    reply: tuple[object, ...] = ()


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
