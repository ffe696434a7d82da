"""Owns the reasons for a refusal, in words for the helpdesk. None of them ever leaves in a reply."""

from enum import StrEnum


class Reason(StrEnum):
    """Why a login was refused. The value is the word in logs and in the journal; `remedy` says what to do."""

    BAD_NAME = "bad-name"
    BAD_PASSWORD = "bad-password-octets"
    CHARSET = "wrong-shared-secret-or-charset"
    UNSUPPORTED = "unsupported-method"
    EMPTY_PASSWORD = "empty-password"
    NO_SUCH_USER = "no-such-user"
    AMBIGUOUS_NAME = "ambiguous-name"
    ENTRY_IS_REFERRAL = "entry-is-a-referral"
    NO_TOKEN = "no-token"
    NO_CODE = "no-code"
    WRONG_CODE = "wrong-code"
    CODE_ALREADY_USED = "code-already-used"
    OUT_OF_STEP = "token-out-of-step"
    TOKEN_DISABLED = "token-disabled"
    TOKEN_EXPIRED = "token-expired"
    TOKEN_NOT_YET_VALID = "token-not-yet-valid"
    KIND_NOT_ALLOWED = "kind-not-allowed"
    LOCKED_OUT = "locked-out"
    ADDRESS_BLOCKED = "too-many-unknown-names"
    DENIED = "denied-by-policy"
    NOT_IN_GROUP = "not-in-required-group"
    REPLY_UNUSABLE = "reply-attribute-unusable"
    STATE_UNKNOWN = "state-unknown"
    WRONG_PASSWORD = "wrong-password"
    ACCOUNT_DISABLED = "account-disabled"
    ACCOUNT_EXPIRED = "account-expired"
    ACCOUNT_LOCKED = "account-locked"
    PASSWORD_EXPIRED = "password-expired"
    PASSWORD_MUST_CHANGE = "password-must-change"
    NOT_NOW = "not-at-this-time-or-place"
    BIND_REFUSED = "bind-refused"

    @property
    def remedy(self) -> str:
        """One sentence: what happened, and what whoever is asked can do about it."""
        return _REMEDIES[self]


_REMEDIES = {
    Reason.BAD_NAME: "The user name is empty, too long, not UTF-8 or holds control characters: type it again.",
    Reason.BAD_PASSWORD: "The password holds a NUL octet, which no password typed by a person does.",
    Reason.CHARSET: "The password is no text in the client's charset: compare the shared secret on both sides, "
    "then the client's `charset`.",
    Reason.UNSUPPORTED: "The client sent CHAP, MS-CHAP or EAP, which cannot be checked by an LDAP bind: set it to PAP.",
    Reason.EMPTY_PASSWORD: "No password was sent.",
    Reason.NO_SUCH_USER: "The directory knows nobody by this name: check the spelling, the base and the user filter.",
    Reason.AMBIGUOUS_NAME: "The directory knows several people by this name: make the user filter stricter.",
    Reason.ENTRY_IS_REFERRAL: "The directory refers to another server for this name, and no password is taken "
    "elsewhere: set up a `[[directory]]` with that server, before this one or with a realm.",
    Reason.NO_TOKEN: "The user has no active token: give them one with `radius2fa token add` or `token assign`.",
    Reason.NO_CODE: "The password came without a one-time code behind it, or the answer was no code.",
    Reason.WRONG_CODE: "The code belongs to none of the user's tokens at this time: check the clock of the phone.",
    Reason.CODE_ALREADY_USED: "The code was right but has been used before: wait for the next one.",
    Reason.OUT_OF_STEP: "The code is the token's, but far from where it should be: enter the next code too, "
    "or use `radius2fa token resync`.",
    Reason.TOKEN_DISABLED: "The code is right, but its token is disabled: give the user another, or use "
    "`radius2fa token enable`.",
    Reason.TOKEN_EXPIRED: "The code is right, but the time until which it is valid is over: give the user another "
    "token or code, or use `radius2fa token valid`.",
    Reason.TOKEN_NOT_YET_VALID: "The code is right, but its token is not valid yet: wait, or use "
    "`radius2fa token valid`.",
    Reason.KIND_NOT_ALLOWED: "The code is right, but the policy does not allow this kind of token here: use another "
    "token, or change `kinds` of the policy.",
    Reason.LOCKED_OUT: "Too many wrong attempts: wait, or use `radius2fa user unlock`.",
    Reason.ADDRESS_BLOCKED: "Too many names that do not exist were tried from this address: look there for whoever is "
    "guessing, and wait, or use `radius2fa unblock`.",
    Reason.DENIED: "The policy lets nobody in here: see `radius2fa policy test` for the rule and why it matched.",
    Reason.NOT_IN_GROUP: "The user is in none of the groups that the policy requires: add them to one of "
    "these in the directory.",
    Reason.REPLY_UNUSABLE: "The policy takes a reply attribute from the directory, and what stands there does not fit "
    "it, or is too much for one reply: correct the entry; `radius2fa policy test` names the attribute.",
    Reason.STATE_UNKNOWN: "The challenge has expired, was answered already, or belongs to another user or client: "
    "log in anew.",
    Reason.WRONG_PASSWORD: "The directory refused the password; the code, where one was asked for, was right.",
    Reason.ACCOUNT_DISABLED: "The account is disabled in the directory.",
    Reason.ACCOUNT_EXPIRED: "The account has expired in the directory.",
    Reason.ACCOUNT_LOCKED: "The account is locked in the directory.",
    Reason.PASSWORD_EXPIRED: "The password has expired: change it at a workstation.",
    Reason.PASSWORD_MUST_CHANGE: "The password must be changed first: change it at a workstation.",
    Reason.NOT_NOW: "The directory allows this account no login at this hour or from this workstation.",
    Reason.BIND_REFUSED: "The directory refused the bind for another reason: see its log.",
}
