"""Owns the threads in which pages are made."""

import queue
import threading
from collections.abc import Callable
from typing import ParamSpec

P = ParamSpec("P")


class Threads:
    """A fixed number of threads, which take calls in the order in which they come.

    There are never more calls waiting than connections, so the queue needs no bound. A call must not raise.
    """

    def __init__(self, threads: int) -> None:
        """Start no thread yet."""
        self._calls: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        # Daemons: a page that waits for a backend at the very end must not keep the process past its five seconds.
        self._threads = [
            threading.Thread(target=self._run, name=f"page-{number}", daemon=True) for number in range(threads)
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def callInThread(self, call: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:  # noqa: N802 - Twisted's name
        """Have something called in one of the threads."""
        self._calls.put(lambda: call(*args, **kwargs))

    def stop(self) -> None:
        """Let every thread end after the calls that have come before."""
        for _ in self._threads:
            self._calls.put(None)

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
