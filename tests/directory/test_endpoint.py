import pytest

from radius2fa.directory.endpoint import Endpoint, parse_url


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("ldap://dc1.example.org", Endpoint("ldap://dc1.example.org", "dc1.example.org", 389, tls=False)),
        ("ldaps://dc1.example.org", Endpoint("ldaps://dc1.example.org", "dc1.example.org", 636, tls=True)),
        ("LDAPS://h:3269/", Endpoint("LDAPS://h:3269/", "h", 3269, tls=True)),
        ("ldap://[2001:db8::1]", Endpoint("ldap://[2001:db8::1]", "2001:db8::1", 389, tls=False)),
        (" ldap://[::1]:1389 ", Endpoint("ldap://[::1]:1389", "::1", 1389, tls=False)),
        ("ldap://192.0.2.1:389", Endpoint("ldap://192.0.2.1:389", "192.0.2.1", 389, tls=False)),
    ],
)
def test_a_url_names_a_server(url: str, endpoint: Endpoint) -> None:
    assert parse_url(url) == endpoint


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "dc1",
            "http://dc1",
            "ldapi:///x",
            "ldap://",
            "ldap://:389",
            "ldap://h:0",
            "ldap://h:65536",
            "ldap://h:x",
        ),
        *("ldap://[::1", "ldap://2001:db8::1", "ldap://h/dc=example", "ldap://h?uid", "ldap://a@h", "ldap://h#f"),
    ],
)
def test_a_url_that_names_none_is_refused_with_its_text(url: str) -> None:
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 - the words differ
        parse_url(url)
    assert str(refusal.value).startswith(f"{url}: ")
