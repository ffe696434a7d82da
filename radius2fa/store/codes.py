"""Owns the codes that are handed out.

A list for the day on which the token is lost, those of the helpdesk, invitations, and login codes for whoever has
a passkey.
"""

from collections.abc import Mapping
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
WITH_AN_END = (Kind.TEMPORARY.value, Kind.PASSKEY.value, Kind.INVITATION.value)

_INSERT = insert(token)
_THEIRS = token.c.subject == bindparam("owner")
_DROP_RECOVERY = delete(token).where(_THEIRS, token.c.kind == Kind.RECOVERY.value)
_RECOVERY_LEFT = select(func.count()).where(
    _THEIRS, token.c.kind == Kind.RECOVERY.value, token.c.active, token.c.counter < token.c.uses
)
_TEMPORARY = (
    select(token.c.kind, token.c.id, token.c.uses, token.c.counter, token.c.valid_until, token.c.created)
    .where(
        _THEIRS,
        token.c.kind.in_([Kind.TEMPORARY.value, Kind.INVITATION.value]),
        token.c.active,
        token.c.valid_until > bindparam("when"),
    )
    .order_by(token.c.created, token.c.id)
)
_REVOKE = (
    update(token)
    .where(_THEIRS, token.c.kind == bindparam("which"), token.c.active, token.c.counter < token.c.uses)
    .values(active=False)
)
_DROP_OVER = delete(token).where(_THEIRS, token.c.kind == bindparam("which"), token.c.valid_until <= bindparam("when"))


@dataclass(frozen=True, slots=True)
class Temporary:
    """A code with an end, without the code itself: usable `uses` times, `used` so far, until `valid_until`."""

    id: str
    uses: int
    used: int
    valid_until: float
    created: float


@dataclass(frozen=True, slots=True)
class Issued:
    """What a person has of codes: how many recovery codes are left, and the temporary ones that are not over.

    `invitation` is the one that they have not used yet, None if there is none or it is over.
    """

    recovery_left: int
    temporary: tuple[Temporary, ...]
    invitation: Temporary | None = None


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

    def new_login_code(self, subject: str, name: str, *, until: float, when: float) -> str:
        """Return a new code that is accepted once before `until`. It is for who has just shown a passkey.

        Those made before it end.
        """
        code = issued.login_code(self._random)
        self._replace(self._row(Kind.PASSKEY, code, subject, when), name, Deed.LOGIN_CODE, until, when)
        return code

    def new_invitation(self, subject: str, name: str, *, until: float, when: float) -> str:
        """Return a new invitation, good once before `until`. Those made before it end."""
        code = issued.invitation(self._random)
        self._replace(self._row(Kind.INVITATION, code, subject, when), name, Deed.INVITED, until, when)
        return code

    def of(self, subject: str, when: float) -> Issued:
        """Return what a person has of codes at `when`."""
        left = self._database.read(lambda connection: connection.execute(_RECOVERY_LEFT, {"owner": subject}).scalar())
        rows = self._database.read(
            lambda connection: connection.execute(_TEMPORARY, {"owner": subject, "when": when}).all()
        )
        open_ones = [_temporary(row) for row in rows if row.kind == Kind.INVITATION and row.counter < row.uses]
        return Issued(
            left or 0,
            tuple(_temporary(row) for row in rows if row.kind == Kind.TEMPORARY),
            open_ones[-1] if open_ones else None,
        )

    def revoke(self, subject: str) -> int:
        """End a person's temporary codes, and return how many of them had uses left."""
        return self._revoke(Kind.TEMPORARY, Deed.TEMPORARY_CODES_REVOKED, subject)

    def revoke_invitation(self, subject: str) -> bool:
        """End a person's invitation. False if they have none that was not used."""
        return self._revoke(Kind.INVITATION, Deed.INVITATION_REVOKED, subject) > 0

    def _revoke(self, kind: Kind, deed: Deed, subject: str) -> int:
        def job(connection: Connection) -> int:
            ended = connection.execute(_REVOKE, {"owner": subject, "which": kind.value}).rowcount
            if ended:
                name = accounts.name_of(connection, subject)
                detail = f"{ended} codes" if kind is Kind.TEMPORARY else ""  # there is one invitation
                self._acts.write(connection, deed, None, subject=subject, name=name, detail=detail)
            return ended

        return self._database.write(job)

    def _replace(self, row: Mapping[str, object], name: str, deed: Deed, until: float, when: float) -> None:
        """Put a code, good once, in the place of the person's others of its kind.

        Those that can still be used end; those that are over are deleted, or they would pile up.
        """
        subject = str(row["subject"])
        these = {"owner": subject, "which": row["kind"]}

        def job(connection: Connection) -> None:
            accounts.see(connection, {subject: name})
            connection.execute(_DROP_OVER, these | {"when": when})
            connection.execute(_REVOKE, these)
            connection.execute(_INSERT, {**row, "valid_until": until})
            detail = f"until {written(until)}"
            self._acts.write(connection, deed, when, subject=subject, name=name, token=str(row["id"]), detail=detail)

        self._database.write(job)

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
