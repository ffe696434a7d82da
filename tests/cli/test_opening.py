from pathlib import Path

import pytest
import typer

from radius2fa.cli.opening import CONFIG, open_directory, open_settings, open_store
from tests.cli.files import configured


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = configured(tmp_path)
    CONFIG.set(path)
    return path


def test_a_configured_store_and_directory_open(config: Path) -> None:
    settings = open_settings()
    store, directory = open_store(settings), open_directory(settings)
    assert store.ledger.standing("nobody").tokens == ()
    assert settings.store.key_file == config.parent / "master.key"
    directory.close()
    store.close()


def test_a_fault_of_the_configuration_ends_the_program_with_78(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(config.read_text() + "cod = 1\n")
    with pytest.raises(typer.Exit) as ended:
        open_settings()
    assert ended.value.exit_code == 78
    assert capsys.readouterr().err.endswith("radius2fa: the configuration has a fault\n")


def test_a_missing_master_key_ends_the_program_with_78(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (config.parent / "master.key").unlink()
    with pytest.raises(typer.Exit) as ended:
        open_store(open_settings())
    assert ended.value.exit_code == 78
    assert "`radius2fa init` makes a master key" in capsys.readouterr().err


def test_missing_tables_end_the_program_with_78(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (config.parent / "radius2fa.db").unlink()
    with pytest.raises(typer.Exit) as ended:
        open_store(open_settings())
    assert ended.value.exit_code == 78
    assert "radius2fa db upgrade" in capsys.readouterr().err


def test_an_unusable_ca_file_ends_the_program_with_78(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (config.parent / "ca.pem").write_text("no certificate")
    config.write_text(config.read_text().replace("[[client]]", 'ca_file = "ca.pem"\n[[client]]'))
    with pytest.raises(typer.Exit) as ended:
        open_directory(open_settings())
    assert ended.value.exit_code == 78
    assert capsys.readouterr().err.startswith("radius2fa: directory: ca_file: ")
