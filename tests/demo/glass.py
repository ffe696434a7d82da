"""A terminal as far as the demo needs one: what would stand on its glass. It never scrolls, but grows."""

import re

_TOKEN = re.compile(r"\x1b\[(\d*)([ABJKm]|[\d;]*m)|(\r)|(\n)|([^\x1b\r\n])", re.DOTALL)


class Glass:
    def __init__(self, width: int) -> None:
        self.width = width
        self._rows: list[list[str]] = [[]]
        self._wrapped: set[int] = set()
        self._row = self._column = 0

    def feed(self, octets: str) -> None:
        """Obey. Anything that this terminal does not know is a fault of the sender."""
        at = 0
        while at < len(octets):
            token = _TOKEN.match(octets, at)
            assert token, f"an unknown sequence: {octets[at : at + 12]!r}"
            at = token.end()
            number, command, carriage_return, line_feed, letter = token.groups()
            if letter:
                self._put(letter)
            elif carriage_return:
                self._column = 0
            elif line_feed:
                self._move(1)
                self._column = 0
            elif command in {"A", "B"}:
                self._move(int(number or 1) * (1 if command == "B" else -1))
            elif command in {"J", "K"}:
                self._erase(below=command == "J")

    def lines(self) -> list[str]:
        """Return what stands there, with the lines in one piece that the terminal has wrapped."""
        lines: list[str] = []
        for number, row in enumerate(self._rows):
            text = "".join(row)
            if number in self._wrapped:
                lines[-1] += text
            else:
                lines.append(text)
        return [line.rstrip() for line in lines]

    def _put(self, letter: str) -> None:
        if self._column == self.width:  # the wrap waits until there is something to wrap
            self._move(1)
            self._column = 0
            self._wrapped.add(self._row)
        row = self._rows[self._row]
        row += " " * (self._column - len(row))
        row[self._column : self._column + 1] = letter
        self._column += 1

    def _move(self, rows: int) -> None:
        self._row += rows
        assert self._row >= 0, "above the first line"
        while len(self._rows) <= self._row:
            self._rows.append([])

    def _erase(self, *, below: bool) -> None:
        del self._rows[self._row][self._column :]
        if below:
            del self._rows[self._row + 1 :]
            self._wrapped = {number for number in self._wrapped if number <= self._row}
