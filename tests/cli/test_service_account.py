"""What is closed to the account that the services run under, and open to root, who runs `check`."""

import os
import pwd
from collections.abc import Iterator
from pathlib import Path

import pytest

from radius2fa.cli.service_account import closed_to
from radius2fa.cli.verdict import Verdict
from radius2fa.config.load import load
from radius2fa.store.seal import new_key_text
from tests.servers.another_user import open_folder

NOBODY = pwd.getpwnam("nobody")
AS_ROOT = os.geteuid() == 0  # nobody else can look for another account: then nothing is tried, and nothing found


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder


def site(folder: Path, *, secret: bool = False) -> Path:
    """A configuration with all files that it names, of which everything belongs to the account."""
    config = folder / "radius2fa.toml"
    config.write_text(
        f"""
        [store]
        url = "sqlite:///{folder}/radius2fa.db"
        key_file = "{folder}/master.key"
        [[directory]]
        urls = ["ldap://127.0.0.1:1"]
        base = "dc=example,dc=org"
        ca_file = "{folder}/ca.pem"
        [[client]]
        name = "vpn"
        addresses = ["127.0.0.1"]
        {f'secret_file = "{folder}/secret"' if secret else 'secret = "a secret of twenty-four octets"'}
        [log]
        file = "{folder}/none/log"
        """
    )
    (folder / "master.key").write_text(new_key_text(os.urandom))
    (folder / "secret").write_text("another secret of 24 octets")
    for name in ("radius2fa.db", "ca.pem"):
        (folder / name).touch()
    for path in (folder, *folder.iterdir()):
        if AS_ROOT:
            os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)
        path.chmod(0o700 if path.is_dir() else 0o600)
    return config


def found(config: Path) -> list[tuple[str, str]]:
    if not AS_ROOT:
        return []
    checks = list(closed_to(NOBODY, config, load(config)))
    assert {check.verdict for check in checks} <= {Verdict.WARNING}
    prefix = "the user nobody, who runs the services: "
    assert [check.message for check in checks if not check.message.startswith(prefix)] == []
    return [(check.subject, check.message.removeprefix(prefix)) for check in checks]


def expected(*refusals: tuple[str, str]) -> list[tuple[str, str]]:
    return list(refusals) if AS_ROOT else []


def test_nothing_is_said_where_all_is_open(folder: Path) -> None:
    assert found(site(folder, secret=True)) == []


def taken(path: Path) -> str:
    """Make a file root's."""
    if AS_ROOT:
        os.chown(path, 0, 0)
    return str(path)


@pytest.mark.parametrize("name", ["master.key", "ca.pem"])
def test_a_file_that_the_configuration_names_is_root_s(folder: Path, name: str) -> None:
    config = site(folder)
    where = taken(folder / name)
    assert found(config) == expected((where, "cannot be read: Permission denied"))


def test_the_configuration_itself_is_root_s(folder: Path) -> None:
    config = site(folder)
    where = taken(config)
    assert found(config) == expected((where, "cannot be read: Permission denied"))


def test_a_file_with_a_secret_is_root_s(folder: Path) -> None:
    config = site(folder, secret=True)
    where = taken(folder / "secret")
    assert found(config) == expected((f"{config}:12", f"client[1].secret_file {where}: Permission denied"))


def test_the_database_is_root_s(folder: Path) -> None:
    config = site(folder)
    where = taken(folder / "radius2fa.db")
    assert found(config) == expected((where, "cannot be written"))


def test_the_folder_of_the_database_is_root_s(folder: Path) -> None:
    """SQLite makes its log in it, although it may be read."""
    config = site(folder)
    where = taken(folder)
    folder.chmod(0o755)
    assert found(config) == expected((where, "cannot be written"))
