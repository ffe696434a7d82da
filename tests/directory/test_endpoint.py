import re
from pathlib import Path

import pytest

from radius2fa.directory.endpoint import Endpoint, Service, parse_source, parse_url
from tests.config.files import VALID, faults_of


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("ldap://dc1.example.org", Endpoint("ldap://dc1.example.org", "dc1.example.org", 389, tls=False)),
        ("ldaps://dc1.example.org", Endpoint("ldaps://dc1.example.org", "dc1.example.org", 636, tls=True)),
        ("LDAPS://h:3269/", Endpoint("LDAPS://h:3269/", "h", 3269, tls=True)),
        ("ldap://[2001:db8::1]", Endpoint("ldap://[2001:db8::1]", "2001:db8::1", 389, tls=False)),
        (" ldap://[::1]:1389 ", Endpoint("ldap://[::1]:1389", "::1", 1389, tls=False)),
        ("ldap://192.0.2.1:389", Endpoint("ldap://192.0.2.1:389", "192.0.2.1", 389, tls=False)),
        ("ldapi:///", Endpoint("ldapi:///", "localhost", 0, tls=False, path="/var/run/slapd/ldapi")),
        ("ldapi://", Endpoint("ldapi://", "localhost", 0, tls=False, path="/var/run/slapd/ldapi")),
        (
            "ldapi://%2Frun%2FSlapd%2fldapi/",
            Endpoint("ldapi://%2Frun%2FSlapd%2fldapi/", "localhost", 0, tls=False, path="/run/Slapd/ldapi"),
        ),
    ],
)
def test_a_url_names_a_server(tmp_path: Path, url: str, endpoint: Endpoint) -> None:
    assert parse_url(url) == parse_source(url) == endpoint
    assert faults_of(tmp_path, VALID.replace("ldaps://ldap.example.org", url)) == []


BOTH = ("_ldaps._tcp.ad.example.org", "_ldap._tcp.ad.example.org")
SITE = "_ldap._tcp.berlin._sites.ad.example.org"
MSDCS = "_ldap._tcp.berlin._sites.dc._msdcs.ad.example.org"


@pytest.mark.parametrize(
    ("url", "names", "domain", "tls"),
    [
        ("ldap+srv://ad.example.org", BOTH[1:], "ad.example.org", False),
        ("ldaps+srv://AD.example.org/", BOTH, "ad.example.org", True),
        (" ldap+srv://corp ", ("_ldap._tcp.corp",), "corp", False),
        (f"ldap+srv://{SITE}", (SITE,), "ad.example.org", False),
        (f"ldaps+srv://{SITE}", (SITE,), "ad.example.org", True),
        (f"ldap+srv://{MSDCS}", (MSDCS,), "ad.example.org", False),
        ("ldap+srv://berlin._sites.ad.example.org", (SITE,), "ad.example.org", False),
        ("ldaps+srv://_ldaps._tcp.example.org", ("_ldaps._tcp.example.org",), "example.org", True),
    ],
)
def test_a_url_with_srv_names_a_service(
    tmp_path: Path,
    url: str,
    names: tuple[str, ...],
    domain: str,
    tls: bool,  # noqa: FBT001 - a case
) -> None:
    """A host that begins with an underscore is the name to ask for; the domain is what stands behind underscores."""
    assert parse_source(url) == Service(url.strip(), names, domain, tls)
    assert faults_of(tmp_path, VALID.replace("ldaps://ldap.example.org", url)) == []


@pytest.mark.parametrize(
    "url",
    [
        *("", "dc1", "http://dc1", "ldap://", "ldap://:389", "ldap://h:0", "ldap://h:65536", "ldap://h:x"),
        *("ldap://[::1", "ldap://2001:db8::1", "ldap://h/dc=example", "ldap://h?uid", "ldap://a@h", "ldap://h#f"),
        *(
            "ldapi:///run/slapd/ldapi",
            "ldapi://run",
            "ldapi://%2Frun%00",
            f"ldapi://%2F{107 * 'a'}",
            "ldapi://%2Frun?x",
        ),
        *("ldap+srv://", "ldap+srv://ad.example.org:389", "ldaps+srv://192.0.2.1", "ldap+srv://[2001:db8::1]"),
        *("ldap+srv://ad..org", "ldap+srv://-x.org", f"ldap+srv://{64 * 'a'}.org", f"ldap+srv://{128 * 'a.'}org"),
        *("ldap+srv://b\u00fccher.example", "ldap+srv://_ldap._tcp", "ldap+srv://_ldaps._tcp.example.org"),
        *("ldap+srv://a@example.org", "ldap+srv://example.org/dc=example", "ldap+srv://example.org?uid", "srv://h"),
    ],
)
def test_a_url_that_names_none_is_refused_with_its_text(tmp_path: Path, url: str) -> None:
    """And the configuration refuses it, too."""
    with pytest.raises(ValueError, match=f"^{re.escape(url)}: "):
        parse_source(url)
    ((key, _),) = faults_of(tmp_path, VALID.replace("ldaps://ldap.example.org", url))
    assert key == "directory[1].urls[1]"


def test_a_socket_s_path_may_have_107_octets() -> None:
    path = f"/{106 * 'a'}"
    assert parse_url(f"ldapi://{path.replace('/', '%2F')}").path == path
