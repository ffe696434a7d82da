"""Owns how commands come by a token that they are told by its id or serial number, and what they say if they cannot."""

from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from radius2fa.cli.opening import MISCONFIGURED, NO, fail
from radius2fa.otp.token import Kind
from radius2fa.printable import printable

if TYPE_CHECKING:  # imported where they are needed: each of them is heavy
    from radius2fa.otp.token import Token, YubiKey
    from radius2fa.store.engine import Store
    from radius2fa.store.tokens import TokenRow

TokenName = Annotated[str, typer.Argument(metavar="TOKEN", help="Its id, as `token list` shows it, or serial number.")]


def token_of(store: "Store", name: str) -> "TokenRow":
    """Return the token of this id or serial number. If there is none, the program ends with 1."""
    return store.tokens.get(name) or unknown(name)


def secret_of(store: "Store", row: "TokenRow") -> "Token | YubiKey":
    """Return a token with its seed. If that does not open, the program ends with 78; with 1 if it is a passkey's."""
    from radius2fa.store.seal import SealBroken  # noqa: PLC0415 - heavy

    if row.kind is Kind.WEBAUTHN:
        fail(NO, f"token {row.id} is a security key or passkey: it makes no codes, and its secret never leaves it")
    try:
        return store.tokens.secret(row.id) or unknown(row.id)
    except SealBroken as broken:
        fail(MISCONFIGURED, str(broken))


def require_no_passkey(row: "TokenRow") -> None:
    """If a token can be nobody else's, end the program with 1."""
    if row.kind is Kind.WEBAUTHN:
        fail(
            NO,
            f"token {row.id} is a security key or passkey, which knows whose it is: remove it, and let whoever has it "
            "register it in the portal",
        )


def activate(store: "Store", token_id: str, name: str) -> None:
    """Let a token of somebody of this name answer. If they have too many, or it is gone, the program ends with 1."""
    from radius2fa.store.tokens import TooManyTokens  # noqa: PLC0415 - heavy

    try:
        known = store.tokens.set_active(token_id, True)  # noqa: FBT003 - the value that is set
    except TooManyTokens:
        no_room(name)
    require(known, token_id)


def require(known: bool, name: str) -> None:  # noqa: FBT001 - the answer of the store
    """If a token that was there a moment ago is not known any more, end the program with 1."""
    if not known:
        unknown(name)


def unknown(name: str) -> NoReturn:
    """End the program with 1, for want of the token."""
    fail(NO, f"there is no token {printable(name)}")


def no_room(name: str) -> NoReturn:
    """End the program with 1, since the person has as many tokens as one may have."""
    from radius2fa.store.tokens import MOST_ACTIVE  # noqa: PLC0415 - heavy

    fail(NO, f"{printable(name)} has {MOST_ACTIVE} active tokens, which is the most: disable or remove one first")
