"""Owns the bar that shows on a terminal how far something long has come.

Imported where it is needed: rich is heavy.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def bar(what: str, total: int | None = None) -> Iterator[Callable[..., None]]:
    """Give what draws the bar, from its first call on: it takes how much is done and, if that is news, how much is all.

    Where standard error is no terminal, nothing is drawn.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    drawing = Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
    task = drawing.add_task(what, total=total)

    def step(done: int, total: int | None = None) -> None:
        drawing.start()
        drawing.update(task, completed=done, total=total)

    try:
        yield step
    finally:
        drawing.stop()
