"""Owns the place of a local socket: made for its owner only, given back at the end, never taken from who listens."""

import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path

_BACKLOG = 8


class CannotListen(Exception):  # noqa: N818 - it says what happened
    """A local socket cannot be had. The text says where and why."""


@dataclass(frozen=True, slots=True)
class LocalSocket:
    """A socket that listens at a path; `inode` (device and number) tells whether what lies there is still this one."""

    listening: socket.socket
    path: Path
    inode: tuple[int, int]

    def close(self) -> None:
        """Listen no more, and remove the file, unless it is gone or another's."""
        self.listening.close()
        try:
            if _inode(self.path) == self.inode:
                self.path.unlink()
        except OSError:  # it went with its folder, which systemd removes by itself
            return


def listen(path: Path) -> LocalSocket:
    """Return a socket that does not block, and that this process's user and root may connect to.

    What a process left behind that was killed makes way.

    Raises:
        CannotListen: another process listens there; there is something else than a socket; or the folder is not there,
            or may not be written.

    """
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        _make_way(path)
        # Before it has a name, so that there is no moment in which others may connect: bind(2) makes the file with the
        # mode of the socket, less the umask.
        os.fchmod(listening.fileno(), stat.S_IRUSR | stat.S_IWUSR)
        listening.bind(str(path))
        listening.listen(_BACKLOG)
        return LocalSocket(listening, path, _inode(path))
    except (OSError, ValueError) as fault:  # a ValueError for a NUL
        listening.close()
        why = fault.strerror or fault if isinstance(fault, OSError) else fault
        raise CannotListen(f"{path}: {why}") from None


def _make_way(path: Path) -> None:
    """Remove a socket that nobody listens on.

    Raises:
        OSError: somebody does, or it is no socket, or it may not be removed.

    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(None, "there is something that is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as knocking:
        try:
            knocking.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:  # so many wait there that it takes no more: somebody listens
            pass
    raise FileExistsError(None, "another process listens there")


def _inode(path: Path) -> tuple[int, int]:
    found = path.lstat()
    return found.st_dev, found.st_ino
