from pathlib import Path

import pytest

from radius2fa.config.model import Listen, Portal
from radius2fa.config.portals import PORTAL_CLIENT, missing
from tests.config.files import CLIENT, DIRECTORY, VALID, faults_of, reading_of

URL = 'url = "https://portal.example.org"\n'
NOON = 1_782_000_000.0  # in 2026


def portal(keys: str, *, mail: str = "") -> str:
    return "\n".join(["[portal]", keys, *(["[portal.mail]", mail] if mail else []), VALID])


def read_portal(folder: Path, keys: str, *, mail: str = "") -> Portal:
    reading = reading_of(folder, portal(keys, mail=mail))
    assert reading.faults == ()
    assert reading.settings is not None
    return reading.settings.portal


def faults(folder: Path, keys: str, *, mail: str = "") -> list[tuple[str, str]]:
    return faults_of(folder, portal(keys, mail=mail))


def warnings(folder: Path, keys: str, *, mail: str = "") -> list[tuple[str, str]]:
    reading = reading_of(folder, portal(keys, mail=mail), now=NOON)
    assert reading.faults == ()
    return [(one.key, one.message) for one in reading.warnings]


# The address


@pytest.mark.parametrize(
    ("written", "origin"),
    [
        ("https://portal.example.org", "https://portal.example.org"),
        ("https://Portal.Example.ORG/", "https://portal.example.org"),
        ("HTTPS://portal.example.org:443", "https://portal.example.org"),
        ("https://portal.example.org:8443", "https://portal.example.org:8443"),
        ("https://portal", "https://portal"),
        ("http://localhost:8443", "http://localhost:8443"),
        ("http://localhost:80/", "http://localhost"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
    ],
)
def test_the_address_is_kept_as_browsers_write_an_origin(tmp_path: Path, written: str, origin: str) -> None:
    assert read_portal(tmp_path, f'url = "{written}"').url == origin


@pytest.mark.parametrize(("written", "host"), [("192.0.2.1", "192.0.2.1"), ("[2001:DB8::1]", "[2001:db8::1]")])
def test_the_address_may_be_one_by_numbers_where_no_passkeys_are_offered(
    tmp_path: Path, written: str, host: str
) -> None:
    keys = f'url = "https://{written}:8443"\noffer = ["app"]'
    assert read_portal(tmp_path, keys).url == f"https://{host}:8443"
    assert faults(tmp_path, f'url = "https://{written}:8443"') == [
        ("portal.url", "is an address by numbers: browsers keep passkeys for names only")
    ]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("portal.example.org", "is not the address of a web page"),
        ("ftp://portal.example.org", "is not the address of a web page"),
        ("https://", "is not the address of a web page"),
        ("https://[::1", "is not the address of a web page"),
        ("https://p.example.org:99999", "is not the address of a web page"),
        ("https://p.example.org:0", "is not the address of a web page"),
        ("", "is not the address of a web page"),
        ("https://p.example.org/2fa", "holds more than scheme, host and port"),
        ("https://p.example.org?a", "holds more than scheme, host and port"),
        ("https://p.example.org/#a", "holds more than scheme, host and port"),
        ("https://alice@p.example.org", "holds more than scheme, host and port"),
        ("https://p.example\\n.org", "holds more than scheme, host and port"),
        ("http://portal.example.org", "is not encrypted: passwords would be read on their way"),
        ("http://127.0.0.1", "is not encrypted: passwords would be read on their way"),
        ("http://localhost.example.org", "is not encrypted: passwords would be read on their way"),
        ("https://bücher.example", "'bücher.example' has letters beyond ASCII"),
        ("https://a..example", "'a..example' is no name of a host"),
        ("https://1.2.3", "'1.2.3' is no name of a host"),
        ("https://a_b.example", "'a_b.example' is no name of a host"),
    ],
)
def test_other_addresses_are_refused(tmp_path: Path, written: str, message: str) -> None:
    assert faults(tmp_path, f'url = "{written}"') == [("portal.url", message)]


def test_no_client_has_the_name_of_the_portal_in_the_journal(tmp_path: Path) -> None:
    client = CLIENT.replace('"vpn"', f'"{PORTAL_CLIENT}"')
    assert faults_of(tmp_path, DIRECTORY + client) == []
    assert faults_of(tmp_path, f"[portal]\n{URL}{DIRECTORY}{client}") == [
        ("client[1].name", "'portal' is the name of the portal itself in the journal")
    ]


def test_the_portal_starts_where_it_has_an_address_and_somebody_speaks_tls(tmp_path: Path, files: str) -> None:
    for keys, message in (
        ("", "is missing: there is no portal without an address"),
        (URL, "nobody speaks TLS for https://portal.example.org"),
        (URL + files, ""),
        (f'{URL}trusted_proxies = ["127.0.0.1"]', ""),
        ('url = "http://localhost:8443"', ""),
    ):
        assert "".join(one.message for one in missing(read_portal(tmp_path, keys))) == message


# Where it listens


def test_it_listens_at_port_8443_where_none_is_given(tmp_path: Path) -> None:
    found = read_portal(tmp_path, 'listen = ["127.0.0.1", "[::1]:443"]').listen
    assert found == (Listen(host="127.0.0.1", port=8443), Listen(host="::1", port=443))
    assert read_portal(tmp_path, "").listen == (Listen(host="127.0.0.1", port=8443),)


def test_what_is_no_address_to_listen_on_is_told_with_the_portals_port(tmp_path: Path) -> None:
    (fault,) = reading_of(tmp_path, portal('listen = ["here"]')).faults
    assert (fault.key, fault.message) == ("portal.listen[1]", "'here' is no address to listen on")
    assert fault.remedy == 'Write "192.0.2.1:8443", "0.0.0.0:8443" or "[::]:8443".'


@pytest.fixture
def files(tmp_path: Path) -> str:
    """The lines that name a certificate and its key, which are there."""
    for name in ("portal.pem", "portal.key"):
        (tmp_path / name).touch(0o600)
    return 'certificate = "portal.pem"\nkey = "portal.key"\n'


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "[::]", "[2001:db8::1]"])
def test_pages_leave_this_machine_encrypted_or_to_a_proxy_that_is_named(tmp_path: Path, host: str, files: str) -> None:
    listen = f'listen = ["127.0.0.1:8443", "{host}:8443"]\n'
    message = f"passwords would come to {host.strip('[]')} in clear text"
    assert faults(tmp_path, listen) == [("portal.listen[2]", message)]
    assert faults(tmp_path, listen + files) == []
    assert faults(tmp_path, f'{listen}trusted_proxies = ["192.0.2.7"]') == []


def test_on_the_loopback_alone_nothing_needs_to_be_encrypted(tmp_path: Path) -> None:
    assert faults(tmp_path, 'listen = ["127.0.0.1", "[::1]", "127.1.2.3:80"]') == []


def test_certificate_and_key_are_files_beside_the_configuration(tmp_path: Path, files: str) -> None:
    found = read_portal(tmp_path, files)
    assert (found.certificate, found.key) == (tmp_path / "portal.pem", tmp_path / "portal.key")


@pytest.mark.parametrize(
    ("name", "other", "message"),
    [
        ("certificate", "key", "is of no use without its key"),
        ("key", "certificate", "is of no use without its certificate"),
    ],
)
def test_neither_certificate_nor_key_comes_alone(tmp_path: Path, name: str, other: str, message: str) -> None:
    (tmp_path / "one").touch(0o600)
    assert faults(tmp_path, f'{name} = "one"') == [(f"portal.{name}", message)]
    assert faults(tmp_path, f'{name} = "one"\n{other} = "one"') == []


def test_the_files_of_the_portal_need_not_be_there_for_others_than_the_portal(tmp_path: Path) -> None:
    """The RADIUS server starts from the same configuration, maybe elsewhere."""
    files = 'certificate = "/not/there"\nkey = "portal.toml/not-there"\n'
    (tmp_path / "portal.toml").touch()
    assert warnings(tmp_path, URL + files, mail=f'{MAIL}ca_file = "/not/there"') == []


def test_a_key_that_everybody_may_read_is_a_warning(tmp_path: Path, files: str) -> None:
    (tmp_path / "portal.key").chmod(0o644)
    assert warnings(tmp_path, files) == [
        ("portal.key", f"everybody may read {tmp_path / 'portal.key'}, which holds a secret")
    ]


@pytest.mark.parametrize(
    ("keys", "doubted"),
    [
        ('trusted_proxies = ["192.0.2.1"]', True),
        ('trusted_proxies = ["192.0.2.1", "127.0.0.1"]', False),
        ('trusted_proxies = ["192.0.2.1", "::1"]', False),
        ('trusted_proxies = ["192.0.2.1"]\nlisten = ["127.0.0.1", "192.0.2.2"]', False),
    ],
)
def test_a_proxy_elsewhere_does_not_reach_the_loopback(tmp_path: Path, keys: str, doubted: bool) -> None:  # noqa: FBT001 - a case
    message = "has no address of this machine, and the portal listens to no other"
    assert warnings(tmp_path, keys) == ([("portal.trusted_proxies", message)] if doubted else [])


# Enrolment and sessions


def test_a_first_enrolment_may_end_and_be_for_some_networks(tmp_path: Path) -> None:
    keys = 'enrolment = "open"\nenrolment_until = 2027-01-01\nenrolment_networks = ["192.0.2.0/24"]'
    assert read_portal(tmp_path, keys).enrolment_until is not None
    assert warnings(tmp_path, keys) == []


@pytest.mark.parametrize("enrolment", ["invitation", "closed"])
def test_where_enrolment_is_not_open_neither_end_nor_networks_have_a_meaning(tmp_path: Path, enrolment: str) -> None:
    keys = f'enrolment = "{enrolment}"\nenrolment_until = 2027-01-01\nenrolment_networks = ["192.0.2.0/24"]'
    assert faults(tmp_path, keys) == [
        ("portal.enrolment_until", f"has no meaning where enrolment is '{enrolment}'"),
        ("portal.enrolment_networks", f"has no meaning where enrolment is '{enrolment}'"),
    ]


def test_an_enrolment_that_is_over_is_a_warning(tmp_path: Path) -> None:
    assert warnings(tmp_path, "enrolment_until = 2026-06-20T23:59:00Z") == [
        ("portal.enrolment_until", "is over: nobody can enrol a first token without an invitation any more")
    ]
    assert warnings(tmp_path, "enrolment_until = 2026-06-21T00:01:00Z") == []


def test_no_session_may_rest_or_be_fresh_for_longer_than_it_lasts(tmp_path: Path) -> None:
    assert faults(tmp_path, "idle = 600\nlongest = 600\nfresh = 600") == []
    assert faults(tmp_path, "idle = 601\nlongest = 600\nfresh = 601") == [
        ("portal.idle", "must be at most longest (600 s)"),
        ("portal.fresh", "must be at most longest (600 s)"),
    ]


@pytest.mark.parametrize(
    ("keys", "key", "message"),
    [
        ("threads = 0", "portal.threads", "must be at least 1"),
        ("idle = 59", "portal.idle", "must be at least 60"),
        ("longest = 604801", "portal.longest", "must be at most 604800"),
        ("fresh = 29", "portal.fresh", "must be at least 30"),
        ("offer = []", "portal.offer", "is empty"),
        ('offer = ["sms"]', "portal.offer[1]", "must be 'app', 'hardware', 'yubikey' or 'passkey'"),
        ('enrolment = "often"', "portal.enrolment", "must be 'open', 'invitation' or 'closed'"),
        ("enrolment_networks = []", "portal.enrolment_networks", "is empty"),
        (
            'trusted_proxies = ["proxy.example.org"]',
            "portal.trusted_proxies[1]",
            "'proxy.example.org' is neither an address nor a network",
        ),
        ('helpdesk_groups = ["helpdesk"]', "portal.helpdesk_groups[1]", "'helpdesk' is no DN"),
        ('admin_groups = ["dc=a,b"]', "portal.admin_groups[1]", "'dc=a,b' is no DN"),
        ('help = "one\\ntwo"', "portal.help", "holds a character that prints nothing"),
        (f'help = "{"x" * 201}"', "portal.help", "is longer than 200 characters"),
        ("rp_id = 5", "portal.rp_id", "must be a text"),
        ('urls = ["x"]', "portal.urls", "is no key of this section"),
    ],
)
def test_every_key_keeps_its_limits(tmp_path: Path, keys: str, key: str, message: str) -> None:
    assert faults(tmp_path, keys) == [(key, message)]


def test_a_group_that_is_elsewhere_than_groups_are_looked_for_is_a_warning(tmp_path: Path) -> None:
    keys = 'helpdesk_groups = ["cn=a,dc=example,dc=org"]\nadmin_groups = ["cn=a,dc=example,dc=net"]'
    assert warnings(tmp_path, keys) == [
        (
            "portal.admin_groups[1]",
            "is not below 'dc=example,dc=org', where groups are looked for: nobody is known to belong to it",
        )
    ]


# Passkeys


@pytest.mark.parametrize("rp_id", ["portal.example.org", "example.org", "Example.ORG"])
def test_passkeys_are_for_the_host_or_a_domain_that_it_is_in(tmp_path: Path, rp_id: str) -> None:
    assert read_portal(tmp_path, f'{URL}rp_id = "{rp_id}"').rp_id == rp_id.lower()


@pytest.mark.parametrize("rp_id", ["example.net", "ample.org", "vpn.portal.example.org", "tal.example.org"])
def test_passkeys_for_another_domain_are_refused(tmp_path: Path, rp_id: str) -> None:
    message = "is neither 'portal.example.org', the host of url, nor a domain that this is in"
    assert faults(tmp_path, f'{URL}rp_id = "{rp_id}"') == [("portal.rp_id", message)]


def test_passkeys_are_not_for_a_whole_top_level_domain(tmp_path: Path) -> None:
    assert faults(tmp_path, f'{URL}rp_id = "org"') == [
        ("portal.rp_id", "is a whole top-level domain: browsers refuse it")
    ]
    assert faults(tmp_path, 'url = "http://localhost:8443"\nrp_id = "localhost"') == []


def test_passkeys_are_not_for_an_address(tmp_path: Path) -> None:
    assert faults(tmp_path, 'url = "https://192.0.2.1"\nrp_id = "192.0.2.1"') == [
        ("portal.rp_id", "is an address by numbers: browsers keep passkeys for names only")
    ]


def test_models_of_keys_are_known_by_attestation_only(tmp_path: Path) -> None:
    models = 'aaguids = ["CB69481E-8FF7-4039-93EC-0A2729A154A8"]\n'
    assert faults(tmp_path, models) == [
        ("portal.aaguids", "cannot be held to: what model a key is, it tells with attestation only")
    ]
    (tmp_path / "roots.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    found = read_portal(tmp_path, f'{models}attestation = "direct"\nattestation_roots = ["roots.pem"]')
    assert found.aaguids == ("cb69481e-8ff7-4039-93ec-0a2729a154a8",)
    assert found.attestation_roots == (tmp_path / "roots.pem",)
    assert faults(tmp_path, 'attestation = "direct"\naaguids = ["yubikey"]') == [
        ("portal.aaguids[1]", "'yubikey' is no AAGUID")
    ]


def test_models_of_keys_are_known_by_their_makers_certificates(tmp_path: Path) -> None:
    models = 'attestation = "direct"\naaguids = ["CB69481E-8FF7-4039-93EC-0A2729A154A8"]\n'
    (tmp_path / "key.pem").write_text("-----BEGIN PRIVATE KEY-----\n")
    assert faults(tmp_path, models) == [
        ("portal.aaguids", "cannot be held to: without its maker's root certificate any program passes for a model")
    ]
    assert faults(tmp_path, f'{models}attestation_roots = ["none.pem", "key.pem", "."]') == [
        ("portal.attestation_roots[1]", f"there is no file {tmp_path}/none.pem"),
        ("portal.attestation_roots[2]", f"there is no certificate in {tmp_path}/key.pem"),
        ("portal.attestation_roots[3]", f"{tmp_path} cannot be read: Is a directory"),
    ]
    (tmp_path / "roots.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    assert faults(tmp_path, 'attestation_roots = ["roots.pem"]') == [
        ("portal.attestation_roots", "is of no use without aaguids: all models are admitted")
    ]


# Mail

MAIL = 'server = "mail.example.org"\nsender = "radius2fa@example.org"\n'


def test_mail_needs_a_server_and_a_sender(tmp_path: Path) -> None:
    mail = read_portal(tmp_path, URL, mail=MAIL).mail
    assert mail is not None
    assert (mail.port, mail.security, mail.user, mail.attribute) == (587, "starttls", "", "mail")
    assert read_portal(tmp_path, URL).mail is None
    assert faults(tmp_path, URL, mail="port = 25") == [
        ("portal.mail.server", "is missing"),
        ("portal.mail.sender", "is missing"),
    ]


@pytest.mark.parametrize(
    "sender", ["", "radius2fa", "a@b@c", "a b@example.org", "a@example.org\\r\\nBcc: b", "@c", "a@"]
)
def test_a_sender_is_a_mail_address(tmp_path: Path, sender: str) -> None:
    (fault,) = reading_of(tmp_path, portal(URL, mail=f'server = "m"\nsender = "{sender}"')).faults
    assert fault.key == "portal.mail.sender"


def test_the_password_of_the_mail_server_comes_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "mail.password").touch(0o600)
    (tmp_path / "mail.password").write_text("correct horse\n")
    mail = read_portal(tmp_path, URL, mail=f'{MAIL}user = "r"\npassword_file = "mail.password"').mail
    assert mail is not None
    assert mail.password is not None
    assert mail.password.get_secret_value() == b"correct horse"
    assert "horse" not in repr(mail)


def test_a_fault_of_the_mails_secret_is_told_at_its_line(tmp_path: Path) -> None:
    mail = f'{MAIL}user = "r"\npassword_file = "not-there"'
    (fault,) = reading_of(tmp_path, portal(URL, mail=mail)).faults
    assert (fault.line, fault.key) == (8, "portal.mail.password_file")
    assert fault.message == f"{tmp_path / 'not-there'}: No such file or directory"


def test_a_mail_password_in_a_file_that_everybody_may_read_is_a_warning(tmp_path: Path) -> None:
    text = portal(URL, mail=f'{MAIL}user = "r"\npassword = "correct horse"').replace("secret =", "secret_file = 'x' #")
    (tmp_path / "x").touch(0o600)
    (tmp_path / "x").write_text("c3VyZSB0aGlzIGlzIG5vIHNlY3JldA")
    assert reading_of(tmp_path, text).warnings == ()
    (tmp_path / "radius2fa.toml").chmod(0o644)
    (warning,) = reading_of(tmp_path, text).warnings
    assert warning.message == f"everybody may read {tmp_path / 'radius2fa.toml'}, which holds a secret"


@pytest.mark.parametrize(
    ("more", "key", "message"),
    [
        ('user = "r"', "user", "has no password"),
        ('password = "x"', "password", "has no user that it belongs to"),
        (
            'user = "r"\npassword = "x"\nsecurity = "none"',
            "security",
            "its password would go to the server in clear text",
        ),
        ('security = "ssl"', "security", "must be 'starttls', 'tls' or 'none'"),
        ("port = 0", "port", "must be at least 1"),
        ('attribute = "e mail"', "attribute", "'e mail' is no name of an LDAP attribute"),
        ('passwort = "x"', "passwort", "is no key of this section"),
    ],
)
def test_what_is_wrong_with_mail_is_told(tmp_path: Path, more: str, key: str, message: str) -> None:
    assert faults(tmp_path, URL, mail=MAIL + more) == [(f"portal.mail.{key}", message)]


def test_an_unknown_key_of_mail_is_recognised(tmp_path: Path) -> None:
    (fault,) = reading_of(tmp_path, portal(URL, mail=f'{MAIL}pasword_file = "x"')).faults
    assert (fault.key, fault.remedy) == ("portal.mail.pasword_file", "Did you mean password_file?")


def test_mail_is_a_section(tmp_path: Path) -> None:
    (fault,) = reading_of(tmp_path, portal("mail = true")).faults
    assert (fault.key, fault.message) == ("portal.mail", "is not written as a section")
    assert fault.remedy == "Write it under [portal.mail]."


@pytest.mark.parametrize(
    ("mail", "expected"),
    [
        (MAIL, []),
        (f'{MAIL}security = "none"', [("portal.mail.security", "mail goes to mail.example.org in clear text")]),
        ('server = "localhost"\nsender = "r@example.org"\nsecurity = "none"\nport = 25', []),
        ('server = "::1"\nsender = "r@example.org"\nsecurity = "none"', []),
        (
            f'{MAIL}security = "tls"',
            [("portal.mail.port", "at port 587 servers wait for STARTTLS, and not for TLS from the first octet")],
        ),
        (f'{MAIL}security = "tls"\nport = 465', []),
    ],
)
def test_doubts_about_mail_are_told(tmp_path: Path, mail: str, expected: list[tuple[str, str]]) -> None:
    assert warnings(tmp_path, URL, mail=mail) == expected
