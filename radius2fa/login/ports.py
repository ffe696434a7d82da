"""Owns what the decision asks of the outside world. Adapters implement these Protocols; tests have small real fakes."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Protocol

from radius2fa.login.lockout import Failures, LockoutRules
from radius2fa.login.reason import Reason
from radius2fa.login.stages import NO_STAGES, Stages
from radius2fa.otp.token import Factor, YubiKey


class Unavailable(Exception):  # noqa: N818 - a breakdown, named by what it means to the caller
    """A backend is broken or late. The login ends in silence, so that the client asks another server.

    `backend` is its name for people; `cause` says what happened and never holds a secret.
    """

    def __init__(self, backend: str, cause: str) -> None:
        """Name the backend and what happened to it."""
        super().__init__(f"{backend}: {cause}")
        self.backend = backend
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Entry:
    """A person in the directory.

    `subject` is the directory's stable id in lower case (`entryUUID`, `objectGUID`): the identity that tokens, failures
    and challenges are keyed by. `name` is the directory's own spelling, for display. `typed` is the name that it was
    found by, with which the adapter can look it up afresh.
    `groups` are the DNs of the groups that they belong to, directly or through other groups, as `dn.normal_dn`
    writes them; `attributes` are those that the policy speaks of, by their names in lower case; `names` are all names
    that the directory has for them, as `policy.folded` writes them, and never one that was typed. All three are empty
    where no rule asks for them. `directory` is the name of the one that they were found in.
    """

    subject: str
    dn: str
    name: str
    typed: str
    groups: frozenset[str] = frozenset()
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    names: frozenset[str] = frozenset()
    directory: str = ""


class NotFound(Enum):
    """Why a name led to no entry."""

    UNKNOWN = "nobody has this name"
    AMBIGUOUS = "several entries have this name"
    REFERRAL = "the directory refers to another server for this name"


class BindResult(Enum):
    """What the directory says to a password. Three outcomes: right, refused for a named cause, or Unavailable."""

    OK = "ok"
    WRONG_PASSWORD = "wrong password"
    ACCOUNT_DISABLED = "account disabled"
    ACCOUNT_EXPIRED = "account expired"
    ACCOUNT_LOCKED = "account locked"
    PASSWORD_EXPIRED = "password expired"
    PASSWORD_MUST_CHANGE = "password must change"
    NOT_NOW = "not at this hour or from this workstation"
    REFUSED = "refused for another reason"


class Directory(Protocol):
    """The first factor: who somebody is, and whether a password is theirs.

    Every method may raise Unavailable, and returns or raises before `deadline` (monotonic seconds).
    """

    def find(self, name: str, client: str | None, deadline: float) -> Entry | NotFound:
        """Look a typed name up, in the directories that the client's users may be in; None stands for any client."""
        ...

    def bind(self, entry: Entry, password: bytes, deadline: float) -> BindResult:
        """Check a password (UTF-8 octets) with one bind. Never OK for an empty password or one with a NUL."""
        ...


NO_FAILURES = Failures()


@dataclass(frozen=True, slots=True)
class Retired:
    """A token or code that may not answer. `why` is TOKEN_DISABLED, TOKEN_EXPIRED or TOKEN_NOT_YET_VALID."""

    token: Factor
    why: Reason


@dataclass(frozen=True, slots=True)
class Standing:
    """What the store knows of a person: what may answer, what may not, and the failures so far.

    They are `enrolled` if they have a token of their own, or had one that was not removed: a lost one asks for a code,
    but not one that is going to be valid some day.
    `place` are the failures of the place that the attempt comes from. No second factor is asked for before
    `bypass_until` (Unix seconds). `serials` are the serial numbers of those tokens that have one, by the token's id.
    """

    tokens: tuple[Factor, ...] = ()
    failures: Failures = NO_FAILURES
    retired: tuple[Retired, ...] = ()
    place: Failures = NO_FAILURES
    bypass_until: float = 0.0
    enrolled: bool = False
    serials: Mapping[str, str] = field(default_factory=dict, hash=False)


class Result(StrEnum):
    """How a login ended, as the journal says it."""

    ACCEPT = "accept"
    REJECT = "reject"
    CHALLENGE = "challenge"


@dataclass(frozen=True, slots=True)
class Record:
    """One row of the journal. `name` is the name as typed; `subject` the stable id, if the name led to one.

    `policy` is the rule that was applied, None for none. `factor` says what the second factor was: the kind of the
    token that answered, or why none was asked for ("off", "not-enrolled", "bypass"); None where it did not come so far.
    `person` is the directory's spelling of the name, `serial` the token's serial number. `stages` say how long the
    attempt had taken when this was written down. `node` is the server that wrote it: the ledger knows.
    """

    id: str
    when: float
    client: str
    name: str
    source: str
    result: Result
    reason: Reason | None = None
    subject: str | None = None
    token: str | None = None
    policy: str | None = None
    factor: str | None = None
    person: str | None = None
    serial: str | None = None
    stages: Stages = NO_STAGES
    node: str = ""


@dataclass(frozen=True, slots=True)
class Burn:
    """The use of one code: the token's counter moves above `counter`, or somebody else was first.

    `adopts` is true for a YubiKey out of the stock, which from now on belongs to the person.
    """

    token: str
    counter: int
    drift: int
    adopts: bool = False


@dataclass(frozen=True, slots=True)
class Success:
    """A login that is going to be accepted. `burn` is None where no second factor was asked for.

    `name` is the directory's spelling. `place` is the place whose failures are to be forgotten, None if it has none.
    `by_password` is false where a code was shown alone, and so nothing about the password.
    """

    subject: str
    name: str
    burn: Burn | None
    place: str | None = None
    by_password: bool = True


@dataclass(frozen=True, slots=True)
class OutOfStep:
    """A code of the token that was seen outside its window, to be remembered for a resync by the next code."""

    token: str
    counter: int


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure of a person to be counted.

    `credentials` serve only to recognise a repeat, and are kept as a keyed digest. `of_code` says that a code was
    wrong, not the password: who comes in by the password alone has not shown any code.
    """

    subject: str
    name: str
    credentials: bytes = field(repr=False)
    rules: LockoutRules
    out_of_step: OutOfStep | None = None
    of_code: bool = True


@dataclass(frozen=True, slots=True)
class Miss:
    """One name that does not exist, to be counted against the place that it was tried from."""

    place: str
    name: str
    rules: LockoutRules


@dataclass(frozen=True, slots=True)
class Held:
    """A login that waits for its code: what the user typed as the password in the first leg."""

    state: bytes = field(repr=False)
    client: str
    name: str
    password: bytes = field(repr=False)
    expires: float


class Ledger(Protocol):
    """All that logins leave behind. Each of the last three methods is one transaction, durable when it returns.

    Every method may raise Unavailable.
    """

    def standing(self, subject: str, place: str, when: float) -> Standing:
        """Return the person's tokens at `when` (Unix seconds) and failures; an empty Standing for somebody without any.

        `place` is where the attempt comes from (`place.place_of`).
        """
        ...

    def stock(self, public_ids: Collection[str], when: float) -> tuple[YubiKey, ...]:
        """Return the active, valid YubiKeys of these public ids that belong to nobody yet."""
        ...

    def repeated(self, failure: Failure, client: str, when: float) -> bool:
        """Tell whether the person's last failure was this one, from this client, and still counts for it."""
        ...

    def held(self, state: bytes, client: str, name: str, when: float) -> Held | None:
        """Return the login that waits under `state`, if it waits for this client and name and has not expired."""
        ...

    def ask(self, held: Held, record: Record, failure: Failure | Miss | None) -> None:
        """Keep a login that waits for its code; write the record; count the failure, if there is one."""
        ...

    def refuse(self, record: Record, failure: Failure | Miss | None, answered: bytes | None) -> None:
        """Write the record; count the failure, if there is one; end the challenge of State `answered`."""
        ...

    def accept(self, success: Success, record: Record, answered: bytes | None) -> Reason | None:
        """Burn the code, end the challenge, forget the failures, write the record: all or nothing.

        Where no code is burned, the failures of codes are not forgotten: or whoever has the password could go on
        guessing at codes where one is asked for, and wipe the count out where none is. Where no password was shown,
        those of passwords are not, for the same reason.
        Returns None when that was done, and the login may be accepted. Otherwise the reason why not, which has been
        written in the record's place: CODE_ALREADY_USED when the counter had moved, or the token is active and theirs
        no more, or nobody's no more, or whoever adopts it is enrolled by now; STATE_UNKNOWN when the challenge was
        answered meanwhile; LOCKED_OUT when parallel failures have blocked the person meanwhile. In these cases nothing
        is burned.
        """
        ...
