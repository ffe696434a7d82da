"""Owns the wait for a server that was just started."""

import socket
import subprocess
import time
from collections.abc import Callable

import pytest


def wait_until_it_listens(
    process: "subprocess.Popen[bytes]", port: int, within: float, name: str, log: Callable[[], str]
) -> None:
    """Wait until the process takes connections on a port of the loopback.

    Fail, with what it has logged, if it ends before, or does not come so far within so many seconds.
    """
    deadline = time.monotonic() + within
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except ConnectionRefusedError:
            time.sleep(0.01)  # nothing tells when a port begins to listen
        else:
            return
    pytest.fail(f"{name} did not start:\n{log()}")
