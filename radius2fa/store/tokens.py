"""Owns the tokens' rows: who has which, what people may see of them, and what the helpdesk does with them."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, bindparam, delete, or_, select, update

from radius2fa.otp.token import Algorithm, IssuedCode, Kind, Token, YubiKey
from radius2fa.store import accounts, adding, burn, intake
from radius2fa.store.acts import Acts, Deed, written
from radius2fa.store.adding import MOST_ACTIVE, NewToken, NotTheFirst, Taken, TooManyTokens
from radius2fa.store.burn import IS_DEVICE, SEALED, unsealed
from radius2fa.store.database import Database
from radius2fa.store.intake import Intake
from radius2fa.store.journal import storable
from radius2fa.store.schema import account, token
from radius2fa.store.seal import KeyRing, Random

__all__ = ["MOST_ACTIVE", "Intake", "NewToken", "NotTheFirst", "Taken", "TokenRow", "Tokens", "TooManyTokens"]


@dataclass(frozen=True, slots=True)
class TokenRow:
    """What people may see of a token. `subject` and `name` are its owner's, None in the stock. Times are Unix seconds.

    `algorithm`, `digits`, `period` and `drift` say something of OATH tokens only. `public_id` is what stands in front
    of a YubiKey's codes, or a passkey's credential id in base64url. A passkey's `counter` is the signature counter that
    it last told.
    """

    id: str
    subject: str | None
    name: str | None
    kind: Kind
    algorithm: Algorithm
    digits: int
    period: int
    counter: int
    drift: int
    label: str
    serial: str | None
    active: bool
    created: float
    last_used: float | None
    public_id: str | None = None
    valid_from: float | None = None
    valid_until: float | None = None


_THIS = and_(token.c.id == bindparam("token"), IS_DEVICE)
_ROW = (
    select(
        token.c.id,
        token.c.subject,
        account.c.name,
        token.c.kind,
        token.c.algorithm,
        token.c.digits,
        token.c.period,
        token.c.counter,
        token.c.drift,
        token.c.label,
        token.c.serial,
        token.c.active,
        token.c.created,
        token.c.last_used,
        token.c.public_id,
        token.c.valid_from,
        token.c.valid_until,
    )
    .select_from(token.outerjoin(account))
    .where(IS_DEVICE)
)
_ALL = _ROW.order_by(account.c.name.nulls_last(), token.c.created, token.c.id)
_STOCK = _ROW.where(token.c.subject.is_(None)).order_by(token.c.serial.nulls_last(), token.c.created, token.c.id)
_OF = _ROW.where(token.c.subject == bindparam("owner")).order_by(token.c.created, token.c.id)
_ONE = _ROW.where(or_(token.c.id == bindparam("token"), token.c.serial == bindparam("token")))

_MAKES_CODES = token.c.kind != Kind.WEBAUTHN.value
_SECRET = select(*SEALED).where(_THIS, _MAKES_CODES)
_OWNER = select(token.c.subject, account.c.name, token.c.active).select_from(token.outerjoin(account)).where(_THIS)
_SET_ACTIVE = update(token).where(_THIS).values(active=bindparam("now_active"))
_SET_VALID = update(token).where(_THIS).values(valid_from=bindparam("not_before"), valid_until=bindparam("not_after"))
_ASSIGN = update(token).where(_THIS, token.c.subject.is_(None)).values(subject=bindparam("owner"))
# A passkey is made for one person, and knows it.
_UNASSIGN = update(token).where(_THIS, token.c.subject.is_not(None), _MAKES_CODES).values(subject=None)
_RENAME = update(token).where(_THIS).values(label=bindparam("new_label"))
_REMOVE = delete(token).where(_THIS)


@dataclass(frozen=True, slots=True)
class _Owned:
    """Whose a token is, and whether it is active."""

    subject: str | None
    name: str | None
    active: bool


class Tokens:
    """The tokens, as enrolment and the helpdesk see them. Times are Unix seconds.

    Passkeys are tokens here, of which `passkeys.Passkeys` knows more. Codes that were handed out (`codes.Codes`) are
    none. Every method may raise Unavailable.
    """

    def __init__(self, database: Database, keys: KeyRing, random: Random, acts: Acts) -> None:
        """Take the database, the keys that seal the seeds, a source of random octets, and the book of acts."""
        self._database = database
        self._keys = keys
        self._seal = adding.seal_with(keys, random)
        self._acts = acts

    def add(self, new: NewToken, when: float, *, first: bool = False) -> None:
        """Add a token, enrolled at `when`; with `first`, only for somebody who has none.

        Raises:
            NotTheFirst: `first`, and the person has one.
            TooManyTokens: the person has 8 active tokens.
            Taken: the id, the serial number or the public id is that of another token.

        """

        def job(connection: Connection) -> None:
            if first and new.subject is not None:
                accounts.see(connection, adding.owners_of([new]))
                adding.require_first(connection, new.subject, when)
            self._add(connection, [new], when)

        self._database.write(job)

    def add_many(self, new: Iterable[NewToken], when: float) -> None:
        """Add tokens, enrolled at `when`: all of them, or none.

        Raises:
            TooManyTokens: a person would have more than 8 active tokens.
            Taken: an id, a serial number or a public id is that of another token.

        """
        # In one order of people, so that two of these do not wait for each other.
        ordered = sorted(new, key=lambda one: one.subject or "")

        self._database.write(lambda connection: self._add(connection, ordered, when))

    def take_in(self, new: Sequence[NewToken], when: float, *, dry: bool = False) -> tuple[Intake, ...]:
        """Add such of the tokens as are new, enrolled at `when`, and return what became of each, in the order given.

        At most some hundreds at once: a transaction makes logins wait. With `dry`, tell only what would become of them.
        """
        if dry:
            return self._database.read(lambda connection: intake.foretell(connection, self._keys, new))

        def job(connection: Connection) -> tuple[Intake, ...]:
            fates = intake.take_in(connection, self._keys, new, when, self._seal)
            tally = Counter(fates)
            if tally[Intake.ADDED]:
                detail = ", ".join(f"{fate.name.lower()}: {tally[fate]}" for fate in Intake if tally[fate])
                self._acts.write(connection, Deed.IMPORTED, when, detail=detail)
            return fates

        return self._database.write(job)

    def list(self, subject: str | None = None, *, unassigned: bool = False) -> tuple[TokenRow, ...]:
        """Return the tokens of a person by age, those of the stock by serial number, or all by name and age."""
        if subject is not None:
            return self._rows(_OF, {"owner": subject})
        return self._rows(_STOCK if unassigned else _ALL, {})

    def get(self, id_or_serial: str) -> TokenRow | None:
        """Return a token, None if there is none of this id or serial number."""
        rows = self._rows(_ONE, {"token": id_or_serial})
        return min(rows, key=lambda row: row.id != id_or_serial, default=None)

    def secret(self, token_id: str) -> Token | YubiKey | None:
        """Return a token with its seed, whether it may answer or not, None if there is none of this id.

        A passkey has none: `passkeys.Passkeys` gives its public key.

        Raises:
            SealBroken: the seed does not open.

        """
        row = self._database.read(lambda connection: connection.execute(_SECRET, {"token": token_id}).first())
        found = None if row is None else unsealed(self._keys, tuple(row))
        return None if isinstance(found, IssuedCode) else found

    def assign(self, token_id: str, subject: str, name: str, when: float, *, first: bool = False) -> bool:
        """Give a token of the stock to a person; with `first`, only if they have none. False if it is not in the stock.

        Raises:
            NotTheFirst: `first`, and the person has one.
            TooManyTokens: it is active, and the person has 8 other active tokens.

        """

        def job(connection: Connection) -> bool:
            token = _owned(connection, token_id)
            if token is None or token.subject is not None:
                return False
            accounts.see(connection, {subject: name})
            if first:
                adding.require_first(connection, subject, when)
            if token.active:
                adding.require_room(connection, Counter({subject: 1}))
            if connection.execute(_ASSIGN, {"token": token_id, "owner": subject}).rowcount == 0:
                return False
            self._acts.write(connection, Deed.ASSIGNED, when, subject=subject, name=name, token=token_id)
            return True

        return self._database.write(job)

    def unassign(self, token_id: str) -> bool:
        """Take a token back into the stock as it is: disabled if it was lost. False if it is nobody's, or a passkey."""

        def change(connection: Connection, _: _Owned) -> bool:
            return connection.execute(_UNASSIGN, {"token": token_id}).rowcount == 1

        return self._change(token_id, Deed.UNASSIGNED, change)

    def set_valid(self, token_id: str, valid_from: float | None, valid_until: float | None) -> bool:
        """Let a token answer only from one time until another; None is no bound. False if there is none of this id."""

        def change(connection: Connection, _: _Owned) -> bool:
            values = {"token": token_id, "not_before": valid_from, "not_after": valid_until}
            return connection.execute(_SET_VALID, values).rowcount == 1

        detail = f"from {written(valid_from)} until {written(valid_until)}"
        return self._change(token_id, Deed.VALIDITY, change, detail)

    def set_active(self, token_id: str, active: bool) -> bool:  # noqa: FBT001 - the value that is set
        """Let a token answer, or not. False if there is none of this id.

        Raises:
            TooManyTokens: the person has 8 other active tokens.

        """

        def change(connection: Connection, token: _Owned) -> bool:
            if active and not token.active and token.subject is not None:
                adding.require_room(connection, Counter({token.subject: 1}))
            return connection.execute(_SET_ACTIVE, {"token": token_id, "now_active": active}).rowcount == 1

        return self._change(token_id, Deed.ENABLED if active else Deed.DISABLED, change)

    def rename(self, token_id: str, label: str) -> bool:
        """Give a token another label. False if there is none of this id."""
        label = storable(label)

        def change(connection: Connection, _: _Owned) -> bool:
            return connection.execute(_RENAME, {"token": token_id, "new_label": label}).rowcount == 1

        return self._change(token_id, Deed.RENAMED, change, label)

    def remove(self, token_id: str) -> bool:
        """Delete a token. False if there is none of this id."""

        def change(connection: Connection, _: _Owned) -> bool:
            return connection.execute(_REMOVE, {"token": token_id}).rowcount == 1

        return self._change(token_id, Deed.REMOVED, change)

    def advance(self, token_id: str, counter: int, drift: int, when: float) -> bool:
        """Use up everything to `counter`, at `when`. False if it was used already, or is not active."""
        return self._database.write(lambda connection: burn.advance(connection, token_id, counter, drift, when))

    def _add(self, connection: Connection, new: Sequence[NewToken], when: float) -> None:
        adding.add(connection, new, when, self._seal)
        for one in new:
            self._acts.write(connection, Deed.ADDED, when, subject=one.subject, name=one.name, token=one.token.id)

    def _change(
        self, token_id: str, deed: Deed, change: Callable[[Connection, _Owned], bool], detail: str = ""
    ) -> bool:
        """Change one token, and write that down. False, and nothing written, if there is no such token."""

        def job(connection: Connection) -> bool:
            token = _locked(connection, token_id)
            if token is None or not change(connection, token):
                return False
            self._acts.write(
                connection, deed, None, subject=token.subject, name=token.name, token=token_id, detail=detail
            )
            return True

        return self._database.write(job)

    def _rows(self, statement: Select[*tuple[Any, ...]], values: Mapping[str, object]) -> tuple[TokenRow, ...]:
        rows = self._database.read(lambda connection: connection.execute(statement, values).all())
        return tuple(map(_token_row, rows))


def _token_row(row: Row[*tuple[Any, ...]]) -> TokenRow:
    values = row._asdict()
    return TokenRow(**values | {"kind": Kind(row.kind), "algorithm": Algorithm(row.algorithm)})


def _owned(connection: Connection, token_id: str) -> _Owned | None:
    row = connection.execute(_OWNER, {"token": token_id}).first()
    return None if row is None else _Owned(*row)


def _locked(connection: Connection, token_id: str) -> _Owned | None:
    """Return whose a token is, holding their account until the end of the transaction, so that none else changes it."""
    token = _owned(connection, token_id)
    if token is None or token.subject is None:
        return token
    accounts.lock(connection, token.subject)
    return _owned(connection, token_id)
