"""Being another user for a while, and a folder that everybody may enter."""

import os
import pwd
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def another_user(path: Path) -> Iterator[None]:
    """Be nobody. Whoever is not root cannot; they lose their rights to the path, as another user has none."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(pwd.getpwnam("nobody").pw_uid)
    else:
        path.chmod(0)
    try:
        yield
    finally:
        os.seteuid(before)


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder, below no other that is closed to some."""
    with tempfile.TemporaryDirectory(prefix="radius2fa-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
