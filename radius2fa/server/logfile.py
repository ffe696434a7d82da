"""Owns where log lines are written: a stream or a file; and that a login never fails because one cannot be."""

import os
from pathlib import Path
from typing import TextIO

_MODE = 0o600  # names of users are in it, and the group of the service may read the configuration only
# Not to wait: neither for a reader, where the path is a pipe's, nor for one that is slow. Of a file it changes nothing.
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK


class CannotLog(Exception):  # noqa: N818 - it says what happened
    """The log cannot be had as it is configured. The text says why."""


class Stream:
    """Lines to a stream, such as standard error. What it does not take is counted."""

    def __init__(self, stream: TextIO) -> None:
        """Write to this stream."""
        self._stream = stream
        self.lost = 0

    def write(self, line: str) -> None:
        """Write a line, with its end."""
        try:
            self._stream.write(line)
        except OSError:
            self.lost += 1

    def flush(self) -> None:
        """Let it out."""
        try:
            self._stream.flush()
        except OSError:
            self.lost += 1


class LogFile:
    """Lines to a file, which may be moved away at any time: the next line goes to a new one of its name.

    Each line is one write(2) at the end of the file, so that two processes may share it. Used from all threads, one at
    a time.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, or make it.

        Raises:
            CannotLog: that cannot be.

        """
        self._path = path
        self._torn = False  # whether the last line is there in part
        self.lost = 0
        try:
            self._open()
        except OSError as fault:
            raise CannotLog(f"{path}: {fault.strerror}") from None

    def write(self, line: str) -> None:
        """Write a line, with its end. Where the disk is full, or the folder is gone, it is counted and lost."""
        try:
            if self._moved():
                self._reopen()
            # What found no more room shall not be gone on with by the next line.
            octets = b"\n" * self._torn + line.encode("utf-8", "backslashreplace")
            self._torn = os.write(self._descriptor, octets) < len(octets)
            self.lost += self._torn
        except OSError:
            self.lost += 1

    def flush(self) -> None:
        """Do nothing: nothing is kept back."""

    def _moved(self) -> bool:
        """Tell whether the name leads elsewhere by now, or nowhere, as after logrotate(8)."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return True
        return (found.st_dev, found.st_ino) != self._inode

    def _reopen(self) -> None:
        before = self._descriptor
        self._open()
        os.close(before)

    def _open(self) -> None:
        self._descriptor = os.open(self._path, _FLAGS, _MODE)
        found = os.fstat(self._descriptor)
        self._inode = found.st_dev, found.st_ino
        self._torn = False
