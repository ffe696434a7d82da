"""Owns where the demo's lines go: a terminal with a part that stays at its bottom, or a pipe, line by line."""

import math
from collections.abc import Sequence
from typing import Protocol

from rich.console import Console, RenderableType
from rich.text import Text

_UP = "\x1b[{}A"  # ECMA-48: CUU, CUD, EL and ED
_DOWN = "\x1b[{}B"
_CLEAR_LINE = "\x1b[K"
_CLEAR_BELOW = "\x1b[J"
_ROWS = 18  # what is below must stay in sight, or it cannot be reached again


class Screen(Protocol):
    """Something to show the demo on."""

    def above(self, *what: RenderableType) -> None:
        """Print something that stays where it is."""
        ...

    def below(self, block: Sequence[Text], status: Text) -> None:
        """Show these lines below everything else, in the place of those before. `status` may change every second."""
        ...


def open_screen(console: Console) -> Screen:
    """Return the screen that fits: lines are rewritten only on a terminal that can do it and has the room."""
    able = console.is_terminal and not console.is_dumb_terminal and console.height >= _ROWS
    return Terminal(console) if able else Pipe(console)


class Pipe:
    """A file, a pipe or a terminal without a cursor: the lines below come again whenever they have changed."""

    def __init__(self, console: Console) -> None:
        """Print to this console."""
        self._console = console
        self._block: list[Text] = []

    def above(self, *what: RenderableType) -> None:
        """Print it."""
        for each in what:
            self._console.print(each, soft_wrap=isinstance(each, Text))

    def below(self, block: Sequence[Text], status: Text) -> None:
        """Print the block if it is not the one before, and the status under it."""
        if list(block) != self._block:
            self._block = list(block)
            self.above(*block, status)


class Terminal:
    """A terminal. The cursor rests on the line after the last one.

    Of the lines below only those that have changed are written, so that what somebody has marked with the mouse, to
    copy it, stays marked while the seconds count down.
    """

    def __init__(self, console: Console) -> None:
        """Draw on this console."""
        self._console = console
        self._shown: list[Text] = []

    def above(self, *what: RenderableType) -> None:
        """Print it between what was printed before and the lines below, in one write."""
        drawn = "".join(self._drawn(each) + "\n" for each in what)
        self._write(self._erase() + drawn + self._all(self._shown))

    def below(self, block: Sequence[Text], status: Text) -> None:
        """Rewrite what has changed."""
        lines = [*block, status]
        if [self._rows(line) for line in lines] != [self._rows(line) for line in self._shown]:
            self._write(self._erase() + self._all(lines))
        else:
            self._write("".join(self._rewrite(lines, place) for place in range(len(lines))))
        self._shown = lines

    def _rewrite(self, lines: Sequence[Text], place: int) -> str:
        if lines[place] == self._shown[place]:
            return ""
        up = sum(self._rows(line) for line in lines[place:])
        down = up - self._rows(lines[place]) + 1
        return f"{_UP.format(up)}\r{self._drawn(lines[place])}{_CLEAR_LINE}{_DOWN.format(down)}\r"

    def _erase(self) -> str:
        rows = sum(self._rows(line) for line in self._shown)
        return f"{_UP.format(rows)}\r{_CLEAR_BELOW}" if rows else ""

    def _all(self, lines: Sequence[Text]) -> str:
        return "".join(self._drawn(line) + "\n" for line in lines)

    def _rows(self, line: Text) -> int:
        # A line longer than the terminal is wrapped by the terminal itself, so that copying gives it in one piece.
        return max(1, math.ceil(line.cell_len / self._console.width))

    def _drawn(self, what: RenderableType) -> str:
        with self._console.capture() as captured:
            self._console.print(what, soft_wrap=isinstance(what, Text))
        return captured.get().removesuffix("\n")

    def _write(self, text: str) -> None:
        self._console.file.write(text)
        self._console.file.flush()
