"""Owns what a reader makes of a file: the tokens that it holds, the entries that it rejects, what ends the reading.

No reason quotes the file: where columns have slipped, any field may be a seed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from radius2fa.otp.token import Token, YubiKey


class Format(StrEnum):
    """What a file may be."""

    PSKC = "pskc"
    OATH = "oath"
    YUBICO = "yubico"
    ENTRA = "entra"


@dataclass(frozen=True, slots=True)
class Draft:
    """A token as far as the file tells. `owner` is a name to be looked up; None is for the stock.

    It may answer from `valid_from` until `valid_until` (Unix seconds; None is no bound).
    """

    token: Token | YubiKey
    serial: str | None
    owner: str | None = None
    label: str = ""
    valid_from: float | None = None
    valid_until: float | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """An entry that is good so far. `copy` is how it stands in the file."""

    line: int
    copy: bytes = field(repr=False)
    draft: Draft


@dataclass(frozen=True, slots=True)
class Rejected:
    """An entry that cannot be taken in, and why. `detail` is what is of this entry alone; the reason is of many."""

    line: int
    copy: bytes = field(repr=False)
    reason: str
    detail: str = ""


Row = Found | Rejected


class BadFile(Exception):  # noqa: N818 - named by what is wrong
    """The file cannot be read, or no further. `line` is where; None is for the file as a whole."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        """Name the reason, with what to do, and the line."""
        super().__init__(reason)
        self.reason = reason
        self.line = line


class Reader(Protocol):
    """A file that is being read, once, and the form of a file of what was rejected of it."""

    format: Format
    suffix: str

    def rows(self) -> Iterator[Row]:
        """Yield each entry. Raises BadFile, perhaps after some of them."""
        ...

    def notes(self) -> tuple[str, ...]:
        """Return what people should know, once all is read."""
        ...

    def opening(self) -> bytes:
        """Return what stands in front of the first rejected entry. Known from the first row on."""
        ...

    def entry(self, rejected: Rejected) -> bytes:
        """Return the entry as it stood, with the reason beside it."""
        ...

    def closing(self) -> bytes:
        """Return what stands behind the last one."""
        ...
