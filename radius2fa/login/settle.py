"""Owns what an attempt leaves behind: its row in the journal, what is counted against whom, and the refusal."""

from radius2fa.login.attempt import Reject
from radius2fa.login.case import Case, Doubt, Proof, Visit
from radius2fa.login.ports import Failure, Miss, Record, Result, Success
from radius2fa.login.reason import Reason
from radius2fa.login.stages import Stage


def refuse(case: Case, doubt: Doubt) -> Reject:
    """Refuse an attempt, and write it down.

    Raises:
        Unavailable: the store is broken or late.

    """
    answered = case.held.state if case.held else None  # a foreign State ends nobody's challenge
    case.house.ledger.refuse(record_of(case, Result.REJECT, doubt, doubt.reason), failure_of(case, doubt), answered)
    case.attempt.watch.lap(Stage.STORE)
    return Reject(doubt.reason)


def failure_of(case: Case, doubt: Doubt) -> Failure | Miss | None:
    """Return what is to be counted: a guess at somebody's code or password, or at a name."""
    attempt, house = case.attempt, case.house
    if doubt.reason is Reason.NO_SUCH_USER:
        return Miss(case.place, attempt.name, house.places.address if attempt.source else house.places.client)
    if doubt.visit is None or not doubt.counts:
        return None
    return guess_of(case, doubt, doubt.visit)


_OF_PASSWORD = frozenset({Reason.WRONG_PASSWORD, Reason.BIND_REFUSED, Reason.EMPTY_PASSWORD})


def guess_of(case: Case, doubt: Doubt, visit: Visit) -> Failure:
    """Return a guess at somebody's code or password, by which it is known again when it is repeated."""
    typed = (case.held.password + b"\0" if case.held else b"") + case.attempt.password
    if doubt.reason is Reason.WRONG_PASSWORD:
        typed = b"\0" + typed  # not the same as a code that was wrong and may be right by now; nobody types a NUL
    entry, of_code = visit.entry, doubt.reason not in _OF_PASSWORD
    return Failure(entry.subject, entry.name, typed, case.house.lockout, doubt.out_of_step, of_code=of_code)


def success_of(case: Case, proof: Proof) -> Success:
    """Return what is to be burned and forgotten."""
    entry, standing = proof.visit.entry, proof.visit.standing
    place = case.place if standing.place.count else None
    return Success(entry.subject, entry.name, proof.burn, place, by_password=not case.alone)


def record_of(
    case: Case, result: Result, found: Proof | Doubt, reason: Reason | None = None, factor: str | None = None
) -> Record:
    """Return the row of the journal."""
    attempt, visit = case.attempt, found.visit
    return Record(
        attempt.id,
        attempt.when,
        attempt.client.name,
        attempt.name,
        attempt.source,
        result,
        reason,
        visit.entry.subject if visit else None,
        found.token,
        (visit.rule.name or None) if visit else None,
        factor,
        visit.entry.name if visit else None,
        visit.standing.serials.get(found.token) if visit and found.token else None,
        attempt.watch.read(),
    )
