"""Owns the decision, whole. Read `authenticate` from top to bottom: it is one login.

The order is the product. The code comes first, so that a stranger without one never causes a password check. One bind
follows, then the burn of the code, which has been committed before the Accept is built.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from radius2fa.login import policy
from radius2fa.login.attempt import Accept, Attempt, Challenge, CodeMode, Outcome, Reject
from radius2fa.login.lockout import LockoutRules
from radius2fa.login.ports import (
    BindResult,
    Burn,
    Directory,
    Entry,
    Failure,
    Held,
    Ledger,
    NotFound,
    OutOfStep,
    Record,
    Result,
)
from radius2fa.login.reason import Reason
from radius2fa.otp import verify
from radius2fa.otp.appended import splits


@dataclass(frozen=True, slots=True)
class House:
    """What every login shares: the two ports, the rules, and a source of random octets."""

    directory: Directory
    ledger: Ledger
    random: Callable[[int], bytes]
    windows: verify.Windows
    lockout: LockoutRules
    policies: tuple[policy.Rule, ...] = ()
    challenge_seconds: int = 120


def authenticate(attempt: Attempt, house: House) -> Outcome:
    """Decide on one attempt: at most one bind, exactly one commit.

    Raises:
        Unavailable: the directory or the store is broken or late. Nothing is burned or counted; answer with silence.

    """
    held = _first_leg(attempt, house.ledger)
    case = _Case(attempt, held, house)
    if attempt.state is not None and held is None:
        return _refuse(case, _Doubt(Reason.STATE_UNKNOWN))  # never a fall-through to a fresh login
    if not attempt.password:
        return _refuse(case, _Doubt(Reason.NO_CODE if held else Reason.EMPTY_PASSWORD))

    proof = _prove(case, house.directory.find(attempt.name, attempt.deadline))
    if isinstance(proof, _Doubt):
        may_ask = held is None and attempt.client.code is not CodeMode.APPENDED
        return _ask(case, proof) if may_ask else _refuse(case, proof)

    doubt = _check_password(case, proof)
    if doubt is not None:
        return _refuse(case, doubt)

    burn = Burn(proof.entry.subject, proof.match.token, proof.match.counter, proof.match.drift)
    record = _record(case, Result.ACCEPT, None, proof.entry, proof.match.token)
    refusal = house.ledger.accept(burn, record, held.state if held else None)
    if refusal is not None:
        return Reject(refusal)
    return Accept(proof.entry.subject, proof.match.token, policy.choose(house.policies, attempt))


def turn_away(attempt: Attempt, reason: Reason, house: House) -> Reject:
    """Refuse an attempt that cannot even be read as one, and write it down."""
    return _refuse(_Case(attempt, None, house), _Doubt(reason))


@dataclass(frozen=True, slots=True)
class _Case:
    """What every step below looks at. `held` is the first leg of this login, if it was answered by a challenge."""

    attempt: Attempt
    held: Held | None
    house: House


@dataclass(frozen=True, slots=True)
class _Proof:
    """A code that is right and unused, and the password that came with it."""

    entry: Entry
    password: bytes = field(repr=False)
    match: verify.Match


@dataclass(frozen=True, slots=True)
class _Doubt:
    """Why there is no proof; `counts` says that somebody may have guessed."""

    reason: Reason
    entry: Entry | None = None
    token: str | None = None
    counts: bool = False
    out_of_step: OutOfStep | None = None


_NOT_FOUND = {NotFound.UNKNOWN: Reason.NO_SUCH_USER, NotFound.AMBIGUOUS: Reason.AMBIGUOUS_NAME}

_BIND_REFUSED = {
    BindResult.WRONG_PASSWORD: Reason.WRONG_PASSWORD,
    BindResult.ACCOUNT_DISABLED: Reason.ACCOUNT_DISABLED,
    BindResult.ACCOUNT_EXPIRED: Reason.ACCOUNT_EXPIRED,
    BindResult.ACCOUNT_LOCKED: Reason.ACCOUNT_LOCKED,
    BindResult.PASSWORD_EXPIRED: Reason.PASSWORD_EXPIRED,
    BindResult.PASSWORD_MUST_CHANGE: Reason.PASSWORD_MUST_CHANGE,
    BindResult.NOT_NOW: Reason.NOT_NOW,
    BindResult.REFUSED: Reason.BIND_REFUSED,
}


def _first_leg(attempt: Attempt, ledger: Ledger) -> Held | None:
    if attempt.state is None:
        return None
    return ledger.held(attempt.state, attempt.client.name, attempt.name, attempt.when)


def _prove(case: _Case, found: Entry | NotFound) -> _Proof | _Doubt:
    """Look for a valid code of this person in the attempt. Reads the store, changes nothing."""
    if isinstance(found, NotFound):
        return _Doubt(_NOT_FOUND[found])
    mode = case.attempt.client.code
    if case.held is None and mode is CodeMode.CHALLENGE:
        return _Doubt(Reason.NO_CODE, found)
    standing = case.house.ledger.standing(found.subject)
    if standing.failures.blocked(case.attempt.when):
        return _Doubt(Reason.LOCKED_OUT, found)
    if not standing.tokens:
        return _Doubt(Reason.NO_TOKEN, found)
    # With "either", the tail of a mere password must not count as a code seen out of step.
    resync = case.held is not None or mode is CodeMode.APPENDED
    proofs, doubts = [], [_Doubt(Reason.NO_CODE, found)]
    for password, code in _candidates(case, {token.digits for token in standing.tokens}):
        verdict = verify.check(standing.tokens, code, case.attempt.when, case.house.windows, resync=resync)
        if isinstance(verdict, verify.Match):
            proofs.append(_Proof(found, password, verdict))
        else:
            doubts.append(_doubt(found, verdict))
    return proofs[0] if proofs else max(doubts, key=lambda doubt: _TELLING.index(doubt.reason))


# Of several ways to part a string, the one that says most about what the user did gives the reason.
_TELLING = (Reason.NO_CODE, Reason.WRONG_CODE, Reason.OUT_OF_STEP, Reason.CODE_ALREADY_USED)


def _candidates(case: _Case, lengths: set[int]) -> Iterable[tuple[bytes, bytes]]:
    """Return each way to read the attempt as a password and a code, the longest code first."""
    if case.held is None:
        return splits(case.attempt.password, lengths, case.attempt.client.delimiter)
    code = case.attempt.password
    return [(case.held.password, code)] if len(code) in lengths and code.isdigit() else []


def _doubt(entry: Entry, verdict: verify.Used | verify.Stray | verify.Wrong) -> _Doubt:
    match verdict:
        case verify.Used(token):
            return _Doubt(Reason.CODE_ALREADY_USED, entry, token, counts=True)
        case verify.Stray(token, counter):
            return _Doubt(Reason.OUT_OF_STEP, entry, token, counts=True, out_of_step=OutOfStep(token, counter))
        case _:
            return _Doubt(Reason.WRONG_CODE, entry, counts=True)


def _check_password(case: _Case, proof: _Proof) -> _Doubt | None:
    """Bind once.

    An empty password is never sent: to a directory it is no password, and some answer yes to it (RFC 4513
    section 5.1.2). The code stays unburned, so that a typing error costs no 30 seconds; but a wrong password counts,
    or whoever holds the token could try them all.
    """
    if not proof.password:
        return _Doubt(Reason.EMPTY_PASSWORD, proof.entry, proof.match.token, counts=True)
    result = case.house.directory.bind(proof.entry, proof.password, case.attempt.deadline)
    if result is BindResult.OK:
        return None
    guessed = result in (BindResult.WRONG_PASSWORD, BindResult.REFUSED)
    return _Doubt(_BIND_REFUSED[result], proof.entry, proof.match.token, counts=guessed)


def _ask(case: _Case, doubt: _Doubt) -> Challenge:
    """Ask for a code, whoever it is: a challenge tells nothing of the name, the token or the password."""
    attempt, seconds = case.attempt, case.house.challenge_seconds
    state = case.house.random(16).hex().encode()  # text, since some clients cut a State at its first zero octet
    held = Held(state, attempt.client.name, attempt.name, attempt.password, attempt.when + seconds)
    reason = doubt.reason if doubt.counts else None
    record = _record(case, Result.CHALLENGE, reason, doubt.entry, doubt.token)
    case.house.ledger.ask(held, record, _failure(case, doubt))
    return Challenge(state, seconds, reason)


def _refuse(case: _Case, doubt: _Doubt) -> Reject:
    record = _record(case, Result.REJECT, doubt.reason, doubt.entry, doubt.token)
    answered = case.held.state if case.held else None  # a foreign State ends nobody's challenge
    case.house.ledger.refuse(record, _failure(case, doubt), answered)
    return Reject(doubt.reason)


def _failure(case: _Case, doubt: _Doubt) -> Failure | None:
    if doubt.entry is None or not doubt.counts:
        return None
    typed = (case.held.password + b"\0" if case.held else b"") + case.attempt.password
    return Failure(doubt.entry.subject, doubt.entry.name, typed, case.house.lockout, doubt.out_of_step)


def _record(case: _Case, result: Result, reason: Reason | None, entry: Entry | None, token: str | None) -> Record:
    attempt = case.attempt
    subject = entry.subject if entry else None
    return Record(
        attempt.id, attempt.when, attempt.client.name, attempt.name, attempt.source, result, reason, subject, token
    )
