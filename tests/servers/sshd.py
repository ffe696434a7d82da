"""A real sshd on a port of the loopback, which asks PAM; and ssh, which answers its prompts."""

import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import pytest

from tests.servers.listening import wait_until_it_listens
from tests.servers.pam import PamServices
from tests.servers.slapd import free_port

SSHD = "/usr/sbin/sshd"
LIMIT = 20.0  # seconds that a start or a login may take before the test fails
SEPARATION = Path("/run/sshd")  # where sshd locks its unprivileged part in, if root runs it

_CONFIGURATION = """\
ListenAddress 127.0.0.1:{port}
HostKey {folder}/host_key
PidFile none
UsePAM yes
KbdInteractiveAuthentication yes
PasswordAuthentication no
PubkeyAuthentication no
PermitRootLogin yes
"""

# ssh runs this for each prompt, with the prompt as the argument: it notes it down and prints the next answer.
_ANSWER = """\
#!/bin/sh
printf '%s\\n' "$1" >>'{folder}/prompts'
head -n 1 '{folder}/answers'
sed -i 1d '{folder}/answers'
"""


@dataclass(frozen=True)
class Login:
    """What ssh showed: the prompts in order, and what the command printed; whether the login succeeded."""

    prompts: list[str]
    printed: str
    let_in: bool


class Sshd:
    """A running sshd whose service `sshd` of PAM is one of ours. Use as a context manager."""

    def __init__(self, folder: Path, services: PamServices) -> None:
        for program, package in ((SSHD, "openssh-server"), ("ssh", "openssh-client"), ("ssh-keygen", "openssh-client")):
            if shutil.which(program) is None:
                pytest.fail(f"{program} is missing: apt-get install {package}")
        self._folder = folder
        self._services = services
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None
        self._made_separation = False
        key = folder / "host_key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True, capture_output=True)
        kind, public, *_ = key.with_suffix(".pub").read_text().split()
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{self._port} {kind} {public}\n")
        (folder / "sshd_config").write_text(_CONFIGURATION.format(folder=folder, port=self._port))
        (folder / "answer").write_text(_ANSWER.format(folder=folder))
        (folder / "answer").chmod(0o700)

    def __enter__(self) -> Self:
        if os.geteuid() == 0 and not SEPARATION.exists():
            SEPARATION.mkdir(mode=0o755)
            self._made_separation = True
        self._log = (self._folder / "log").open("ab")
        self._process = subprocess.Popen(
            [SSHD, "-D", "-e", "-f", self._folder / "sshd_config"],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            env={**os.environ, **self._services.environment},
        )
        wait_until_it_listens(self._process, self._port, LIMIT, "sshd", self.log)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._process is not None and self._log is not None:
            self._process.terminate()
            self._process.wait(LIMIT)
            self._log.close()
        if self._made_separation:
            SEPARATION.rmdir()

    def log(self) -> str:
        """Return what sshd has written so far."""
        return (self._folder / "log").read_text(errors="replace")

    def login(self, user: str, answers: Iterable[str], command: str) -> Login:
        """Log a user in who gives these answers to the prompts, in order, and run a command."""
        (self._folder / "answers").write_text("".join(answer + "\n" for answer in answers))
        (self._folder / "prompts").write_text("")
        options = [
            f"UserKnownHostsFile={self._folder}/known_hosts",
            "StrictHostKeyChecking=yes",
            "PreferredAuthentications=keyboard-interactive",
            "NumberOfPasswordPrompts=1",
        ]
        done = subprocess.run(
            ["ssh", "-F", "none", *(f"-o{each}" for each in options), f"-p{self._port}", f"{user}@127.0.0.1", command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env={**os.environ, "SSH_ASKPASS": f"{self._folder}/answer", "SSH_ASKPASS_REQUIRE": "force"},
            timeout=LIMIT,
            check=False,
        )
        prompts = (self._folder / "prompts").read_text().splitlines()
        return Login(prompts, done.stdout, done.returncode == 0)
