"""Owns how a token is told of: its state in a word, its form, its row for people and for programs."""

from enum import StrEnum
from typing import TYPE_CHECKING

from radius2fa.cli.showing import iso_time, local_time, print_facts, print_table
from radius2fa.otp.token import OATH, Kind, Token, YubiKey

if TYPE_CHECKING:  # imported where it is needed: it is heavy
    from collections.abc import Sequence

    from radius2fa.store.tokens import TokenRow


class State(StrEnum):
    """Whether a token may answer now, and if not, why."""

    ACTIVE = "active"
    DISABLED = "disabled"
    EXPIRED = "expired"
    NOT_YET_VALID = "not yet valid"
    IN_STOCK = "in stock"  # nobody's, and fit to be given to somebody


PASSKEY = "security key / passkey"


def state(row: "TokenRow", when: float) -> State:
    """Return the state of a token at `when` (Unix seconds)."""
    if not row.active:
        return State.DISABLED
    if row.valid_until is not None and when >= row.valid_until:
        return State.EXPIRED
    if row.valid_from is not None and when < row.valid_from:
        return State.NOT_YET_VALID
    return State.IN_STOCK if row.subject is None else State.ACTIVE


def note(row: "TokenRow", when: float) -> str:
    """Return a sentence, with a space in front, on why a token may not answer at `when`; nothing if it may."""
    now = state(row, when)
    return "" if now in {State.ACTIVE, State.IN_STOCK} else f" It is {now}."


def form(token: "Token | YubiKey | TokenRow") -> str:
    """Return what makes the codes, and which form they have; of a passkey, what it is."""
    if isinstance(token, Token):
        return _oath_form(token)
    if isinstance(token, YubiKey) or token.kind is Kind.YUBIKEY:
        return f"YubiKey {token.public_id or ''}".rstrip()
    if token.kind is Kind.WEBAUTHN:
        return PASSKEY
    return _oath_form(token)


def _oath_form(token: "Token | TokenRow") -> str:
    lasting = f", {token.period} s" if token.kind is Kind.TOTP else ""
    return f"{token.kind.upper()} {token.algorithm}, {token.digits} digits{lasting}"


def validity(row: "TokenRow") -> str:
    """Return when a token may answer, in words."""
    since = "" if row.valid_from is None else f"from {local_time(row.valid_from)}"
    until = "" if row.valid_until is None else f"until {local_time(row.valid_until)}"
    return f"{since} {until}".strip() or "always"


def owner(row: "TokenRow") -> str:
    """Return whose a token is."""
    return "nobody" if row.name is None else row.name


def described(row: "TokenRow", when: float) -> dict[str, object]:
    """Return a token at `when` (Unix seconds) as JSON has it: what means nothing of its kind is null."""
    oath, clock = row.kind in OATH, row.kind is Kind.TOTP
    return {
        "id": row.id,
        "user": row.name,
        "subject": row.subject,
        "kind": row.kind,
        "algorithm": row.algorithm if oath else None,
        "digits": row.digits if oath else None,
        "period": row.period if clock else None,
        "public_id": row.public_id,
        "counter": row.counter,
        "drift": row.drift if clock else None,
        "label": row.label,
        "serial": row.serial,
        "state": state(row, when),
        "active": row.active,
        "valid_from": iso_time(row.valid_from),
        "valid_until": iso_time(row.valid_until),
        "created": iso_time(row.created),
        "last_used": iso_time(row.last_used),
    }


def print_token(row: "TokenRow", when: float) -> None:
    """Print all that is known of a token at `when` (Unix seconds), but never its secret."""
    facts = [
        ("Token", row.id),
        ("User", owner(row)),
        ("Kind", form(row)),
        ("Label", row.label),
        ("Serial", row.serial or ""),
        ("State", state(row, when)),
        ("Valid", validity(row)),
        ("Counter", str(row.counter)),
        ("Drift", f"{row.drift} steps" if row.kind is Kind.TOTP else ""),
        ("Created", local_time(row.created)),
        ("Last used", local_time(row.last_used)),
    ]
    print_facts(facts)


_TITLES = ("Token", "User", "Kind", "Label", "Serial", "State", "Valid", "Drift", "Last used")
_SPARED = frozenset({"Label", "Serial", "Valid", "Drift"})  # where they say nothing of any token, there is no column


def print_tokens(rows: "Sequence[TokenRow]", when: float) -> None:
    """Print tokens at `when` (Unix seconds) as a table."""
    table = [_cells(row, when) for row in rows]
    shown = [place for place, title in enumerate(_TITLES) if title not in _SPARED or any(row[place] for row in table)]
    print_table([_TITLES[place] for place in shown], [[row[place] for place in shown] for row in table])


def _cells(row: "TokenRow", when: float) -> tuple[str, ...]:
    bounded = row.valid_from is not None or row.valid_until is not None
    return (
        row.id,
        row.name or "",
        form(row),
        row.label,
        row.serial or "",
        state(row, when),
        validity(row) if bounded else "",
        f"{row.drift:+d}" if row.drift else "",
        local_time(row.last_used),
    )
