"""Owns the file that rejected entries are written to, with the reason beside each, to be corrected and imported."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from radius2fa.enrol.formats.rows import Reader, Rejected

Write = Callable[[Rejected], None]


def free_name(file: Path, suffix: str) -> Path:
    """Return the first name after `FILE.rejected.SUFFIX`, `FILE.rejected.2.SUFFIX` and so on that nothing has."""
    names = (file.with_name(f"{file.name}.rejected{number}.{suffix}") for number in _numbers())
    return next(name for name in names if not os.path.lexists(name))


@contextmanager
def written_to(path: Path, reader: Reader) -> Iterator[Write]:
    """Make a new file that only its owner may read, and give what writes an entry of the reader's into it.

    It is whole however the block ends, and gone if nothing was written.

    Raises:
        OSError: it cannot be made, or exists, or cannot be written to.

    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        begun = False

        def write(rejected: Rejected) -> None:
            nonlocal begun
            if not begun:
                file.write(reader.opening())
                begun = True
            file.write(reader.entry(rejected))

        try:
            yield write
        finally:
            if begun:
                file.write(reader.closing())
                file.flush()
                os.fsync(descriptor)
            else:
                path.unlink()


def _numbers() -> Iterator[str]:
    yield ""
    for number in count(2):
        yield f".{number}"
