"""Owns what can be wrong with a configuration file, as a value: where, what, and what to do about it."""

from dataclasses import dataclass, field
from pathlib import Path

Key = tuple[str | int, ...]  # ("client", 1, "addresses"); items of a list count from 0


def written(key: Key) -> str:
    """Return the key as people read it: `client[2].addresses`, where items count from 1."""
    path = ""
    for part in key:
        if isinstance(part, int):
            path += f"[{part + 1}]"
        else:
            path += f".{part}" if path else part
    return path


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a file. `line` counts from 1, None where it is not known; `key` is "" for the whole file.

    Never holds the value of a secret.
    """

    file: Path
    line: int | None
    key: str
    message: str
    remedy: str

    def __str__(self) -> str:
        """Return it as one line: place, key, message, remedy."""
        place = str(self.file) if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.key + ': ' if self.key else ''}{self.message}. {self.remedy}"


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault that does not know yet in which file and line it is."""

    key: Key
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Findings:
    """What has been found so far: faults, which make a file unusable, and warnings, which do not."""

    faults: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)


class ConfigError(Exception):
    """The configuration cannot be used; `faults` says why, in the order of the file."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        """Take every fault of the file."""
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults
