import os
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from radius2fa.config.model import Store as Settings
from radius2fa.enrol.formats.rows import BadFile, Draft, Found, Rejected, Row
from radius2fa.enrol.importing import AT_ONCE, Import, Tally
from radius2fa.login.ports import Entry, NotFound
from radius2fa.otp.token import Kind, Token, YubiKey
from radius2fa.store.engine import Store, open_store
from radius2fa.store.seal import KeyRing, new_key_text
from radius2fa.store.upgrade import upgrade

NAMES = count()
PEOPLE = {
    "alice": Entry("id-a", "uid=alice", "Alice", "alice"),
    "twins": NotFound.AMBIGUOUS,
    "moved": NotFound.REFERRAL,
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    settings = Settings(url=f"sqlite:///{tmp_path}/store.db")
    upgrade(settings, lambda *_: None)
    keys = KeyRing.parse(new_key_text(os.urandom))
    opened = open_store(settings, keys, threads=1, clock=time.monotonic, random=os.urandom, actor="the tests")
    with closing(opened) as store:
        yield store


class Run:
    """An import into a store, and what it asked for and wrote."""

    def __init__(self, store: Store, *, dry: bool = False) -> None:
        self.asked: list[str] = []
        self.written: list[Rejected] = []
        self.steps = 0
        self._import = Import(self._find, partial(store.tokens.take_in, when=1000.0, dry=dry), self.written.append)

    def of(self, *rows: Row, stopped: BadFile | None = None) -> Tally:
        def reading() -> Iterator[Row]:
            yield from rows
            if stopped:
                raise stopped

        return self._import.run(reading(), self._step)

    def _step(self) -> None:
        self.steps += 1

    def _find(self, name: str) -> Entry | NotFound:
        self.asked.append(name)
        return PEOPLE.get(name, NotFound.UNKNOWN)


def found(line: int, serial: str | None, owner: str | None = None, key: bytes = b"12345678901234567890") -> Found:
    token = Token(f"t{next(NAMES)}", Kind.TOTP, key)
    return Found(line, b"row", Draft(token, serial, owner, "ACME", 5.0, 10.0**10))


def yubikey(line: int, public_id: str, serial: str | None = None) -> Found:
    return Found(line, b"row", Draft(YubiKey(f"t{next(NAMES)}", public_id, bytes(16), bytes(6)), serial))


def test_tokens_come_in_as_the_file_tells_of_them(store: Store) -> None:
    tally = Run(store).of(found(1, "A1", "alice"), found(2, "A2"), yubikey(3, "cccc"))
    assert (tally.added, tally.known, tally.rejected) == (3, 0, 0)
    rows = {row.serial or row.public_id: row for row in store.tokens.list()}
    assert {name: (row.subject, row.name) for name, row in rows.items()} == {
        "A1": ("id-a", "Alice"),
        "A2": (None, None),
        "cccc": (None, None),
    }
    one = rows["A1"]
    assert (one.label, one.valid_from, one.valid_until, one.active, one.created) == ("ACME", 5.0, 1e10, True, 1000.0)


def test_the_same_file_twice_adds_nothing(store: Store) -> None:
    rows = [found(1, "A1", "alice"), yubikey(2, "cccc")]
    Run(store).of(*rows)
    again = [found(1, "A1", "alice"), yubikey(2, "cccc")]
    tally = Run(store).of(*again)
    assert (tally.added, tally.known, tally.rejected) == (0, 2, 0)


def test_a_serial_number_or_public_id_that_the_file_has_had_is_rejected(store: Store) -> None:
    run = Run(store)
    tally = run.of(found(1, "A1"), found(5, "A1", key=b"another key of 20 oc"), yubikey(6, "cccc"), yubikey(9, "cccc"))
    assert (tally.added, tally.rejected) == (2, 2)
    assert [(one.line, one.reason + one.detail) for one in run.written] == [
        (5, "the serial number stands further up in the file already: each token needs its own (line 1)"),
        (9, "the public id stands further up in the file already: each token needs its own (line 6)"),
    ]


def test_a_serial_number_of_another_token_is_rejected(store: Store) -> None:
    Run(store).of(found(1, "A1"))
    run = Run(store)
    tally = run.of(found(4, "A1", key=b"another key of 20 oc"))
    assert (tally.added, tally.known, tally.rejected) == (0, 0, 1)
    assert run.written[0].reason == (
        "another token has this serial number or public id already: remove that one, or correct this one"
    )


def test_an_owner_whom_the_directory_does_not_know_is_rejected_and_asked_for_once(store: Store) -> None:
    run = Run(store)
    tally = run.of(found(1, "A1", "zoe"), found(2, "A2", "zoe"), found(3, "A3", "twins"), found(4, "A4", "moved"))
    run.of(found(5, "A5", "alice"))
    assert {reason: group.lines for reason, group in tally.reasons.items()} == {
        "the directory does not know the owner: correct the name, or leave it out for the stock": [1, 2],
        "several entries of the directory have the owner's name: correct the name, or leave it out for the stock": [3],
        "the directory only refers to another server for the owner: correct the name, or leave it out for the stock": [
            4
        ],
    }
    assert run.asked == ["zoe", "twins", "moved", "alice"]


def test_a_person_gets_as_many_tokens_as_one_may_have(store: Store) -> None:
    run = Run(store)
    tally = run.of(*(found(line, f"A{line}", "alice") for line in range(1, 11)))
    assert (tally.added, tally.rejected) == (8, 2)
    assert {one.reason for one in run.written} == {
        "the owner would have more than 8 active tokens: disable or remove one first"
    }


def test_rejected_entries_are_written_in_the_order_of_the_file(store: Store) -> None:
    Run(store).of(found(1, "A1"))
    run = Run(store)
    tally = run.of(
        found(1, "A1", key=b"another key of 20 oc"), Rejected(2, b"row", "bad"), found(3, "A3", "zoe"), found(4, "A4")
    )
    assert [one.line for one in run.written] == [1, 2, 3]
    assert tally.added == 1


def test_a_dry_run_tells_the_same_and_changes_nothing(store: Store) -> None:
    Run(store).of(found(1, "A1"))
    rows = (found(1, "A1"), found(2, "A2", "alice"), found(3, "A3", "zoe"), Rejected(4, b"row", "bad"))
    foretold = Run(store, dry=True).of(*rows)
    assert [row.serial for row in store.tokens.list()] == ["A1"]
    assert Run(store).of(*rows) == foretold
    assert (foretold.added, foretold.known, foretold.rejected) == (1, 1, 2)


def test_many_tokens_come_in_some_hundred_at_once(store: Store) -> None:
    run = Run(store)
    tally = run.of(*(found(line, f"A{line}") for line in range(1, 2 * AT_ONCE + 2)))
    assert tally.added == 2 * AT_ONCE + 1
    assert run.steps == 3


def test_what_stands_before_a_fault_comes_in(store: Store) -> None:
    fault = BadFile("the file ends too early", 7)
    tally = Run(store).of(found(1, "A1"), stopped=fault)
    assert (tally.added, tally.stopped) == (1, fault)


def test_of_many_entries_with_one_reason_the_first_lines_are_kept(store: Store) -> None:
    tally = Run(store).of(*(Rejected(line, b"row", "bad", f" ({line})") for line in range(1, 100)))
    assert [(reason, group.number, group.lines) for reason, group in tally.reasons.items()] == [
        ("bad", 99, [1, 2, 3, 4, 5])
    ]
