"""When a reload of the portal begins; the test itself stands for reactor and thread."""

from collections.abc import Callable
from typing import Any

from radius2fa.portal.hosting.reload import Reload
from tests.server.test_statusport import Loop


class Threads(Loop):
    """A reactor whose thread works when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.work: list[Callable[[], Any]] = []

    def callInThread(self, call: Callable[..., Any], *arguments: Any) -> None:  # noqa: N802 - Twisted's name
        self.work.append(lambda: call(*arguments))

    def callFromThread(self, call: Callable[..., Any], *arguments: Any) -> None:  # noqa: N802 - as above
        call(*arguments)


def test_a_crowd_of_signals_is_one_reload_and_one_more_for_what_changed_meanwhile() -> None:
    loop, read = Threads(), list[str]()

    def reading() -> str:
        read.append("read")
        return "done"

    reload = Reload(reading, reactor=loop, environment={})
    for _ in range(100):
        reload.ask()
    assert (len(loop.work), read) == (1, [])
    loop.work.pop()()
    assert (len(loop.work), read) == (1, ["read"])
    loop.work.pop()()
    assert (loop.work, read) == ([], ["read", "read"])
    reload.ask()
    assert len(loop.work) == 1


def test_a_reading_that_fails_by_a_bug_keeps_no_later_one_from_its_turn() -> None:
    loop, reading = Threads(), iter([lambda: 1 / 0, lambda: "done"])
    reload = Reload(lambda: str(next(reading)()), reactor=loop, environment={})
    for _ in range(2):
        reload.ask()
        loop.work.pop()()
    assert loop.work == []
    assert next(reading, None) is None
