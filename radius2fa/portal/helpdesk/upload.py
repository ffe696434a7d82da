"""Owns an import file between its upload and its import: sealed in the session, read as the command line reads it.

Every token of a file has a serial number or a public id, by which the store knows it again: whatever is sent twice, or
broken off, comes in once.
"""

import base64
import io
import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from radius2fa.enrol.formats.recognise import reader
from radius2fa.enrol.formats.rows import BadFile, Reader, Rejected, Row
from radius2fa.enrol.formats.source import Source
from radius2fa.enrol.formats.xmlenc import Need
from radius2fa.enrol.importing import Import, Tally
from radius2fa.enrol.naming import new_id
from radius2fa.enrol.rejects import Write
from radius2fa.login.ports import Entry, NotFound
from radius2fa.portal.rules import NAME
from radius2fa.portal.visitor import deadline
from radius2fa.portal.waiting import Waiting, wait, waiting
from radius2fa.portal.world import world
from radius2fa.store.engine import Store
from radius2fa.store.tokens import Intake, NewToken

MOST_OCTETS = 3 << 19  # of a file: 1.5 MiB
MOST_ROWS = 5000  # what is done in a few seconds, while somebody waits for the page
SHOWN = 20  # tokens, of those that would come in
_NAME = "upload"
_LONGEST_NAME = 100  # characters


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was uploaded, with the key (in hexadecimal digits) or password that opens it, "" for none."""

    name: str
    octets: bytes = field(repr=False)
    key: str = field(repr=False, default="")
    password: str = field(repr=False, default="")

    def keep(self) -> None:
        """Let it wait in the session, which seals it, in the place of an earlier one."""
        packed = base64.b64encode(zlib.compress(self.octets)).decode()
        wait(**{_NAME: {"name": self.name, "octets": packed, "key": self.key, "password": self.password}})


@dataclass(frozen=True, slots=True)
class Line:
    """A token of the file. `owner` is whom it is for, "" for the stock; `fate` is what becomes of it."""

    number: str
    kind: str
    owner: str
    fate: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an import comes to, or would. `lines` are the first tokens; `notes` is what is to be known of the file."""

    format: str
    tally: Tally
    notes: tuple[str, ...]
    lines: tuple[Line, ...]

    def described(self) -> Waiting:
        """Return it in values that can wait in a session."""
        tally = self.tally
        return {
            "format": self.format,
            "added": tally.added,
            "known": tally.known,
            "rejected": tally.rejected,
            "reasons": [
                {"why": why, "number": group.number, "lines": group.lines} for why, group in tally.reasons.items()
            ],
            "notes": self.notes,
        }


def uploaded() -> Upload | None:
    """Return the file that waits in the session, None if there is none."""
    kept = waiting().get(_NAME)
    if kept is None:
        return None
    return Upload(kept["name"], zlib.decompress(base64.b64decode(kept["octets"])), kept["key"], kept["password"])


def waits() -> bool:
    """Tell whether a file waits in the session."""
    return _NAME in waiting()


def named(typed: str | None) -> str:
    """Return what a file is called, without the folders that some browsers tell."""
    return ((typed or "").replace("\\", "/").rpartition("/")[2] or "file")[-_LONGEST_NAME:]


def run(upload: Upload, store: Store, *, dry: bool) -> Outcome:
    """Import a file, or tell only what would come of it.

    Raises:
        BadFile: it is of no known format, or what opens it is missing or of another form.
        Unavailable: the directory or the database does not answer. What was imported before is in; the rest can follow.

    """
    return _run(_reader_of(upload), store, _forget, dry=dry)


def rejected(upload: Upload, store: Store) -> tuple[bytes, str]:
    """Return a file of the entries that are rejected, with the reason beside each, and the suffix of its name."""
    opened, body = _reader_of(upload), io.BytesIO()

    def write(one: Rejected) -> None:
        if not body.tell():
            body.write(opened.opening())
        body.write(opened.entry(one))

    _run(opened, store, write, dry=True)
    if body.tell():
        body.write(opened.closing())
    return body.getvalue(), opened.suffix


def _run(opened: Reader, store: Store, write: Write, *, dry: bool) -> Outcome:
    when, seen = world().clock.now(), list[Line]()

    def take_in(new: Sequence[NewToken]) -> Sequence[Intake]:
        fates = store.tokens.take_in(new, when, dry=dry)
        for one, fate in list(zip(new, fates, strict=True))[: max(0, SHOWN - len(seen))]:
            seen.append(Line(one.serial or one.public_id or "", one.token.kind, one.name or "", fate.name.lower()))
        return fates

    tally = Import(_look_up, take_in, write).run(_bounded(opened.rows()), lambda: None)
    return Outcome(opened.format, tally, opened.notes(), tuple(seen))


def _reader_of(upload: Upload) -> Reader:
    def ask(need: Need) -> bytes:
        if need is Need.KEY:
            return _octets(upload.key)
        if not upload.password:
            raise BadFile("the file is encrypted under a password: type it below the file")
        return upload.password.encode()

    return reader(Source(io.BytesIO(upload.octets)), None, lambda: new_id(os.urandom), ask, world().clock.now())


def _octets(key: str) -> bytes:
    try:
        octets = bytes.fromhex("".join(key.split()))
    except ValueError:
        raise BadFile("the key is not made of hexadecimal digits, two for each octet") from None
    if not octets:
        raise BadFile("the file is encrypted under a key: type it below the file, in hexadecimal digits")
    return octets


def _bounded(rows: Iterator[Row]) -> Iterator[Row]:
    for number, row in enumerate(rows):
        if number == MOST_ROWS:
            raise BadFile(
                f"the file has more than {MOST_ROWS} tokens: use `radius2fa token import` on the server for it"
            )
        yield row


def _look_up(name: str) -> Entry | NotFound:
    return world().directory.find(name, NAME, deadline(world()))


def _forget(_: Rejected) -> None:
    """Write nothing."""
