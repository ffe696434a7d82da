"""Owns the search for a proof: who it is, which rule holds, which part of what was typed is a code, and whose.

Reads the store and changes nothing in it.
"""

from collections.abc import Iterable, Sequence

from radius2fa.login.attempt import CodeMode
from radius2fa.login.case import Case, Doubt, Judgement, Proof, Visit
from radius2fa.login.policy import SecondFactor, Unfit
from radius2fa.login.ports import Burn, Entry, NotFound, OutOfStep
from radius2fa.login.reason import Reason
from radius2fa.login.stages import Stage
from radius2fa.otp import verify, yubico
from radius2fa.otp.appended import splits
from radius2fa.otp.forms import fits
from radius2fa.otp.issued import of_letters
from radius2fa.otp.token import Factor

_NOT_FOUND = {
    NotFound.UNKNOWN: Reason.NO_SUCH_USER,
    NotFound.AMBIGUOUS: Reason.AMBIGUOUS_NAME,
    NotFound.REFERRAL: Reason.ENTRY_IS_REFERRAL,
}

# Of several things to be said against an attempt, the one that says most about what the user did gives the reason.
_TELLING = (
    Reason.NO_CODE,
    Reason.NO_TOKEN,
    Reason.WRONG_CODE,
    Reason.OUT_OF_STEP,
    Reason.CODE_ALREADY_USED,
    Reason.KIND_NOT_ALLOWED,
    Reason.TOKEN_NOT_YET_VALID,
    Reason.TOKEN_EXPIRED,
    Reason.TOKEN_DISABLED,
)


def prove(case: Case, found: Entry | NotFound) -> Proof | Doubt:
    """Look for what the rule asks of this person, in what they typed.

    Raises:
        Unavailable: the store is broken or late.

    """
    visit = admit(case, found)
    if isinstance(visit, Doubt):
        return visit
    spared = _spared(case, visit)
    proof = by_code(case, visit)
    if isinstance(proof, Doubt):
        if spared is None:
            return proof
        proof = Proof(visit, case.attempt.password, None, spared)
    try:
        return Proof(visit, proof.password, proof.burn, proof.factor, visit.rule.reply(visit.entry))
    except Unfit:
        return Doubt(Reason.REPLY_UNUSABLE, visit, proof.token)


def admit(case: Case, found: Entry | NotFound) -> Visit | Doubt:
    """Return who it is and which rule holds for them, or why nothing that could be typed would help.

    Raises:
        Unavailable: the store is broken or late.

    """
    if isinstance(found, NotFound):
        return Doubt(_NOT_FOUND[found])
    visit = _visit(case, found)
    obstacle = _obstacle(case, visit)
    return visit if obstacle is None else Doubt(obstacle, visit)


def by_code(case: Case, visit: Visit) -> Proof | Doubt:
    """Look for a code of theirs in what was typed.

    Raises:
        Unavailable: the store is broken or late.

    """
    proof = _by_code(case, visit)
    case.house.tell(Judgement(proof.token, proof.reason if isinstance(proof, Doubt) else None))
    return proof


def _visit(case: Case, entry: Entry) -> Visit:
    attempt, house = case.attempt, case.house
    rule = house.policies.choose(attempt.client.name, entry, attempt.address)
    house.tell(rule)
    attempt.watch.lap(Stage.CODE)
    standing = house.ledger.standing(entry.subject, case.place, attempt.when)
    attempt.watch.lap(Stage.STORE)
    return Visit(entry, standing, rule)


def _obstacle(case: Case, visit: Visit) -> Reason | None:
    """Return why nothing that could be typed would help."""
    standing, rule, when = visit.standing, visit.rule, case.attempt.when
    if standing.place.blocked(when):
        return Reason.ADDRESS_BLOCKED
    if standing.failures.blocked(when):
        return Reason.LOCKED_OUT
    if rule.second_factor is SecondFactor.DENY:
        return Reason.DENIED
    if rule.shuts_out(visit.entry):
        return Reason.NOT_IN_GROUP
    return None


def _spared(case: Case, visit: Visit) -> str | None:
    """Return why the password alone is enough, None if it is not.

    Only in the first leg: with the answer to a challenge, each wrong password would cost two binds.
    """
    when = case.attempt.when
    if case.held is not None:
        return None
    if visit.rule.bypassable and when < visit.standing.bypass_until:
        return "bypass"
    return visit.rule.spares(when, enrolled=visit.standing.enrolled)


def _by_code(case: Case, visit: Visit) -> Proof | Doubt:
    mode = case.attempt.client.code
    if not case.whole and mode is CodeMode.CHALLENGE:
        return Doubt(Reason.NO_CODE, visit)
    # With "either", the tail of a mere password must not count as a code seen out of step.
    resync = case.whole or mode is CodeMode.APPENDED
    allowed = [token for token in visit.standing.tokens if visit.rule.allows(token.kind)]
    # Whose a YubiKey is going to be, a password says.
    adopts = not case.alone and visit.rule.lets_adopt(enrolled=visit.standing.enrolled)
    stock = _stock(case) if adopts else ()
    doubts = [Doubt(Reason.NO_CODE if allowed or adopts else Reason.NO_TOKEN, visit)]
    for tokens, adopting in ((allowed, False), (stock, True)):
        for password, code in _candidates(case, tokens):
            verdict = verify.check(tokens, code, case.attempt.when, case.house.windows, resync=resync)
            if isinstance(verdict, verify.Match):
                return _proof(visit, password, tokens, verdict, adopts=adopting)
            if verdict is not verify.WRONG or _meant(case, tokens, code):
                doubts.append(_doubt(visit, verdict))
    doubts += _of_no_use(case, visit)
    return max(doubts, key=lambda doubt: _TELLING.index(doubt.reason))


def _stock(case: Case) -> Sequence[Factor]:
    """Return the unassigned YubiKeys that what was typed may come from."""
    public_ids = yubico.public_ids(case.attempt.password)
    if not public_ids:
        return ()
    case.attempt.watch.lap(Stage.CODE)
    stock = case.house.ledger.stock(public_ids, case.attempt.when)
    case.attempt.watch.lap(Stage.STORE)
    return stock


def _candidates(case: Case, tokens: Sequence[Factor]) -> Iterable[tuple[bytes, bytes]]:
    """Return each way to read the attempt as a password and a code of these tokens, the longest code first."""
    if not case.whole:
        return splits(case.attempt.password, tokens, case.attempt.client.delimiter)
    password, code = case.held.password if case.held else b"", case.attempt.password
    return [(password, code)] if any(fits(token, code) for token in tokens) else []


def _meant(case: Case, tokens: Sequence[Factor], code: bytes) -> bool:
    """Tell whether what is no code of theirs was meant as one, and counts as a guess.

    The end of nearly every password looks like a recovery code or an invitation without its hyphen. Whoever guesses at
    one of fifty bits need not be counted.
    """
    if case.whole or case.attempt.client.delimiter is not None or b"-" in code:
        return True
    return any(fits(token, code) for token in tokens if not of_letters(token.kind))


def _proof(visit: Visit, password: bytes, tokens: Sequence[Factor], match: verify.Match, *, adopts: bool) -> Proof:
    (kind,) = {token.kind for token in tokens if token.id == match.token}
    return Proof(visit, password, Burn(match.token, match.counter, match.drift, adopts), kind.value)


def _doubt(visit: Visit, verdict: verify.Used | verify.Stray | verify.Wrong) -> Doubt:
    match verdict:
        case verify.Used(token):
            return Doubt(Reason.CODE_ALREADY_USED, visit, token, counts=True)
        case verify.Stray(token, counter):
            return Doubt(Reason.OUT_OF_STEP, visit, token, counts=True, out_of_step=OutOfStep(token, counter))
        case _:
            return Doubt(Reason.WRONG_CODE, visit, counts=True)


def _of_no_use(case: Case, visit: Visit) -> list[Doubt]:
    """Return what is to be said of a code whose token may not answer: that is no guess, and does not count."""
    why = {token.id: Reason.KIND_NOT_ALLOWED for token in visit.standing.tokens if not visit.rule.allows(token.kind)}
    why |= {each.token.id: each.why for each in visit.standing.retired}
    tokens = [*visit.standing.tokens, *(each.token for each in visit.standing.retired)]
    useless = [token for token in tokens if token.id in why]
    verdicts = [
        verify.check(useless, code, case.attempt.when, case.house.windows, resync=False)
        for _, code in _candidates(case, useless)
    ]
    known = [verdict.token for verdict in verdicts if isinstance(verdict, verify.Match | verify.Used)]
    return [Doubt(why[token], visit, token) for token in known]
