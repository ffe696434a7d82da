"""Owns who is signed in to the portal: sessions that end when idle, at their time, or when told to.

A session is known by a token of 32 random octets, which only the browser's cookie holds. The table names it by the
token's SHA-256 and keeps what waits in it sealed under the master key and the token, so that neither the database nor
the master key alone opens that.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from radius2fa.store.acts import Acts, Deed
from radius2fa.store.database import Database
from radius2fa.store.journal import storable
from radius2fa.store.schema import session
from radius2fa.store.seal import KeyRing, Random, SealBroken

TOKEN_OCTETS = 32
_LONGEST_AGENT = 256  # characters: more than that says nothing to people


@dataclass(frozen=True, slots=True)
class NewSession:
    """Somebody who signs in.

    `name` is the directory's spelling, `typed` what they typed. `factor` says what the second factor was, as the
    journal does. `proved` and `by_passkey` are when a second factor, and when a passkey, was shown (Unix seconds), None
    if none was. `source` is the address that they come from, `agent` what their browser calls itself. `held` is what
    waits in the session from its beginning.
    """

    subject: str
    name: str
    typed: str
    factor: str
    proved: float | None = None
    by_passkey: float | None = None
    source: str = ""
    agent: str = ""
    held: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is signed in. Times are Unix seconds; otherwise as in `NewSession`.

    `id` names the session, and lets nobody in. It began when they signed in, at `created`, was last used at `seen` or
    less than a minute after, and ends at `until`.
    """

    id: str
    subject: str
    name: str
    typed: str
    factor: str
    created: float
    seen: float
    until: float
    proved: float | None
    by_passkey: float | None
    source: str
    agent: str
    held: bytes = field(default=b"", repr=False)


_INSERT = insert(session)
_THIS = session.c.id == bindparam("session")
_LIVES = session.c.until > bindparam("when")
_FIND = select(session).where(_THIS, _LIVES, session.c.seen >= bindparam("since"))
_TOUCH = update(session).where(_THIS, session.c.seen < bindparam("when")).values(seen=bindparam("when"))
_KEEP = update(session).where(_THIS).values(held=bindparam("new_held"))
_TAKE = delete(session).where(_THIS, _LIVES).returning(session)
_END = delete(session).where(_THIS)
_THEIRS = session.c.subject == bindparam("owner")
_END_ALL = delete(session).where(_THEIRS, session.c.id != bindparam("but")).returning(session.c.name)
_END_ONE = delete(session).where(_THEIRS, _THIS).returning(session.c.name)
_OF = select(session).where(_THEIRS, _LIVES).order_by(session.c.seen.desc(), session.c.id)


class Sessions:
    """The sessions of the portal. Times are Unix seconds. Every method that reads or writes may raise Unavailable."""

    def __init__(self, database: Database, keys: KeyRing, random: Random, acts: Acts) -> None:
        """Take the database, the keys that seal what waits in a session, random octets, and the book of acts."""
        self._database = database
        self._keys = keys
        self._random = random
        self._acts = acts

    def begin(self, new: NewSession, until: float, when: float) -> bytes:
        """Sign somebody in, from `when` to `until` at the latest, and return the token for their cookie."""
        row = {
            "subject": new.subject,
            "name": storable(new.name),
            "typed": storable(new.typed),
            "factor": new.factor,
            "created": when,
            "seen": when,
            "until": until,
            "proved": new.proved,
            "by_passkey": new.by_passkey,
            "source": storable(new.source),
            "agent": storable(new.agent[:_LONGEST_AGENT]),
        }
        return self._database.write(lambda connection: self._put(connection, row, new.held))

    def find(self, token: bytes, when: float, idle: float) -> Session | None:
        """Return the session of a token. None if there is none, it is over, or nothing was done in it for `idle` s.

        One whose seal does not open counts as none: it was altered, or the master key is another one.
        """
        values = {"session": _id_of(token), "when": when, "since": when - idle}
        row = self._database.read(lambda connection: connection.execute(_FIND, values).first())
        if row is None:
            return None
        try:
            return _session(row, self._keys.open_session(row.id, token, row.held))
        except SealBroken:
            return None

    def touch(self, token: bytes, when: float) -> None:
        """Note that the session is used. Whoever calls this at most once a minute keeps the database quiet."""
        values = {"session": _id_of(token), "when": when}
        self._database.write(lambda connection: connection.execute(_TOUCH, values))

    def keep(self, token: bytes, held: bytes) -> bool:
        """Let this wait in the session, instead of what did. False if it is over."""
        session_id = _id_of(token)
        values = {"session": session_id, "new_held": self._keys.seal_session(session_id, token, held, self._random)}
        return self._database.write(lambda connection: connection.execute(_KEEP, values).rowcount == 1)

    def prove(self, token: bytes, factor: str, when: float, *, by_passkey: bool) -> bytes | None:
        """Note that a second factor was shown, and return the new token that stands for the session from now on.

        The old one is worth nothing any more: whoever has come by it gets no part in the new rights. What waits in the
        session stays. None if the session is over.
        """

        def job(connection: Connection) -> bytes | None:
            row = connection.execute(_TAKE, {"session": _id_of(token), "when": when}).first()
            if row is None:
                return None
            values = row._asdict() | {"factor": factor, "proved": when, "seen": when}
            if by_passkey:
                values["by_passkey"] = when
            try:
                held = self._keys.open_session(row.id, token, row.held)
            except SealBroken:
                return None  # and gone it is
            return self._put(connection, values, held)

        return self._database.write(job)

    def end(self, token: bytes) -> None:
        """Sign out."""
        self._database.write(lambda connection: connection.execute(_END, {"session": _id_of(token)}))

    def end_all(self, subject: str, but: str | None = None) -> int:
        """End a person's sessions, but for the one of the id `but`, and return how many. Written down as an act."""

        def job(connection: Connection) -> int:
            names = connection.execute(_END_ALL, {"owner": subject, "but": but or ""}).scalars().all()
            self._write_down(connection, subject, names)
            return len(names)

        return self._database.write(job)

    def end_one(self, subject: str, session_id: str) -> bool:
        """End one of a person's sessions by its id. False if they have none of this id. Written down as an act."""

        def job(connection: Connection) -> bool:
            names = connection.execute(_END_ONE, {"owner": subject, "session": session_id}).scalars().all()
            self._write_down(connection, subject, names)
            return bool(names)

        return self._database.write(job)

    def of(self, subject: str, when: float) -> tuple[Session, ...]:
        """Return a person's sessions that are not over at `when`, the last used first, without what waits in them."""
        values = {"owner": subject, "when": when}
        rows = self._database.read(lambda connection: connection.execute(_OF, values).all())
        return tuple(_session(row, b"") for row in rows)

    def form_code(self, token: bytes) -> str:
        """Return what a form must hold that is sent with this token's cookie: 64 hex digits, which no stranger knows.

        Needs no session: a token that was made for a form alone has one too. Compare it in constant time.
        """
        return self._keys.form_code(token).hex()

    def derive(self, purpose: bytes, data: bytes) -> bytes:
        """Return 32 octets that only the master key's holder can tell, the same ones for the same purpose and data."""
        return self._keys.derive(purpose, data)

    def _put(self, connection: Connection, row: dict[str, Any], held: bytes) -> bytes:
        """Write a session's row under a new token, and return that."""
        token = self._random(TOKEN_OCTETS)
        session_id = _id_of(token)
        sealed = self._keys.seal_session(session_id, token, held, self._random)
        connection.execute(_INSERT, row | {"id": session_id, "held": sealed})
        return token

    def _write_down(self, connection: Connection, subject: str, names: Sequence[str]) -> None:
        if names:
            self._acts.write(
                connection,
                Deed.SESSIONS_ENDED,
                None,
                subject=subject,
                name=names[0],
                detail=f"sessions: {len(names)}",
            )


def _id_of(token: bytes) -> str:
    return hashlib.sha256(token).hexdigest()


def _session(row: Row[*tuple[Any, ...]], held: bytes) -> Session:
    return Session(**row._asdict() | {"held": held})
