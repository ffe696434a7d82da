"""Owns the passkeys: WebAuthn credentials as rows of the table of tokens, and the counter that betrays a copy.

They are devices like others, and are counted, listed, disabled and removed with them (`tokens.Tokens`). Of a code they
know nothing. References are to W3C Web Authentication Level 2.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from sqlalchemy import BigInteger, Connection, Row, Select, and_, bindparam, insert, or_, select, update

from radius2fa.login.ports import Unavailable
from radius2fa.otp.token import Kind
from radius2fa.store import accounts, adding
from radius2fa.store.acts import Acts, Deed
from radius2fa.store.adding import NO_OATH
from radius2fa.store.burn import valid_at
from radius2fa.store.database import Database
from radius2fa.store.journal import storable
from radius2fa.store.schema import account, token
from radius2fa.store.seal import KeyRing, Random, SealBroken

CREDENTIAL_ID_OCTETS = range(16, 1024)  # section 4, "Credential ID"; a shorter one could be a YubiKey's public id


@dataclass(frozen=True, slots=True)
class NewPasskey:
    """A credential that somebody has registered.

    `subject` and `name` are its owner's, as the directory has them; `label` is what they call it. The rest is what the
    authenticator said: its `credential_id`, its `public_key` (COSE), how many signatures it has made (`sign_count`, 0
    for one that does not count), its model (`aaguid`, a UUID), the `transports` it is reached by, and whether it is
    `backed_up`, so that it may be on several machines.
    """

    id: str
    subject: str
    name: str
    label: str
    credential_id: bytes
    public_key: bytes
    sign_count: int = 0
    aaguid: str = ""
    transports: tuple[str, ...] = ()
    backed_up: bool = False

    def __post_init__(self) -> None:
        """Refuse an id that no authenticator makes.

        Raises:
            ValueError: naming the field.

        """
        if len(self.credential_id) not in CREDENTIAL_ID_OCTETS:
            raise ValueError(f"credential_id: {len(self.credential_id)} octets, not 16 to 1023")


@dataclass(frozen=True, slots=True)
class Passkey:
    """A passkey, as in `NewPasskey`. It may answer while it is `active` and valid (`tokens.TokenRow`).

    `sign_count` is what it told last. Times are Unix seconds.
    """

    id: str
    subject: str
    name: str
    credential_id: bytes
    public_key: bytes
    sign_count: int
    aaguid: str
    transports: tuple[str, ...]
    backed_up: bool
    label: str
    active: bool
    created: float
    last_used: float | None


_IS_PASSKEY = token.c.kind == Kind.WEBAUTHN.value
_ROW = (
    select(
        token.c.id,
        token.c.subject,
        account.c.name,
        token.c.seed,
        token.c.counter,
        token.c.public_id,
        token.c.label,
        token.c.active,
        token.c.created,
        token.c.last_used,
    )
    .join_from(token, account)
    .where(_IS_PASSKEY)
)
_OF = _ROW.where(token.c.subject == bindparam("owner")).order_by(token.c.created, token.c.id)
_BY_CREDENTIAL = _ROW.where(token.c.public_id == bindparam("credential"))

_INSERT = insert(token)
_SEED = select(token.c.seed).where(token.c.id == bindparam("token"), _IS_PASSKEY)
_COUNT = bindparam("count", type_=BigInteger)
_USED = (
    update(token)
    .where(
        token.c.id == bindparam("token"),
        _IS_PASSKEY,
        valid_at(bindparam("when")),
        # Section 7.2, step 21: it moves up, or the authenticator does not count at all.
        or_(token.c.counter < _COUNT, and_(token.c.counter == 0, _COUNT == 0)),
    )
    .values(counter=_COUNT, last_used=bindparam("when"), seed=bindparam("new_seed"))
)


class Passkeys:
    """Passkeys, as the portal registers and checks them. Times are Unix seconds.

    Every method may raise Unavailable, where a seal does not open too, as for logins.
    """

    def __init__(self, database: Database, keys: KeyRing, random: Random, acts: Acts) -> None:
        """Take the database, the keys that seal what a passkey is checked with, random octets, and the book of acts."""
        self._database = database
        self._keys = keys
        self._random = random
        self._acts = acts

    def add(self, new: NewPasskey, when: float, *, first: bool = False) -> None:
        """Add a passkey, registered at `when`; with `first`, only for somebody who has no token.

        Raises:
            NotTheFirst: `first`, and the person has one.
            TooManyTokens: the person has 8 active tokens.
            Taken: the id or the credential id is that of another token.

        """
        public_id = _text(new.credential_id)
        row = NO_OATH | {
            "id": new.id,
            "subject": new.subject,
            "kind": Kind.WEBAUTHN.value,
            "seed": self._seal(new.id, _Sealed.of(new)),
            "counter": new.sign_count,
            "label": storable(new.label),
            "active": True,
            "created": when,
            "public_id": public_id,
        }

        def job(connection: Connection) -> None:
            accounts.see(connection, {new.subject: new.name})
            if first:
                adding.require_first(connection, new.subject, when)
            adding.require_free(connection, [new.id], [], [public_id])
            adding.require_room(connection, Counter({new.subject: 1}))
            connection.execute(_INSERT, row)
            self._acts.write(connection, Deed.ADDED, when, subject=new.subject, name=new.name, token=new.id)

        self._database.write(job)

    def of(self, subject: str) -> tuple[Passkey, ...]:
        """Return a person's passkeys by age, those too that may not answer."""
        return self._find(_OF, {"owner": subject})

    def by_credential(self, credential_id: bytes) -> Passkey | None:
        """Return the passkey of a credential id, whether it may answer or not; None if there is none."""
        found = self._find(_BY_CREDENTIAL, {"credential": _text(credential_id)})
        return found[0] if found else None

    def used(self, passkey_id: str, sign_count: int, backed_up: bool, when: float) -> bool:  # noqa: FBT001 - as it told
        """Count a signature that was verified, and note what the authenticator told with it.

        False if the passkey may not answer at `when`; or if its count has not moved up, so that this signature was
        counted before, or there is a copy of the authenticator.
        """

        def job(connection: Connection) -> bool:
            blob = connection.execute(_SEED, {"token": passkey_id}).scalar()
            if blob is None:
                return False
            known = self._open(passkey_id, blob)
            if known.backed_up != backed_up:
                blob = self._seal(passkey_id, replace(known, backed_up=backed_up))
            values = {"token": passkey_id, "count": sign_count, "when": when, "new_seed": blob}
            return connection.execute(_USED, values).rowcount == 1

        return self._database.write(job)

    def _find(self, statement: Select[*tuple[Any, ...]], values: Mapping[str, object]) -> tuple[Passkey, ...]:
        rows = self._database.read(lambda connection: connection.execute(statement, values).all())
        return tuple(map(self._passkey, rows))

    def _passkey(self, row: Row[*tuple[Any, ...]]) -> Passkey:
        known = self._open(row.id, row.seed)
        return Passkey(
            id=row.id,
            subject=row.subject,
            name=row.name,
            credential_id=_octets(row.public_id),
            public_key=known.public_key,
            sign_count=row.counter,
            aaguid=known.aaguid,
            transports=known.transports,
            backed_up=known.backed_up,
            label=row.label,
            active=row.active,
            created=row.created,
            last_used=row.last_used,
        )

    def _seal(self, passkey_id: str, sealed: "_Sealed") -> bytes:
        return self._keys.seal_seed(passkey_id, Kind.WEBAUTHN, sealed.written(), self._random)

    def _open(self, passkey_id: str, blob: bytes) -> "_Sealed":
        try:
            return _Sealed.read(self._keys.open_seed(passkey_id, Kind.WEBAUTHN, blob))
        except SealBroken as broken:
            raise Unavailable("master key", str(broken)) from None


@dataclass(frozen=True, slots=True)
class _Sealed:
    """What is sealed of a passkey: no secret, but whoever could change it could put their own key there."""

    public_key: bytes
    aaguid: str
    transports: tuple[str, ...]
    backed_up: bool

    @classmethod
    def of(cls, new: NewPasskey) -> Self:
        return cls(new.public_key, new.aaguid, new.transports, new.backed_up)

    @classmethod
    def read(cls, octets: bytes) -> Self:
        values = json.loads(octets)
        return cls(
            _octets(values["public_key"]), values["aaguid"], tuple(values["transports"]), bool(values["backed_up"])
        )

    def written(self) -> bytes:
        return json.dumps(
            {
                "public_key": _text(self.public_key),
                "aaguid": self.aaguid,
                "transports": self.transports,
                "backed_up": self.backed_up,
            }
        ).encode()


def _text(octets: bytes) -> str:
    """Return octets in base64url without padding, as WebAuthn writes them."""
    return urlsafe_b64encode(octets).rstrip(b"=").decode()


def _octets(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
