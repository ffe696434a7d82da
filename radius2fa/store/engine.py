"""Owns the opening of the store: which database the settings mean, whether its tables fit, and what is built on it."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from sqlalchemy import URL, ColumnElement, Connection, Table, delete, inspect, make_url, select, text
from sqlalchemy.exc import ArgumentError

from radius2fa.config.model import Store as Settings
from radius2fa.store import places
from radius2fa.store.accounting import Accounting
from radius2fa.store.accounts import Accounts
from radius2fa.store.acts import Acts, Deed
from radius2fa.store.codes import WITH_AN_END, Codes
from radius2fa.store.database import Database
from radius2fa.store.journal import storable
from radius2fa.store.ledger import Ledger
from radius2fa.store.links import Book
from radius2fa.store.passkeys import Passkeys
from radius2fa.store.pen import Pen
from radius2fa.store.records import Records
from radius2fa.store.retention import remove_older
from radius2fa.store.rotation import Rotation
from radius2fa.store.schema import HEAD, REVISIONS, accounting, challenge, journal, place, session, token
from radius2fa.store.seal import BadKeyFile, KeyRing, Random
from radius2fa.store.sessions import Sessions
from radius2fa.store.sqlite import Sqlite
from radius2fa.store.tokens import Tokens
from radius2fa.store.verify import Audit
from radius2fa.store.watch import Watch

_DAY = 86400.0
_SWEPT_AT_ONCE = 1000  # so that no login waits long for the writer

_A_SEED = select(token.c.seed).limit(1)
_REVISION = text("SELECT version_num FROM alembic_version")


class BadUrl(ValueError):  # noqa: N818 - named by what is wrong
    """The `url` of the store names no database that this program can use."""


class SchemaTooOld(Exception):  # noqa: N818 - as above
    """The tables are missing, or older than this program. The message says what to run."""


class SchemaTooNew(Exception):  # noqa: N818 - as above
    """The tables are newer than this program. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Store:
    """The open store. Its parts may be used by any thread."""

    ledger: Ledger
    tokens: Tokens
    accounts: Accounts
    codes: Codes
    passkeys: Passkeys
    sessions: Sessions
    acts: Acts
    watch: Watch
    records: Records
    audit: Audit
    rotation: Rotation
    accounting: Accounting
    _database: Database
    _keys: KeyRing
    _random: Random
    _pen: Pen
    _keep_seconds: float

    def by(self, actor: str, why: str = "") -> "Store":
        """Return this store with another pen: its acts are the actor's, and have the reason that they give.

        It has no connections of its own; only the first store is to be closed.
        """
        acts = Acts(self._database, self._pen, actor, why)
        return _built(self._database, self._keys, self._random, self._pen, acts, self._keep_seconds)

    @property
    def keys(self) -> KeyRing:
        """The master keys that it seals and opens with."""
        return self._keys

    def renewed(self, keys: KeyRing, settings: Settings) -> "Store":
        """Return this store with other master keys, and with what the settings say that needs no other connections.

        It has no connections of its own; only the first store is to be closed.

        Raises:
            BadKeyFile: the tokens are sealed with a key that is not among them.
            Unavailable: the database does not answer; it is asked only if the keys are other ones.

        """
        if keys.names == self._keys.names:
            keys = self._keys
        else:
            _require_key(self._database.read(lambda connection: connection.execute(_A_SEED).scalar()), keys)
        return _built(self._database, keys, self._random, self._pen, self.acts, settings.keep_days * _DAY)

    def take_pen(self) -> None:
        """Have the audit record go on under this store's keys, from the store that it was renewed from."""
        self._pen.renew(self._keys)

    def probe(self) -> None:
        """Ask the database for a transaction, as a login does: one that can only be read accepts nobody.

        Raises:
            Unavailable: it does not answer, or another process keeps it from being written to.

        """
        self._database.write(lambda connection: connection.execute(_REVISION).all())

    def note(self, what: Deed, when: float, detail: str) -> None:
        """Write an act down that changes no row: done at `when` (Unix seconds). Raises Unavailable."""
        self._database.write(lambda connection: self.acts.write(connection, what, when, detail=storable(detail)))

    def sweep(self, when: float) -> None:
        """Delete what is over at `when` (Unix seconds).

        That are challenges that have expired, sessions that have ended, rows of the journal that are too old
        (`store.retention`), accounting of the same age, and, a day later, temporary codes, login codes and invitations
        that have ended and places from where nobody tries anything any more. Acts stay.
        """
        yesterday = when - _DAY
        self._delete(challenge, "id", challenge.c.expires <= when)
        self._delete(session, "id", session.c.until <= when)
        self._delete(journal, "number", journal.c.chain.is_(None), journal.c.at <= when - self._keep_seconds)
        remove_older(self._database, self._keys, Book.LOGINS, when - self._keep_seconds)
        self._delete(accounting, "number", accounting.c.at <= when - self._keep_seconds)
        self._delete(token, "id", token.c.kind.in_(WITH_AN_END), token.c.valid_until <= yesterday)
        self._delete(place, "place", *places.over(yesterday, when))

    def close(self) -> None:
        """Close every connection. No thread may be at work."""
        self._database.close()

    def _delete(self, table: Table, key: str, *over: ColumnElement[bool]) -> None:
        rows = select(table.c[key]).where(*over).limit(_SWEPT_AT_ONCE)
        statement = delete(table).where(table.c[key].in_(rows))
        while self._database.write(lambda connection: connection.execute(statement).rowcount) == _SWEPT_AT_ONCE:
            pass


def open_store(
    settings: Settings,
    keys: KeyRing,
    *,
    threads: int,
    clock: Callable[[], float],
    random: Random,
    actor: str = "server",
    node: str = "",
    role: str = "server",
) -> Store:
    """Return the store that the settings name.

    `threads` is how many threads will use it at once, `clock` gives monotonic seconds, `random` random octets, `actor`
    is the name of who makes the changes from now on. `node` and `role` name the writer of the audit record.

    Raises:
        BadUrl: the URL names no database that this program can use.
        SchemaTooOld, SchemaTooNew: the tables are not those of this program.
        BadKeyFile: the tokens are sealed with another key.
        Unavailable: the database does not answer.

    """
    pen = Pen(keys, node, role)
    database = _database(settings, threads, clock, pen)
    try:
        require_head(database.read(revision_of))
        _require_key(database.read(lambda connection: connection.execute(_A_SEED).scalar()), keys)
    except BaseException:
        database.close()
        raise
    return _built(database, keys, random, pen, Acts(database, pen, actor), settings.keep_days * _DAY)


def _built(  # noqa: PLR0917 - each of another type
    database: Database, keys: KeyRing, random: Random, pen: Pen, acts: Acts, keep_seconds: float
) -> Store:
    return Store(
        Ledger(database, keys, random, acts, pen),
        Tokens(database, keys, random, acts),
        Accounts(database, acts),
        Codes(database, keys, random, acts),
        Passkeys(database, keys, random, acts),
        Sessions(database, keys, random, acts),
        acts,
        Watch(database, acts),
        Records(database),
        Audit(database, keys),
        Rotation(database, keys, random),
        Accounting(database),
        database,
        keys,
        random,
        pen,
        keep_seconds,
    )


def _require_key(seed: bytes | None, keys: KeyRing) -> None:
    """Return if the key ring opens some token's seed, or there is none: or every login would end in silence."""
    if seed is not None and not keys.knows(seed):
        raise BadKeyFile(
            f"the tokens in the database are sealed with key {KeyRing.name_of(seed)}, which is not in the master key "
            "file: put the right file back"
        )


def _database(settings: Settings, threads: int, clock: Callable[[], float], pen: Pen) -> Database:
    url = address(settings)
    if url.get_backend_name() == "postgresql":
        from radius2fa.store.postgresql import Postgresql  # noqa: PLC0415 - needs an extra

        return Postgresql(url, threads=threads, timeout=settings.timeout, pen=pen)
    if not Path(str(url.database)).exists():  # SQLite would make an empty one
        require_head(None)
    return Sqlite(url, timeout=settings.timeout, clock=clock, pen=pen)


def address(settings: Settings) -> URL:
    """Return the full URL of the database, with the password.

    Raises:
        BadUrl: it is neither a SQLite file nor a PostgreSQL database, or the driver is not installed.

    """
    try:
        url = make_url(settings.url)
    except ArgumentError:
        raise BadUrl("store.url: not a URL; for instance sqlite:////var/lib/radius2fa/radius2fa.db") from None
    match url.get_backend_name():
        case "sqlite" if url.database and url.database != ":memory:":
            return url.set(drivername="sqlite")
        case "postgresql" if find_spec("psycopg") is None:
            raise BadUrl("store.url: PostgreSQL needs psycopg; install `radius2fa[postgresql]`")
        case "postgresql":
            password = None if settings.password is None else settings.password.get_secret_value().decode()
            return url.set(drivername="postgresql+psycopg", password=password)
        case _:
            raise BadUrl(f"store.url: {url.drivername} is neither sqlite with a file nor postgresql")


def revision_of(connection: Connection) -> str | None:
    """Return the revision of the database's tables, None when it has none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(_REVISION).scalar()


def require_head(revision: str | None) -> None:
    """Return if the revision is the one that this program works on.

    Raises:
        SchemaTooOld, SchemaTooNew: it is not.

    """
    if revision == HEAD:
        return
    if revision is None:
        raise SchemaTooOld("the database has no tables yet: run `radius2fa db upgrade`")
    if revision in REVISIONS:
        raise SchemaTooOld(f"the tables are of revision {revision}, {HEAD} is needed: run `radius2fa db upgrade`")
    raise SchemaTooNew(f"the tables are of revision {revision}, this program knows {HEAD}: install its newer version")
