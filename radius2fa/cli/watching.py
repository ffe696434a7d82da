"""Owns showing something again and again, until Ctrl-C."""

import io
import time
from collections.abc import Callable
from contextlib import redirect_stdout, suppress

EVERY = 2.0  # seconds


def watch(show: Callable[[], None], pause: Callable[[float], object] = time.sleep) -> None:
    """Print what `show` prints, every two seconds, until Ctrl-C: on a terminal always in the same place.

    `pause` waits for a number of seconds.
    """
    from rich.console import Console  # noqa: PLC0415 - heavy
    from rich.live import Live  # noqa: PLC0415 - heavy
    from rich.text import Text  # noqa: PLC0415 - heavy

    console = Console(highlight=False)
    with suppress(KeyboardInterrupt):
        if not console.is_terminal:
            while True:
                show()
                pause(EVERY)
        with Live(console=console, screen=True, auto_refresh=False, vertical_overflow="crop") as live:
            while True:
                live.update(Text(_printed(show), no_wrap=True, overflow="ellipsis"), refresh=True)
                pause(EVERY)


def _printed(show: Callable[[], None]) -> str:
    with redirect_stdout(io.StringIO()) as printed:
        show()
    return printed.getvalue()
