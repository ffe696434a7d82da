"""Owns the part of Twisted's reactor that the server uses, as types, so that tests may pass a reactor of their own."""

from collections.abc import Callable
from typing import Any, Protocol


class Call(Protocol):
    """A call that has been put off (Twisted's IDelayedCall)."""

    def cancel(self) -> None:
        """Take it back."""
        ...

    def active(self) -> bool:
        """Tell whether it is still to come."""
        ...


class Reactor(Protocol):
    """What the server asks of Twisted."""

    def addReader(self, reader: Any) -> Any:  # noqa: N802, ANN401 - Twisted's own name and type
        """Call `reader.doRead` whenever its file descriptor has something to read."""
        ...

    def removeReader(self, reader: Any) -> Any:  # noqa: N802, ANN401 - as above
        """Stop that."""
        ...

    def addWriter(self, writer: Any) -> Any:  # noqa: N802, ANN401 - as above
        """Call `writer.doWrite` whenever its file descriptor takes something."""
        ...

    def removeWriter(self, writer: Any) -> Any:  # noqa: N802, ANN401 - as above
        """Stop that."""
        ...

    def callLater(self, delay: float, call: Callable[..., Any], /, *args: Any) -> Call:  # noqa: N802, ANN401 - as above
        """Call in `delay` seconds, in the reactor thread."""
        ...

    def callFromThread(self, call: Callable[..., Any], /, *args: Any) -> Any:  # noqa: N802, ANN401 - as above
        """Call in the reactor thread, soon. The one method that other threads may use."""
        ...

    def callInThread(self, call: Callable[..., Any], /, *args: Any) -> Any:  # noqa: N802, ANN401 - as above
        """Call in a thread beside the reactor's."""
        ...
