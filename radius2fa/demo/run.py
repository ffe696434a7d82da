"""Owns the entrance to the demo: what it needs, where it prints, and how it says that it cannot start."""

import gc
import io
import sys
from importlib.util import find_spec
from typing import NoReturn

from rich.console import Console

from radius2fa.demo.screen import open_screen

_UNAVAILABLE = 69  # of sysexits.h, like every exit code of the program


def run(port: int, directory_port: int, portal_port: int, color: bool) -> None:  # noqa: FBT001 - the command line's flag
    """Run the demonstration until Ctrl-C, SIGTERM or the end of its terminal.

    `port` is the RADIUS port on loopback (UDP), `directory_port` the directory's and `portal_port` the portal's (TCP);
    0 takes a free one. Ends the process with 69 and a sentence on standard error where it cannot start.
    """
    if find_spec("ldaptor") is None:
        _fail("the demonstration's directory needs ldaptor: pip install 'radius2fa[demo]'")
    gc.disable()  # looking for garbage is a sixth of the start, and modules that are being loaded are none
    from radius2fa.demo.session import CannotStart, play  # noqa: PLC0415 - heavy, and needs ldaptor
    from radius2fa.demo.world import Ports  # noqa: PLC0415 - heavy

    gc.enable()
    try:
        play(open_screen(_console(color=color)), Ports(port, directory_port, portal_port))
    except CannotStart as fault:
        _fail(str(fault))


def _console(*, color: bool) -> Console:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a QR code in Latin-1 is no reason to crash
    return Console(highlight=False, color_system="auto" if color else None)


def _fail(why: str) -> NoReturn:
    sys.stderr.write(f"radius2fa: {why}\n")
    raise SystemExit(_UNAVAILABLE)
