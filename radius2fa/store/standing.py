"""Owns what a login reads: a person's tokens, codes and failures, those of the place, and the YubiKeys of the stock."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, literal, select

from radius2fa.login.lockout import Failures
from radius2fa.login.ports import NO_FAILURES, Retired, Standing
from radius2fa.login.reason import Reason
from radius2fa.otp.token import DEVICES, Kind, YubiKey
from radius2fa.store.burn import SEALED, unsealed, valid_at
from radius2fa.store.journal import storable
from radius2fa.store.prepared import Prepared
from radius2fa.store.schema import account, place, token
from radius2fa.store.seal import KeyRing, SealBroken

# Of one person, tokens before codes and the newest first: what was retired explains a refusal, and tells that somebody
# is enrolled; it must not make logins dear.
MOST_RETIRED = 8

_ONE = select(literal(1).label("one")).subquery("one")  # a row there is always, for strangers too
_STANDING = Prepared(
    select(
        account.c.failures,
        account.c.blocked_until,
        account.c.bypass_until,
        place.c.failures,
        place.c.blocked_until,
        token.c.active,
        token.c.valid_from,
        token.c.valid_until,
        token.c.created,
        *SEALED,
        token.c.serial,
    ).select_from(
        _ONE.outerjoin(account, account.c.subject == bindparam("who"))
        .outerjoin(place, place.c.place == bindparam("where"))
        .outerjoin(token, token.c.subject == account.c.subject)
    )
)
_KIND = 9 + SEALED.index(token.c.kind)
_BOUNDS, _SEALED, _SERIAL = slice(5, 9), slice(9, -1), -1
_ID = 9 + SEALED.index(token.c.id)
_USES = SEALED.index(token.c.uses)
_STOCK = select(*SEALED).where(
    token.c.public_id.in_(bindparam("public_ids", expanding=True)),
    token.c.subject.is_(None),
    valid_at(bindparam("when")),
)


def standing(connection: Connection, keys: KeyRing, subject: str, where: str, when: float) -> Standing:
    """Return what is known of a person at `when` (Unix seconds), and of the place `where`.

    Raises:
        SealBroken: the seed of a token that may answer does not open.

    """
    rows = _STANDING.rows(connection, {"who": subject, "where": storable(where)})
    failures, blocked_until, bypass_until, misses, place_blocked_until = rows[0][:5]
    tokens, retired, enrolled = list[Sequence[Any]](), list[tuple[float, Reason, Sequence[Any]]](), False
    serials = {row[_ID]: row[_SERIAL] for row in rows if row[_SERIAL] is not None}
    for row in rows:
        active, valid_from, valid_until, created = row[_BOUNDS]
        if active is None:
            break  # no token
        why = _obstacle(when, active, valid_from, valid_until)
        # Told by the row: a token whose seal is broken asks for a code too, or its owner would need none.
        enrolled |= row[_KIND] in DEVICES and why is not Reason.TOKEN_NOT_YET_VALID
        if row[_KIND] == Kind.WEBAUTHN:
            continue  # it makes no codes
        if why is None:
            tokens.append(row[_SEALED])
        else:
            retired.append((created, why, row[_SEALED]))
    return Standing(
        tuple(unsealed(keys, sealed) for sealed in tokens),
        NO_FAILURES if failures is None else Failures(failures, blocked_until),
        _retired(keys, retired),
        NO_FAILURES if misses is None else Failures(misses, place_blocked_until),
        bypass_until or 0.0,
        enrolled,
        serials,
    )


def stock(connection: Connection, keys: KeyRing, public_ids: Collection[str], when: float) -> tuple[YubiKey, ...]:
    """Return the YubiKeys of these public ids that belong to nobody and may answer.

    Raises:
        SealBroken: the seed of one does not open.

    """
    rows = connection.execute(_STOCK, {"public_ids": list(public_ids), "when": when}).all()
    keys_found = (unsealed(keys, tuple(row)) for row in rows)
    return tuple(found for found in keys_found if isinstance(found, YubiKey))


def _obstacle(when: float, active: object, valid_from: float | None, valid_until: float | None) -> Reason | None:
    if not active:
        return Reason.TOKEN_DISABLED
    if valid_from is not None and when < valid_from:
        return Reason.TOKEN_NOT_YET_VALID
    if valid_until is not None and when >= valid_until:
        return Reason.TOKEN_EXPIRED
    return None


def _retired(keys: KeyRing, rows: list[tuple[float, Reason, Sequence[Any]]]) -> tuple[Retired, ...]:
    first = sorted(rows, key=lambda row: (row[2][_USES] is None, row[0]), reverse=True)
    found = []
    for _, why, sealed in first[:MOST_RETIRED]:
        try:
            found.append(Retired(unsealed(keys, sealed), why))
        except SealBroken:
            continue  # of an old master key, perhaps; it could answer to nothing anyway
    return tuple(found)
