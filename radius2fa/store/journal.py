"""Owns the journal: how every login ended."""

from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select

from radius2fa.login.ports import Record, Result
from radius2fa.login.reason import Reason
from radius2fa.store.prepared import Prepared
from radius2fa.store.schema import journal

_WRITE = Prepared(insert(journal).inline())  # nobody asks for the number that the row got

_RECENT = (
    select(journal)
    .where(journal.c.subject == bindparam("subject"))
    .order_by(journal.c.number.desc())
    .limit(bindparam("limit"))
)


def write(connection: Connection, record: Record) -> None:
    """Append a record."""
    _WRITE.changed(
        connection,
        {
            "attempt": record.id,
            "at": record.when,
            "client": record.client,
            "name": storable(record.name),
            "subject": record.subject,
            "source": storable(record.source),
            "result": record.result.value,
            "reason": None if record.reason is None else record.reason.value,
            "token": record.token,
            "policy": record.policy,
            "factor": record.factor,
        },
    )


def recent(connection: Connection, subject: str, limit: int) -> tuple[Record, ...]:
    """Return the person's last records, the newest first."""
    return tuple(map(read, connection.execute(_RECENT, {"subject": subject, "limit": limit})))


def storable(text: str) -> str:
    """Return what a stranger sent as both databases can hold it: no PostgreSQL text has a NUL, no UTF-8 a surrogate."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def read(row: Row[*tuple[Any, ...]]) -> Record:
    """Return the record of a row of the whole table."""
    values = row._asdict()
    return Record(
        id=values["attempt"],
        when=values["at"],
        client=values["client"],
        name=values["name"],
        source=values["source"],
        result=Result(values["result"]),
        reason=None if values["reason"] is None else Reason(values["reason"]),
        subject=values["subject"],
        token=values["token"],
        policy=values["policy"],
        factor=values["factor"],
    )
