"""Owns the record of accounting: what clients report of sessions."""

from ipaddress import IPv4Address
from typing import Any

from sqlalchemy import Row, bindparam, insert, select

from radius2fa.radius.accounting import AccountingRecord, Status
from radius2fa.store.database import Database
from radius2fa.store.schema import accounting

_STATUSES = {status.word: status for status in Status}
_INSERT = insert(accounting)
_RECENT = (
    select(accounting)
    .where(accounting.c.name == bindparam("typed"))
    .order_by(accounting.c.number.desc())
    .limit(bindparam("most"))
)


class Accounting:
    """The accounting records. Any thread may use it."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database

    def write(self, record: AccountingRecord) -> None:
        """Append a record; it is durable when this returns.

        Raises:
            Unavailable: the database is broken or late.

        """
        row = {
            "at": record.when,
            "client": record.client,
            "name": record.name,
            "status": record.status.word,
            "session": record.session,
            "login": record.login,
            "input_octets": record.input_octets,
            "output_octets": record.output_octets,
            "seconds": record.seconds,
            "cause": record.cause,
            "address": None if record.address is None else str(record.address),
            "source": record.source,
        }
        self._database.write(lambda connection: connection.execute(_INSERT, row).close())

    def recent(self, name: str, most: int) -> tuple[AccountingRecord, ...]:
        """Return the last records under a user name as clients tell it, the newest first.

        Raises:
            Unavailable: the database is broken or late.

        """
        values = {"typed": name, "most": most}
        return tuple(map(_read, self._database.read(lambda connection: connection.execute(_RECENT, values).all())))


def _read(row: Row[*tuple[Any, ...]]) -> AccountingRecord:
    values = row._asdict()
    return AccountingRecord(
        when=values["at"],
        client=values["client"],
        name=values["name"],
        status=_STATUSES[values["status"]],
        session=values["session"],
        login=values["login"],
        input_octets=values["input_octets"],
        output_octets=values["output_octets"],
        seconds=values["seconds"],
        cause=values["cause"],
        address=None if values["address"] is None else IPv4Address(values["address"]),
        source=values["source"],
    )
