"""Configuration files for tests: a valid one, and the reading of a text."""

from collections.abc import Mapping
from pathlib import Path

from radius2fa.config.load import Reading, read

SECRET = "c3VyZSB0aGlzIGlzIG5vIHNlY3JldA"
DIRECTORY = """
[[directory]]
urls = ["ldaps://ldap.example.org"]
base = "dc=example,dc=org"
"""
CLIENT = f"""
[[client]]
name = "vpn"
addresses = ["192.0.2.10"]
secret = "{SECRET}"
"""
VALID = DIRECTORY + CLIENT


def reading_of(folder: Path, text: str, environment: Mapping[str, str] | None = None, *, now: float = 0.0) -> Reading:
    """Return the reading at `now` of a file with this text, which only its owner may read."""
    path = folder / "radius2fa.toml"
    path.touch(0o600)
    path.write_text(text, encoding="utf-8")
    return read(path, environment or {}, now)


def faults_of(folder: Path, text: str) -> list[tuple[str, str]]:
    """Return key and message of every fault of the text."""
    return [(fault.key, fault.message) for fault in reading_of(folder, text).faults]
