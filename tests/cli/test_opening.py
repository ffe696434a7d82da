import subprocess
import sys
from pathlib import Path

import pytest
import typer

from radius2fa.cli.opening import CONFIG, open_directory, open_house, open_settings, open_store
from tests.cli.files import configured


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = configured(tmp_path)
    CONFIG.set(path)
    return path


def test_a_configured_store_and_directory_open(config: Path) -> None:
    settings = open_settings()
    store, directory = open_store(settings), open_directory(settings)
    assert store.ledger.standing("nobody", "by vpn", 0.0).tokens == ()
    assert open_house(settings, store, directory).directory is directory
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


def test_replies_that_cannot_be_sent_end_the_program_with_78_and_their_line(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(config.read_text() + '[[policy]]\nname = "staff"\nreply = { Filtre-Id = "x" }\n')
    settings = open_settings()
    store, directory = open_store(settings), open_directory(settings)
    with pytest.raises(typer.Exit) as ended:
        open_house(settings, store, directory)
    directory.close()
    store.close()
    assert ended.value.exit_code == 78
    assert capsys.readouterr().err.startswith(f"{config}:16: policy[1].reply.Filtre-Id: no dictionary knows")


def test_the_server_does_not_start_with_replies_that_cannot_be_sent(config: Path) -> None:
    config.write_text(config.read_text() + '[[policy]]\nname = "staff"\nreply = { Filtre-Id = "x" }\n')
    program = Path(sys.executable).with_name("radius2fa")
    done = subprocess.run(
        [program, "--config", config, "serve"], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 78
    assert f"{config}:16: policy[1].reply.Filtre-Id: no dictionary knows 'Filtre-Id'" in done.stderr
