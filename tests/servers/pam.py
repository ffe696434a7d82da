"""PAM services in a folder of their own, with pam_radius in them; and pamtester, which asks as a login program would.

cwrap.org's pam_wrapper lets a program look for its services there, so that nothing is written to /etc/pam.d.
"""

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests.servers.wrapped import library

LIMIT = 20.0  # seconds that a login may take before the test fails


@dataclass(frozen=True)
class Verdict:
    """What pamtester showed: the prompts, one behind the other and with what else went to the screen; the verdict."""

    shown: str
    let_in: bool


class PamServices:
    """A folder of PAM services. Use as a context manager, which takes the copies away that pam_wrapper has left."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._services = folder / "services"
        self._services.mkdir()
        self._marker = uuid.uuid4().hex
        (self._services / self._marker).write_text("# tells our copies from those of others\n")
        (self._services / "other").write_text("auth required pam_deny.so\naccount required pam_deny.so\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        copies = Path("/tmp").glob(f"pam.?/{self._marker}")  # noqa: S108 - pam_wrapper knows no other place
        for copy in list(copies):
            shutil.rmtree(copy.parent)

    def add(self, service: str, port: int, secret: str, source: str, *options: str) -> None:
        """Add a service that asks a RADIUS server on 127.0.0.1 by pam_radius, from a source address of the loopback."""
        servers = self._folder / f"{service}.conf"
        servers.write_text(f"127.0.0.1:{port} {secret} 5 {source}\n")
        servers.chmod(0o600)
        module = library("security/pam_radius_auth.so", "libpam-radius-auth")
        lines = [f"auth required {module} conf={servers} {' '.join(options)}"]
        lines += [f"{group} required pam_permit.so" for group in ("account", "session")]
        (self._services / service).write_text("\n".join(lines) + "\n")

    @property
    def environment(self) -> dict[str, str]:
        """What to add to a program's environment for it to use these services."""
        return {
            "LD_PRELOAD": str(library("libpam_wrapper.so", "libpam-wrapper")),
            "PAM_WRAPPER": "1",
            "PAM_WRAPPER_SERVICE_DIR": str(self._services),
        }


def pamtester(services: PamServices, service: str, user: str, typed: Iterable[bytes]) -> Verdict:
    """Let pamtester log a user in, who types these lines."""
    program = shutil.which("pamtester")
    if program is None:
        pytest.fail("pamtester is missing: apt-get install pamtester")
    done = subprocess.run(
        [program, "--item=rhost=198.51.100.7", service, user, "authenticate"],
        input=b"".join(line + b"\n" for line in typed),
        capture_output=True,
        env={**os.environ, **services.environment},
        timeout=LIMIT,
        check=False,
    )
    return Verdict((done.stderr + done.stdout).decode(), done.returncode == 0)
