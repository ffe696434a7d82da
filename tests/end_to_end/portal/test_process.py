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


def rewrite(portal: Portal, old: str, new: str) -> None:
    """Put another configuration in the place of this one, in one step."""
    text = portal.config.read_text()
    assert old in text
    beside = portal.config.with_suffix(".new")
    beside.write_text(text.replace(old, new, 1))
    beside.chmod(0o600)
    beside.replace(portal.config)


def reloaded(portal: Portal, systemd: socket.socket) -> str:
    """SIGHUP; return what systemd shows of how it ended."""
    os.kill(portal.pid, signal.SIGHUP)
    assert systemd.recv(1000).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
    word, _, status = systemd.recv(1000).decode().partition("\nSTATUS=")
    assert word == "READY=1"
    return status


def test_a_reload_takes_the_level_of_the_log_and_names_what_needs_a_restart(
    kept: Kept, systemd: socket.socket, folder: Path
) -> None:
    with kept.portal() as portal:
        portal.start(NOTIFY_SOCKET=str(folder / "notify"))
        assert systemd.recv(100) == b"READY=1"
        assert reloaded(portal, systemd) == "Configuration reloaded"
        rewrite(portal, "[portal]", '[portal]\nhelp = "Call 42"')
        rewrite(portal, "[server]", "[server]\nthreads = 7\nreject_delay = 2")
        rewrite(portal, 'level = "info"', 'level = "warning"')
        assert reloaded(portal, systemd) == "Configuration reloaded; 2 changed key(s) need a restart"
        (line,) = portal.wait_for(lambda line: line["event"] == "needs a restart")
        assert line["keys"] == ["server.reject_delay", "portal.help"]
        assert portal.events("reloaded")[-1]["changed"] == ["log.level"]
        told = len(portal.events("reloaded"))
        assert reloaded(portal, systemd).endswith("2 changed key(s) need a restart")
        assert portal.stop() == 0
        assert len(portal.events("reloaded")) == told, "that is of the level info"
        assert portal.events("stopped") == []


def test_a_reload_names_a_new_master_key_among_what_needs_a_restart_and_refuses_a_broken_file_of_them(
    kept: Kept, systemd: socket.socket, folder: Path
) -> None:
    with kept.portal() as portal:
        portal.start(NOTIFY_SOCKET=str(folder / "notify"))
        assert systemd.recv(100) == b"READY=1"
        portal.run("key", "rotate")
        assert reloaded(portal, systemd) == "Configuration reloaded; 1 changed key(s) need a restart"
        (line,) = portal.wait_for(lambda line: line["event"] == "needs a restart")
        assert line["keys"] == ["(master keys)"]
        portal.key_file.chmod(0o600)
        portal.key_file.write_text("no key\n")
        assert reloaded(portal, systemd).startswith("Reload refused, ")
        (line,) = portal.wait_for(lambda line: line["event"] == "not reloaded")
        assert "line 1 is not the base64 of 32 octets" in line["why"]


@pytest.mark.parametrize(
    "fault",
    [
        ("[portal]", "[portal]\nunheard = 1", "portal.unheard"),
        ("[portal]", "[portal", "is not TOML"),
        ('url = "https', '#url = "https', "portal.url: is missing"),
        ("secret = ", 'secret_file = "none"\n#', "No such file"),
    ],
)
def test_a_reload_refuses_a_faulty_file_and_says_why_and_takes_the_certificate_all_the_same(
    kept: Kept, systemd: socket.socket, folder: Path, fault: tuple[str, str, str]
) -> None:
    old, new, why = fault
    with kept.portal() as portal:
        portal.start(NOTIFY_SOCKET=str(folder / "notify"))
        assert systemd.recv(100) == b"READY=1"
        rewrite(portal, 'level = "info"', 'level = "error"')
        rewrite(portal, old, new)
        assert reloaded(portal, systemd).startswith("Reload refused, ")
        (line,) = portal.wait_for(lambda line: line["event"] == "not reloaded")
        assert (line["level"], why in line["why"]) == ("error", True), line
        assert len(portal.events("certificate read again")) == 1
        assert portal.stop() == 0
        assert portal.events("stopped") != []


def test_signals_in_crowds_and_at_its_end_do_no_harm(kept: Kept) -> None:
    with kept.portal() as portal:
        portal.start()
        for _ in range(200):
            os.kill(portal.pid, signal.SIGHUP)
            time.sleep(0.002)
        portal.wait_for(lambda line: line["event"] == "reloaded", 2)
        os.kill(portal.pid, signal.SIGHUP)
        assert portal.stop() == 0
        assert portal.events("internal error") == []


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
