"""Owns the login's side of the tables: `login.ports.Ledger` on a database."""

import hashlib
from collections.abc import Collection
from dataclasses import replace

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from radius2fa.login.ports import Failure, Held, Miss, OutOfStep, Record, Result, Standing, Success, Unavailable
from radius2fa.login.reason import Reason
from radius2fa.otp.token import YubiKey
from radius2fa.store import accounts, journal, places, standing
from radius2fa.store.acts import Acts, Deed
from radius2fa.store.burn import adopt, has_device, serial_of, swap
from radius2fa.store.database import Database
from radius2fa.store.pen import Pen
from radius2fa.store.prepared import Prepared
from radius2fa.store.schema import challenge, token
from radius2fa.store.seal import KeyRing, Random, SealBroken

_HELD = Prepared(
    select(challenge.c.held, challenge.c.expires).where(
        challenge.c.id == bindparam("state"), challenge.c.expires > bindparam("when")
    )
)
_HOLD = Prepared(insert(challenge))
_END = Prepared(delete(challenge).where(challenge.c.id == bindparam("state")))
_REMEMBER = (
    update(token)
    .where(
        token.c.id == bindparam("token"),
        token.c.subject == bindparam("owner"),
        token.c.active,
        token.c.counter <= bindparam("seen"),
    )
    .values(remembered=bindparam("seen"), remembered_at=bindparam("when"))
)


class Ledger:
    """All that logins leave behind, as `login.ports.Ledger` says."""

    def __init__(self, database: Database, keys: KeyRing, random: Random, acts: Acts, pen: Pen) -> None:
        """Take the database, the keys that seal what is secret in it, random octets, the book of acts, and its pen."""
        self._database = database
        self._keys = keys
        self._random = random
        self._acts = acts
        self._pen = pen

    def standing(self, subject: str, place: str, when: float) -> Standing:
        """Return the person's tokens at `when` and failures, and those of the place; nothing for a stranger."""
        try:
            return self._database.read(
                lambda connection: standing.standing(connection, self._keys, subject, place, when)
            )
        except SealBroken as broken:
            raise Unavailable("master key", str(broken)) from None

    def stock(self, public_ids: Collection[str], when: float) -> tuple[YubiKey, ...]:
        """Return the active, valid YubiKeys of these public ids that belong to nobody yet."""
        try:
            return self._database.read(lambda connection: standing.stock(connection, self._keys, public_ids, when))
        except SealBroken as broken:
            raise Unavailable("master key", str(broken)) from None

    def repeated(self, failure: Failure, client: str, when: float) -> bool:
        """Tell whether the person's last failure was this one, from this client, and still counts for it."""
        digest = self._keys.digest(client, failure.credentials)
        return self._database.read(lambda connection: accounts.repeated(connection, failure, digest, when))

    def held(self, state: bytes, client: str, name: str, when: float) -> Held | None:
        """Return the login that waits under `state`, if it waits for this client and name and has not expired."""
        values = {"state": _hashed(state), "when": when}
        rows = self._database.read(lambda connection: _HELD.rows(connection, values))
        if not rows:
            return None
        ((sealed, expires),) = rows
        waiting = Held(state, client, name, b"", expires)
        try:
            return replace(waiting, password=self._keys.open_held(waiting, sealed))
        except SealBroken as broken:
            if not self._keys.knows(sealed):
                raise Unavailable("master key", str(broken)) from None
            return None

    def ask(self, held: Held, record: Record, failure: Failure | Miss | None) -> None:
        """Keep a login that waits for its code; write the record; count the failure, if there is one."""
        row = {"id": _hashed(held.state), "held": self._keys.seal_held(held, self._random), "expires": held.expires}

        def job(connection: Connection) -> None:
            self._count(connection, record, failure)
            _HOLD.changed(connection, row)
            self._count_place(connection, record, failure)
            journal.write(connection, record, self._pen)

        self._database.write(job)

    def refuse(self, record: Record, failure: Failure | Miss | None, answered: bytes | None) -> None:
        """Write the record; count the failure, if there is one; end the challenge of State `answered`."""

        def job(connection: Connection) -> None:
            self._count(connection, record, failure)
            _end(connection, answered)
            self._count_place(connection, record, failure)
            journal.write(connection, record, self._pen)

        self._database.write(job)

    def accept(self, success: Success, record: Record, answered: bytes | None) -> Reason | None:
        """Burn the code, end the challenge, forget the failures, write the record: all or nothing.

        Returns None when that was done, and the login may be accepted. Otherwise the reason why not, which has been
        written in the record's place.
        """
        return self._database.write(lambda connection: self._accept(connection, success, record, answered))

    def _accept(
        self, connection: Connection, success: Success, record: Record, answered: bytes | None
    ) -> Reason | None:
        if success.burn is not None and success.burn.adopts:
            accounts.see(connection, {success.subject: success.name})  # whose token it is going to be
        failures = accounts.lock(connection, success.subject)
        waited = _end(connection, answered)  # whatever follows: an answer is given once
        if failures.blocked(record.when):
            refusal = Reason.LOCKED_OUT
        elif not waited:
            refusal = Reason.STATE_UNKNOWN
        elif not self._burn(connection, success, record.when):
            refusal = Reason.CODE_ALREADY_USED
        else:
            if failures.count:
                _forget(connection, success)
            if success.place is not None:
                places.forget(connection, success.place)
            if success.burn is not None and success.burn.adopts:
                record = replace(record, serial=serial_of(connection, success.burn.token))
            journal.write(connection, record, self._pen)
            return None
        journal.write(connection, replace(record, result=Result.REJECT, reason=refusal), self._pen)
        return refusal

    def _burn(self, connection: Connection, success: Success, when: float) -> bool:
        burn = success.burn
        if burn is None:
            return True
        if not burn.adopts:
            return swap(connection, burn, success.subject, when)
        # Looked at again under the account's lock: of several at once, one adopts.
        if has_device(connection, success.subject, when) or not adopt(connection, burn, success.subject, when):
            return False
        self._acts.write(connection, Deed.ADOPTED, when, subject=success.subject, name=success.name, token=burn.token)
        return True

    # The account is the first and the place the last that a transaction locks: no two wait for each other.

    def _count(self, connection: Connection, record: Record, failure: Failure | Miss | None) -> None:
        if not isinstance(failure, Failure):
            return
        digest = self._keys.digest(record.client, failure.credentials)
        accounts.count(connection, failure, digest, record.when)
        if failure.out_of_step is not None:
            _remember(connection, failure.subject, failure.out_of_step, record.when)

    def _count_place(self, connection: Connection, record: Record, failure: Failure | Miss | None) -> None:
        if isinstance(failure, Miss):
            miss = replace(failure, place=journal.storable(failure.place), name=journal.storable(failure.name))
            places.count(connection, miss, self._keys.digest(miss.place, miss.name.encode()), record.when)


def _forget(connection: Connection, success: Success) -> None:
    """Forget the failures of what was shown: a code, a password, or both."""
    if success.burn is None:
        accounts.forget_passwords(connection, success.subject)
    elif success.by_password:
        accounts.forget(connection, success.subject)
    else:
        accounts.forget_codes(connection, success.subject)


def _end(connection: Connection, answered: bytes | None) -> bool:
    """Delete the challenge that was answered. False if somebody else did so before."""
    return answered is None or _END.changed(connection, {"state": _hashed(answered)}) == 1


def _remember(connection: Connection, owner: str, seen: OutOfStep, when: float) -> None:
    connection.execute(_REMEMBER, {"token": seen.token, "owner": owner, "seen": seen.counter, "when": when})


def _hashed(state: bytes) -> str:
    """Return the name of a challenge's row. The State itself is a key, and no key lies beside what it opens."""
    return hashlib.sha256(state).hexdigest()
