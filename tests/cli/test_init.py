import base64
import os
import pwd
import re
import stat
import tomllib
from pathlib import Path

import pytest

from radius2fa.cli.init import Places, _show, _write, configuration
from radius2fa.config.load import read
from radius2fa.config.places import CONFIG_FILE, DATABASE_FILE, KEY_FILE, shipped
from radius2fa.store.seal import KeyRing
from tests.cli.files import command

SAMPLE = (shipped("etc") / "radius2fa.toml").read_text()
USUAL = Places(CONFIG_FILE, KEY_FILE, DATABASE_FILE)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def service_user_exists() -> bool:
    return any(account.pw_name == "radius2fa" for account in pwd.getpwall())


def test_init_writes_a_valid_configuration_a_key_and_a_database(tmp_path: Path) -> None:
    config, state = tmp_path / "etc" / "radius2fa.toml", tmp_path / "state"
    done = command(config, "init", "--state", str(state))
    assert done.exit_code == 0, done.output
    reading = read(config, {})
    assert (reading.faults, reading.warnings) == ((), ())
    assert reading.settings is not None
    assert reading.settings.store.url == f"sqlite:///{state}/radius2fa.db"
    assert reading.settings.store.key_file == tmp_path / "etc" / "master.key"
    KeyRing.read(reading.settings.store.key_file)
    again = command(config, "db", "upgrade")
    assert (again.exit_code, again.output.strip()) == (0, "The tables are up to date; nothing was to be done.")


def test_init_says_how_a_client_is_added_to_the_running_service(capsys: pytest.CaptureFixture[str]) -> None:
    _show(USUAL)
    assert "section [[client]]. Then: systemctl reload radius2fa" in " ".join(
        capsys.readouterr().out.replace("│", " ").split()
    )


def test_nobody_else_may_read_what_init_writes(tmp_path: Path) -> None:
    config, state = tmp_path / "etc" / "radius2fa.toml", tmp_path / "state"
    command(config, "init", "--state", str(state))
    assert mode(tmp_path / "etc" / "master.key") == 0o400
    assert mode(config) == (0o640 if service_user_exists() and os.geteuid() == 0 else 0o600)
    assert mode(state / "radius2fa.db") == 0o600
    assert mode(state) == 0o700
    assert mode(config.parent) == 0o755


def test_the_service_owns_the_key_and_the_database_and_only_reads_the_configuration(tmp_path: Path) -> None:
    """As root, files are given to another user; anybody else can give them to nobody but themselves."""
    account = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    places = Places(tmp_path / "radius2fa.toml", tmp_path / "master.key", tmp_path / "state" / "radius2fa.db")
    _write(places, account, [])
    for path in (places.key, places.database, places.database.parent):
        assert (path.stat().st_uid, path.stat().st_gid) == (account.pw_uid, account.pw_gid)
    assert (places.config.stat().st_uid, places.config.stat().st_gid) == (os.geteuid(), account.pw_gid)
    assert (mode(places.config), mode(places.key), mode(places.database)) == (0o640, 0o400, 0o600)


def test_the_key_may_go_elsewhere(tmp_path: Path) -> None:
    config, key = tmp_path / "radius2fa.toml", tmp_path / "keys" / "the key"
    assert command(config, "init", "--state", str(tmp_path), "--key-file", str(key)).exit_code == 0
    settings = read(config, {}).settings
    assert settings is not None
    assert settings.store.key_file == key
    assert key.is_file()


def test_init_shows_what_it_wrote_and_what_comes_next(tmp_path: Path) -> None:
    config = tmp_path / "radius2fa.toml"
    lines = command(config, "init", "--state", str(tmp_path)).output
    shown = re.sub(r"[│╭╮╰╯─\s]+", "", lines)
    for expected in (config, tmp_path / "master.key", tmp_path / "radius2fa.db", "radius2facheck--config"):
        assert str(expected) in shown


@pytest.mark.parametrize("name", ["radius2fa.toml", "master.key", "radius2fa.db"])
def test_a_file_that_exists_is_named_and_nothing_is_written(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    done = command(tmp_path / "radius2fa.toml", "init", "--state", str(tmp_path))
    assert done.exit_code == 1
    assert done.stderr == f"radius2fa: already there: {tmp_path / name}; nothing was written\n"
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


def test_a_link_that_leads_nowhere_is_not_overwritten_either(tmp_path: Path) -> None:
    (tmp_path / "master.key").symlink_to(tmp_path / "elsewhere")
    done = command(tmp_path / "radius2fa.toml", "init", "--state", str(tmp_path))
    assert (done.exit_code, done.stderr) == (
        1,
        f"radius2fa: already there: {tmp_path}/master.key; nothing was written\n",
    )
    assert [path.name for path in tmp_path.iterdir()] == ["master.key"]


def test_what_was_written_is_taken_back_if_not_all_could_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = command(tmp_path / "radius2fa.toml", "init", "--state", str(tmp_path / "file" / "state"))
    assert done.exit_code == 1
    assert "nothing was written" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_written_files_are_taken_back_when_the_database_cannot_be_made(tmp_path: Path) -> None:
    state = tmp_path / "state"
    (state / "radius2fa.db-journal").mkdir(parents=True)
    done = command(tmp_path / "radius2fa.toml", "init", "--state", str(state))
    assert done.exit_code != 0
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["radius2fa.db-journal", "state"]


def test_the_shared_secret_is_made_of_24_random_octets() -> None:
    octets = bytes(range(24))
    asked: list[int] = []

    def random(count: int) -> bytes:
        asked.append(count)
        return octets

    text = configuration(SAMPLE, USUAL, random)
    assert tomllib.loads(text)["client"][0]["secret"] == base64.b64encode(octets).decode()
    assert asked == [24]


def test_in_the_usual_places_the_configuration_names_no_place() -> None:
    text = configuration(SAMPLE, USUAL, os.urandom)
    assert tomllib.loads(text)["store"] == {}
    assert [a for a, b in zip(text.splitlines(), SAMPLE.splitlines(), strict=True) if a != b] == [
        line for line in text.splitlines() if line.startswith("secret = ")
    ]


def test_places_with_quotes_and_backslashes_are_written_rightly() -> None:
    key = Path('/srv/a "b"\\c')
    text = configuration(SAMPLE, Places(CONFIG_FILE, key, DATABASE_FILE), os.urandom)
    assert tomllib.loads(text)["store"] == {"key_file": str(key)}
