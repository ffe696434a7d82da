"""Owns the second look at somebody who has logged in already: are they still there, with their token in hand?"""

from dataclasses import dataclass

from radius2fa.login.attempt import Attempt, Reject
from radius2fa.login.case import Case, Doubt, House
from radius2fa.login.ports import Entry, Result
from radius2fa.login.proof import admit, by_code
from radius2fa.login.reason import Reason
from radius2fa.login.settle import record_of, refuse, success_of
from radius2fa.login.stages import Stage


@dataclass(frozen=True, slots=True)
class Confirmed:
    """They have shown a code. That lets nobody in: no password was looked at.

    `token` is the token whose code was burned; `factor` is its kind.
    """

    token: str
    factor: str


def confirm(attempt: Attempt, house: House, *, subject: str) -> Confirmed | Reject:
    """Judge a code by itself, which is all that `attempt.password` holds: no bind, exactly one commit.

    `subject` is the stable id of who has logged in: a name that by now leads to somebody else is refused. Otherwise the
    rule, the lockout, the counting and the journal are those of a login, and the code is burned; but no rule spares it,
    no bypass does, no YubiKey is adopted by it, and wrong passwords are not forgotten.

    Raises:
        Unavailable: the directory or the store is broken or late. Nothing is burned or counted.

    """
    case = Case(attempt, None, house, alone=True)
    if not attempt.password:
        return refuse(case, Doubt(Reason.NO_CODE))
    found = house.directory.find(attempt.name, attempt.client.name, attempt.deadline)
    attempt.watch.lap(Stage.LOOK_UP)
    if isinstance(found, Entry) and found.subject != subject:
        return refuse(case, Doubt(Reason.NO_SUCH_USER))
    visit = admit(case, found)
    if isinstance(visit, Doubt):
        return refuse(case, visit)
    proof = by_code(case, visit)
    attempt.watch.lap(Stage.CODE)
    if isinstance(proof, Doubt):
        return refuse(case, proof)
    record = record_of(case, Result.ACCEPT, proof, factor=proof.factor)
    refusal = house.ledger.accept(success_of(case, proof), record, None)
    return Confirmed(str(proof.token), proof.factor) if refusal is None else Reject(refusal)
