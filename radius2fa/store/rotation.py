"""Owns the change of master keys in the tables: what is sealed with which, and the sealing anew, beside servers.

What was sealed is sealed anew, row by row, and what proves the audit record is kept (`store.auditkeys`). Of codes that
were handed out there are digests only, which cannot be made anew: their key stays until they are used up or replaced.
What waits in logins and sessions is over by itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection, LargeBinary, bindparam, func, select, update

from radius2fa.otp.token import Kind
from radius2fa.store.auditkeys import Broken, retire
from radius2fa.store.database import Database
from radius2fa.store.schema import account, token
from radius2fa.store.seal import KeyRing, Random, SealBroken

AT_ONCE = 100  # rows in a transaction, so that no login waits long

_KEY = func.substr(token.c.seed, 2, 4, type_=LargeBinary)  # its id, as store.seal writes it
_SEALED = token.c.uses.is_(None)
_COUNT = select(_KEY, _SEALED, func.count()).group_by(_KEY, _SEALED)
_OTHERS = (
    select(token.c.id, token.c.kind, token.c.seed)
    .where(_SEALED, bindparam("key", type_=LargeBinary) != _KEY, token.c.id > bindparam("after"))
    .order_by(token.c.id)
    .limit(AT_ONCE)
)
_HOLDERS = (
    select(account.c.name, token.c.kind)
    .select_from(token.join(account))
    .where(~_SEALED, bindparam("key", type_=LargeBinary) == _KEY)
    .distinct()
    .order_by(account.c.name, token.c.kind)
)
_RESEAL = (
    update(token)
    .where(token.c.id == bindparam("token"), token.c.seed == bindparam("old"))
    .values(seed=bindparam("new"))
)


@dataclass(frozen=True, slots=True)
class Use:
    """What needs a key, by its name: so many tokens, and digests of so many codes."""

    key: str
    tokens: int
    codes: int


@dataclass(frozen=True, slots=True)
class Resealed:
    """How many tokens were sealed anew, and which could not be, since what they hold does not open."""

    done: int
    broken: tuple[str, ...]


class Rotation:
    """The use of the master keys in the tables. Every method may raise Unavailable."""

    def __init__(self, database: Database, keys: KeyRing, random: Random) -> None:
        """Take the database, the keys, of which the first seals, and a source of random octets."""
        self._database = database
        self._keys = keys
        self._random = random

    def uses(self) -> tuple[Use, ...]:
        """Return what needs each key, those of the ring first, in their order."""
        counts = {
            (bytes(key).hex(), bool(sealed)): int(count)
            for key, sealed, count in self._database.read(lambda connection: connection.execute(_COUNT).all())
        }
        names = dict.fromkeys((*self._keys.names, *sorted(name for name, _ in counts)))
        return tuple(Use(name, counts.get((name, True), 0), counts.get((name, False), 0)) for name in names)

    def holders(self, key: str) -> tuple[tuple[str, Kind], ...]:
        """Return the names of those whose codes need a key, and the kinds of these codes."""
        values = {"key": bytes.fromhex(key)}
        rows = self._database.read(lambda connection: connection.execute(_HOLDERS, values).all())
        return tuple((name, Kind(kind)) for name, kind in rows)

    def reseal(self, progress: Callable[[int, int], None]) -> Resealed:
        """Seal with the first key whatever another one has sealed, in small transactions; tell how far it has come.

        Whoever does it again, after it was broken off at any moment, does what is left.
        """
        total = sum(use.tokens for use in self.uses() if use.key != self._keys.names[0])
        done, after, broken = 0, "", list[str]()
        while True:
            last, here, faulty = self._database.write(partial(self._some, after))
            if last is None:
                return Resealed(done, tuple(broken))
            done, after = done + here, last
            broken += faulty
            progress(done, total)

    def keep_proof(self) -> tuple[Broken, ...]:
        """See that rows written under older keys stay proven without these; done again, it does what is left.

        Returns what does not open of audit keys that were kept earlier.
        """
        return retire(self._database, self._keys, self._random)

    def _some(self, after: str, connection: Connection) -> tuple[str | None, int, list[str]]:
        """Seal some rows anew. Return the last id of them, None if there were none, how many, and which do not open."""
        values = {"key": bytes.fromhex(self._keys.names[0]), "after": after}
        rows = connection.execute(_OTHERS, values).all()
        done, broken = 0, list[str]()
        for token_id, kind, seed in rows:
            try:
                secret = self._keys.open_seed(token_id, Kind(kind), seed)
            except SealBroken:
                broken.append(token_id)
                continue
            new = self._keys.seal_seed(token_id, Kind(kind), secret, self._random)
            done += connection.execute(_RESEAL, {"token": token_id, "old": seed, "new": new}).rowcount
        return (rows[-1].id if rows else None), done, broken
