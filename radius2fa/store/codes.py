"""Owns the codes that are handed out: a list for the day on which the token is lost, and those of the helpdesk."""

from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update

from radius2fa.otp import issued
from radius2fa.otp.token import Kind
from radius2fa.store import accounts
from radius2fa.store.acts import Acts, Deed, written
from radius2fa.store.adding import NO_OATH
from radius2fa.store.database import Database
from radius2fa.store.schema import token
from radius2fa.store.seal import KeyRing, Random

RECOVERY_CODES = 10  # on one list

_INSERT = insert(token)
_THEIRS = token.c.subject == bindparam("owner")
_DROP_RECOVERY = delete(token).where(_THEIRS, token.c.kind == Kind.RECOVERY.value)
_RECOVERY_LEFT = select(func.count()).where(
    _THEIRS, token.c.kind == Kind.RECOVERY.value, token.c.active, token.c.counter < token.c.uses
)
_IN_FORCE = (_THEIRS, token.c.kind == Kind.TEMPORARY.value, token.c.active)
_TEMPORARY = (
    select(token.c.id, token.c.uses, token.c.counter, token.c.valid_until, token.c.created)
    .where(*_IN_FORCE, token.c.valid_until > bindparam("when"))
    .order_by(token.c.created, token.c.id)
)
_REVOKE = update(token).where(*_IN_FORCE, token.c.counter < token.c.uses).values(active=False)


@dataclass(frozen=True, slots=True)
class Temporary:
    """A temporary code, without the code itself: usable `uses` times, `used` so far, until `valid_until`."""

    id: str
    uses: int
    used: int
    valid_until: float
    created: float


@dataclass(frozen=True, slots=True)
class Issued:
    """What a person has of codes: how many recovery codes are left, and the temporary ones that are not over."""

    recovery_left: int
    temporary: tuple[Temporary, ...]


class Codes:
    """Makes codes, counts them and ends them. Times are Unix seconds. Every method may raise Unavailable."""

    def __init__(self, database: Database, keys: KeyRing, random: Random, acts: Acts) -> None:
        """Take the database, the keys that codes are digested with, random octets, and the book of acts."""
        self._database = database
        self._keys = keys
        self._random = random
        self._acts = acts

    def new_recovery(self, subject: str, name: str, when: float) -> tuple[str, ...]:
        """Return ten new recovery codes as they are to be shown, once. The earlier ones are gone."""
        codes = tuple(issued.recovery_code(self._random) for _ in range(RECOVERY_CODES))
        rows = [self._row(Kind.RECOVERY, code, subject, when) for code in codes]

        def job(connection: Connection) -> None:
            accounts.see(connection, {subject: name})
            connection.execute(_DROP_RECOVERY, {"owner": subject})
            connection.execute(_INSERT, rows)
            self._acts.write(
                connection, Deed.RECOVERY_CODES_MADE, when, subject=subject, name=name, detail=f"{len(codes)} codes"
            )

        self._database.write(job)
        return codes

    def new_temporary(self, subject: str, name: str, *, until: float, uses: int, when: float) -> str:
        """Return a new code that is accepted `uses` times before `until`. Others stay as they are."""
        code = issued.temporary_code(self._random)
        row = self._row(Kind.TEMPORARY, code, subject, when) | {"uses": uses, "valid_until": until}

        def job(connection: Connection) -> None:
            accounts.see(connection, {subject: name})
            connection.execute(_INSERT, row)
            self._acts.write(
                connection,
                Deed.TEMPORARY_CODE_MADE,
                when,
                subject=subject,
                name=name,
                token=str(row["id"]),
                detail=f"until {written(until)}, uses: {uses}",
            )

        self._database.write(job)
        return code

    def of(self, subject: str, when: float) -> Issued:
        """Return what a person has of codes at `when`."""
        left = self._database.read(lambda connection: connection.execute(_RECOVERY_LEFT, {"owner": subject}).scalar())
        rows = self._database.read(
            lambda connection: connection.execute(_TEMPORARY, {"owner": subject, "when": when}).all()
        )
        return Issued(left or 0, tuple(map(_temporary, rows)))

    def revoke(self, subject: str) -> int:
        """End a person's temporary codes, and return how many of them had uses left."""

        def job(connection: Connection) -> int:
            ended = connection.execute(_REVOKE, {"owner": subject}).rowcount
            if ended:
                name = accounts.name_of(connection, subject)
                self._acts.write(
                    connection,
                    Deed.TEMPORARY_CODES_REVOKED,
                    None,
                    subject=subject,
                    name=name,
                    detail=f"{ended} codes",
                )
            return ended

        return self._database.write(job)

    def _row(self, kind: Kind, code: str, subject: str, when: float) -> dict[str, object]:
        code_id = f"{kind}-{self._random(8).hex()}"  # names itself in logs and in the journal
        normal = cast("bytes", issued.normal(kind, code.encode()))  # one of ours can be read
        return NO_OATH | {
            "id": code_id,
            "subject": subject,
            "kind": kind.value,
            "seed": self._keys.digest_code(code_id, normal),
            "counter": 0,
            "label": "",
            "active": True,
            "created": when,
            "uses": 1,
        }


def _temporary(row: Row[*tuple[Any, ...]]) -> Temporary:
    return Temporary(row.id, row.uses, row.counter, row.valid_until, row.created)
