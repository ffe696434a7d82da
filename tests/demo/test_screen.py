import io

import pytest
from rich.console import Console
from rich.text import Text

from radius2fa.demo.screen import Pipe, Terminal, open_screen
from tests.demo.glass import Glass

LONG = "radclient " + "x" * 30


class Stage:
    """A terminal of 20 columns, and what is written to it."""

    def __init__(self) -> None:
        self.written = io.StringIO()
        self.console = Console(file=self.written, force_terminal=True, width=20, color_system=None)
        self.terminal = Terminal(self.console)

    def shown(self, width: int = 20) -> list[str]:
        glass = Glass(width)
        glass.feed(self.written.getvalue())
        return glass.lines()


def texts(*lines: str) -> list[Text]:
    return [Text(line) for line in lines]


def test_what_is_below_stays_below() -> None:
    stage = Stage()
    stage.terminal.above(Text("title"))
    stage.terminal.below(texts("copy this", LONG), Text("30 s left"))
    stage.terminal.above(Text("alice accepted"), Text("bob rejected for a reason that takes three lines"))
    assert stage.shown() == [
        "title",
        "alice accepted",
        "bob rejected for a reason that takes three lines",
        "copy this",
        LONG,
        "30 s left",
        "",
    ]


def test_only_what_has_changed_is_written_again() -> None:
    stage = Stage()
    stage.terminal.below(texts("copy this", LONG), Text("30 s left"))
    before = stage.written.tell()
    stage.terminal.below(texts("copy this", LONG), Text("9 s left"))
    assert stage.written.getvalue()[before:] == "\x1b[1A\r9 s left\x1b[K\x1b[1B\r"
    assert stage.shown() == ["copy this", LONG, "9 s left", ""]


def test_a_long_line_is_replaced_by_one_of_the_same_length() -> None:
    stage = Stage()
    other = LONG.replace("x", "y")
    stage.terminal.below(texts("one", LONG, "two"), Text("30 s left"))
    stage.terminal.below(texts("one", other, "two"), Text("30 s left"))
    assert stage.shown() == ["one", other, "two", "30 s left", ""]


def test_a_line_as_wide_as_the_terminal_takes_one_row() -> None:
    stage = Stage()
    full = "f" * 20
    stage.terminal.below(texts(full, ""), Text("30 s left"))
    stage.terminal.below(texts(full.upper(), ""), Text("29 s left"))
    assert stage.shown() == ["F" * 20, "", "29 s left", ""]


def test_another_number_of_lines_takes_the_place_of_those_before() -> None:
    stage = Stage()
    stage.terminal.above(Text("title"))
    stage.terminal.below(texts("copy this", LONG), Text("30 s left"))
    stage.terminal.below(texts("wait"), Text("29 s left"))
    assert stage.shown() == ["title", "wait", "29 s left", ""]


def test_a_pipe_gets_the_lines_again_when_they_have_changed_but_no_countdown() -> None:
    written = io.StringIO()
    pipe = Pipe(Console(file=written, width=20))
    pipe.above(Text("title"))
    pipe.below(texts("copy this", LONG), Text("30 s left"))
    pipe.below(texts("copy this", LONG), Text("29 s left"))
    pipe.above(Text("alice accepted"))
    pipe.below(texts("copy that", LONG), Text("30 s left"))
    assert written.getvalue().splitlines() == [
        "title",
        "copy this",
        LONG,
        "30 s left",
        "alice accepted",
        "copy that",
        LONG,
        "30 s left",
    ]


@pytest.mark.parametrize(
    ("terminal", "kind", "rows", "screen"),
    [(True, "xterm", 24, Terminal), (True, "dumb", 24, Pipe), (True, "xterm", 10, Pipe), (False, "xterm", 24, Pipe)],
)
def test_lines_are_rewritten_only_where_that_can_be_done(terminal: bool, kind: str, rows: int, screen: type) -> None:  # noqa: FBT001 - a row of the table
    console = Console(force_terminal=terminal, width=80, height=rows, _environ={"TERM": kind})
    assert type(open_screen(console)) is screen
