"""Owns the journal: how every login ended."""

from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from radius2fa.login.ports import Record, Result
from radius2fa.login.reason import Reason
from radius2fa.login.stages import NO_STAGES, Stages
from radius2fa.store.links import Book
from radius2fa.store.pen import Pen
from radius2fa.store.schema import journal

_STAGES = ("queue", "look_up", "code", "bind", "store")
_NOT_MEASURED = (None,) * len(_STAGES)
_RECENT = (
    select(journal)
    .where(journal.c.subject == bindparam("subject"))
    .order_by(journal.c.number.desc())
    .limit(bindparam("limit"))
)


def write(connection: Connection, record: Record, pen: Pen) -> None:
    """Append a record when the transaction ends."""
    stages = record.stages
    pen.put(
        connection,
        Book.LOGINS,
        {
            "attempt": record.id,
            "at": float(record.when),  # as it is read again, or the hash would be another
            "client": record.client,
            "name": storable(record.name),
            "subject": record.subject,
            "source": storable(record.source),
            "result": record.result.value,
            "reason": None if record.reason is None else record.reason.value,
            "token": record.token,
            "policy": record.policy,
            "factor": record.factor,
            "person": None if record.person is None else storable(record.person),
            "serial": record.serial,
            "node": pen.node,
            "queue": stages.queue,
            "look_up": stages.look_up,
            "code": stages.code,
            "bind": stages.bind,
            "store": stages.store,
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
    stages = tuple(values[name] for name in _STAGES)
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
        person=values["person"],
        serial=values["serial"],
        stages=NO_STAGES if stages == _NOT_MEASURED else Stages(*stages),
        node=values["node"] or "",
    )
