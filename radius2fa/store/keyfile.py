"""Owns the changes of a master key file while keys are rotated: each is one rename, so there is no half of one.

The first key seals, all open. One that is new waits in the second place, below a line that says so, until every server
knows it.
"""

import fcntl
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from radius2fa.store.seal import KeyRing

WAITS = "# The next key. It seals nothing before `radius2fa key rotate --continue`."


class Busy(Exception):  # noqa: N818 - named by what is wrong
    """Somebody else is changing the key file."""


@contextmanager
def alone_with(path: Path) -> Iterator[None]:
    """Keep everybody else from changing the key file meanwhile, and clear away what somebody who was killed left.

    Raises:
        Busy: somebody else is at it.
        OSError: the folder cannot be read.

    """
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(f"somebody else is rotating the keys in {path}") from None
        for left in path.parent.glob(f".{path.name}.*.part"):
            left.unlink()
        yield
    finally:
        os.close(folder)


def waits(text: str) -> bool:
    """Tell whether a new key waits to be used."""
    return WAITS in text.splitlines()


def with_next(text: str, key: str) -> str:
    """Return the text with a new key in the second place, waiting."""
    lines = text.splitlines()
    first = next(number for number, line in enumerate(lines) if _is_key(line))
    return _text([*lines[: first + 1], WAITS, key.strip(), *lines[first + 1 :]])


def promoted(text: str) -> str:
    """Return the text with the key that waits in the first place."""
    lines = text.splitlines()
    at = lines.index(WAITS)
    new = next(number for number in range(at + 1, len(lines)) if _is_key(lines[number]))
    rest = [line for number, line in enumerate(lines) if number not in {at, new}]
    first = next(number for number, line in enumerate(rest) if _is_key(line))
    return _text([*rest[:first], lines[new], *rest[first:]])


def without(text: str, names: Sequence[str]) -> str:
    """Return the text without the keys of these names."""
    return _text([line for line in text.splitlines() if not (_is_key(line) and KeyRing.parse(line).names[0] in names)])


def rewrite(path: Path, text: str) -> None:
    """Put a text in the place of a key file, with the same owner, for that owner only to read.

    Raises:
        OSError: it cannot be written. The file is as it was.

    """
    owner = path.stat()
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "w", encoding="ascii") as file:
            if (owner.st_uid, owner.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.rename(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _is_key(line: str) -> bool:
    return bool(line.strip()) and not line.strip().startswith("#")


def _text(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
