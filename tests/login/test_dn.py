import pytest
from hypothesis import given
from hypothesis import strategies as st

from radius2fa.login.dn import normal_dn

USERS = "cn=vpn users,ou=groups,dc=example,dc=org"


@pytest.mark.parametrize(
    "dn",
    [
        "CN=VPN Users,OU=Groups,DC=example,DC=org",
        " cn = vpn  users , ou = groups , dc = example , dc = org ",
        "cn=vpn users;ou=groups;dc=example;dc=org",
        r"cn=\20vpn users\20,ou=groups,dc=example,dc=org",
        r"cn=\ vpn users\ ,ou=groups,dc=example,dc=org",
        r"cn=\76\70\6E users,ou=groups,dc=example,dc=org",
        "cn=\uff36\uff30\uff2e\u00a0users,ou=groups,dc=example,dc=org",
        USERS,
    ],
)
def test_a_dn_is_the_same_in_every_spelling(dn: str) -> None:
    assert normal_dn(dn) == USERS


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"cn=Smith\, John,dc=x", r"cn=smith\2C john,dc=x"),
        (r"cn=J\C3\BCrgen,dc=x", "cn=JÜRGEN,dc=x"),
        ("cn=e\u0301,dc=x", "cn=\u00e9,dc=x"),
        (r"cn=a\=b,dc=x", "cn=a=b,dc=x"),
        (r"cn=back\\slash,dc=x", r"cn=back\5Cslash,dc=x"),
        (r"cn=\#1,dc=x", r"cn=\231,dc=x"),
        # RFC 4514 section 3: short name, long name, object identifier; and how RFC 2253 wrote the latter
        ("cn=a", "commonName=a"),
        ("cn=a", "2.5.4.3=a"),
        ("CN=a", "OID.2.5.4.3=a"),
        ("L=a", "localityName=a"),
        ("L=a", "2.5.4.7=a"),
        ("ST=a", "stateOrProvinceName=a"),
        ("ST=a", "2.5.4.8=a"),
        ("O=a", "organizationName=a"),
        ("O=a", "2.5.4.10=a"),
        ("OU=a", "organizationalUnitName=a"),
        ("OU=a", "2.5.4.11=a"),
        ("C=a", "countryName=a"),
        ("C=a", "2.5.4.6=a"),
        ("STREET=a", "streetAddress=a"),
        ("STREET=a", "2.5.4.9=a"),
        ("DC=a", "domainComponent=a"),
        ("DC=a", "0.9.2342.19200300.100.1.25=a"),
        ("UID=a", "userId=a"),
        ("UID=a", "0.9.2342.19200300.100.1.1=a"),
        ("sn=a", "SN=a"),
        ("1.2.3=a", "oid.1.2.3=a"),
        ("uid=b+cn=a,dc=x", " COMMONNAME = a + 0.9.2342.19200300.100.1.1=b, domaincomponent=x"),
        (r"cn=say \"no\",dc=x", r"cn=say \22no\22,dc=x"),
        (r"cn=a\+b+sn=c,dc=x", r"SN=c+CN=a\2Bb,dc=x"),
        ("cn=straße,dc=x", "cn=STRASSE,dc=x"),
        ("cn=#04024869,dc=x", "CN=#04024869,dc=x"),
    ],
)
def test_escapes_letters_and_order_make_no_difference(one: str, other: str) -> None:
    assert normal_dn(one) == normal_dn(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"cn=smith\, john,dc=x", "cn=smith,john,dc=x"),
        (r"cn=smith\2C ou\3Dx,dc=x", "cn=smith,ou=x,dc=x"),
        (r"cn=a\\,dc=x", r"cn=a\,dc=x"),
        (r"cn=a\+sn=b,dc=x", "cn=a+sn=b,dc=x"),
        (r"cn=\5c2C,dc=x", r"cn=\2C,dc=x"),
        (r"cn=\#01,dc=x", "cn=#01,dc=x"),
        ("cn=ab,dc=x", "cn=a b,dc=x"),
        ("cn=a,dc=x", "cn=a,,dc=x"),
        ("cn=a,dc=x", "cn=a,dc=x\\"),
        ("cn=a", "sn=a"),
        ("cn=a", "2.5.4.4=a"),  # a surname
        ("2.5.4.3=a", "2.5.4.33=a"),
        ("cn=commonName,dc=x", "cn=cn,dc=x"),
    ],
)
def test_different_dns_stay_different(one: str, other: str) -> None:
    assert normal_dn(one) != normal_dn(other)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("", ""),
        ("VPN  Users", "vpn users"),
        ("cn=A,,dc=x", "cn=a,,dc=x"),
        ("cn=A\\", "cn=a\\"),
        (r"cn=A\FF,dc=x", r"cn=a\ff,dc=x"),
    ],
)
def test_what_is_no_dn_is_only_put_in_one_case(text: str, normal: str) -> None:
    assert normal_dn(text) == normal


@given(st.lists(st.text(min_size=1), min_size=1, max_size=4))
def test_any_values_in_either_way_of_escaping_are_one_dn(values: list[str]) -> None:
    by_octets = ",".join("cn=" + "".join(f"\\{octet:02x}" for octet in value.encode()) for value in values)
    by_letters = ",".join("cn=" + "".join(f"\\{c}" if not c.isalnum() else c for c in value) for value in values)
    assert normal_dn(by_octets) == normal_dn(by_letters)
    assert normal_dn(normal_dn(by_octets)) == normal_dn(by_octets)
