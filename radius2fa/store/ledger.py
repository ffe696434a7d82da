"""Owns the login's side of the tables: `login.ports.Ledger` on a database."""

import hashlib
from dataclasses import replace

from sqlalchemy import Connection, and_, bindparam, delete, insert, select, update

from radius2fa.login.lockout import Failures
from radius2fa.login.ports import Burn, Failure, Held, OutOfStep, Record, Result, Standing, Unavailable
from radius2fa.login.reason import Reason
from radius2fa.store import accounts, journal
from radius2fa.store.burn import SEALED, swap, unsealed
from radius2fa.store.database import Database
from radius2fa.store.prepared import Prepared
from radius2fa.store.schema import account, challenge, token
from radius2fa.store.seal import KeyRing, Random, SealBroken

_STANDING = Prepared(
    select(account.c.failures, account.c.blocked_until, *SEALED)
    .select_from(account.outerjoin(token, and_(token.c.subject == account.c.subject, token.c.active)))
    .where(account.c.subject == bindparam("who"))
)
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

    def __init__(self, database: Database, keys: KeyRing, random: Random) -> None:
        """Take the database, the keys that seal what is secret in it, and a source of random octets."""
        self._database = database
        self._keys = keys
        self._random = random

    def standing(self, subject: str) -> Standing:
        """Return the person's active tokens and failures; an empty Standing for somebody without either."""
        rows = self._database.read(lambda connection: _STANDING.rows(connection, {"who": subject}))
        if not rows:
            return Standing()
        failures = Failures(rows[0][0], rows[0][1])
        try:
            return Standing(tuple(unsealed(self._keys, row[2:]) for row in rows if row[2] is not None), failures)
        except SealBroken as broken:
            raise Unavailable("master key", str(broken)) from None

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

    def ask(self, held: Held, record: Record, failure: Failure | None) -> None:
        """Keep a login that waits for its code; write the record; count the failure, if there is one."""
        row = {"id": _hashed(held.state), "held": self._keys.seal_held(held, self._random), "expires": held.expires}

        def job(connection: Connection) -> None:
            self._count(connection, record, failure)
            _HOLD.changed(connection, row)
            journal.write(connection, record)

        self._database.write(job)

    def refuse(self, record: Record, failure: Failure | None, answered: bytes | None) -> None:
        """Write the record; count the failure, if there is one; end the challenge of State `answered`."""

        def job(connection: Connection) -> None:
            self._count(connection, record, failure)
            _end(connection, answered)
            journal.write(connection, record)

        self._database.write(job)

    def accept(self, burn: Burn, record: Record, answered: bytes | None) -> Reason | None:
        """Burn the code, end the challenge, forget the failures, write the record: all or nothing.

        Returns None when that was done, and the login may be accepted. Otherwise the reason why not, which has been
        written in the record's place.
        """
        return self._database.write(lambda connection: _accept(connection, burn, record, answered))

    def _count(self, connection: Connection, record: Record, failure: Failure | None) -> None:
        if failure is None:
            return
        digest = self._keys.digest(record.client, failure.credentials)
        accounts.count(connection, failure, digest, record.when)
        if failure.out_of_step is not None:
            _remember(connection, failure.subject, failure.out_of_step, record.when)


def _accept(connection: Connection, burn: Burn, record: Record, answered: bytes | None) -> Reason | None:
    failures = accounts.lock(connection, burn.subject)
    waited = _end(connection, answered)  # whatever follows: an answer is given once
    if failures.blocked(record.when):
        refusal = Reason.LOCKED_OUT
    elif not waited:
        refusal = Reason.STATE_UNKNOWN
    elif not swap(connection, burn.token, burn.counter, burn.drift, record.when, owner=burn.subject):
        refusal = Reason.CODE_ALREADY_USED
    else:
        if failures.count:
            accounts.forget(connection, burn.subject)
        journal.write(connection, record)
        return None
    journal.write(connection, replace(record, result=Result.REJECT, reason=refusal))
    return refusal


def _end(connection: Connection, answered: bytes | None) -> bool:
    """Delete the challenge that was answered. False if somebody else did so before."""
    return answered is None or _END.changed(connection, {"state": _hashed(answered)}) == 1


def _remember(connection: Connection, owner: str, seen: OutOfStep, when: float) -> None:
    connection.execute(_REMEMBER, {"token": seen.token, "owner": owner, "seen": seen.counter, "when": when})


def _hashed(state: bytes) -> str:
    """Return the name of a challenge's row. The State itself is a key, and no key lies beside what it opens."""
    return hashlib.sha256(state).hexdigest()
