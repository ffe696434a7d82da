"""Owns the import of many tokens: who they are for, what the store makes of them, and what is to be told of it.

Tokens go into the store some hundred at once, each time for good, so that an import that was interrupted is finished by
doing it again.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from radius2fa.enrol.formats.rows import BadFile, Found, Rejected, Row
from radius2fa.enrol.rejects import Write
from radius2fa.login.ports import Entry, NotFound
from radius2fa.otp.token import YubiKey
from radius2fa.store.tokens import MOST_ACTIVE, Intake, NewToken

AT_ONCE = 500  # tokens in one transaction
_LINES = 5  # of those that are rejected for one reason, so many are named
_SERIAL, _PUBLIC_ID = "serial number", "public id"

LookUp = Callable[[str], Entry | NotFound]


class TakeIn(Protocol):
    """What the store does with new tokens: `Tokens.take_in`."""

    def __call__(self, new: Sequence[NewToken]) -> Sequence[Intake]:
        """Return what became of each of them."""
        ...


@dataclass(slots=True)
class Group:
    """What was rejected for one reason: how many entries, and the lines of the first ones."""

    number: int = 0
    lines: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Tally:
    """What an import has come to. `stopped` is why the file was not read to its end, if it was not."""

    added: int = 0
    known: int = 0
    rejected: int = 0
    reasons: dict[str, Group] = field(default_factory=dict)
    stopped: BadFile | None = None

    def reject(self, one: Rejected) -> None:
        """Count a rejected entry."""
        self.rejected += 1
        group = self.reasons.setdefault(one.reason, Group())
        group.number += 1
        if len(group.lines) < _LINES:
            group.lines.append(one.line)


class Import:
    """One import. `tally` grows while it runs, and holds what was done when it is broken off."""

    def __init__(self, look_up: LookUp, take_in: TakeIn, write: Write) -> None:
        """Take who knows the owners, the store, and what writes down a rejected entry."""
        self.tally = Tally()
        self._look_up = look_up
        self._take_in = take_in
        self._write = write
        self._owners: dict[str, Entry | str] = {}
        self._seen: dict[tuple[str, str], int] = {}  # the line of each serial number and public id

    def run(self, rows: Iterable[Row], step: Callable[[], None]) -> Tally:
        """Take in all that the rows hold, and call `step` now and then.

        Raises:
            Unavailable: the directory or the database does not answer. What `tally` says was done.

        """
        for batch in self._batches(rows):
            self._do(batch)
            step()
        return self.tally

    def _batches(self, rows: Iterable[Row]) -> Iterator[list[Row]]:
        batch: list[Row] = []
        try:
            for row in rows:
                batch.append(row)
                if len(batch) == AT_ONCE:
                    yield batch
                    batch = []
        except BadFile as bad:
            self.tally.stopped = bad
        yield batch

    def _do(self, batch: list[Row]) -> None:
        rejected: list[Rejected] = []
        found: list[Found] = []
        new: list[NewToken] = []
        for row in batch:
            if isinstance(row, Rejected):
                rejected.append(row)
            elif isinstance(ready := self._ready(row), Rejected):
                rejected.append(ready)
            else:
                found.append(row)
                new.append(ready)
        for row, intake in zip(found, self._take_in(new) if new else (), strict=True):
            if intake in _REFUSED:
                rejected.append(Rejected(row.line, row.copy, _REFUSED[intake]))
            elif intake is Intake.ADDED:
                self.tally.added += 1
            else:
                self.tally.known += 1
        for one in sorted(rejected, key=lambda one: one.line):
            self.tally.reject(one)
            self._write(one)

    def _ready(self, row: Found) -> NewToken | Rejected:
        """Return a token with its owner, unless there is none such, or the file has had the token before."""
        draft = row.draft
        for what, value in _names(row):
            before = self._seen.setdefault((what, value), row.line)
            if before != row.line:
                reason = f"the {what} stands further up in the file already: each token needs its own"
                return Rejected(row.line, row.copy, reason, f" (line {before})")
        owner = None if draft.owner is None else self._owner(draft.owner)
        if isinstance(owner, str):
            return Rejected(row.line, row.copy, owner)
        subject, name = (owner.subject, owner.name) if owner else (None, None)
        return NewToken(draft.token, subject, name, draft.label, draft.serial, draft.valid_from, draft.valid_until)

    def _owner(self, name: str) -> Entry | str:
        """Return the directory's entry, or why there is none."""
        if name not in self._owners:
            found = self._look_up(name)
            self._owners[name] = found if isinstance(found, Entry) else _NOBODY[found]
        return self._owners[name]


_REFUSED = {
    Intake.CONFLICT: "another token has this serial number or public id already: remove that one, or correct this one",
    Intake.TOO_MANY: f"the owner would have more than {MOST_ACTIVE} active tokens: disable or remove one first",
}
_CORRECT = "correct the name, or leave it out for the stock"
_NOBODY = {
    NotFound.UNKNOWN: f"the directory does not know the owner: {_CORRECT}",
    NotFound.AMBIGUOUS: f"several entries of the directory have the owner's name: {_CORRECT}",
    NotFound.REFERRAL: f"the directory only refers to another server for the owner: {_CORRECT}",
}


def _names(row: Found) -> Iterator[tuple[str, str]]:
    if row.draft.serial:
        yield _SERIAL, row.draft.serial
    if isinstance(row.draft.token, YubiKey):
        yield _PUBLIC_ID, row.draft.token.public_id
