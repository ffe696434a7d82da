"""Owns the decision, whole. Read `authenticate` from top to bottom: it is one login.

The order is the product. The code comes first, so that a stranger without one never causes a password check. One bind
follows, then the burn of the code, which has been committed before the Accept is built.
"""

from radius2fa.login.attempt import Accept, Attempt, Challenge, CodeMode, Outcome, Reject
from radius2fa.login.case import Case, Doubt, House, Proof, Visit
from radius2fa.login.ports import BindResult, Held, Ledger, Result
from radius2fa.login.proof import prove
from radius2fa.login.reason import Reason
from radius2fa.login.settle import failure_of, guess_of, record_of, refuse, success_of
from radius2fa.login.stages import Stage


def authenticate(attempt: Attempt, house: House) -> Outcome:
    """Decide on one attempt: at most one bind, exactly one commit.

    Raises:
        Unavailable: the directory or the store is broken or late. Nothing is burned or counted; answer with silence.

    """
    held = _first_leg(attempt, house.ledger)
    case = Case(attempt, held, house)
    if attempt.state is not None and held is None:
        return refuse(case, Doubt(Reason.STATE_UNKNOWN))  # never a fall-through to a fresh login
    if not attempt.password:
        return refuse(case, Doubt(Reason.NO_CODE if held else Reason.EMPTY_PASSWORD))

    found = house.directory.find(attempt.name, attempt.client.name, attempt.deadline)
    attempt.watch.lap(Stage.LOOK_UP)
    proof = prove(case, found)
    attempt.watch.lap(Stage.CODE)
    if isinstance(proof, Doubt):
        return _ask(case, proof) if _may_ask(case) else refuse(case, proof)

    doubt = _check_password(case, proof)
    if doubt is not None:
        # Asked for a code all the same: that one was right, or that none is needed, shows only with the password.
        return _ask(case, doubt) if _may_ask(case) else refuse(case, doubt)

    record = record_of(case, Result.ACCEPT, proof, factor=proof.factor)
    refusal = house.ledger.accept(success_of(case, proof), record, held.state if held else None)
    attempt.watch.lap(Stage.STORE)
    if refusal is not None:
        return Reject(refusal)
    return Accept(proof.visit.entry.subject, proof.token, proof.factor, proof.visit.rule.name or None, proof.reply)


def turn_away(attempt: Attempt, reason: Reason, house: House) -> Reject:
    """Refuse an attempt that cannot even be read as one, and write it down."""
    return refuse(Case(attempt, None, house), Doubt(reason))


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
    held = ledger.held(attempt.state, attempt.client.name, attempt.name, attempt.when)
    attempt.watch.lap(Stage.STORE)
    return held


def _check_password(case: Case, proof: Proof) -> Doubt | None:
    """Bind once, and not again with what the directory has just refused.

    An empty password is never sent: to a directory it is no password, and some answer yes to it (RFC 4513
    section 5.1.2). The code stays unburned, so that a typing error costs no 30 seconds; but a wrong password counts,
    or whoever holds the token could try them all.
    """
    if not proof.password:
        return Doubt(Reason.EMPTY_PASSWORD, proof.visit, proof.token, counts=True)
    wrong = Doubt(Reason.WRONG_PASSWORD, proof.visit, proof.token, counts=True)
    if _was_just_refused(case, wrong, proof.visit):
        return wrong
    result = case.house.directory.bind(proof.visit.entry, proof.password, case.attempt.deadline)
    case.attempt.watch.lap(Stage.BIND)
    if result is BindResult.OK:
        return None
    guessed = result in (BindResult.WRONG_PASSWORD, BindResult.REFUSED)
    return Doubt(_BIND_REFUSED[result], proof.visit, proof.token, counts=guessed)


def _was_just_refused(case: Case, wrong: Doubt, visit: Visit) -> bool:
    """Tell whether the same words were a wrong password a moment ago.

    Devices repeat a saved password that has been changed, and clients what they got no answer to. It counts once here,
    and the directory must see it once, or it would lock the account.
    """
    if visit.standing.failures.count == 0:
        return False
    repeated = case.house.ledger.repeated(guess_of(case, wrong, visit), case.attempt.client.name, case.attempt.when)
    case.attempt.watch.lap(Stage.STORE)
    return repeated


def _may_ask(case: Case) -> bool:
    return case.held is None and case.attempt.client.code is not CodeMode.APPENDED


def _ask(case: Case, doubt: Doubt) -> Challenge:
    """Ask for a code, whoever it is: a challenge tells nothing of the name, the token or the password."""
    attempt, seconds = case.attempt, case.house.challenge_seconds
    state = case.house.random(16).hex().encode()  # text, since some clients cut a State at its first zero octet
    held = Held(state, attempt.client.name, attempt.name, attempt.password, attempt.when + seconds)
    reason = doubt.reason if doubt.counts else None
    case.house.ledger.ask(held, record_of(case, Result.CHALLENGE, doubt, reason), failure_of(case, doubt))
    attempt.watch.lap(Stage.STORE)
    return Challenge(state, seconds, reason)
