"""Owns files that appear under their name whole and durable, or not at all."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def whole_file(path: Path, mode: int = 0o600) -> Iterator[BinaryIO]:
    """Give a file to write, which gets its name when the block ends well; a file that is there already is never lost.

    Until then it lies beside, under a name that begins with a dot, and only its owner may read it.

    Raises:
        FileExistsError: there is a file of this name.
        OSError: it cannot be written.

    """
    if os.path.lexists(path):
        raise FileExistsError(17, "already there; nothing is ever overwritten", str(path))
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        beside.rename(path)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise
    _sync(path.parent)


def _sync(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
