from pathlib import Path

import pytest

from tests.config.files import CLIENT, DIRECTORY, VALID, faults_of, reading_of

LDAPS = "ldaps://ldap.example.org"


def warnings_of(folder: Path, text: str) -> list[tuple[str, str]]:
    reading = reading_of(folder, text)
    assert reading.faults == ()
    return [(warning.key, warning.message) for warning in reading.warnings]


@pytest.fixture
def files(tmp_path: Path) -> str:
    """The lines that name a certificate and its key, which are there."""
    for name in ("client.pem", "client.key"):
        (tmp_path / name).touch(0o600)
    return 'client_certificate = "client.pem"\nclient_key = "client.key"\n'


# The account


@pytest.mark.parametrize("password", ["", 'bind_password = ""\n'])
def test_a_bind_dn_without_a_password_is_a_fault(tmp_path: Path, password: str) -> None:
    faults = faults_of(tmp_path, f'{DIRECTORY}bind_dn = "cn=r"\n{password}{CLIENT}')
    assert [key for key, _ in faults] == ["directory[1].bind_dn"]


def test_a_bind_password_without_a_dn_is_a_fault(tmp_path: Path) -> None:
    faults = faults_of(tmp_path, f'{DIRECTORY}bind_password = "x"\n{CLIENT}')
    assert faults == [("directory[1].bind_password", "has no bind_dn that it belongs to")]


EXTERNAL = f'{DIRECTORY}bind_method = "external"\n'


def test_external_goes_with_a_certificate_or_a_socket(tmp_path: Path, files: str) -> None:
    assert faults_of(tmp_path, EXTERNAL + files + CLIENT) == []
    assert faults_of(tmp_path, EXTERNAL.replace(LDAPS, "ldapi:///") + CLIENT) == []
    assert faults_of(tmp_path, EXTERNAL.replace(LDAPS, "ldap+srv://example.org") + files + CLIENT) == []


def test_external_needs_something_that_tells_each_server_who_we_are(tmp_path: Path) -> None:
    """A socket beside it does not help the other server."""
    text = EXTERNAL.replace(f'"{LDAPS}"', f'"ldapi:///", "{LDAPS}", "ldaps+srv://example.org"')
    assert faults_of(tmp_path, text + CLIENT) == [
        ("directory[1].bind_method", f"nothing tells {LDAPS} who we are"),
        ("directory[1].bind_method", "nothing tells ldaps+srv://example.org who we are"),
    ]


@pytest.mark.parametrize("url", ["ldap://ldap.example.org", "ldap+srv://example.org"])
def test_external_by_a_certificate_needs_tls(tmp_path: Path, files: str, url: str) -> None:
    text = f"{EXTERNAL.replace(LDAPS, url)}{files}start_tls = false\n{CLIENT}"
    assert faults_of(tmp_path, text) == [
        ("directory[1].start_tls", f"without TLS {url} does not see our certificate"),
    ]


def test_with_external_neither_dn_nor_password_is_of_use(tmp_path: Path, files: str) -> None:
    why = 'is of no use with bind_method = "external": the server knows us by the certificate or the socket'
    for lines, keys in (
        ('bind_dn = "cn=r"\nbind_password = "x"\n', ["bind_dn", "bind_password"]),
        ('bind_dn = "cn=r"\n', ["bind_dn"]),
        ('bind_password = "x"\n', ["bind_password"]),
    ):
        assert faults_of(tmp_path, EXTERNAL + files + lines + CLIENT) == [(f"directory[1].{key}", why) for key in keys]


# Files


@pytest.mark.parametrize("name", ["ca_file", "client_certificate", "client_key"])
def test_a_file_that_is_not_there_is_a_fault(tmp_path: Path, files: str, name: str) -> None:
    lines = {"ca_file": f'ca_file = "gone"\n{files}'}.get(
        name, files.replace("client.pem" if name == "client_certificate" else "client.key", "gone")
    )
    expected = [(f"directory[1].{name}", f"there is no file {tmp_path / 'gone'}")]
    assert faults_of(tmp_path, DIRECTORY + lines + CLIENT) == expected


def test_certificate_and_key_go_together(tmp_path: Path, files: str) -> None:
    certificate, key = files.splitlines(keepends=True)
    assert faults_of(tmp_path, DIRECTORY + files + CLIENT) == []
    assert faults_of(tmp_path, DIRECTORY + certificate + CLIENT) == [
        ("directory[1].client_certificate", "is of no use without its key")
    ]
    assert faults_of(tmp_path, DIRECTORY + key + CLIENT) == [
        ("directory[1].client_key", "is of no use without its certificate")
    ]


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, False), (0o644, True)])
def test_a_key_that_everybody_may_read_is_a_warning(
    tmp_path: Path,
    files: str,
    mode: int,
    warned: bool,  # noqa: FBT001 - a case
) -> None:
    key = tmp_path / "client.key"
    key.chmod(mode)
    expected = [("directory[1].client_key", f"everybody may read {key}, which holds a secret")] if warned else []
    assert warnings_of(tmp_path, DIRECTORY + files + CLIENT) == expected


# Clear text


@pytest.mark.parametrize(
    ("url", "start_tls", "remedy"),
    [
        ("ldap://ldap.example.org", "false", "Use start_tls or ldaps://."),
        ("LDAP://192.0.2.1", "false", "Use start_tls or ldaps://."),
        ("ldap+srv://example.org", "false", "Use start_tls or ldaps+srv://."),
        ("ldap://ldap.example.org", "true", None),
        ("ldap+srv://example.org", "true", None),
        ("ldaps://ldap.example.org", "false", None),
        ("ldaps+srv://example.org", "false", None),
        ("ldapi:///", "false", None),
        ("ldap://localhost", "false", None),
        ("ldap+srv://localhost", "false", None),
        ("ldap://127.0.0.1:3890", "false", None),
        ("ldap://[::1]", "false", None),
    ],
)
def test_clear_text_to_another_machine_is_a_warning(
    tmp_path: Path, url: str, start_tls: str, remedy: str | None
) -> None:
    reading = reading_of(tmp_path, f"{DIRECTORY}start_tls = {start_tls}\n{CLIENT}".replace(LDAPS, url))
    found = [(warning.key, warning.message, warning.remedy) for warning in reading.warnings]
    expected = [("directory[1].start_tls", f"passwords go to {url} in clear text", remedy)] if remedy else []
    assert (reading.faults, found) == ((), expected)


def test_each_url_in_the_clear_is_warned_of(tmp_path: Path) -> None:
    urls = '"ldap://one", "ldaps://two", "ldap+srv://three"'
    text = VALID.replace(f'"{LDAPS}"', urls).replace("base =", "start_tls = false\nbase =")
    messages = [message for _, message in warnings_of(tmp_path, text)]
    assert messages == [f"passwords go to {url} in clear text" for url in ("ldap://one", "ldap+srv://three")]
