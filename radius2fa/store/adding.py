"""Owns how tokens come in: what a new one is, its row, and how many active ones a person may have."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import Connection, Select, bindparam, func, insert, select

from radius2fa.otp.token import Kind, Token, YubiKey
from radius2fa.store import accounts
from radius2fa.store.burn import IS_DEVICE, has_device
from radius2fa.store.schema import token
from radius2fa.store.seal import KeyRing, Random

MOST_ACTIVE = 8  # tokens of one person: every one of them is tried at every login
_ADDED_AT_ONCE = 500


class TooManyTokens(Exception):  # noqa: N818 - named by what is wrong
    """The person has as many active tokens as one may have."""

    def __init__(self, subject: str) -> None:
        """Name the person."""
        super().__init__(f"{subject} would have more than {MOST_ACTIVE} active tokens")
        self.subject = subject


class Taken(Exception):  # noqa: N818 - as above
    """There is such a token. `field` is "id", "serial" or "public id", `value` the one that is taken."""

    def __init__(self, field: str, value: str) -> None:
        """Name the field and the value."""
        super().__init__(f"a token with the {field} {value} exists already")
        self.field = field
        self.value = value


class NotTheFirst(Exception):  # noqa: N818 - as above
    """The person has a token by now, or had one that was not removed."""

    def __init__(self, subject: str) -> None:
        """Name the person."""
        super().__init__(f"{subject} has a token already")
        self.subject = subject


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token to be added.

    `subject` and `name` are its owner's, as the directory has them; without a subject it goes into the stock. It may
    answer from `valid_from` until `valid_until` (Unix seconds; None is no bound), if it is `active`.
    """

    token: Token | YubiKey
    subject: str | None = None
    name: str | None = None
    label: str = ""
    serial: str | None = None
    valid_from: float | None = None
    valid_until: float | None = None
    active: bool = True

    def __post_init__(self) -> None:
        """Refuse an owner without a name.

        Raises:
            ValueError: naming the field.

        """
        if (self.subject is None) != (self.name is None):
            raise ValueError("name: an owner has both a subject and a name")

    @property
    def public_id(self) -> str | None:
        """What stands in front of its codes. None for what has nothing there, so that several such may be."""
        return (self.token.public_id or None) if isinstance(self.token, YubiKey) else None


_INSERT = insert(token)
_IDS = select(token.c.id).where(token.c.id.in_(bindparam("values", expanding=True)))
_SERIALS = select(token.c.serial).where(token.c.serial.in_(bindparam("values", expanding=True)))
_PUBLIC_IDS = select(token.c.public_id).where(token.c.public_id.in_(bindparam("values", expanding=True)))
_ACTIVE = (
    select(token.c.subject, func.count())
    .where(token.c.active, IS_DEVICE, token.c.subject.in_(bindparam("subjects", expanding=True)))
    .group_by(token.c.subject)
)

Sealer = Callable[[NewToken], bytes]


def add(connection: Connection, new: Sequence[NewToken], when: float, seal: Sealer) -> None:
    """Add tokens, enrolled at `when` (Unix seconds). `seal` gives the seed of a row.

    Raises:
        TooManyTokens: a person would have more than 8 active tokens.
        Taken: an id, a serial number or a public id is that of another token.

    """
    for some in _chunks(new):
        accounts.see(connection, owners_of(some))
        require_free(connection, *_names_of(some))
        require_room(connection, active_of(some))
        put(connection, some, when, seal)


def put(connection: Connection, new: Collection[NewToken], when: float, seal: Sealer) -> None:
    """Write the rows of new tokens. Their owners' accounts have been seen."""
    connection.execute(_INSERT, [_row(one, when, seal(one)) for one in new])


def seal_with(keys: KeyRing, random: Random) -> Sealer:
    """Return what seals new tokens by these keys."""
    return lambda new: keys.seal_seed(new.token.id, new.token.kind, seed_of(new.token), random)


def seed_of(token: Token | YubiKey) -> bytes:
    """Return what is sealed of a token: its key, and behind that of a YubiKey the private id."""
    return token.key + token.private_id if isinstance(token, YubiKey) else token.key


def owners_of(new: Collection[NewToken]) -> dict[str, str]:
    """Return the names of the owners by their subjects, in one order, so that no two imports wait for each other."""
    owners = {one.subject: one.name for one in new if one.subject is not None and one.name is not None}
    return dict(sorted(owners.items()))


def active_of(new: Collection[NewToken]) -> Counter[str]:
    """Return how many active ones of the tokens each person gets."""
    return Counter(one.subject for one in new if one.subject is not None and one.active)


def active_in(connection: Connection, subjects: Collection[str]) -> Counter[str]:
    """Return how many active tokens each of the people has."""
    if not subjects:
        return Counter()
    rows = connection.execute(_ACTIVE, {"subjects": list(subjects)})
    return Counter({subject: number for subject, number in rows})  # noqa: C416 - dict() takes a result for a mapping


def require_room(connection: Connection, more: Counter[str]) -> None:
    """Return if each person may have so many active tokens more.

    Raises:
        TooManyTokens: one of them would have more than 8.

    """
    for subject, number in (active_in(connection, more) + more).items():
        if number > MOST_ACTIVE:
            raise TooManyTokens(subject)


def require_first(connection: Connection, subject: str, when: float) -> None:
    """Return if a person has no token (`ports.Standing.enrolled`). Their account has been seen, which locks it.

    Raises:
        NotTheFirst: they have.

    """
    if has_device(connection, subject, when):
        raise NotTheFirst(subject)


def require_free(connection: Connection, ids: list[str], serials: list[str], public_ids: list[str]) -> None:
    """Return if no token has one of these ids, serial numbers and public ids, and none of them is there twice.

    Raises:
        Taken: naming the first that is.

    """
    _require_new(connection, _IDS, "id", ids)
    _require_new(connection, _SERIALS, "serial", serials)
    _require_new(connection, _PUBLIC_IDS, "public id", public_ids)


def _names_of(new: Sequence[NewToken]) -> tuple[list[str], list[str], list[str]]:
    return (
        [one.token.id for one in new],
        [one.serial for one in new if one.serial is not None],
        [one.public_id for one in new if one.public_id is not None],
    )


def _row(new: NewToken, when: float, seed: bytes) -> dict[str, object]:
    token = new.token
    row: dict[str, object] = {
        "id": token.id,
        "subject": new.subject,
        "kind": token.kind.value,
        "seed": seed,
        "counter": token.counter,
        "label": new.label,
        "serial": new.serial,
        "active": new.active,
        "created": when,
        "public_id": new.public_id,
        "valid_from": new.valid_from,
        "valid_until": new.valid_until,
    }
    if isinstance(token, YubiKey):
        return row | NO_OATH
    return row | {
        "algorithm": token.algorithm.value,
        "digits": token.digits,
        "period": token.period,
        "drift": token.drift,
    }


# What stands in the columns that mean something to OATH tokens only: their defaults there.
_PLAIN = Token("", Kind.TOTP, b"\0")
NO_OATH = {
    "algorithm": _PLAIN.algorithm.value,
    "digits": _PLAIN.digits,
    "period": _PLAIN.period,
    "drift": _PLAIN.drift,
}


def _chunks(new: Sequence[NewToken]) -> Iterator[list[NewToken]]:
    rest = iter(new)
    while some := list(islice(rest, _ADDED_AT_ONCE)):
        yield some


def _require_new(connection: Connection, which: Select[str], field: str, values: list[str]) -> None:
    if not values:
        return
    taken = set(connection.execute(which, {"values": values}).scalars())
    for value in values:
        if value in taken:
            raise Taken(field, value)
        taken.add(value)
