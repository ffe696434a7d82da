"""A real ocserv on a port of the loopback, which asks by RADIUS; and openconnect, which logs in and opens no tunnel."""

import grp
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import pytest

from tests.servers.listening import wait_until_it_listens
from tests.servers.slapd import free_port
from tests.servers.tls import Authority
from tests.servers.wrapped import library

OCSERV, OPENCONNECT = "/usr/sbin/ocserv", "/usr/sbin/openconnect"
LIMIT = 20.0  # seconds that a start or a login may take before the test fails

_CONFIGURATION = """\
auth = "radius[config={folder}/radcli.conf]"
listen-host = 127.0.0.1
tcp-port = {port}
socket-file = {folder}/socket
server-cert = {certificate}
server-key = {key}
run-as-user = {user}
run-as-group = {group}
isolate-workers = false
use-occtl = false
device = vpns
ipv4-network = 198.51.100.0/24
"""

_RADIUS = """\
nas-identifier ocserv
authserver 127.0.0.1:{port}:{secret}
acctserver 127.0.0.1:{port}:{secret}
dictionary /etc/radcli/dictionary
default_realm
radius_timeout 5
radius_retries 3
bindaddr {source}
"""


@dataclass(frozen=True)
class Login:
    """What openconnect showed, and whether it was let in: it prints the cookie that a tunnel would be opened with."""

    shown: str
    let_in: bool


class Ocserv:
    """A running ocserv, a client of a RADIUS server on 127.0.0.1. Use as a context manager.

    It wants to be root, for its tunnels, which no login needs: cwrap.org's uid_wrapper lets it believe so.
    """

    def __init__(self, folder: Path, authority: Authority, *, radius_port: int, secret: str, source: str) -> None:
        for program, package in ((OCSERV, "ocserv"), (OPENCONNECT, "openconnect")):
            if shutil.which(program) is None:
                pytest.fail(f"{program} is missing: apt-get install {package}")
        self._folder = folder
        self._ca_file = authority.ca_file
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None
        certificate = authority.issue("ocserv")
        values = {
            "folder": folder,
            "port": self._port,
            "certificate": certificate.certificate,
            "key": certificate.key,
            "user": pwd.getpwuid(os.geteuid()).pw_name,
            "group": grp.getgrgid(os.getegid()).gr_name,
        }
        (folder / "ocserv.conf").write_text(_CONFIGURATION.format(**values))
        (folder / "radcli.conf").write_text(_RADIUS.format(port=radius_port, secret=secret, source=source))

    def __enter__(self) -> Self:
        wrapper = library("libuid_wrapper.so", "libuid-wrapper")
        self._output = (self._folder / "log").open("ab")
        self._process = subprocess.Popen(
            [OCSERV, "-f", "-d", "3", "-c", self._folder / "ocserv.conf"],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            env={**os.environ, "LD_PRELOAD": str(wrapper), "UID_WRAPPER": "1", "UID_WRAPPER_ROOT": "1"},
        )
        wait_until_it_listens(self._process, self._port, LIMIT, "ocserv", self.log)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._process is not None and self._output is not None:
            self._process.terminate()
            self._process.wait(LIMIT)
            self._output.close()

    def log(self) -> str:
        """Return what ocserv has written so far."""
        return (self._folder / "log").read_text(errors="replace")

    def login(self, user: str, typed: Iterable[bytes]) -> Login:
        """Log a user in, who types these lines into the forms that come."""
        done = subprocess.run(
            [OPENCONNECT, "--authenticate", f"--cafile={self._ca_file}", f"--user={user}", f"localhost:{self._port}"],
            input=b"".join(line + b"\n" for line in typed),
            capture_output=True,
            timeout=LIMIT,
            check=False,
        )
        return Login(done.stderr.decode(), done.stdout.startswith(b"COOKIE="))
