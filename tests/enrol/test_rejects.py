import stat
from pathlib import Path

import pytest

from radius2fa.enrol.rejects import free_name, written_to
from tests.enrol.formats.pskc_files import container, package
from tests.enrol.formats.reading import SEED_HEX, read


def test_a_file_without_rejects_is_gone(tmp_path: Path) -> None:
    with written_to(tmp_path / "r.csv", read(f"A1,{SEED_HEX},totp\n").reader):
        assert (tmp_path / "r.csv").exists()
    assert not (tmp_path / "r.csv").exists()


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    outcome = read(f"A1,{SEED_HEX},totp\nA2,none\nA3,none\n")
    with written_to(tmp_path / "r.csv", outcome.reader) as write:
        for one in outcome.rejected:
            write(one)
        assert stat.S_IMODE((tmp_path / "r.csv").stat().st_mode) == 0o600
    assert (tmp_path / "r.csv").read_bytes() == outcome.leftovers


def test_it_is_whole_also_when_an_import_is_broken_off(tmp_path: Path) -> None:
    outcome = read(container(package("A1"), package("A2", data="")))

    def broken_off() -> None:
        with written_to(tmp_path / "r.xml", outcome.reader) as write:
            write(outcome.rejected[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()
    assert read((tmp_path / "r.xml").read_bytes()).reasons == [(4, outcome.rejected[0].reason)]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("precious")
    with pytest.raises(FileExistsError), written_to(tmp_path / "r.csv", read(f"A1,{SEED_HEX},totp\n").reader):
        pass
    assert (tmp_path / "r.csv").read_text() == "precious"


def test_a_name_that_is_taken_is_followed_by_the_next(tmp_path: Path) -> None:
    for name in ("t.csv.rejected.csv", "t.csv.rejected.2.csv", "t.csv.rejected.3.csv"):
        path = free_name(tmp_path / "t.csv", "csv")
        assert path == tmp_path / name
        path.symlink_to("nowhere")
