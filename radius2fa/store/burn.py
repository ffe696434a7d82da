"""Owns a token as a login sees it: its row opened, and the compare-and-swap that burns a code."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, or_, select, update

from radius2fa.login.ports import Burn
from radius2fa.otp.token import AES_KEY_OCTETS, Algorithm, Factor, IssuedCode, Kind, Token, YubiKey
from radius2fa.store.prepared import Prepared
from radius2fa.store.schema import token
from radius2fa.store.seal import KeyRing

SEALED = (
    token.c.id,
    token.c.kind,
    token.c.seed,
    token.c.counter,
    token.c.algorithm,
    token.c.digits,
    token.c.period,
    token.c.drift,
    token.c.remembered,
    token.c.remembered_at,
    token.c.public_id,
    token.c.uses,
)

# Asking the enumeration itself takes five times as long, and a login asks it twice for each token.
_KINDS = {kind.value: kind for kind in Kind}
_ALGORITHMS = {algorithm.value: algorithm for algorithm in Algorithm}

IS_DEVICE = token.c.uses.is_(None)  # no issued code


def valid_at(when: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return the condition that a token is active and valid at a time."""
    return and_(
        token.c.active,
        or_(token.c.valid_from.is_(None), token.c.valid_from <= when),
        or_(token.c.valid_until.is_(None), token.c.valid_until > when),
    )


# A token's counter may leap; that of an issued code counts its uses, and ends with the last.
_UNUSED = or_(
    and_(IS_DEVICE, token.c.counter <= bindparam("used")),
    and_(token.c.counter == bindparam("used"), token.c.counter < token.c.uses),
)
_BURNED: dict[str, Any] = {
    "counter": bindparam("next"),
    "drift": bindparam("new_drift"),
    "last_used": bindparam("when"),
    "remembered": None,
    "remembered_at": None,
}
_THIS = update(token).where(token.c.id == bindparam("token"), _UNUSED).values(_BURNED)
_ADVANCE = _THIS.where(token.c.active, IS_DEVICE)
_BURN = Prepared(_THIS.where(token.c.subject == bindparam("owner"), valid_at(bindparam("when"))))
_DEVICE = (
    select(token.c.id)
    .where(
        token.c.subject == bindparam("owner"),
        IS_DEVICE,
        or_(token.c.valid_from.is_(None), token.c.valid_from <= bindparam("when")),
    )
    .limit(1)
)
_SERIAL = select(token.c.serial).where(token.c.id == bindparam("token"))
_ADOPT = _THIS.where(token.c.subject.is_(None), valid_at(bindparam("when"))).values(subject=bindparam("owner"))


def advance(connection: Connection, token_id: str, counter: int, drift: int, when: float) -> bool:
    """Move an active token's counter above `counter`. False if it is there already: somebody else was first."""
    return connection.execute(_ADVANCE, _values(token_id, counter, drift, when)).rowcount == 1


def swap(connection: Connection, burn: Burn, owner: str, when: float) -> bool:
    """Move the counter above the burned one. False if somebody was first, or it is active, valid and theirs no more."""
    values = _values(burn.token, burn.counter, burn.drift, when)
    return _BURN.changed(connection, values | {"owner": owner}) == 1


def has_device(connection: Connection, owner: str, when: float) -> bool:
    """Tell whether a person has a token of their own, or had one that was not removed (`ports.Standing.enrolled`)."""
    return connection.execute(_DEVICE, {"owner": owner, "when": when}).first() is not None


def adopt(connection: Connection, burn: Burn, owner: str, when: float) -> bool:
    """Do the same with a token of the stock, and make it theirs. False also if it is in the stock no more."""
    values = _values(burn.token, burn.counter, burn.drift, when)
    return connection.execute(_ADOPT, values | {"owner": owner}).rowcount == 1


def serial_of(connection: Connection, token_id: str) -> str | None:
    """Return the serial number of a token that has one."""
    return connection.execute(_SERIAL, {"token": token_id}).scalar()


def _values(token_id: str, counter: int, drift: int, when: float) -> dict[str, object]:
    return {"token": token_id, "used": counter, "next": counter + 1, "new_drift": drift, "when": when}


def unsealed(keys: KeyRing, row: Sequence[Any]) -> Factor:
    """Return the token of a row of the SEALED columns.

    Raises:
        SealBroken: its seed does not open.

    """
    token_id, name, seed, counter, *oath, public_id, uses = row
    kind = _KINDS[name]
    if uses is not None:
        key, digest = keys.open_code(seed)
        return IssuedCode(token_id, kind, key, digest, counter, uses)
    secret = keys.open_seed(token_id, kind, seed)
    if kind is Kind.YUBIKEY:
        return YubiKey(token_id, public_id or "", secret[:AES_KEY_OCTETS], secret[AES_KEY_OCTETS:], counter)
    algorithm, digits, period, drift, remembered, remembered_at = oath
    return Token(
        token_id,
        kind,
        secret,
        _ALGORITHMS[algorithm],
        digits,
        period,
        counter,
        drift,
        remembered,
        remembered_at or 0.0,
    )
