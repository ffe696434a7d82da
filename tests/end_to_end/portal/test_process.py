"""The portal as a process: what it tells systemd, how it ends, how it takes a renewed certificate, when it refuses."""

import os
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.house import Ready, directory_section
from tests.servers.portal import Portal, portal_section
from tests.servers.program import Program
from tests.servers.slapd import Slapd
from tests.servers.tls import Authority


class Kept:
    """A configured portal with a certificate of its own."""

    def __init__(self, folder: Path, slapd: Slapd, ready: Ready) -> None:
        self.authority = Authority(folder)
        self.section = dict(portal_section(self.authority.issue("portal")))
        self.folder = folder
        self._slapd = slapd
        self._ready = ready

    def portal(self, **more: object) -> Portal:
        """Return the portal with some keys changed, or, where they are None, left out."""
        section = {key: value for key, value in {**self.section, **more}.items() if value is not None}
        program = Program(self.folder, directory_section(self._slapd), more=[("[portal]", section)])
        program.key_file.unlink(missing_ok=True)
        program.adopt(self._ready.key, self._ready.database)
        return Portal(program, str(self.section["url"]), self.authority)


@pytest.fixture
def kept(folder: Path, slapd: Slapd, ready: Ready) -> Kept:
    return Kept(folder, slapd, ready)


@pytest.fixture
def systemd(folder: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(folder / "notify"))
        systemd.settimeout(10)
        yield systemd


def test_systemd_hears_of_its_beginning_and_its_end(kept: Kept, systemd: socket.socket, folder: Path) -> None:
    with kept.portal() as portal:
        portal.start(NOTIFY_SOCKET=str(folder / "notify"))
        assert systemd.recv(100) == b"READY=1"
        with portal.caller() as caller:
            assert caller.get("/health").status == 200
        begin = time.monotonic()
        assert portal.stop() == 0
        assert time.monotonic() - begin < 5
        assert systemd.recv(100) == b"STOPPING=1"
        assert [line["event"] for line in portal.lines if "page" not in line["event"]] == [
            "ready",
            "stopping",
            "stopped",
        ]


def test_a_renewed_certificate_is_taken_on_sighup(kept: Kept) -> None:
    with kept.portal() as portal:
        portal.start()
        with portal.caller() as before:
            assert before.get("/health").status == 200
            renewed = kept.authority.issue("portal").certificate.read_bytes()
            os.kill(portal.pid, signal.SIGHUP)
            portal.wait_for(lambda line: line["event"] == "certificate read again")
            assert before.get("/health").status == 200
        shown = ssl.get_server_certificate(("localhost", portal.port))
        assert shown.strip() == renewed.decode().strip()
        assert portal.stop() == 0


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"url": None}, "portal.url: is missing: there is no portal without an address"),
        (
            {"certificate": None, "key": None, "trusted_proxies": None},
            "portal: nobody speaks TLS for https://localhost",
        ),
        ({"listen": ["0.0.0.0:8443"], "certificate": None, "key": None, "trusted_proxies": None}, "in clear text"),
        ({"mail": {"server": "localhost", "sender": "r@example.org", "ca_file": "radius2fa.toml"}}, "portal: "),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(kept: Kept, more: dict[str, object], told: str) -> None:
    done = kept.portal(**more).run("portal", expect=78)
    assert told in done.stderr


def test_a_key_of_another_certificate_is_refused(kept: Kept) -> None:
    other = kept.authority.issue("other")
    done = kept.portal(key=str(other.key)).run("portal", expect=78)
    assert f"the key in {other.key} is not that of the certificate" in done.stderr


def test_a_port_that_is_taken_is_told(kept: Kept) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = kept.portal(listen=[f"127.0.0.1:{port}"]).run("portal", expect=69)
    assert f"127.0.0.1:{port}: Address already in use" in done.stderr
