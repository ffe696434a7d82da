"""Owns a token as a login sees it: its row opened, and the compare-and-swap that burns a code."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, update

from radius2fa.otp.token import Algorithm, Kind, Token
from radius2fa.store.prepared import Prepared
from radius2fa.store.schema import token
from radius2fa.store.seal import KeyRing

SEALED = (
    token.c.id,
    token.c.kind,
    token.c.seed,
    token.c.algorithm,
    token.c.digits,
    token.c.period,
    token.c.counter,
    token.c.drift,
    token.c.remembered,
    token.c.remembered_at,
)
_UPDATE = (
    update(token)
    .where(token.c.id == bindparam("token"), token.c.active, token.c.counter <= bindparam("used"))
    .values(
        counter=bindparam("next"),
        drift=bindparam("new_drift"),
        last_used=bindparam("when"),
        remembered=None,
        remembered_at=None,
    )
)
_SWAP = Prepared(_UPDATE)
_SWAP_OF = Prepared(_UPDATE.where(token.c.subject == bindparam("owner")))


def swap(
    connection: Connection, token_id: str, counter: int, drift: int, when: float, *, owner: str | None = None
) -> bool:
    """Move an active token's counter above `counter`. False if it is there already: somebody else was first.

    With an `owner`, False too if the token is not theirs.
    """
    values = {"token": token_id, "used": counter, "next": counter + 1, "new_drift": drift, "when": when}
    if owner is None:
        return _SWAP.changed(connection, values) == 1
    return _SWAP_OF.changed(connection, values | {"owner": owner}) == 1


def unsealed(keys: KeyRing, row: Sequence[Any]) -> Token:
    """Return the token of a row of the SEALED columns.

    Raises:
        SealBroken: its seed does not open.

    """
    token_id, kind, seed, algorithm, digits, period, counter, drift, remembered, remembered_at = row
    return Token(
        id=token_id,
        kind=Kind(kind),
        key=keys.open_seed(token_id, Kind(kind), seed),
        algorithm=Algorithm(algorithm),
        digits=digits,
        period=period,
        counter=counter,
        drift=drift,
        remembered=remembered,
        remembered_at=remembered_at or 0.0,
    )
