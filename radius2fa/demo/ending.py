"""Owns the end of the demo's run: by a signal, or by something that broke."""

import signal
from collections.abc import Callable
from typing import Any, ParamSpec

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # SIGHUP: the terminal's window was closed
_P = ParamSpec("_P")


class Ending:
    """The end of the run, of which there is one."""

    def __init__(self, loop: Any) -> None:  # noqa: ANN401 - Twisted's reactor has no type
        """Take the signals; one that comes before the reactor runs ends it as soon as it does."""
        self._loop = loop
        self._fault: BaseException | None = None
        self._near = False
        for number in _SIGNALS:
            signal.signal(number, lambda *_: loop.callFromThread(self._come, None))

    def _come(self, fault: BaseException | None) -> None:
        if not self._near:
            self._near, self._fault = True, fault
            self._loop.stop()

    def guarded(self, show: Callable[_P, None]) -> Callable[_P, None]:
        """Return `show`, with the end of the run for what it raises: a login must not fail because a window is gone."""

        def guard(*args: _P.args, **kwargs: _P.kwargs) -> None:
            try:
                show(*args, **kwargs)
            except (Exception, SystemExit) as fault:  # noqa: BLE001 - `tell` raises it; Rich exits on a broken pipe
                self._loop.callFromThread(self._come, fault)

        return guard

    def tell(self) -> None:
        """Raise what broke, unless it was the terminal or the pipe that everything is written to."""
        if self._fault is not None and not isinstance(self._fault, OSError | SystemExit):
            raise self._fault
