"""Owns the figures of logins as Prometheus counts them: how many, how they ended, how long they took.

No label holds what somebody outside has chosen: each is of a client, or one of a few words that stand here.
"""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram

from radius2fa.login.ports import Result
from radius2fa.login.reason import Reason
from radius2fa.login.stages import Stage
from radius2fa.server.login import Login

# What a refusal has to do with: for alerts, and so that a reason more is no series more for each client.
CLASSES: Mapping[Reason, str] = {
    Reason.BAD_NAME: "request",
    Reason.BAD_PASSWORD: "request",
    Reason.CHARSET: "request",
    Reason.UNSUPPORTED: "request",
    Reason.EMPTY_PASSWORD: "request",
    Reason.NO_SUCH_USER: "name",
    Reason.AMBIGUOUS_NAME: "name",
    Reason.ENTRY_IS_REFERRAL: "name",
    Reason.NO_TOKEN: "token",
    Reason.TOKEN_DISABLED: "token",
    Reason.TOKEN_EXPIRED: "token",
    Reason.TOKEN_NOT_YET_VALID: "token",
    Reason.KIND_NOT_ALLOWED: "token",
    Reason.NO_CODE: "code",
    Reason.WRONG_CODE: "code",
    Reason.CODE_ALREADY_USED: "code",
    Reason.OUT_OF_STEP: "code",
    Reason.STATE_UNKNOWN: "code",
    Reason.LOCKED_OUT: "guessing",
    Reason.ADDRESS_BLOCKED: "guessing",
    Reason.DENIED: "policy",
    Reason.NOT_IN_GROUP: "policy",
    Reason.REPLY_UNUSABLE: "policy",
    Reason.WRONG_PASSWORD: "password",
    Reason.PASSWORD_EXPIRED: "password",
    Reason.PASSWORD_MUST_CHANGE: "password",
    Reason.ACCOUNT_DISABLED: "account",
    Reason.ACCOUNT_EXPIRED: "account",
    Reason.ACCOUNT_LOCKED: "account",
    Reason.NOT_NOW: "account",
    Reason.BIND_REFUSED: "account",
}
_OTHER = "other"  # for a reason that nobody has put into a class: no login fails because of a figure
_NONE = "none"
OUTCOMES = {Result.ACCEPT: "accept", Result.REJECT: "reject", Result.CHALLENGE: "challenge"}

# Seconds. A login takes 2 to 20 ms where all is near; a client asks again after some seconds.
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class LoginFigures:
    """Counts logins. To be called in the reactor thread, once for each."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Show the figures in this registry."""
        self._logins = Counter(
            "radius2fa_logins",
            "Decided logins. A challenge is a first leg that was asked for a code.",
            ("client", "outcome", "reason_class", "factor"),
            registry=registry,
        )
        self._seconds = Histogram(
            "radius2fa_login_seconds",
            "From the arrival of a request to the decision, without the delay that every refusal gets.",
            ("outcome",),
            buckets=_BUCKETS,
            registry=registry,
        )
        self._stages = Histogram(
            "radius2fa_login_stage_seconds",
            "What of it went by in one stage.",
            ("stage",),
            buckets=_BUCKETS,
            registry=registry,
        )
        # The children that have been asked for: to look one up among labels takes longer than to count.
        self._counts: dict[tuple[str, Result, Reason | None, str | None], Counter] = {}
        self._of_outcome = {result: self._seconds.labels(name) for result, name in OUTCOMES.items()}
        self._of_stage = tuple((stage, self._stages.labels(stage.value)) for stage in Stage)

    def __call__(self, login: Login) -> None:
        """Count a login."""
        key = (login.client, login.result, login.reason, login.factor)
        counter = self._counts.get(key)
        if counter is None:
            counter = self._counts[key] = self._logins.labels(
                login.client, OUTCOMES[login.result], _class_of(login.reason), login.factor or _NONE
            )
        counter.inc()
        self._of_outcome[login.result].observe(login.milliseconds / 1000)
        for stage, child in self._of_stage:
            milliseconds = getattr(login.stages, stage)
            if milliseconds is not None:
                child.observe(milliseconds / 1000)


def _class_of(reason: Reason | None) -> str:
    return _NONE if reason is None else CLASSES.get(reason, _OTHER)
