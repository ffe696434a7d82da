"""Owns the figures of logins as Prometheus counts them: how many, how they ended, how long they took.

No label holds what somebody outside has chosen: each is of a client, or one of a few words that stand here.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

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
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_BOUNDS = (*map(str, BUCKETS), "+Inf")


class _Durations:
    """How often something took how long: a count for each bucket and one for all beyond, and their sum in seconds.

    The library's own histograms take their locks for each number, which came to a hundredth of a login.
    """

    __slots__ = ("_counts", "_sum")

    def __init__(self) -> None:
        self._counts = [0] * (len(BUCKETS) + 1)
        self._sum = 0.0

    def observe(self, seconds: float) -> None:
        self._counts[bisect_left(BUCKETS, seconds)] += 1
        self._sum += seconds

    def read(self) -> tuple[list[tuple[str, float]], float]:
        """Return the buckets as Prometheus has them, each with those below it, and the sum."""
        below = accumulate(self._counts)
        return list(zip(_BOUNDS, map(float, below), strict=True)), self._sum


class LoginFigures(Collector):
    """Counts logins. To be called in the reactor thread, once for each; collected in any."""

    def __init__(self) -> None:
        """Begin at nought."""
        self._counts: Counter[tuple[str, Result, Reason | None, str | None]] = Counter()
        self._of_outcome = {result: _Durations() for result in OUTCOMES}
        self._of_stage = {stage.value: _Durations() for stage in Stage}
        self._stages = tuple(self._of_stage.items())

    def __call__(self, login: Login) -> None:
        """Count a login."""
        self._counts[login.client, login.result, login.reason, login.factor] += 1
        self._of_outcome[login.result].observe(login.milliseconds / 1000)
        for stage, durations in self._stages:
            milliseconds = getattr(login.stages, stage)
            if milliseconds is not None:
                durations.observe(milliseconds / 1000)

    def collect(self) -> Iterable[Metric]:
        """Yield the figures as of now."""
        yield self._logins()
        yield _histogram(
            "radius2fa_login_seconds",
            "From the arrival of a request to the decision, without the delay that every refusal gets.",
            "outcome",
            {OUTCOMES[result]: durations for result, durations in self._of_outcome.items()},
        )
        yield _histogram("radius2fa_login_stage_seconds", "What of it went by in one stage.", "stage", self._of_stage)

    def _logins(self) -> Metric:
        family = CounterMetricFamily(
            "radius2fa_logins",
            "Decided logins. A challenge is a first leg that was asked for a code.",
            labels=("client", "outcome", "reason_class", "factor"),
        )
        found: Counter[tuple[str, str, str, str]] = Counter()
        for (client, result, reason, factor), count in dict(self._counts).items():
            found[client, OUTCOMES[result], _class_of(reason), factor or _NONE] += count
        for labels, count in found.items():
            family.add_metric(labels, count)
        return family


def _histogram(name: str, text: str, label: str, durations: Mapping[str, _Durations]) -> Metric:
    family = HistogramMetricFamily(name, text, labels=(label,))
    for value, each in durations.items():
        buckets, total = each.read()
        family.add_metric((value,), buckets, total)
    return family


def _class_of(reason: Reason | None) -> str:
    return _NONE if reason is None else CLASSES.get(reason, _OTHER)
