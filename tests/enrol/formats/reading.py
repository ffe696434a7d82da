"""Reads a file from memory, as the program reads one from the disk."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from radius2fa.enrol.formats.recognise import reader
from radius2fa.enrol.formats.rows import BadFile, Draft, Format, Found, Reader, Rejected
from radius2fa.enrol.formats.source import Source
from radius2fa.enrol.formats.xmlenc import Need
from radius2fa.otp.token import Token, YubiKey

NOW = 1_700_000_000.0
SEED = b"12345678901234567890"
SEED_HEX = "3132333435363738393031323334353637383930"
SEED_BASE32 = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


class Dribble(io.BytesIO):
    """A file that is read only some octets at a time, as a pipe may be."""

    def read(self, _: int | None = -1) -> bytes:
        return super().read(7)


@dataclass
class Outcome:
    """What came of a file."""

    reader: Reader
    drafts: list[Draft] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    stopped: BadFile | None = None
    asked: list[Need] = field(default_factory=list)

    @property
    def token(self) -> Token:
        """The only token, which is an OATH token."""
        [draft] = self.drafts
        assert isinstance(draft.token, Token)
        return draft.token

    @property
    def yubikey(self) -> YubiKey:
        """The only token, which is a YubiKey."""
        [draft] = self.drafts
        assert isinstance(draft.token, YubiKey)
        return draft.token

    @property
    def reason(self) -> str:
        """Why the only entry was rejected."""
        [one] = self.rejected
        assert not self.drafts
        return one.reason

    @property
    def reasons(self) -> list[tuple[int, str]]:
        """The line and reason of each rejected entry."""
        return [(one.line, one.reason) for one in self.rejected]

    @property
    def fault(self) -> str:
        """Why the file was not read to its end."""
        assert self.stopped is not None
        line = "" if self.stopped.line is None else f"line {self.stopped.line}: "
        return line + self.stopped.reason

    @property
    def leftovers(self) -> bytes:
        """The file of what was rejected."""
        parts = [self.reader.opening(), *map(self.reader.entry, self.rejected), self.reader.closing()]
        return b"".join(parts)


def names() -> Iterator[str]:
    return (f"t{number}" for number in count(1))


def read(
    content: str | bytes,
    wanted: Format | None = None,
    *,
    key: bytes = b"",
    password: bytes = b"",
    dribble: bool = False,
) -> Outcome:
    """Read a file to its end, or as far as it can be read."""
    octets = content.encode() if isinstance(content, str) else content
    asked: list[Need] = []

    def ask(need: Need) -> bytes:
        asked.append(need)
        return {Need.KEY: key, Need.PASSWORD: password}[need]

    named = names()
    source = Source((Dribble if dribble else io.BytesIO)(octets))
    outcome = Outcome(reader(source, wanted, lambda: next(named), ask, NOW), asked=asked)
    try:
        for row in outcome.reader.rows():
            if isinstance(row, Found):
                outcome.drafts.append(row.draft)
            else:
                outcome.rejected.append(row)
    except BadFile as bad:
        outcome.stopped = bad
    return outcome
