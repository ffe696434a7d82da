"""Owns finding the libraries that tests load into a client or a server: PAM modules, and those of cwrap.org."""

from pathlib import Path

import pytest


def library(name: str, package: str) -> Path:
    """Return where Debian's package put a library, or end the test with the line that installs it."""
    found = sorted(Path("/usr/lib").glob(f"*-linux-gnu*/{name}"))
    if not found:
        pytest.fail(f"{name} is missing: apt-get install {package}")
    return found[0]
