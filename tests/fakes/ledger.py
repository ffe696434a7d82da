"""Owns a ledger in memory, which passes the same conformance suite as the real ones (tests/store/test_ledger.py)."""

from dataclasses import replace
from threading import Lock

from radius2fa.login.lockout import Failures, after_failure
from radius2fa.login.ports import Burn, Failure, Held, Record, Result, Standing, Unavailable
from radius2fa.login.reason import Reason
from radius2fa.otp.token import Token


class FakeLedger:
    """`login.ports.Ledger` in memory. `records` is the journal; `broken`, while True, makes every call Unavailable."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.broken = False
        self._lock = Lock()
        self._tokens: dict[str, tuple[str, Token]] = {}  # by id: whose, and the token; active ones only
        self._failures: dict[str, Failures] = {}
        self._counted: dict[str, tuple[tuple[str, bytes], float]] = {}  # the last failure counted, and when
        self._held: dict[bytes, Held] = {}

    def add(self, token: Token, subject: str) -> None:
        """Give a person an active token."""
        self._tokens[token.id] = (subject, token)

    def deactivate(self, token_id: str) -> None:
        """Take a token out of use."""
        del self._tokens[token_id]

    def standing(self, subject: str) -> Standing:
        with self._working():
            tokens = tuple(token for owner, token in self._tokens.values() if owner == subject)
            return Standing(tokens, self._failures.get(subject, Failures()))

    def held(self, state: bytes, client: str, name: str, when: float) -> Held | None:
        with self._working():
            held = self._held.get(state)
            if held is None or (held.client, held.name) != (client, name) or held.expires <= when:
                return None
            return held

    def ask(self, held: Held, record: Record, failure: Failure | None) -> None:
        with self._working():
            self._count(record, failure)
            self._held[held.state] = held
            self.records.append(record)

    def refuse(self, record: Record, failure: Failure | None, answered: bytes | None) -> None:
        with self._working():
            self._count(record, failure)
            if answered is not None:
                self._held.pop(answered, None)
            self.records.append(record)

    def accept(self, burn: Burn, record: Record, answered: bytes | None) -> Reason | None:
        with self._working():
            reason = self._obstacle(burn, record, answered)
            if reason is not None:
                self.records.append(replace(record, result=Result.REJECT, reason=reason))
                return reason
            _, token = self._tokens[burn.token]
            burned = replace(token, counter=burn.counter + 1, drift=burn.drift, remembered=None, remembered_at=0.0)
            self._tokens[burn.token] = (burn.subject, burned)
            self._failures.pop(burn.subject, None)
            self._counted.pop(burn.subject, None)
            self.records.append(record)
            return None

    def _working(self) -> Lock:
        if self.broken:
            raise Unavailable("database", "broken by the test")
        return self._lock

    def _obstacle(self, burn: Burn, record: Record, answered: bytes | None) -> Reason | None:
        waited = answered is None or self._held.pop(answered, None) is not None
        if self._failures.get(burn.subject, Failures()).blocked(record.when):
            return Reason.LOCKED_OUT
        if not waited:
            return Reason.STATE_UNKNOWN
        owner, token = self._tokens.get(burn.token, (None, None))
        if token is None or owner != burn.subject or token.counter > burn.counter:
            return Reason.CODE_ALREADY_USED
        return None

    def _count(self, record: Record, failure: Failure | None) -> None:
        if failure is None:
            return
        self._remember(record, failure)
        credentials = (record.client, failure.credentials)
        last, at = self._counted.get(failure.subject, (None, 0.0))
        if last == credentials and record.when < at + failure.rules.repeat_seconds:
            return
        past = self._failures.get(failure.subject, Failures())
        self._failures[failure.subject] = after_failure(past, record.when, failure.rules)
        self._counted[failure.subject] = (credentials, record.when)

    def _remember(self, record: Record, failure: Failure) -> None:
        seen = failure.out_of_step
        owner, token = self._tokens.get(seen.token, (None, None)) if seen else (None, None)
        if seen and token and owner == failure.subject and token.counter <= seen.counter:
            remembering = replace(token, remembered=seen.counter, remembered_at=record.when)
            self._tokens[token.id] = (failure.subject, remembering)
