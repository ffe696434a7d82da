"""Owns a ledger in memory, which passes the same conformance suite as the real ones (tests/store/test_ledger.py)."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from threading import Lock

from radius2fa.login.lockout import Failures, LockoutRules, after_failure
from radius2fa.login.ports import (
    Burn,
    Failure,
    Held,
    Miss,
    Record,
    Result,
    Retired,
    Standing,
    Success,
    Unavailable,
)
from radius2fa.login.reason import Reason
from radius2fa.otp.token import DEVICES, Factor, IssuedCode, Token, YubiKey


@dataclass(frozen=True)
class _Kept:
    """A token or code, whose it is (None: the stock's), when it may answer, and why it may not at all."""

    token: Factor
    subject: str | None
    valid_from: float | None = None
    valid_until: float | None = None
    why: Reason | None = None

    def obstacle(self, when: float) -> Reason | None:
        if self.why is not None:
            return self.why
        if self.valid_from is not None and when < self.valid_from:
            return Reason.TOKEN_NOT_YET_VALID
        if self.valid_until is not None and when >= self.valid_until:
            return Reason.TOKEN_EXPIRED
        return None


class _Tally:
    """Failures in a row, by whose they are, and what was counted last."""

    def __init__(self) -> None:
        self._failures: dict[str, tuple[Failures, object, float]] = {}

    def of(self, whose: str) -> Failures:
        return self._failures[whose][0] if whose in self._failures else Failures()

    def count(self, whose: str, what: object, rules: LockoutRules, when: float) -> bool:
        fresh = not self.repeats(whose, what, rules, when)
        if fresh:
            past = self.of(whose)
            self._failures[whose] = (after_failure(past, when, rules), what, when)
        return fresh

    def repeats(self, whose: str, what: object, rules: LockoutRules, when: float) -> bool:
        _, last, at = self._failures.get(whose, (None, None, 0.0))
        return last == what and when < at + rules.repeat_seconds

    def forget(self, whose: str, keep: int = 0) -> None:
        past, what, at = self._failures.pop(whose, (Failures(), None, 0.0))
        if keep:
            self._failures[whose] = (Failures(keep, past.blocked_until), what, at)


class FakeLedger:
    """`login.ports.Ledger` in memory. `records` is the journal; `broken`, while True, makes every call Unavailable."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.broken = False
        self._lock = Lock()
        self._kept: dict[str, _Kept] = {}  # by the token's id
        self._passkeys: dict[str, tuple[str, float | None]] = {}  # by id: whose, and from when on
        self._people = _Tally()  # by subject
        self._places = _Tally()
        self._of_codes: dict[str, int] = {}  # by subject
        self._bypasses: dict[str, float] = {}  # by subject
        self._held: dict[bytes, Held] = {}

    def add(
        self, token: Factor, subject: str, *, valid_from: float | None = None, valid_until: float | None = None
    ) -> None:
        """Give a person a token or a code."""
        self._kept[token.id] = _Kept(token, subject, valid_from, valid_until)

    def register(self, passkey_id: str, subject: str, *, valid_from: float | None = None) -> None:
        """Give a person a passkey, which makes no codes."""
        self._passkeys[passkey_id] = subject, valid_from

    def stock_up(self, yubikey: YubiKey, *, valid_from: float | None = None, valid_until: float | None = None) -> None:
        """Put a YubiKey into the stock."""
        self._kept[yubikey.id] = _Kept(yubikey, None, valid_from, valid_until)

    def retire(self, token_id: str, why: Reason) -> None:
        """Let a token answer no more, for one of the reasons that `Retired` has. A passkey never did, here."""
        if token_id in self._passkeys:
            return
        self._kept[token_id] = replace(self._kept[token_id], why=why)

    def deactivate(self, token_id: str) -> None:
        """Take a token away, so that nothing is left of it."""
        del (self._passkeys if token_id in self._passkeys else self._kept)[token_id]

    def bypass(self, subject: str, until: float) -> None:
        """Ask a person for no second factor before `until`."""
        self._bypasses[subject] = until

    def standing(self, subject: str, place: str, when: float) -> Standing:
        with self._working():
            theirs = [(kept.token, kept.obstacle(when)) for kept in self._kept.values() if kept.subject == subject]
            return Standing(
                tuple(token for token, why in theirs if why is None),
                self._people.of(subject),
                tuple(Retired(token, why) for token, why in theirs if why is not None),
                self._places.of(place),
                self._bypasses.get(subject, 0.0),
                self._enrolled(subject, when),
            )

    def stock(self, public_ids: Collection[str], when: float) -> tuple[YubiKey, ...]:
        with self._working():
            idle = [kept.token for kept in self._kept.values() if kept.subject is None and kept.obstacle(when) is None]
            return tuple(key for key in idle if isinstance(key, YubiKey) and key.public_id in public_ids)

    def repeated(self, failure: Failure, client: str, when: float) -> bool:
        with self._working():
            return self._people.repeats(failure.subject, (client, failure.credentials), failure.rules, when)

    def held(self, state: bytes, client: str, name: str, when: float) -> Held | None:
        with self._working():
            held = self._held.get(state)
            if held is None or (held.client, held.name) != (client, name) or held.expires <= when:
                return None
            return held

    def ask(self, held: Held, record: Record, failure: Failure | Miss | None) -> None:
        with self._working():
            self._count(record, failure)
            self._held[held.state] = held
            self.records.append(record)

    def refuse(self, record: Record, failure: Failure | Miss | None, answered: bytes | None) -> None:
        with self._working():
            self._count(record, failure)
            if answered is not None:
                self._held.pop(answered, None)
            self.records.append(record)

    def accept(self, success: Success, record: Record, answered: bytes | None) -> Reason | None:
        with self._working():
            reason = self._obstacle(success, record, answered)
            if reason is not None:
                self.records.append(replace(record, result=Result.REJECT, reason=reason))
                return reason
            if success.burn is not None:
                kept = self._kept[success.burn.token]
                self._kept[success.burn.token] = replace(
                    kept, token=_burned(kept.token, success.burn), subject=success.subject
                )
            self._forget(success)
            if success.place is not None:
                self._places.forget(success.place)
            self.records.append(record)
            return None

    def _forget(self, success: Success) -> None:
        of_codes = self._of_codes.get(success.subject, 0)
        if success.burn is None:
            self._people.forget(success.subject, keep=of_codes)
            return
        of_passwords = self._people.of(success.subject).count - of_codes
        self._people.forget(success.subject, keep=0 if success.by_password else of_passwords)
        self._of_codes.pop(success.subject, None)

    def _working(self) -> Lock:
        if self.broken:
            raise Unavailable("database", "broken by the test")
        return self._lock

    def _obstacle(self, success: Success, record: Record, answered: bytes | None) -> Reason | None:
        waited = answered is None or self._held.pop(answered, None) is not None
        if self._people.of(success.subject).blocked(record.when):
            return Reason.LOCKED_OUT
        if not waited:
            return Reason.STATE_UNKNOWN
        if success.burn is not None and not self._burnable(success.subject, success.burn, record.when):
            return Reason.CODE_ALREADY_USED
        return None

    def _burnable(self, subject: str, burn: Burn, when: float) -> bool:
        kept = self._kept.get(burn.token)
        if kept is None or kept.subject != (None if burn.adopts else subject) or kept.obstacle(when) is not None:
            return False
        if burn.adopts and self._enrolled(subject, when):
            return False
        if isinstance(kept.token, IssuedCode):
            return kept.token.counter == burn.counter < kept.token.uses
        return kept.token.counter <= burn.counter

    def _enrolled(self, subject: str, when: float) -> bool:
        theirs = [kept for kept in self._kept.values() if kept.subject == subject and kept.token.kind in DEVICES]
        since = [valid_from for owner, valid_from in self._passkeys.values() if owner == subject]
        return any(kept.obstacle(when) is not Reason.TOKEN_NOT_YET_VALID for kept in theirs) or any(
            valid_from is None or valid_from <= when for valid_from in since
        )

    def _count(self, record: Record, failure: Failure | Miss | None) -> None:
        match failure:
            case Failure(subject, _, credentials, rules):
                self._remember(record, failure)
                if self._people.count(subject, (record.client, credentials), rules, record.when) and failure.of_code:
                    self._of_codes[subject] = self._of_codes.get(subject, 0) + 1
            case Miss(place, name, rules) if not self._places.of(place).blocked(record.when):
                self._places.count(place, name, rules, record.when)

    def _remember(self, record: Record, failure: Failure) -> None:
        seen = failure.out_of_step
        kept = self._kept.get(seen.token) if seen else None
        if not seen or kept is None or not isinstance(kept.token, Token):
            return
        if kept.subject == failure.subject and kept.why is None and kept.token.counter <= seen.counter:
            remembering = replace(kept.token, remembered=seen.counter, remembered_at=record.when)
            self._kept[seen.token] = replace(kept, token=remembering)


def _burned(token: Factor, burn: Burn) -> Factor:
    if isinstance(token, Token):
        return replace(token, counter=burn.counter + 1, drift=burn.drift, remembered=None, remembered_at=0.0)
    return replace(token, counter=burn.counter + 1)
