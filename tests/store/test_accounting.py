from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

from radius2fa.radius.accounting import AccountingRecord, Status
from radius2fa.store.engine import Store

START = AccountingRecord(1000.0, "vpn", "alice", Status.START, "00C0FFEE")
STOP = AccountingRecord(
    when=4600.5,
    client="vpn",
    name="alice",
    status=Status.STOP,
    session="00C0FFEE",
    login="0123456789abcdef",
    input_octets=2**63 - 1,
    output_octets=0,
    seconds=2**32 - 1,
    cause="user-request",
    address=IPv4Address("10.8.0.6"),
    source="203.0.113.5",
)


def test_what_was_written_is_read_again_the_newest_first(store: Store) -> None:
    for record in (START, replace(START, name="bob"), STOP):
        store.accounting.write(record)
    assert store.accounting.recent("alice", 10) == (STOP, START)
    assert store.accounting.recent("alice", 1) == (STOP,)
    assert store.accounting.recent("Alice", 10) == ()


def test_every_status_has_its_word_in_the_table(store: Store, sql: Callable[[str], list[tuple[Any, ...]]]) -> None:
    for status in Status:
        store.accounting.write(replace(START, status=status))
    assert [status for (status,) in sql("SELECT status FROM accounting ORDER BY number")] == [
        "start",
        "stop",
        "interim-update",
        "accounting-on",
        "accounting-off",
    ]
    assert [record.status for record in store.accounting.recent("alice", 9)] == [*reversed(Status)]


def test_accounting_is_kept_as_long_as_the_journal(store: Store) -> None:
    days = 90 * 86400.0
    store.accounting.write(START)
    store.accounting.write(STOP)
    store.sweep(START.when + days - 1)
    assert store.accounting.recent("alice", 9) == (STOP, START)
    store.sweep(START.when + days)
    assert store.accounting.recent("alice", 9) == (STOP,)
