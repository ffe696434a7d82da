import os
import shutil
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from radius2fa.server.localsocket import CannotListen, LocalSocket, listen
from tests.servers.another_user import another_user, open_folder

Connect = Callable[[Path], socket.socket]


@pytest.fixture
def connect() -> Iterator[Connect]:
    with ExitStack() as opened:

        def connect(path: Path) -> socket.socket:
            made = opened.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            made.settimeout(5)
            made.connect(str(path))
            return made

        yield connect


@pytest.fixture
def place(tmp_path: Path) -> Iterator[LocalSocket]:
    made = listen(tmp_path / "status.sock")
    yield made
    made.close()


def leave_behind(path: Path) -> None:
    """What is left of a process that was killed: a socket that has a name, and nobody who listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as killed:
        killed.bind(str(path))
        killed.listen()


def test_it_listens_without_blocking_until_it_is_closed(place: LocalSocket, connect: Connect) -> None:
    with pytest.raises(BlockingIOError):
        place.listening.accept()
    connect(place.path)
    place.listening.accept()[0].close()
    place.close()
    assert not place.path.exists()


def test_a_path_with_a_nul_is_told(tmp_path: Path) -> None:
    with pytest.raises(CannotListen, match=r"null (byte|character)"):
        listen(tmp_path / "status\0sock")


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_its_mode_is_0600(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        place = listen(tmp_path / "status.sock")
    finally:
        os.umask(before)
    assert stat.S_IMODE(place.path.stat().st_mode) == 0o600
    place.close()


def test_another_user_is_refused_by_its_mode_alone(connect: Connect) -> None:
    with open_folder() as folder:
        place = listen(folder / "status.sock")
        with another_user(place.path), pytest.raises(PermissionError):
            connect(place.path)
        place.path.chmod(0o666)
        with another_user(folder / "nothing") if os.geteuid() == 0 else ExitStack():
            connect(place.path)  # or it would have been something else that refused
        place.close()


def test_what_a_killed_process_left_behind_makes_way(tmp_path: Path, connect: Connect) -> None:
    leave_behind(tmp_path / "status.sock")
    place = listen(tmp_path / "status.sock")
    connect(place.path)
    place.close()


def test_what_another_process_listens_on_is_not_taken_away(place: LocalSocket, connect: Connect) -> None:
    with pytest.raises(CannotListen, match=r"status\.sock: another process listens there$"):
        listen(place.path)
    connect(place.path)
    assert place.path.lstat().st_ino == place.inode[1]


def test_nor_where_so_many_wait_that_none_can_come_in(tmp_path: Path, connect: Connect) -> None:
    path = tmp_path / "status.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as busy:
        busy.bind(str(path))
        busy.listen(0)
        connect(path)  # a backlog of 0 holds one
        with pytest.raises(CannotListen, match=r"another process listens there$"):
            listen(path)
    assert path.exists()


def test_what_is_no_socket_stays(tmp_path: Path) -> None:
    path = tmp_path / "status.sock"
    path.write_text("a letter")
    with pytest.raises(CannotListen, match=rf"^{path}: there is something that is no socket$"):
        listen(path)
    assert path.read_text() == "a letter"


def test_a_link_to_a_socket_is_no_socket(tmp_path: Path) -> None:
    leave_behind(tmp_path / "other.sock")
    (tmp_path / "status.sock").symlink_to("other.sock")
    with pytest.raises(CannotListen, match=r"no socket$"):
        listen(tmp_path / "status.sock")
    assert (tmp_path / "other.sock").exists()


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CannotListen, match=rf"^{tmp_path}/run/status\.sock: No such file or directory$"):
        listen(tmp_path / "run" / "status.sock")


def test_a_folder_that_may_not_be_written_is_told() -> None:
    with open_folder() as folder, another_user(folder), pytest.raises(CannotListen, match=r": Permission denied$"):
        listen(folder / "status.sock")


def test_a_path_that_is_too_long_for_a_socket_is_told(tmp_path: Path) -> None:
    """sun_path of unix(7) has 108 octets."""
    with pytest.raises(CannotListen, match=r": AF_UNIX path too long$"):
        listen(tmp_path / ("s" * 108))


def test_closing_removes_nothing_that_is_anothers(place: LocalSocket, connect: Connect) -> None:
    place.path.unlink()
    other = listen(place.path)
    place.close()
    connect(place.path)
    other.close()


def test_closing_is_quiet_where_the_folder_has_gone(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    place = listen(tmp_path / "run" / "status.sock")
    shutil.rmtree(tmp_path / "run")
    place.close()
    assert place.listening.fileno() == -1
