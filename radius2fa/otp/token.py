"""Owns the values of what makes one-time codes: OATH tokens, YubiKeys, and codes that were handed out.

A security key or passkey makes none, and so is no Factor: it is a device that stands behind login codes.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar


class Kind(StrEnum):
    """Where a code comes from, and so what moves its counter; and what makes no codes, but is a device all the same."""

    TOTP = "totp"  # RFC 6238: time
    HOTP = "hotp"  # RFC 4226: every press of the button
    YUBIKEY = "yubikey"  # Yubico OTP: every touch
    RECOVERY = "recovery"  # one of a list that the owner keeps for the day on which the token is lost
    TEMPORARY = "temporary"  # from the helpdesk, for a while
    WEBAUTHN = "webauthn"  # a security key or passkey: it signs, and is never typed
    PASSKEY = "passkey"  # a login code, made for who has shown such a key, for a minute or two
    INVITATION = "invitation"  # lets somebody new into the portal, once


DEVICES = frozenset({Kind.TOTP, Kind.HOTP, Kind.YUBIKEY, Kind.WEBAUTHN})  # what somebody who is enrolled has
OATH = (Kind.TOTP, Kind.HOTP)
ISSUED = (Kind.RECOVERY, Kind.TEMPORARY, Kind.PASSKEY, Kind.INVITATION)


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
        if self.kind not in OATH:
            raise ValueError(f"kind: {self.kind} makes no OATH codes")
        if self.digits not in DIGITS:
            raise ValueError(f"digits: {self.digits} is not one of {DIGITS}")
        if self.kind is Kind.TOTP and self.period not in PERIODS:
            raise ValueError(f"period: {self.period} s is not one of {PERIODS}")
        if not self.key:
            raise ValueError("key: empty")
        if self.counter < 0:
            raise ValueError(f"counter: {self.counter} is below 0")


PRIVATE_ID_OCTETS = 6
AES_KEY_OCTETS = 16
PUBLIC_ID_MOST = 16  # modhex characters, which are 8 octets


@dataclass(frozen=True, slots=True)
class YubiKey:
    """A YubiKey that makes Yubico OTPs, with its AES key known here.

    `public_id` is what stands in front of each code, in lower-case modhex, perhaps nothing. `private_id` is what is
    found inside of it. `counter` is the lowest value of 256 times the use counter plus the session counter that may
    still be accepted: one above that of the last accepted code.
    """

    id: str
    public_id: str
    key: bytes = field(repr=False)
    private_id: bytes = field(repr=False)
    counter: int = 0

    kind: ClassVar[Kind] = Kind.YUBIKEY

    def __post_init__(self) -> None:
        """Refuse a YubiKey that no code can be read with.

        Raises:
            ValueError: naming the field.

        """
        if len(self.public_id) > PUBLIC_ID_MOST or len(self.public_id) % 2 or set(self.public_id) - MODHEX:
            raise ValueError(f"public_id: not an even number of up to {PUBLIC_ID_MOST} modhex characters")
        if len(self.key) != AES_KEY_OCTETS:
            raise ValueError(f"key: {len(self.key)} octets; an AES-128 key has {AES_KEY_OCTETS}")
        if len(self.private_id) != PRIVATE_ID_OCTETS:
            raise ValueError(f"private_id: {len(self.private_id)} octets, not {PRIVATE_ID_OCTETS}")
        if self.counter < 0:
            raise ValueError(f"counter: {self.counter} is below 0")


MODHEX_DIGITS = "cbdefghijklnrtuv"  # Yubico's digits 0 to 15: on the same keys of nearly all keyboards
MODHEX = frozenset(MODHEX_DIGITS)


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """A code that was handed out, of which only a keyed digest is kept: one of the kinds ISSUED.

    `counter` is how often it was used, out of `uses` times that it may be.
    """

    id: str
    kind: Kind
    key: bytes = field(repr=False)
    digest: bytes = field(repr=False)
    counter: int = 0
    uses: int = 1

    def __post_init__(self) -> None:
        """Refuse a code that could never be used.

        Raises:
            ValueError: naming the field.

        """
        if self.kind not in ISSUED:
            raise ValueError(f"kind: {self.kind} is not handed out")
        if self.uses < 1:
            raise ValueError(f"uses: {self.uses} is below 1")
        if self.counter < 0:
            raise ValueError(f"counter: {self.counter} is below 0")


Factor = Token | YubiKey | IssuedCode
