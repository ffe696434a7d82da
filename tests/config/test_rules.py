import time
from collections.abc import Iterator
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


def test_accounting_is_listened_for_at_port_1813_where_none_is_given_and_nowhere_by_default(tmp_path: Path) -> None:
    settings = reading_of(tmp_path, f'[server]\naccounting_listen = ["0.0.0.0", "[::1]:1646"]\n{VALID}').settings
    assert settings is not None
    assert settings.server.accounting_listen == (Listen(host="0.0.0.0", port=1813), Listen(host="::1", port=1646))
    default = reading_of(tmp_path, VALID).settings
    assert default is not None
    assert default.server.accounting_listen == ()


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


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("ldap://ldap.example.org", "ldap://ldap.example.org"),
        ("ldaps://[2001:db8::1]:3269", "ldaps://[2001:db8::1]:3269"),
        ("ldap://localhost:389/", "ldap://localhost:389"),
        ("ldapi:///", "ldapi:///"),
        ("ldapi://%2Frun%2Fslapd%2Fldapi", "ldapi://%2Frun%2Fslapd%2Fldapi"),
        ("ldap+srv://ad.example.org/", "ldap+srv://ad.example.org"),
        ("ldaps+srv://_ldap._tcp.dc._msdcs.ad.example.org", "ldaps+srv://_ldap._tcp.dc._msdcs.ad.example.org"),
    ],
)
def test_urls_of_directories_hold_scheme_host_and_port(tmp_path: Path, url: str, kept: str) -> None:
    settings = reading_of(tmp_path, VALID.replace("ldaps://ldap.example.org", url)).settings
    assert settings is not None
    assert settings.directory[0].urls == (kept,)


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
        ("ldap://ldap.example.org:0", "is not the URL of an LDAP server"),
        ("ldap://[fe80::1%eth0]:389", "has a % in its host"),
        ("ldap://ldap%2Eexample.org", "has a % in its host"),
        ("ldap://[2001:db8::1]example.org", "is not the URL of an LDAP server"),
        ("ldap://ldap\\u0000.example.org", "holds a space, or a character that prints nothing"),
        ("ldap://ldap.\\nexample.org", "holds a space, or a character that prints nothing"),
        ("ldap://ldap.example.org ldap://two.example.org", "holds a space, or a character that prints nothing"),
        ("ldap://ldap.\\u200bexample.org", "holds a space, or a character that prints nothing"),
        ("ldapi:///run/slapd/ldapi", "has slashes in the path of its socket"),
        ("ldapi://slapd", "holds no absolute path of at most 107 octets"),
        ("ldap+srv://ad.example.org:389", "has a port, but that is what DNS tells"),
        ("ldap+srv://cn=x:secret@ad.example.org", "holds more than scheme, host and port"),
        ("ldap+srv://192.0.2.1", "has no domain that DNS could be asked for"),
        ("ldap+srv://_ldap._tcp", "has no domain behind the labels that begin with an underscore"),
        ("ldap+srv://_ldaps._tcp.example.org", "asks for servers that begin with TLS"),
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


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("(cn=staff)", "has no place for whoever belongs to the group"),
        ("(member={name})", "has no place for whoever belongs to the group"),
        ("(|(member={dn})(memberUid={name}))", "holds {name}, which stands for nothing"),
        ("(member={dn}", "has unbalanced parentheses"),
        ("member={dn}", "has unbalanced parentheses"),
    ],
)
def test_a_group_filter_that_cannot_work_is_refused(tmp_path: Path, written: str, message: str) -> None:
    text = f'{DIRECTORY}group_filter = "{written}"\n{CLIENT}'
    assert faults_of(tmp_path, text) == [("directory[1].group_filter", message)]


@pytest.mark.parametrize("written", ["(member={dn})", "(memberUid={user})", "(|(member={dn})(memberUid={user}))"])
def test_a_group_filter_has_a_place_for_a_dn_or_a_name(tmp_path: Path, written: str) -> None:
    assert faults_of(tmp_path, f'{DIRECTORY}group_filter = "{written}"\n{CLIENT}') == []


def policy(keys: str) -> str:
    return f'{VALID}[[policy]]\nname = "staff"\n{keys}\n'


@pytest.mark.parametrize(
    "group",
    [
        "cn=vpn,ou=groups,dc=example,dc=org",
        "CN=VPN users, OU=Groups, DC=example",
        "cn=vpn+ou=a,dc=b",
        "2.5.4.3=vpn",
        "cn=a=b",
        r"cn=Smith\\, John,dc=example",
        r"cn=caf\\C3\\A9",
        "cn=café",
        "cn=#4869",
    ],
)
def test_a_group_has_a_dn(tmp_path: Path, group: str) -> None:
    assert faults_of(tmp_path, policy(f'groups = ["{group}"]')) == []


@pytest.mark.parametrize(
    "group",
    ["", "vpn", "=vpn", "cn=", "cn=vpn,", ",cn=vpn", "cn=vpn,dc", "cn=a;dc=b", "cn=a<b", "1.=x", "c_n=x", r"cn=a\\xx"],
)
@pytest.mark.parametrize("key", ["groups", "required_groups"])
def test_what_is_no_dn_is_no_group(tmp_path: Path, key: str, group: str) -> None:
    (fault,) = reading_of(tmp_path, policy(f'{key} = ["{group}"]')).faults
    assert (fault.line, fault.key) == (12, f"policy[1].{key}[1]")
    assert fault.message == f"{group!r} is no DN".replace(r"\\\\", r"\\")
    assert fault.remedy == 'Write it like "cn=vpn,ou=groups,dc=example,dc=org".'


def test_a_group_of_a_reply_has_a_dn_and_an_attribute_of_ldap_a_name(tmp_path: Path) -> None:
    keys = '[policy.reply]\nFilter-Id = { groups = { "vpn" = "x" } }\nClass = { ldap = "depart ment" }'
    assert [(fault.line, fault.key, fault.message) for fault in reading_of(tmp_path, policy(keys)).faults] == [
        (13, "policy[1].reply.Filter-Id.groups.vpn", "'vpn' is no DN"),
        (14, "policy[1].reply.Class.ldap", "'depart ment' is no name of an LDAP attribute"),
    ]


@pytest.mark.parametrize(("name", "right"), [("mail", True), ("cn;lang-de", True), ("", False), ("2.5.4.3", False)])
def test_attributes_of_ldap_have_names(tmp_path: Path, name: str, right: bool) -> None:  # noqa: FBT001 - a case
    assert (faults_of(tmp_path, policy(f'reply = {{ Class = {{ ldap = "{name}" }} }}')) == []) is right


@pytest.fixture
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The process as if the machine stood in a place with summer time."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("in_berlin")
@pytest.mark.parametrize(
    ("written", "end"),
    [
        ("2026-12-31", 1798758000),  # date -u -d '2026-12-31 23:00' +%s
        ("2026-06-30", 1782856800),  # date -u -d '2026-06-30 22:00' +%s
        ("2026-12-31T18:00:00", 1798736400),  # date -u -d '2026-12-31 17:00' +%s
        ("2026-12-31T18:00:00Z", 1798740000),  # date -u -d '2026-12-31 18:00' +%s
        ("2026-12-31 18:00:00-05:00", 1798758000),
    ],
)
def test_a_date_counts_to_its_end_in_the_servers_time_zone(tmp_path: Path, written: str, end: int) -> None:
    settings = reading_of(tmp_path, policy(f'second_factor = "if-enrolled"\nuntil = {written}')).settings
    assert settings is not None
    assert settings.policy[0].until is not None
    assert settings.policy[0].until.timestamp() == end


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ('"2026-12-31"', "is no date"),
        ("2026", "is no date"),
        ("18:00:00", "is no date"),
        ("9999-12-31", "is a date that no clock reaches"),
        ("0001-01-01T00:00:00+14:00", "is a date that no clock reaches"),
    ],
)
@pytest.mark.usefixtures("in_berlin")
def test_what_is_no_date_is_no_end(tmp_path: Path, written: str, message: str) -> None:
    text = policy(f'second_factor = "if-enrolled"\nuntil = {written}')
    assert ("policy[1].until", message) in faults_of(tmp_path, text)


@pytest.mark.parametrize("language", ["", "d", "german language", "de_AT", "-"])
def test_a_language_has_a_tag(tmp_path: Path, language: str) -> None:
    expected = f"{language!r} is no tag of a language"
    assert faults_of(tmp_path, f'{VALID}language = "{language}"') == [("client[1].language", expected)]
    section = f'[text."{language}"]\nprompt = "?"\n'
    assert faults_of(tmp_path, section + VALID) == [(f"text.{language}", expected)]


def test_in_a_text_only_the_portal_is_put_in(tmp_path: Path) -> None:
    (fault,) = reading_of(tmp_path, f'{VALID}prompt = "Code, {{user}}?"').faults
    assert (fault.key, fault.message) == ("client[1].prompt", "holds {user}, which stands for nothing")
    assert fault.remedy == "What is put in: {portal}."
