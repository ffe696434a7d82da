"""Owns how a device is told of: its name, its kind and its state; and what people may call it."""

from enum import StrEnum

from radius2fa.otp.token import Kind
from radius2fa.portal.visitor import visitor
from radius2fa.portal.words import text
from radius2fa.store.tokens import MOST_ACTIVE, TokenRow

LONGEST_LABEL = 60  # characters


class State(StrEnum):
    """Whether a device may answer now, and if not, why. The values are keys of the words."""

    ACTIVE = "active"
    DISABLED = "disabled"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"


def state(row: TokenRow, when: float) -> State:
    """Return the state of a device at `when` (Unix seconds)."""
    if not row.active:
        return State.DISABLED
    if row.valid_until is not None and when >= row.valid_until:
        return State.EXPIRED
    if row.valid_from is not None and when < row.valid_from:
        return State.NOT_YET_VALID
    return State.ACTIVE


def called(row: TokenRow) -> str:
    """Return what a device is called: by its owner, or else by what it is, in the visitor's language."""
    if row.label:
        return row.label
    word = str(text(visitor().language, f"kinds.{kind(row)}"))
    return f"{word} {row.serial}" if row.serial else word


def kind(row: TokenRow) -> str:
    """Return the key of the word for what a device is: an app and a thing to hold may make the same codes."""
    if row.kind is Kind.TOTP:
        return "hardware" if row.serial else "app"
    return row.kind.value


def label_of(typed: str) -> str:
    """Return what was typed as a name, in one line, with nothing that cannot be seen; perhaps nothing."""
    shown = "".join(each if each.isprintable() else " " for each in typed)
    return " ".join(shown.split())[:LONGEST_LABEL].rstrip()


def is_full(rows: tuple[TokenRow, ...]) -> bool:
    """Tell whether somebody has as many active devices as one may have."""
    return sum(row.active for row in rows) >= MOST_ACTIVE


def others_answer(rows: tuple[TokenRow, ...], token_id: str, when: float) -> bool:
    """Tell whether somebody could still sign in at `when` with another device than this."""
    return any(row.id != token_id and state(row, when) is State.ACTIVE for row in rows)
