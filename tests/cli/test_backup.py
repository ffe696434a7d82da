"""Backups at the command line, and what comes out when one is restored."""

import json
import os
import re
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from radius2fa.config.load import load
from radius2fa.otp.token import Kind, Token
from radius2fa.store.schema import HEAD
from radius2fa.store.tokens import NewToken
from tests.cli.files import command, configured
from tests.cli.helpdesk import Helpdesk
from tests.store.test_upgrade import as_of_the_second_revision

PASSPHRASE = "five words of some length"
OLD_KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"  # as in tests/store/test_upgrade.py


@pytest.fixture
def phrase(tmp_path: Path) -> Path:
    file = tmp_path / "phrase"
    file.write_text(PASSPHRASE + "\n")
    return file


def add_token(desk: Helpdesk) -> bytes:
    seed = os.urandom(20)
    with desk.store() as store:
        store.tokens.add(NewToken(Token("t1", Kind.HOTP, seed), "alice-id", "alice"), time.time())
    return seed


def forget_the_database(desk: Helpdesk) -> None:
    for file in desk.config.parent.glob("radius2fa.db*"):
        file.unlink()


def test_a_backup_sealed_with_the_master_key_is_restored(desk: Helpdesk, tmp_path: Path) -> None:
    seed = add_token(desk)
    told = desk.says("backup", str(tmp_path / "a.backup"))
    assert "token 1" in told
    assert "sealed with the master key" in told
    forget_the_database(desk)
    assert "token 1" in desk.says("restore", str(tmp_path / "a.backup"))
    with desk.store() as store:
        secret = store.tokens.secret("t1")
        assert isinstance(secret, Token)
        assert secret.key == seed
        acts = [act.what.value for act in store.acts.recent(None, 10)]
    assert acts == ["backup-restored", "token-added"], "the act of the backup itself came after its moment"


def test_a_backup_is_an_act_of_administration(desk: Helpdesk, tmp_path: Path) -> None:
    desk.says("backup", str(tmp_path / "a.backup"), "--json")
    with desk.store() as store:
        (act,) = store.acts.recent(None, 10)
    assert (act.what.value, act.detail) == ("backup-made", "to a.backup, sealed with the master key")


def test_a_passphrase_is_asked_for_twice_and_again_when_it_is_needed(desk: Helpdesk, tmp_path: Path) -> None:
    add_token(desk)
    file = str(tmp_path / "a.backup")
    made = desk.run("backup", file, "--passphrase", typed=f"{PASSPHRASE}\n{PASSPHRASE}\n")
    assert made.exit_code == 0
    assert PASSPHRASE not in made.output
    wrong = desk.run("restore", file, "--verify", typed="five words of another\n")
    assert wrong.exit_code == 1
    assert "another passphrase or key" in wrong.stderr
    right = desk.run("restore", file, "--verify", typed=f"{PASSPHRASE}\n")
    assert right.exit_code == 0
    assert "token 1" in right.stdout


def test_a_short_passphrase_makes_no_backup(desk: Helpdesk, tmp_path: Path) -> None:
    (tmp_path / "short").write_text("12345678901")
    refused = desk.run("backup", str(tmp_path / "a.backup"), "--passphrase-file", str(tmp_path / "short"))
    assert refused.exit_code == 64
    assert not (tmp_path / "a.backup").exists()


def test_the_key_goes_with_a_backup_under_a_passphrase_only(desk: Helpdesk, tmp_path: Path) -> None:
    refused = desk.run("backup", str(tmp_path / "a.backup"), "--with-key")
    assert refused.exit_code == 64
    assert not (tmp_path / "a.backup").exists()


def test_a_new_machine_is_made_from_the_backup_alone(desk: Helpdesk, tmp_path: Path, phrase: Path) -> None:
    seed = add_token(desk)
    file, new = str(tmp_path / "a.backup"), tmp_path / "new"
    desk.says("backup", file, "--with-key", "--passphrase-file", str(phrase))
    key, config = (desk.config.with_name(name).read_text() for name in ("master.key", "radius2fa.toml"))
    new.mkdir()
    nowhere = new / "radius2fa.toml"
    extracted = command(nowhere, "restore", file, "--extract", str(new), "--passphrase-file", str(phrase))
    assert extracted.exit_code == 0, extracted.output
    assert (new / "master.key").read_text() == key
    assert (new / "master.key").stat().st_mode & 0o777 == 0o400
    assert nowhere.read_text() == config
    assert nowhere.stat().st_mode & 0o777 == 0o600

    nowhere.write_text(config.replace(f"{tmp_path}/radius2fa.db", f"{new}/radius2fa.db"))
    restored = command(nowhere, "restore", file, "--passphrase-file", str(phrase))
    assert restored.exit_code == 0, restored.output
    with closing(sqlite3.connect(new / "radius2fa.db")) as connection:
        assert connection.execute("SELECT id FROM token").fetchall() == [("t1",)]
    assert seed not in Path(file).read_bytes()
    assert key.encode()[:20] not in Path(file).read_bytes()

    again = command(nowhere, "restore", file, "--extract", str(new), "--passphrase-file", str(phrase))
    assert again.exit_code == 1
    assert "already there" in again.stderr


def test_a_backup_without_a_key_has_none_to_give(desk: Helpdesk, tmp_path: Path) -> None:
    desk.says("backup", str(tmp_path / "a.backup"))
    refused = desk.run("restore", str(tmp_path / "a.backup"), "--extract", str(tmp_path))
    assert refused.exit_code == 1
    assert "--with-key" in refused.stderr


def test_a_database_in_use_is_not_restored_into(desk: Helpdesk, tmp_path: Path) -> None:
    add_token(desk)
    desk.says("backup", str(tmp_path / "a.backup"))
    refused = desk.run("restore", str(tmp_path / "a.backup"))
    assert refused.exit_code == 1
    assert "not empty" in refused.stderr
    assert "nothing was restored" in refused.stderr


@pytest.mark.parametrize(("what", "code"), [("damaged", 1), ("none", 1), ("missing", 1), ("another key", 1)])
def test_what_cannot_be_restored_is_refused_in_words(desk: Helpdesk, tmp_path: Path, what: str, code: int) -> None:
    file = tmp_path / "a.backup"
    desk.says("backup", str(file))
    forget_the_database(desk)
    match what:
        case "damaged":
            file.write_bytes(file.read_bytes()[:-1])
        case "none":
            file.write_bytes(b"anything")
        case "missing":
            file.unlink()
        case _:
            desk.replace_key()
    refused = desk.run("restore", str(file))
    assert refused.exit_code == code
    assert str(file) in refused.stderr
    assert not desk.config.with_name("radius2fa.db").exists()


def test_a_file_is_never_overwritten(desk: Helpdesk, tmp_path: Path) -> None:
    (tmp_path / "a.backup").write_text("mine")
    refused = desk.run("backup", str(tmp_path / "a.backup"))
    assert refused.exit_code == 1
    assert (tmp_path / "a.backup").read_text() == "mine"


def older(folder: Path) -> Path:
    """A configuration whose database is of the second revision, and filled."""
    config = configured(folder)
    (folder / "radius2fa.db").unlink()
    as_of_the_second_revision(load(config).store).dispose()
    (folder / "master.key").unlink()
    (folder / "master.key").write_text(OLD_KEY)
    (folder / "master.key").chmod(0o400)
    with closing(sqlite3.connect(folder / "radius2fa.db")) as connection, connection:
        connection.execute("UPDATE token SET seed = (SELECT seed FROM token WHERE id = 'phone')")
    return config


def revision(database: Path) -> str:
    with closing(sqlite3.connect(database)) as connection:
        ((found,),) = connection.execute("SELECT version_num FROM alembic_version")
    return str(found)


def test_an_upgrade_makes_a_backup_first_that_restores_what_was_there(tmp_path: Path) -> None:
    config = older(tmp_path)
    done = command(config, "db", "upgrade")
    assert done.exit_code == 0, done.output
    (file,) = tmp_path.glob("radius2fa-0002-*.backup")
    assert str(file) in done.output.replace("\n", "")
    assert file.stat().st_mode & 0o777 == 0o600
    assert revision(tmp_path / "radius2fa.db") == HEAD
    verified = command(config, "restore", str(file), "--verify")
    assert re.search(r"made \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+ by .* revision 0002", verified.stdout.replace("\n", " "))
    (tmp_path / "radius2fa.db").unlink()
    restored = command(config, "restore", str(file))
    assert restored.exit_code == 0, restored.output
    assert revision(tmp_path / "radius2fa.db") == HEAD


def test_an_upgrade_that_cannot_be_backed_up_changes_nothing(tmp_path: Path) -> None:
    config = older(tmp_path)
    (tmp_path / "taken").write_text("mine")
    for options in (("--backup", str(tmp_path / "taken")), ("--backup", str(tmp_path / "none" / "a.backup"))):
        assert command(config, "db", "upgrade", *options).exit_code == 1
    (tmp_path / "master.key").unlink()
    assert command(config, "db", "upgrade").exit_code == 78
    assert revision(tmp_path / "radius2fa.db") == "0002"


def test_an_upgrade_without_a_backup_is_asked_for_by_name(tmp_path: Path) -> None:
    config = older(tmp_path)
    (tmp_path / "master.key").unlink()
    assert command(config, "db", "upgrade", "--no-backup").exit_code == 0
    assert list(tmp_path.glob("*.backup")) == []
    assert revision(tmp_path / "radius2fa.db") == HEAD


def test_where_there_is_nothing_to_change_no_backup_is_made(tmp_path: Path) -> None:
    config = configured(tmp_path)
    assert command(config, "db", "upgrade").exit_code == 0
    (tmp_path / "radius2fa.db").unlink()
    assert command(config, "db", "upgrade").exit_code == 0
    assert list(tmp_path.glob("*.backup")) == []


def test_a_newer_database_is_refused_by_every_command_of_these(tmp_path: Path) -> None:
    config = configured(tmp_path)
    file = str(tmp_path / "a.backup")
    assert command(config, "backup", file).exit_code == 0
    with closing(sqlite3.connect(tmp_path / "radius2fa.db")) as connection, connection:
        connection.execute("DELETE FROM act")
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    for arguments in (("backup", f"{file}2"), ("restore", file), ("db", "upgrade"), ("serve",)):
        refused = command(config, *arguments)
        assert (refused.exit_code, "install its newer version" in refused.stderr) == (78, True), arguments
    assert revision(tmp_path / "radius2fa.db") == "9999"


def test_json_tells_rows_and_size(desk: Helpdesk, tmp_path: Path) -> None:
    file = tmp_path / "a.backup"
    told = json.loads(desk.says("backup", str(file), "--json"))
    assert told["octets"] == file.stat().st_size
    assert told["rows"]["token"] == 0


def test_no_directory_is_needed(tmp_path: Path) -> None:
    config = configured(tmp_path)  # its directory is nowhere
    assert command(config, "backup", str(tmp_path / "a.backup")).exit_code == 0
