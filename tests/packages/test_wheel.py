"""Wheel and source archive, built without a network, and the wheel put into an environment of its own."""

import os
import socket
import subprocess
import sys
import sysconfig
import tarfile
import time
import zipfile
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path

import pytest

from radius2fa import __version__
from tests.servers.slapd import free_port

ROOT = Path(__file__).parents[2]
OFFLINE = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def run(*command: str | Path, cwd: Path) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "RADIUS2FA_", "PYTHON"))}
    done = subprocess.run(command, cwd=cwd, env=clean | OFFLINE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build_wheel(source: Path, folder: Path) -> Path:
    run(
        *(sys.executable, "-m", "pip", "wheel", "-q", "--no-build-isolation", "--no-deps", "-w", folder, source),
        cwd=folder.parent,
    )
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", folder, cwd=ROOT)
    (archive,) = folder.glob("*.tar.gz")
    return archive


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program from the wheel. The libraries it finds where the tests have theirs."""
    home = tmp_path_factory.mktemp("installed") / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", home, cwd=home.parent)
    python = home / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "-q")
    run(*pip, "--no-index", "--no-deps", wheel, cwd=home.parent)
    (packages,) = home.glob("lib/python*/site-packages")
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return home / "bin" / "radius2fa"


def files(*patterns: str) -> list[str]:
    """What the repository has of these, without what Python compiled."""
    found = [path for pattern in patterns for path in ROOT.glob(pattern) if path.is_file()]
    names = [str(path.relative_to(ROOT)) for path in found if "__pycache__" not in path.parts]
    assert names
    return names


def test_the_wheel_holds_the_program_and_all_that_it_reads(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    shipped = files("dictionaries/**/*", "etc/**/*", "systemd/**/*", "monitoring/**/*")
    assert {f"radius2fa/shipped/{name}" for name in shipped} <= held
    assert {
        "radius2fa/shipped/etc/radius2fa.toml",
        "radius2fa/shipped/systemd/radius2fa.service",
        "radius2fa/shipped/systemd/radius2fa-portal.service",
        "radius2fa/shipped/systemd/radius2fa.socket",
        "radius2fa/shipped/systemd/radius2fa.sysusers",
        "radius2fa/shipped/systemd/radius2fa.tmpfiles",
        "radius2fa/shipped/monitoring/radius2fa.rules.yml",
        "radius2fa/shipped/monitoring/grafana.json",
        "radius2fa/portal/templates/base.html",
        "radius2fa/portal/static/style.css",
        "radius2fa/portal/words/de/base.toml",
        "radius2fa/store/migrations/env.py",
        "radius2fa/py.typed",
    } <= held
    package = set(files("radius2fa/**/*"))
    metadata = {name for name in held if name.startswith(f"radius2fa-{__version__}.dist-info/")}
    assert held - metadata - {f"radius2fa/shipped/{name}" for name in shipped} == package
    assert any(name.endswith("licenses/LICENSE") for name in metadata)


def test_the_source_archive_holds_what_is_built_tested_and_read(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    wanted = files(
        "radius2fa/**/*", "dictionaries/*", "etc/*", "systemd/*", "docs/**/*.md", "tests/**/*.py", "scripts/*"
    )
    assert set(wanted) <= held
    assert set(files("packaging/**/*", "monitoring/*", "*.md", "*.lock", "LICENSE", "pyproject.toml")) <= held
    assert {name for name in held if name.startswith((".venv", ".ci", ".git/", "dist", ".coverage"))} == set()


def test_the_wheel_of_the_source_archive_is_the_same(sdist: Path, wheel: Path, tmp_path: Path) -> None:
    again = build_wheel(sdist, tmp_path / "again")
    assert _contents(again) == _contents(wheel)


def _contents(wheel: Path) -> dict[str, int]:
    return {each.filename: each.CRC for each in zipfile.ZipFile(wheel).infolist()}


def test_the_installed_program_tells_its_version(installed: Path, tmp_path: Path) -> None:
    assert run(installed, "--version", cwd=tmp_path) == f"radius2fa {__version__}\n"
    where = run(installed.with_name("python"), "-c", "import radius2fa; print(radius2fa.__file__)", cwd=tmp_path)
    assert Path(where).is_relative_to(installed.parents[1])


def test_the_installed_program_makes_its_first_configuration_and_serves_the_portal(
    installed: Path, tmp_path: Path
) -> None:
    config, port = tmp_path / "radius2fa.toml", free_port()
    run(installed, "--config", config, "init", "--state", tmp_path / "state", cwd=tmp_path)
    portal_keys = f'[portal]\nurl = "http://localhost:{port}"\nlisten = ["127.0.0.1:{port}"]\n'
    config.write_text(config.read_text().replace("[portal]\n", portal_keys, 1))
    assert "All is well." in run(installed, "--config", config, "check", "--offline", cwd=tmp_path)
    with subprocess.Popen([installed, "--config", config, "portal"], cwd=tmp_path, stderr=subprocess.DEVNULL) as portal:
        try:
            until(lambda: answers(port))
            status, page = fetched(port, "/signin")
            assert (status, b"<form" in page) == (200, True)
            assert fetched(port, "/static/style.css") == (
                200,
                (ROOT / "radius2fa/portal/static/style.css").read_bytes(),
            )
        finally:
            portal.terminate()
    assert portal.returncode == 0


def answers(port: int) -> bool:
    with socket.socket() as knocking:
        return knocking.connect_ex(("127.0.0.1", port)) == 0


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def fetched(port: int, path: str) -> tuple[int, bytes]:
    connection = HTTPConnection("localhost", port, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found
