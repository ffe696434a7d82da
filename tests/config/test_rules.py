from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

import pytest

from radius2fa.config.model import Client, Listen
from tests.config.files import CLIENT, DIRECTORY, VALID, faults_of, reading_of


@pytest.mark.parametrize(
    ("written", "listen"),
    [
        ("192.0.2.1:1645", Listen(host="192.0.2.1", port=1645)),
        ("192.0.2.1", Listen(host="192.0.2.1", port=1812)),
        ("[::]:1812", Listen(host="::", port=1812)),
        ("[2001:DB8::1]", Listen(host="2001:db8::1", port=1812)),
        ("127.0.0.1:0", Listen(host="127.0.0.1", port=0)),
    ],
)
def test_an_address_to_listen_on_has_a_port_or_1812(tmp_path: Path, written: str, listen: Listen) -> None:
    settings = reading_of(tmp_path, f'[server]\nlisten = ["{written}"]\n{VALID}').settings
    assert settings is not None
    assert settings.server.listen == (listen,)


@pytest.mark.parametrize(
    "written", ["localhost:1812", "::1", "2001:db8::1", "[192.0.2.1]:1812", "192.0.2.1:", "1812", ""]
)
def test_other_forms_of_an_address_to_listen_on_are_refused(tmp_path: Path, written: str) -> None:
    faults = faults_of(tmp_path, f'[server]\nlisten = ["{written}"]\n{VALID}')
    assert faults == [("server.listen[1]", f"{written!r} is no address to listen on")]


def test_a_port_above_65535_is_refused(tmp_path: Path) -> None:
    faults = faults_of(tmp_path, f'[server]\nlisten = ["192.0.2.1:70000"]\n{VALID}')
    assert faults == [("server.listen[1].port", "must be at most 65535")]


def test_networks_are_addresses_or_in_cidr_notation(tmp_path: Path) -> None:
    text = VALID.replace('"192.0.2.10"', '"192.0.2.10", "198.51.100.0/24", "2001:db8::/64"')
    settings = reading_of(tmp_path, text).settings
    assert settings is not None
    assert settings.client[0].addresses == (
        IPv4Network("192.0.2.10/32"),
        IPv4Network("198.51.100.0/24"),
        IPv6Network("2001:db8::/64"),
    )


def test_networks_may_be_given_ready_made() -> None:
    network = IPv4Network("192.0.2.0/24")
    assert Client.model_validate({"name": "vpn", "addresses": [network], "secret": "s"}).addresses == (network,)


@pytest.mark.parametrize(
    ("written", "remedy"),
    [
        ("192.0.2.1/24", 'Write "192.0.2.0/24" for the network, or "192.0.2.1" for the one address.'),
        ("vpn.example.org", 'Write "192.0.2.1", "192.0.2.0/24" or "2001:db8::/64"; host names are not taken.'),
        ("::ffff:192.0.2.1", 'Write it as IPv4: "192.0.2.1".'),
    ],
)
def test_other_forms_of_a_network_are_refused_with_what_was_meant(tmp_path: Path, written: str, remedy: str) -> None:
    (fault,) = reading_of(tmp_path, VALID.replace("192.0.2.10", written)).faults
    assert (fault.key, fault.remedy) == ("client[1].addresses[1]", remedy)


@pytest.mark.parametrize("url", ["ldap://ldap.example.org", "ldaps://[2001:db8::1]:3269", "ldap://localhost:389/"])
def test_urls_of_directories_hold_scheme_host_and_port(tmp_path: Path, url: str) -> None:
    settings = reading_of(tmp_path, VALID.replace("ldaps://ldap.example.org", url)).settings
    assert settings is not None
    assert settings.directory[0].urls == (url.rstrip("/"),)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://ldap.example.org", "is not the URL of an LDAP server"),
        ("ldap.example.org", "is not the URL of an LDAP server"),
        ("ldap://", "is not the URL of an LDAP server"),
        ("ldap://h:99999", "is not the URL of an LDAP server"),
        ("ldap://[::1", "is not the URL of an LDAP server"),
        ("ldap://cn=x:secret@ldap.example.org", "holds more than scheme, host and port"),
        ("ldap://ldap.example.org/dc=example", "holds more than scheme, host and port"),
    ],
)
def test_other_urls_of_directories_are_refused(tmp_path: Path, url: str, message: str) -> None:
    assert faults_of(tmp_path, VALID.replace("ldaps://ldap.example.org", url)) == [("directory[1].urls[1]", message)]


@pytest.mark.parametrize(
    ("url", "used"),
    [
        ("sqlite:////srv/radius2fa.db", "sqlite:////srv/radius2fa.db"),
        ("postgresql://radius2fa@db/radius2fa", "postgresql+psycopg://radius2fa@db/radius2fa"),
        ("postgresql+psycopg:///radius2fa", "postgresql+psycopg:///radius2fa"),
    ],
)
def test_databases_are_sqlite_and_postgresql(tmp_path: Path, url: str, used: str) -> None:
    settings = reading_of(tmp_path, f'[store]\nurl = "{url}"\n{VALID}').settings
    assert settings is not None
    assert settings.store.url == used


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://db/radius2fa", "is not the URL of a database that radius2fa knows"),
        ("/var/lib/radius2fa.db", "is not the URL of a database that radius2fa knows"),
        ("postgresql://radius2fa:hunter2@db/radius2fa", "holds a password"),
        ("postgresql://db/radius2fa?user=x&password=hunter2", "holds a password"),
    ],
)
def test_other_databases_and_passwords_in_urls_are_refused(tmp_path: Path, url: str, message: str) -> None:
    (fault,) = reading_of(tmp_path, f'[store]\nurl = "{url}"\n{VALID}').faults
    assert (fault.key, fault.message) == ("store.url", message)
    assert "hunter2" not in str(fault)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("(uid=alice)", "has no place for the user's name"),
        ("(&(uid={user})(o={organisation}))", "holds {organisation}, which stands for nothing"),
        ("(uid={user}", "has unbalanced parentheses"),
        ("uid={user}", "has unbalanced parentheses"),
        ("(uid={user}))", "has unbalanced parentheses"),
        (")uid={user}(", "has unbalanced parentheses"),
        ("(uid={user})(cn=x)", "has unbalanced parentheses"),
    ],
)
def test_a_filter_that_cannot_work_is_refused(tmp_path: Path, written: str, message: str) -> None:
    text = f'{DIRECTORY}user_filter = "{written}"\n{CLIENT}'
    assert faults_of(tmp_path, text) == [("directory[1].user_filter", message)]


def test_a_filter_may_use_the_name_as_typed(tmp_path: Path) -> None:
    assert faults_of(tmp_path, f'{DIRECTORY}user_filter = "(|(uid={{user}})(mail={{name}}))"\n{CLIENT}') == []


@pytest.mark.parametrize("charset", ["utf-8", "latin-1", "cp1252", "koi8-r"])
def test_charsets_that_hold_ascii_are_known(tmp_path: Path, charset: str) -> None:
    assert faults_of(tmp_path, f'{VALID}charset = "{charset}"') == []


@pytest.mark.parametrize("charset", ["utf-9", "rot13", "base64", "utf-16", "cp037", "utf-7", "idna", ""])
def test_what_is_no_charset_for_passwords_is_refused(tmp_path: Path, charset: str) -> None:
    faults = faults_of(tmp_path, f'{VALID}charset = "{charset}"')
    assert faults == [("client[1].charset", f"{charset!r} is no charset for passwords")]


@pytest.mark.parametrize("delimiter", ["", "0", "a1"])
def test_a_delimiter_is_not_empty_and_holds_no_digit(tmp_path: Path, delimiter: str) -> None:
    faults = faults_of(tmp_path, f'{VALID}delimiter = "{delimiter}"')
    assert faults == [("client[1].delimiter", "must be at least one character, and none of them a digit")]
