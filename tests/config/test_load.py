from ipaddress import IPv4Network
from pathlib import Path

import pytest

from radius2fa.config.faults import Finding
from radius2fa.config.load import ConfigError, load, located, read, status_socket
from tests.config.files import CLIENT, DIRECTORY, SECRET, VALID, faults_of, reading_of


def test_a_valid_file_becomes_settings(tmp_path: Path) -> None:
    reading_of(tmp_path, VALID)
    settings = load(tmp_path / "radius2fa.toml", {})
    assert settings.client[0].name == "vpn"
    assert settings.client[0].addresses == (IPv4Network("192.0.2.10/32"),)
    assert settings.client[0].secret.get_secret_value() == SECRET.encode()
    assert settings.directory[0].urls == ("ldaps://ldap.example.org",)
    assert settings.server.threads == 16


def test_no_secret_shows_in_the_settings(tmp_path: Path) -> None:
    settings = reading_of(tmp_path, f'{DIRECTORY}bind_dn = "cn=r"\nbind_password = "hunter2"\n{CLIENT}').settings
    assert SECRET not in repr(settings)
    assert "hunter2" not in repr(settings)


def test_every_fault_is_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = """\
[server]
threads = "many"
thread = 5

[[directory]]
urls = []
base = "dc=example,dc=org"

[[client]]
name = "vpn"
addresses = ["192.0.2.10"]
secret = ""
code = "never"

[[client]]
name = "vpn"
addresses = ["192.0.2.10/24"]
secret_file = "missing"

[lockot]
"""
    reading_of(tmp_path, text)
    with pytest.raises(ConfigError) as raised:
        load(tmp_path / "radius2fa.toml", {})
    assert [(fault.line, fault.key) for fault in raised.value.faults] == [
        (2, "server.threads"),
        (3, "server.thread"),
        (6, "directory[1].urls"),
        (12, "client[1].secret"),
        (13, "client[1].code"),
        (17, "client[2].addresses[1]"),
        (18, "client[2].secret_file"),
        (20, "lockot"),
    ]


def test_a_fault_reads_as_one_line(tmp_path: Path) -> None:
    reading = reading_of(tmp_path, f"[server]\nthread = 5\n{VALID}")
    assert str(reading.faults[0]) == (
        f"{tmp_path / 'radius2fa.toml'}:2: server.thread: is no key of this section. Did you mean threads?"
    )
    assert str(ConfigError(reading.faults)) == str(reading.faults[0])


def test_a_file_that_is_not_there_is_a_fault_that_names_init(tmp_path: Path) -> None:
    (fault,) = read(tmp_path / "none.toml", {}).faults
    assert str(fault) == (
        f"{tmp_path / 'none.toml'}: cannot be read: No such file or directory. "
        "Write one with: radius2fa init; or name another with --config."
    )


def test_a_file_that_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    (fault,) = read(tmp_path, {}).faults
    assert (fault.message, fault.remedy) == (
        "cannot be read: Is a directory",
        "Run it as root or as the user radius2fa.",
    )


def test_a_file_that_is_not_utf_8_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "latin.toml"
    path.write_bytes(b"# caf\xe9\n")
    (fault,) = read(path, {}).faults
    assert fault.message == "is not UTF-8 (octet 6)"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[server]\nthreads = 16\nbacklog 5\n", 3),
        ('[server]\nprompt = "code\n', 2),
        ("[server]\n[server]\n", 2),
        ("[server]\nlisten = [\n", 2),
        ('a = """x\n\n', 1),
    ],
)
def test_what_is_not_toml_is_a_fault_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    (fault,) = reading_of(tmp_path, text).faults
    assert (fault.line, fault.key) == (line, "")
    assert fault.message.startswith("is not TOML: ")


def test_an_empty_file_lacks_a_directory_and_a_client(tmp_path: Path) -> None:
    assert [str(fault) for fault in reading_of(tmp_path, "").faults] == [
        f"{tmp_path / 'radius2fa.toml'}: directory: is missing. Add a section [[directory]].",
        f"{tmp_path / 'radius2fa.toml'}: client: is missing. Add a section [[client]].",
    ]


def test_a_section_in_the_wrong_brackets_is_told_the_right_ones(tmp_path: Path) -> None:
    text = VALID.replace("[[client]]", "[client]").replace("[[directory]]", "[directory]") + "[[log]]\n"
    assert [(fault.key, fault.remedy) for fault in reading_of(tmp_path, text).faults] == [
        ("directory", "Write it under [[directory]]."),
        ("client", "Write it under [[client]]."),
        ("log", "Write it under [log]."),
    ]


def test_values_in_the_place_of_sections_are_faults(tmp_path: Path) -> None:
    text = 'server = 5\nstore = "x"\nclient = [5]\n' + DIRECTORY
    assert [key for key, _ in faults_of(tmp_path, text)] == ["server", "store", "client[1]"]


def test_the_master_keys_credential_does_not_hide_a_store_that_is_no_section(tmp_path: Path) -> None:
    (tmp_path / "master.key").touch()
    reading = reading_of(tmp_path, f"store = 5\n{VALID}", {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert [fault.key for fault in reading.faults] == ["store"]


def test_dictionaries_are_files_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "site.dict").write_text("")
    elsewhere = tmp_path / "elsewhere.dict"
    elsewhere.write_text("")
    settings = reading_of(tmp_path, f'[server]\ndictionaries = ["site.dict", "{elsewhere}"]\n{VALID}').settings
    assert settings is not None
    assert settings.server.dictionaries == (tmp_path / "site.dict", elsewhere)


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("", "/run/radius2fa/status.sock"),
        ('status_socket = "/elsewhere/sock"', "/elsewhere/sock"),
        ('status_socket = "run/sock"', "{folder}/run/sock"),
        ('status_socket = ""', None),
    ],
)
def test_the_status_socket_is_a_path_or_switched_off(tmp_path: Path, written: str, path: str | None) -> None:
    settings = reading_of(tmp_path, f"[server]\n{written}\n{VALID}").settings
    assert settings is not None
    assert settings.server.status_socket == (path and Path(path.format(folder=tmp_path)))


def test_the_status_socket_is_a_text(tmp_path: Path) -> None:
    faults = faults_of(tmp_path, f"[server]\nstatus_socket = false\n{VALID}")
    assert faults == [("server.status_socket", "must be the name of a file")]


def test_one_dictionary_is_a_list_too(tmp_path: Path) -> None:
    faults = faults_of(tmp_path, f'[server]\ndictionaries = "site.dict"\n{VALID}')
    assert faults == [("server.dictionaries", "must be a list")]


def test_what_is_found_out_later_is_told_with_its_line_in_the_order_of_the_file(tmp_path: Path) -> None:
    reading_of(tmp_path, VALID)
    path = tmp_path / "radius2fa.toml"
    found = [Finding(("client", 0, "name"), "is odd", "Why?"), Finding(("directory", 0, "base"), "is odder", "Why?")]
    assert [str(fault) for fault in located(path, found)] == [
        f"{path}:4: directory[1].base: is odder. Why?",
        f"{path}:7: client[1].name: is odd. Why?",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[server]\nstatus_socket = "run/s.sock"\nnonsense = 1\n', "run/s.sock"),
        ('[server]\nstatus_socket = "/srv/s.sock"\n[[client]]\n', "/srv/s.sock"),
        ('[server]\nstatus_socket = ""\n', None),
        ("[server]\nstatus_socket = 3\n", "/run/radius2fa/status.sock"),
        ("server = 1\n", "/run/radius2fa/status.sock"),
        ("", "/run/radius2fa/status.sock"),
        ("[server\n", "/run/radius2fa/status.sock"),
        (None, "/run/radius2fa/status.sock"),
    ],
)
def test_a_faulty_file_tells_where_the_server_answers(tmp_path: Path, text: str | None, expected: str | None) -> None:
    file = tmp_path / "radius2fa.toml"
    if text is not None:
        file.write_text(text)
    assert status_socket(file) == (None if expected is None else tmp_path / expected)
