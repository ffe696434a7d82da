"""Owns the values of a one-time-code token."""

from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """What moves the token's counter."""

    TOTP = "totp"  # RFC 6238: time
    HOTP = "hotp"  # RFC 4226: every press of the button


class Algorithm(StrEnum):
    """The hash below the HMAC (RFC 6238 section 1.2)."""

    SHA1 = "SHA1"
    SHA256 = "SHA256"
    SHA512 = "SHA512"


DIGITS = (6, 8)
PERIODS = (30, 60)  # seconds


@dataclass(frozen=True, slots=True)
class Token:
    """One OATH token, ready to be verified against.

    `counter` is the lowest counter (HOTP) or time step (TOTP) that may still be accepted: one above the last
    accepted one. Everything below it is used up for ever.
    `drift` is the token's clock less ours, in time steps, as learned at its last accepted code (TOTP only).
    `remembered` is the counter of a good code that was seen outside the window at `remembered_at` (Unix seconds): the
    next code in sequence brings the token back into step.
    """

    id: str
    kind: Kind
    key: bytes = field(repr=False)
    algorithm: Algorithm = Algorithm.SHA1
    digits: int = 6
    period: int = 30
    counter: int = 0
    drift: int = 0
    remembered: int | None = None
    remembered_at: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a token that no code can be computed for.

        Raises:
            ValueError: naming the field.

        """
        if self.digits not in DIGITS:
            raise ValueError(f"digits: {self.digits} is not one of {DIGITS}")
        if self.kind is Kind.TOTP and self.period not in PERIODS:
            raise ValueError(f"period: {self.period} s is not one of {PERIODS}")
        if not self.key:
            raise ValueError("key: empty")
        if self.counter < 0:
            raise ValueError(f"counter: {self.counter} is below 0")
