from pathlib import Path

import pytest

from tests.config.files import CLIENT, DIRECTORY, SECRET, VALID, reading_of

BY_FILE = VALID.replace(f'secret = "{SECRET}"', 'secret_file = "vpn.secret"')
BY_CREDENTIAL = VALID.replace(f'secret = "{SECRET}"', 'secret_credential = "vpn"')


def private(path: Path, octets: bytes) -> Path:
    path.touch(0o600)
    path.write_bytes(octets)
    return path


@pytest.mark.parametrize(
    ("octets", "secret"),
    [
        (b"a long shared secret", b"a long shared secret"),
        (b"a long shared secret\n", b"a long shared secret"),
        (b"a long shared secret\r\n", b"a long shared secret"),
        (b"a long shared secret\n\n", b"a long shared secret\n"),
        (b" \xff spaces are kept \n", b" \xff spaces are kept "),
    ],
)
def test_a_secret_comes_from_a_file_without_the_end_of_its_line(tmp_path: Path, octets: bytes, secret: bytes) -> None:
    private(tmp_path / "vpn.secret", octets)
    settings = reading_of(tmp_path, BY_FILE).settings
    assert settings is not None
    assert settings.client[0].secret.get_secret_value() == secret


def test_a_secret_file_may_have_an_absolute_path(tmp_path: Path) -> None:
    path = private(tmp_path / "elsewhere", b"a long shared secret")
    settings = reading_of(tmp_path, BY_FILE.replace("vpn.secret", str(path))).settings
    assert settings is not None
    assert settings.client[0].secret.get_secret_value() == b"a long shared secret"


def test_every_kind_of_secret_may_come_from_a_file(tmp_path: Path) -> None:
    private(tmp_path / "one", b"first\n")
    private(tmp_path / "two", b"second\n")
    text = (
        '[store]\nurl = "postgresql://r@db/r"\npassword_file = "one"\n'
        f'{DIRECTORY}bind_dn = "cn=r"\nbind_password_file = "two"\n{CLIENT}'
    )
    settings = reading_of(tmp_path, text).settings
    assert settings is not None
    assert settings.store.password is not None
    assert settings.store.password.get_secret_value() == b"first"
    assert settings.directory[0].bind_password is not None
    assert settings.directory[0].bind_password.get_secret_value() == b"second"


@pytest.mark.parametrize(
    ("octets", "message"),
    [(b"\n", "{path} is empty"), (b"", "{path} is empty"), (None, "{path}: No such file or directory")],
)
def test_a_missing_or_empty_secret_file_is_a_fault(tmp_path: Path, octets: bytes | None, message: str) -> None:
    path = tmp_path / "vpn.secret"
    if octets is not None:
        private(path, octets)
    (fault,) = reading_of(tmp_path, BY_FILE).faults
    assert (fault.key, fault.message) == ("client[1].secret_file", message.format(path=path))
    assert fault.line == 9


@pytest.mark.parametrize("value", ["5", '""', "[]"])
def test_a_secret_file_has_a_name(tmp_path: Path, value: str) -> None:
    (fault,) = reading_of(tmp_path, BY_FILE.replace('"vpn.secret"', value)).faults
    assert fault.message == "must be the name of a file, in quotes"


def test_two_sources_for_a_secret_are_a_fault_that_shows_neither(tmp_path: Path) -> None:
    private(tmp_path / "vpn.secret", b"a long shared secret")
    (fault,) = reading_of(tmp_path, f'{VALID}secret_file = "vpn.secret"').faults
    assert (fault.key, fault.message) == ("client[1].secret_file", "the secret is given 2 times")
    assert SECRET not in str(fault)


def test_a_secret_comes_from_a_credential_of_systemd(tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    private(credentials / "vpn", b"a long shared secret\n")
    settings = reading_of(tmp_path, BY_CREDENTIAL, {"CREDENTIALS_DIRECTORY": str(credentials)}).settings
    assert settings is not None
    assert settings.client[0].secret.get_secret_value() == b"a long shared secret"


def test_a_credential_needs_systemd(tmp_path: Path) -> None:
    (fault,) = reading_of(tmp_path, BY_CREDENTIAL).faults
    assert fault.message == "$CREDENTIALS_DIRECTORY is not set: only a service of systemd has credentials"


def test_a_credential_is_a_name_and_no_path(tmp_path: Path) -> None:
    private(tmp_path / "vpn", b"a long shared secret")
    text = BY_CREDENTIAL.replace('"vpn"\n', '"../vpn"\n').replace('name = "../vpn"', 'name = "vpn"')
    (fault,) = reading_of(tmp_path, text, {"CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")}).faults
    assert fault.message == "must be the name of a credential, without a path"


def test_the_master_key_as_a_credential_goes_before_the_key_file(tmp_path: Path) -> None:
    key = private(tmp_path / "master.key", b"")
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    for text in (VALID, f'[store]\nkey_file = "/etc/other.key"\n{VALID}'):
        settings = reading_of(tmp_path, text, environment).settings
        assert settings is not None
        assert settings.store.key_file == key


def test_without_that_credential_the_key_file_counts_from_the_folder_of_the_configuration(tmp_path: Path) -> None:
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")}
    settings = reading_of(tmp_path, f'[store]\nkey_file = "own.key"\n{VALID}', environment).settings
    assert settings is not None
    assert settings.store.key_file == tmp_path / "own.key"


def test_a_secret_file_that_everybody_may_read_is_a_warning(tmp_path: Path) -> None:
    private(tmp_path / "vpn.secret", b"a long shared secret").chmod(0o644)
    reading = reading_of(tmp_path, BY_FILE)
    assert reading.faults == ()
    secret = tmp_path / "vpn.secret"
    remedy = f"Run: chmod o= {secret}; where the service may not read it then: chgrp radius2fa {secret}"
    assert [(one.key, one.remedy) for one in reading.warnings] == [("client[1].secret_file", remedy)]


def test_a_configuration_that_everybody_may_read_is_a_warning_if_it_holds_a_secret(tmp_path: Path) -> None:
    reading_of(tmp_path, VALID)
    (tmp_path / "radius2fa.toml").chmod(0o644)
    (warning,) = reading_of(tmp_path, VALID).warnings
    assert warning.message == f"everybody may read {tmp_path / 'radius2fa.toml'}, which holds a secret"
    private(tmp_path / "vpn.secret", b"a long shared secret")
    assert reading_of(tmp_path, BY_FILE).warnings == ()
