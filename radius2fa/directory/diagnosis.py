"""Owns what a directory's answer to a bind means: its result code, and what it says beside it."""

import re
from typing import NamedTuple

from radius2fa.directory.terms import Result
from radius2fa.login.ports import BindResult

SUCCESS = 0
SIZE_LIMIT_EXCEEDED = 4
REFERRAL = 10
INVALID_CREDENTIALS = 49
BUSY = 51
UNAVAILABLE = 52

# Active Directory answers every refusal with invalidCredentials, and tells the cause in a Windows error number (hex).
_ACTIVE_DIRECTORY = {
    "525": BindResult.WRONG_PASSWORD,  # no such user
    "52e": BindResult.WRONG_PASSWORD,
    "530": BindResult.NOT_NOW,  # not at this hour
    "531": BindResult.NOT_NOW,  # not from this workstation
    "532": BindResult.PASSWORD_EXPIRED,
    "533": BindResult.ACCOUNT_DISABLED,
    "701": BindResult.ACCOUNT_EXPIRED,
    "773": BindResult.PASSWORD_MUST_CHANGE,
    "775": BindResult.ACCOUNT_LOCKED,
}

# The errors of a password policy control (draft-behera-ldap-password-policy section 6.2); the others, from 3 on, are
# about changing a password.
_PASSWORD_POLICY = {
    0: BindResult.PASSWORD_EXPIRED,
    1: BindResult.ACCOUNT_LOCKED,
    2: BindResult.PASSWORD_MUST_CHANGE,
}
_DATA = re.compile(r"\bdata ([0-9a-f]{3})\b", re.IGNORECASE)


class _Rule(NamedTuple):
    code: int
    words: str  # in lower case, to be found in the diagnostic message
    verdict: BindResult


# The first rule that fits. The words are those of 389 Directory Server (and so of FreeIPA).
_RULES = (
    _Rule(INVALID_CREDENTIALS, "password expired", BindResult.PASSWORD_EXPIRED),
    _Rule(INVALID_CREDENTIALS, "", BindResult.WRONG_PASSWORD),
    _Rule(32, "", BindResult.WRONG_PASSWORD),  # noSuchObject: some servers say so of a DN that has gone
    _Rule(19, "retry limit", BindResult.ACCOUNT_LOCKED),
    _Rule(53, "inactivated", BindResult.ACCOUNT_DISABLED),
    _Rule(53, "expired", BindResult.ACCOUNT_EXPIRED),
    _Rule(19, "", BindResult.REFUSED),  # constraintViolation
    _Rule(48, "", BindResult.REFUSED),  # inappropriateAuthentication: the entry has no password
    _Rule(50, "", BindResult.REFUSED),  # insufficientAccessRights
    _Rule(53, "", BindResult.REFUSED),  # unwillingToPerform
)


def verdict_of(result: Result) -> BindResult | None:
    """Return what the answer says of the password, or None where it says nothing: then the directory has failed.

    OK comes from one code only, which is 0, and only where no password policy objects: a server may let somebody in who
    then can do nothing but change the password (changeAfterReset).
    """
    verdict = _verdict_of_code(result)
    if verdict is None or result.policy is None:
        return verdict
    return _PASSWORD_POLICY.get(result.policy, verdict)


def _verdict_of_code(result: Result) -> BindResult | None:
    if result.code == SUCCESS:
        return BindResult.OK
    if result.code == INVALID_CREDENTIALS and (number := _DATA.search(result.diagnosis)):
        return _ACTIVE_DIRECTORY.get(number[1].lower(), BindResult.WRONG_PASSWORD)
    said = result.diagnosis.lower()
    return next((rule.verdict for rule in _RULES if rule.code == result.code and rule.words in said), None)
