import socket
from pathlib import Path

import pytest

from radius2fa.server.notify import notify


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_gets_the_word(tmp_path: Path, *, abstract: bool) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.settimeout(5)
        systemd.bind("\0" + path if abstract else path)
        notify("READY=1", {"NOTIFY_SOCKET": "@" + path if abstract else path})
        assert systemd.recv(100) == b"READY=1"


def test_without_systemd_nothing_happens() -> None:
    notify("READY=1", {})
