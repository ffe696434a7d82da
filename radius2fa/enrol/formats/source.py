"""Owns the octets of a file that is read once from its beginning to its end: in pieces, or in lines."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

PIECE = 64 * 1024
LONGEST = 64 * 1024  # octets of a line: that of a token has less than 1000


class Source:
    """A file of which the head is known beforehand. `read` is how many octets have been handed out."""

    def __init__(self, file: BinaryIO) -> None:
        """Take an open file, which need not be one that can be rewound, and read its head."""
        self._file = file
        self.head = b""
        self.read = 0
        while len(self.head) < PIECE and (more := file.read(PIECE - len(self.head))):  # a pipe gives less at once
            self.head += more

    def pieces(self) -> Iterator[bytes]:
        """Yield all of the file."""
        piece = self.head
        while piece:
            self.read += len(piece)
            yield piece
            piece = self._file.read(PIECE)


@dataclass(frozen=True, slots=True)
class Line:
    """A line, counted from 1, without its end.

    Of one that is longer than LONGEST, only LONGEST + 1 octets are kept. `ended` is false for a last one without end.
    """

    number: int
    octets: bytes = field(repr=False)
    ended: bool = True


def lines(pieces: Iterable[bytes]) -> Iterator[Line]:
    """Yield the lines of a file."""
    number, kept = 1, b""
    for piece in pieces:
        first, *others = piece.split(b"\n")
        kept = (kept + first)[: LONGEST + 1]
        for other in others:
            yield Line(number, kept.removesuffix(b"\r"))
            number, kept = number + 1, other
    if kept:
        yield Line(number, kept, ended=False)
