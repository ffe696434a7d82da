import os
import threading
from pathlib import Path

import pytest

from radius2fa.store.keyfile import WAITS, Busy, alone_with, promoted, rewrite, waits, with_next, without
from radius2fa.store.seal import KeyRing

A, B, C = ("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "A" * 43 + "=", "B" * 42 + "A=")
NAMES = {key: KeyRing.parse(key).names[0] for key in (A, B, C)}


def test_a_new_key_waits_in_the_second_place_and_then_comes_first() -> None:
    text = with_next(f"# ours\n{A}\n\n{B}\n", f"{C}\n")
    assert text == f"# ours\n{A}\n{WAITS}\n{C}\n\n{B}\n"
    assert (waits(text), KeyRing.parse(text).names) == (True, (NAMES[A], NAMES[C], NAMES[B]))
    assert promoted(text) == f"# ours\n{C}\n{A}\n\n{B}\n"
    assert not waits(promoted(text))


def test_keys_are_taken_out_by_their_names() -> None:
    assert without(f"# ours\n{A}\n{B}\n{C}\n", [NAMES[B], NAMES[C]]) == f"# ours\n{A}\n"


def test_a_file_is_replaced_whole_with_its_owner_and_for_that_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "master.key"
    file.write_text("old\n")
    if os.geteuid() == 0:
        os.chown(file, 12, 34)
    before = file.stat()
    rewrite(file, "new\n")
    after = file.stat()
    assert (file.read_text(), after.st_mode & 0o777) == ("new\n", 0o400)
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)
    assert [each.name for each in tmp_path.iterdir()] == ["master.key"]


def test_only_one_changes_keys_at_a_time_and_clears_away_what_was_left(tmp_path: Path) -> None:
    file = tmp_path / "master.key"
    (tmp_path / ".master.key.0123abcd.part").write_text("a key")
    refused: list[BaseException] = []

    def another() -> None:
        try:
            with alone_with(file):
                pass
        except Busy as busy:
            refused.append(busy)

    with alone_with(file):
        assert list(tmp_path.iterdir()) == []
        thread = threading.Thread(target=another)
        thread.start()
        thread.join(10)
    assert len(refused) == 1
    another()
    assert len(refused) == 1, "and afterwards the next may"


def test_a_folder_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), alone_with(tmp_path / "none" / "master.key"):
        pass
