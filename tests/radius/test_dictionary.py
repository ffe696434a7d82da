"""protocol.md, "Replies": attributes by dictionary name, tagged, of vendors, salted."""

from pathlib import Path

import pytest

from radius2fa.config.places import shipped
from radius2fa.radius.dictionary import Dictionary

OURS = Dictionary.load(shipped("dictionaries"))


def wire(name: str, value: str | int) -> bytes:
    attribute = OURS.encode(name, value)
    return attribute.octets(attribute.value)


@pytest.mark.parametrize(
    ("name", "value", "octets"),
    [
        ("Filter-Id", "staff", b"\x0b\x07staff"),
        ("Reply-Message", "Grüß Gott", b"\x12\x0d" + "Grüß Gott".encode()),
        ("Tunnel-Private-Group-ID:1", 20, b"\x51\x05\x0120"),
        ("Session-Timeout", 3600, b"\x1b\x06\0\0\x0e\x10"),
        ("Session-Timeout", "3600", b"\x1b\x06\0\0\x0e\x10"),
        ("Service-Type", "Administrative-User", b"\x06\x06\0\0\0\x06"),
        ("Service-Type", "administrative-user", b"\x06\x06\0\0\0\x06"),
        ("Session-Timeout", "0000", b"\x1b\x06\0\0\0\0"),
        ("Service-Type", "6", b"\x06\x06\0\0\0\x06"),
        ("Service-Type", 4294967295, b"\x06\x06\xff\xff\xff\xff"),
        ("Framed-IP-Address", "192.0.2.1", b"\x08\x06\xc0\0\x02\x01"),
        ("Class", "OU=vpn", b"\x19\x08OU=vpn"),
        ("Class", "65", b"\x19\x0465"),
        ("Class", "0x00ff", b"\x19\x04\x00\xff"),
        ("Framed-IPv6-Prefix", "2001:db8::1/32", b"\x61\x14\x00\x20\x20\x01\x0d\xb8" + bytes(12)),
        ("Framed-IPv6-Prefix", "2001:db8::/32", b"\x61\x14\x00\x20\x20\x01\x0d\xb8" + bytes(12)),
        ("Login-IPv6-Host", "2001:db8::1", b"\x62\x12\x20\x01\x0d\xb8" + bytes(11) + b"\x01"),
        ("Framed-Interface-Id", "1:2:3:4", b"\x60\x0a\0\1\0\2\0\3\0\4"),
        ("framed-ip-address", "192.0.2.1", b"\x08\x06\xc0\0\x02\x01"),
    ],
)
def test_an_attribute_is_encoded_by_its_name(name: str, value: str | int, octets: bytes) -> None:
    assert wire(name, value) == octets


@pytest.mark.parametrize(
    ("name", "value", "octets"),
    [
        ("Cisco-AVPair", "shell:priv-lvl=15", b"\x1a\x19\0\0\0\x09\x01\x13shell:priv-lvl=15"),
        ("Fortinet-Group-Name", "staff", b"\x1a\x0d\0\0\x30\x44\x01\x07staff"),
        ("ASA-Group-Policy", "staff", b"\x1a\x0d\0\0\x0c\x04\x19\x07staff"),
        ("MS-Primary-DNS-Server", "192.0.2.1", b"\x1a\x0c\0\0\x01\x37\x1c\x06\xc0\0\x02\x01"),
    ],
)
def test_a_vendor_attribute_is_encoded_by_its_name(name: str, value: str, octets: bytes) -> None:
    assert wire(name, value) == octets


@pytest.mark.parametrize(
    ("name", "value", "octets"),
    [
        ("Tunnel-Private-Group-ID:1", "120", b"\x51\x06\x01120"),
        ("Tunnel-Private-Group-ID", "120", b"\x51\x05120"),
        ("Tunnel-Private-Group-ID", "\x01x", b"\x51\x05\x00\x01x"),
        ("Tunnel-Private-Group-ID:0", "120", b"\x51\x06\x00120"),
        ("Tunnel-Type:1", "VLAN", b"\x40\x06\x01\0\0\x0d"),
        ("Tunnel-Type:31", 13, b"\x40\x06\x1f\0\0\x0d"),
        ("Tunnel-Type", "VLAN", b"\x40\x06\x00\0\0\x0d"),
        ("Tunnel-Medium-Type:1", "IEEE-802", b"\x41\x06\x01\0\0\x06"),
    ],
)
def test_a_tagged_attribute_carries_its_tag(name: str, value: str | int, octets: bytes) -> None:
    assert wire(name, value) == octets


def test_an_attribute_found_once_is_encoded_again_and_again() -> None:
    vlan, policy = OURS.attribute("tunnel-private-group-id:2"), OURS.attribute("ASA-Group-Policy")
    assert [vlan.encode(each).value for each in ("120", "130")] == [b"120", b"130"]
    assert (vlan.encode("120").tag, OURS.attribute("Tunnel-Private-Group-ID").encode("120").tag) == (2, None)
    assert policy.encode("staff").octets(b"staff") == b"\x1a\x0d\0\0\x0c\x04\x19\x07staff"
    file, _, line = policy.place.rpartition(":")
    assert Path(file).read_text().splitlines()[int(line) - 1].split() == [
        "ATTRIBUTE",
        "ASA-Group-Policy",
        "25",
        "string",
    ]


@pytest.mark.parametrize("name", ["Filter-Ix", "State", "Filter-Id:1", "Tunnel-Type:32"])
def test_a_name_is_checked_before_any_value_is_there(name: str) -> None:
    with pytest.raises(ValueError, match=r"no dictionary|not for a policy|takes no tag|is no tag"):
        OURS.attribute(name)


def test_passwords_and_keys_are_salted() -> None:
    tunnel, tagged = OURS.encode("Tunnel-Password", "s3cret"), OURS.encode("Tunnel-Password:2", "s3cret")
    key = OURS.encode("MS-MPPE-Recv-Key", "0x" + "ab" * 32)
    assert (tunnel.salted, tunnel.tag, tunnel.value) == (True, 0, b"s3cret")
    assert (tagged.salted, tagged.tag) == (True, 2)
    assert (key.salted, key.tag, key.vendor, key.value) == (True, None, 311, b"\xab" * 32)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("Filter-ID-x", "a", "no dictionary knows 'Filter-ID-x': is it Filter-Id"),
        ("Session-Timout", 5, "no dictionary knows 'Session-Timout': is it Session-Timeout"),
        ("Qwxyz", "a", "no dictionary knows 'Qwxyz'$"),
        ("Framed-IP-Address", "192.0.2", "Framed-IP-Address: '192.0.2' does not fit the type ipaddr$"),
        ("Framed-IP-Address", 5, "Framed-IP-Address: 5 does not fit the type ipaddr$"),
        ("Class", 5, "Class: 5 does not fit the type octets$"),
        ("Filter-Id", True, "Filter-Id: True does not fit the type string$"),
        ("Filter-Id", "", "Filter-Id: an attribute's value cannot be empty"),
        ("Filter-Id", "x" * 254, "Filter-Id: the value is 1 octets too long for an attribute"),
        ("Cisco-AVPair", "x" * 248, "Cisco-AVPair: the value is 1 octets too long for an attribute"),
        ("Tunnel-Private-Group-ID:1", "x" * 253, "Tunnel-Private-Group-ID: the value is 1 octets too long"),
        ("Class", "0xabc", "Class: '0xabc' does not fit the type octets$"),
        ("Session-Timeout", -1, "Session-Timeout: -1 does not fit the type integer$"),
        ("Session-Timeout", 1 << 32, "Session-Timeout: 4294967296 does not fit the type integer$"),
        ("Session-Timeout", "-1", "Session-Timeout: '-1' does not fit the type integer$"),
        ("Session-Timeout", "1e3", "Session-Timeout: '1e3' does not fit the type integer$"),
        ("Session-Timeout", " 60", "Session-Timeout: ' 60' does not fit the type integer$"),
        ("Session-Timeout", "", "Session-Timeout: '' does not fit the type integer$"),
        ("Session-Timeout", "9" * 5000, r"Session-Timeout: '9+\.\.\.9+' does not fit the type integer$"),
        ("Filter-Id", "\ud800", r"Filter-Id: '\\ud800' does not fit the type string$"),
        ("Login-IPv6-Host", "192.0.2.1", "Login-IPv6-Host: '192.0.2.1' does not fit the type ipv6addr$"),
        ("Framed-IPv6-Prefix", "192.0.2.0/24", "Framed-IPv6-Prefix: '192.0.2.0/24' does not fit the type ipv6prefix$"),
        ("Session-Timeout", "soon", "Session-Timeout: 'soon' does not fit the type integer$"),
        ("Session-Timeout", "٣", "Session-Timeout: '٣' does not fit the type integer$"),
        ("Session-Timeout", True, "Session-Timeout: True does not fit the type integer$"),
        ("Framed-Protocol", "PPPoE", "Framed-Protocol: 'PPPoE' does not fit .*; it may be one of PPP, SLIP, ARAP,"),
        ("Tunnel-Type", 1 << 24, "Tunnel-Type: 16777216 does not fit .*; it may be one of PPTP, L2F,"),
        ("Tunnel-Type:32", "VLAN", "Tunnel-Type: '32' is no tag from 0 to 31"),
        ("Tunnel-Type:", "VLAN", "Tunnel-Type: '' is no tag"),
        ("Tunnel-Type:-1", "VLAN", "Tunnel-Type: '-1' is no tag"),
        ("Tunnel-Type:1:2", "VLAN", "Tunnel-Type: '1:2' is no tag"),
        ("Filter-Id:1", "staff", "Filter-Id takes no tag"),
    ],
)
def test_what_cannot_be_encoded_is_refused_in_clear_words(name: str, value: str | int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        OURS.encode(name, value)


def test_a_salted_value_is_never_in_a_message() -> None:
    with pytest.raises(ValueError, match="MS-MPPE-Send-Key: the value does not fit the type octets") as caught:
        OURS.encode("MS-MPPE-Send-Key", "0xsecret")
    assert caught.value.__suppress_context__ is True
    with pytest.raises(ValueError, match="Tunnel-Password: the value is 6 octets too long"):
        OURS.encode("Tunnel-Password", "secret" * 42)


@pytest.mark.parametrize(
    "name",
    [
        *("User-Password", "CHAP-Password", "NAS-IP-Address", "NAS-Port", "State", "Vendor-Specific", "Proxy-State"),
        *("Called-Station-Id", "Calling-Station-Id", "NAS-Identifier", "CHAP-Challenge", "NAS-Port-Type"),
        *("Acct-Status-Type", "Acct-Link-Count", "Acct-Input-Gigawords", "Event-Timestamp", "ARAP-Password"),
        *("Prompt", "EAP-Message", "Message-Authenticator", "Connect-Info", "Password-Retry", "NAS-IPv6-Address"),
        *("MS-CHAP-Response", "MS-CHAP2-Success", "MS-CHAP-MPPE-Keys"),
        *("Cisco-NAS-Port", "ASA-TunnelGroupName", "ASA-ClientType", "ASA-SessionType", "ASA-SessionSubtype"),
    ],
)
def test_what_is_not_for_a_policy_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is not for a policy to set"):
        OURS.encode(name, "x")


def test_no_suggestion_is_an_attribute_that_would_be_refused() -> None:
    with pytest.raises(ValueError, match="no dictionary knows 'Proxy-Stat'") as caught:
        OURS.encode("Proxy-Stat", "x")
    assert "Proxy-State" not in str(caught.value)


def test_a_folder_without_dictionaries_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".hidden").write_text("ATTRIBUTE")
    with pytest.raises(ValueError, match="no dictionaries here"):
        Dictionary.load(tmp_path)
