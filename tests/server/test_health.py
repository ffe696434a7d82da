import pytest

from radius2fa.login.ports import Unavailable
from radius2fa.server.health import Health


class Backend:
    def __init__(self) -> None:
        self.up = True
        self.asked: list[float] = []

    def probe(self, deadline: float) -> None:
        self.asked.append(deadline)
        if not self.up:
            raise Unavailable("directory", "connection refused")


def test_one_look_serves_everybody_for_a_second() -> None:
    now = [10.0]
    backend = Backend()
    health = Health((backend.probe,), lambda: now[0])
    health.check(14.0)
    now[0] = 10.9
    health.check(15.0)
    assert backend.asked == [14.0]
    now[0] = 11.0
    health.check(16.0)
    assert backend.asked == [14.0, 16.0]


def test_a_backend_that_is_down_is_told_to_all_who_ask_until_it_is_back() -> None:
    now = [10.0]
    well, ill = Backend(), Backend()
    ill.up = False
    health = Health((well.probe, ill.probe), lambda: now[0])
    for _ in range(2):
        with pytest.raises(Unavailable, match="directory: connection refused"):
            health.check(14.0)
    assert len(ill.asked) == 1
    ill.up = True
    now[0] = 11.5
    health.check(15.0)
    assert len(ill.asked) == 2
