"""Owns what moves on the demo's screen: the codes, second by second, and the logins as they come."""

import io
import time
from collections.abc import Callable

from rich.text import Text

from radius2fa.demo import display, world
from radius2fa.demo.ending import Ending
from radius2fa.demo.screen import Screen
from radius2fa.enrol.enrolment import present
from radius2fa.otp.token import Token
from radius2fa.server.login import Login


class Watch:
    """The screen, kept up to date. All of it happens in the reactor thread; none of it raises."""

    def __init__(self, screen: Screen, alice: Callable[[], Token], ending: Ending) -> None:
        """Show on `screen`; `alice` returns Alice's token as it is now."""
        self._screen = screen
        self._alice = alice
        self._address = ""
        self.begin = ending.guarded(self._begin)
        self.tick = ending.guarded(self._tick)
        self.login = ending.guarded(self._login)
        self.say = ending.guarded(self._say)

    def _begin(self, address: str, portal: str) -> None:
        """Show all there is. `address` is the server's HOST:PORT, `portal` the URL of the portal."""
        self._address = address
        alice = present(self._alice(), world.ISSUER, world.ALICE.account.uid)
        self._screen.above(*display.opening(address, portal, alice))
        self._tick()

    def _tick(self) -> None:
        now = display.moment(self._alice(), time.time())
        self._screen.below(display.block(now, self._address), display.status(now))

    def _login(self, login: Login) -> None:
        self._screen.above(display.line(login))
        self._tick()

    def _say(self, text: str) -> None:
        self._screen.above(Text(text, style="yellow"))


class LogStream(io.TextIOBase):
    """A stream whose lines go to `say`: the server's warnings must not tear what is on the screen."""

    def __init__(self, say: Callable[[str], None]) -> None:
        """Take lines for `say`."""
        self._say = say

    def write(self, text: str) -> int:
        """Take one or more whole lines."""
        self._say(text.rstrip("\n"))
        return len(text)
