"""A site's own dictionaries, FreeRADIUS's among them: what is read, and how faults are told."""

import functools
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radius2fa.config.places import shipped
from radius2fa.radius.dictionary import Dictionary
from radius2fa.radius.reply import accept
from tests.radius.test_oracles import LOGIN, radclient

SHIPPED = shipped("dictionaries")
FREERADIUS = Path("/usr/share/freeradius")


def site(folder: Path, text: str) -> Dictionary:
    file = folder / "site"
    file.write_text(text)
    return Dictionary.load(SHIPPED, file)


def wire(dictionary: Dictionary, name: str, value: str | int) -> bytes:
    attribute = dictionary.encode(name, value)
    return attribute.octets(attribute.value)


@functools.cache
def all_of_freeradius() -> Dictionary:
    assert FREERADIUS.is_dir(), "apt-get install freeradius-common"
    return Dictionary.load(SHIPPED, FREERADIUS / "dictionary")


def test_the_attributes_of_a_file_join_the_shipped_ones(tmp_path: Path) -> None:
    read = site(tmp_path, "VENDOR Acme 32473\nBEGIN-VENDOR Acme\nATTRIBUTE Acme-Role 0x10 string\nEND-VENDOR Acme\n")
    assert wire(read, "acme-role", "boss") == b"\x1a\x0c\0\0\x7e\xd9\x10\x06boss"
    assert wire(read, "Filter-Id", "staff") == b"\x0b\x07staff"


def test_the_vendor_may_stand_in_the_attributes_line(tmp_path: Path) -> None:
    read = site(tmp_path, "VENDOR Acme 32473\nATTRIBUTE Acme-Role 1 string Acme\nATTRIBUTE Site-Role 200 string\n")
    assert wire(read, "Acme-Role", "boss") == b"\x1a\x0c\0\0\x7e\xd9\x01\x06boss"
    assert wire(read, "Site-Role", "boss") == b"\xc8\x06boss"


def test_case_comments_and_a_byte_order_mark_do_not_matter(tmp_path: Path) -> None:
    read = site(tmp_path, "\ufeffattribute Site-Byte 200 BYTE # ours\r\nValue site-byte Full 255\r\n\r\n# end")
    assert wire(read, "Site-Byte", "full") == b"\xc8\x03\xff"


@pytest.mark.parametrize(
    ("kind", "value", "octets"),
    [
        ("byte", 255, b"\xff"),
        ("uint8", "7", b"\x07"),
        ("short", 258, b"\1\2"),
        ("uint16", 258, b"\1\2"),
        ("uint32", 258, b"\0\0\1\2"),
        ("integer64", 1 << 40, b"\0\0\1\0\0\0\0\0"),
        ("uint64", "1099511627776", b"\0\0\1\0\0\0\0\0"),
        ("signed", "-2", b"\xff\xff\xff\xfe"),
        ("date", 1, b"\0\0\0\1"),
        ("ether", "00:11:22:aa:bb:cc", b"\x00\x11\x22\xaa\xbb\xcc"),
        ("octets[2]", "0x0102", b"\1\2"),
        ("abinary", "delete", bytes(8)),
    ],
)
def test_types_that_no_shipped_file_uses_are_encoded(
    kind: str, value: str | int, octets: bytes, tmp_path: Path
) -> None:
    assert site(tmp_path, f"ATTRIBUTE Site-Own 200 {kind}").encode("Site-Own", value).value == octets


def test_flags_tag_and_salt(tmp_path: Path) -> None:
    read = site(tmp_path, "ATTRIBUTE Site-Secret 200 string has_tag,encrypt=2\nATTRIBUTE Site-Text 201 string concat\n")
    secret = read.encode("Site-Secret:3", "x")
    assert (secret.salted, secret.tag, secret.value) == (True, 3, b"x")
    assert wire(read, "Site-Text", "x") == b"\xc9\x03x"


def test_named_values_are_added_to_shipped_attributes(tmp_path: Path) -> None:
    read = site(tmp_path, "VALUE Service-Type HP-Oper 0xfc\nVALUE service-type login-user 1\n")
    assert read.encode("Service-Type", "HP-Oper").value == b"\0\0\0\xfc"
    assert read.encode("Service-Type", "Login-User").value == b"\0\0\0\1"


def test_names_of_addresses_are_passed_over(tmp_path: Path) -> None:
    read = site(tmp_path, "VALUE Framed-IP-Address Any 1\n")
    with pytest.raises(ValueError, match=r"Framed-IP-Address: 'Any' does not fit the type ipaddr$"):
        read.encode("Framed-IP-Address", "Any")


def test_included_files_are_read_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "vendors").mkdir()
    (tmp_path / "vendors" / "acme").write_text("VENDOR Acme 32473\n")
    text = "$INCLUDE vendors/acme\n$include- vendors/none\nBEGIN-VENDOR Acme\nATTRIBUTE Acme-Role 1 string\n"
    assert site(tmp_path, text).encode("Acme-Role", "boss").vendor == 32473


def test_a_block_ends_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "acme").write_text("VENDOR Acme 32473\nBEGIN-VENDOR Acme\nATTRIBUTE Acme-Role 1 string\n")
    read = site(tmp_path, "$INCLUDE acme\nATTRIBUTE Site-Role 200 string\n")
    assert read.encode("Site-Role", "boss").vendor is None


def test_a_second_definition_takes_nothing_from_the_first(tmp_path: Path) -> None:
    """A file from elsewhere without the flag would send secrets in the clear."""
    read = site(tmp_path, "ATTRIBUTE tunnel-password 69 octets\nATTRIBUTE State 24 octets\nVALUE Prompt Echo 1\n")
    assert read.encode("Tunnel-Password", "s3cret").salted is True
    with pytest.raises(ValueError, match="State is not for a policy to set"):
        read.attribute("State")


def test_another_name_does_not_open_what_is_not_to_be_set(tmp_path: Path) -> None:
    text = "VENDOR MS 311\nATTRIBUTE Ours 24 octets\nATTRIBUTE Theirs 26 octets MS\nATTRIBUTE Digest-Nonce 105 string\n"
    read = site(tmp_path, text)
    for name in ("Ours", "Theirs", "Digest-Nonce"):
        with pytest.raises(ValueError, match=f"{name} is not for a policy to set"):
            read.attribute(name)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ATTRIBUTE Filter-Id 200 string", r"Filter-Id is number 200 here, but number 11 at \S+/rfc2865:\d+$"),
        (
            "VENDOR Acme 32473\nATTRIBUTE Cisco-AVPair 1 string Acme",
            r"Cisco-AVPair is number 1 of vendor 32473 here, but number 1 of vendor 9 at \S+/cisco:\d+$",
        ),
        ("VENDOR cisco 10", "the vendor cisco has the number 10 here, but 9 before$"),
        ("VALUE Service-Type Login-User 9", "Service-Type Login-User is 9 here, but 1 before$"),
        ("VALUE Servise-Type Login-User 1", "no dictionary knows 'Servise-Type'$"),
        ("VALUE Service-Type Ours x", "'x' is no number$"),
        ("BEGIN-VENDOR Acme", "no line before this one defines the vendor 'Acme'$"),
        ("END-VENDOR Acme", "'END-VENDOR Acme' is no line .* or not here$"),
        ("BEGIN-VENDOR Cisco\nEND-VENDOR Microsoft", "'END-VENDOR Microsoft' is no line .* or not here$"),
        ("BEGIN-VENDOR Cisco\nBEGIN-VENDOR Microsoft", "'BEGIN-VENDOR Microsoft' is no line .* or not here$"),
        ("END-TLV Site", "'END-TLV Site' is no line .* or not here$"),
        ("ATTRIBUTE Site 200 string Acme", "'acme' is neither flags nor a vendor that a line before this one defines$"),
        ("ATTRIBUTE Site 200 string encrypt=4", "'encrypt=4' is neither flags nor a vendor"),
        ("ATTRIBUTE Site 200 sting", "no type is called 'sting'$"),
        ("ATTRIBUTE Site two string", "'two' is no number$"),
        ("ATTRIBUTE Site 200", "'ATTRIBUTE Site 200' is no line of a FreeRADIUS 3 dictionary, or not here$"),
        ("ATTRIBUTE Site 200 string a b", "'ATTRIBUTE Site 200 string a b' is no line"),
        ("VENDOR Acme 0", "0 is no number of a vendor$"),
        ("VENDOR Acme 16777216", "16777216 is no number of a vendor$"),
        ("VENDOR Acme 32473 format=3,1", "'format=3,1' is no format of a vendor's attributes$"),
        ("PROTOCOL RADIUS 1", "'PROTOCOL RADIUS 1' is no line of a FreeRADIUS 3 dictionary"),
        ("Hello, world", "'HELLO, world' is no line of a FreeRADIUS 3 dictionary"),
        ("$INCLUDE none", r"\S+/none: it cannot be read: No such file or directory$"),
        ("$INCLUDE site", r"\S+/site includes itself$"),
    ],
)
def test_a_fault_is_told_with_its_file_and_line(text: str, message: str, tmp_path: Path) -> None:
    line = 2 + text.count("\n")
    with pytest.raises(ValueError, match=f"^{re.escape(str(tmp_path))}/site:{line}: {message}"):
        site(tmp_path, f"# ours\n{text}\n")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"^{tmp_path}/none: it cannot be read: No such file or directory$"):
        Dictionary.load(SHIPPED, tmp_path / "none")
    with pytest.raises(ValueError, match=rf"^{tmp_path}: it cannot be read: Is a directory$"):
        Dictionary.load(SHIPPED, tmp_path)
    (tmp_path / "latin").write_bytes("# für uns".encode("latin-1"))
    with pytest.raises(ValueError, match=rf"^{tmp_path}/latin: it is not text in UTF-8$"):
        Dictionary.load(SHIPPED, tmp_path / "latin")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ATTRIBUTE Site 200 tlv", "its type is tlv"),
        ("ATTRIBUTE Site 200 ipv4prefix", "its type is ipv4prefix"),
        (
            "ATTRIBUTE Frame 200 tlv\nBEGIN-TLV Frame\nATTRIBUTE Site 1 string\nEND-TLV Frame",
            "it lies in another attribute",
        ),
        (
            "BEGIN-TLV A\nBEGIN-TLV B\nATTRIBUTE C 1 string\nEND-TLV B\nATTRIBUTE Site 2 string\nEND-TLV A",
            "it lies in another attribute",
        ),
        ("ATTRIBUTE Site 241.1 string", "it lies in another attribute"),
        ("VENDOR Acme 32473 format=2,1\nATTRIBUTE Site 1 string Acme", "the format of its vendor's attributes is not"),
        (
            "VENDOR Acme 32473 format=1,1,c\nATTRIBUTE Site 1 string Acme",
            "the format of its vendor's attributes is not",
        ),
        ("BEGIN-VENDOR Cisco format=Site-5\nATTRIBUTE Site 1 string", "the format of its vendor's attributes is not"),
        ("ATTRIBUTE Site 256 string", "its number 256 does not fit into an octet"),
        ("ATTRIBUTE Site -1 string", "its number -1 does not fit into an octet"),
        ("ATTRIBUTE Site 200 string encrypt=1", "its flags are encrypt=1"),
        ("ATTRIBUTE Site 200 string encrypt=3", "its flags are encrypt=3"),
        ("ATTRIBUTE Site 200 ipaddr array", "its flags are array"),
        ("ATTRIBUTE Site 200 ipaddr has_tag", "a tag does not go with the type ipaddr"),
    ],
)
def test_what_cannot_be_sent_is_read_and_refused_when_it_is_wanted(text: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"^Site cannot be sent: {reason}"):
        site(tmp_path, text).attribute("Site")


def test_a_vendor_can_be_told_to_have_the_plain_format(tmp_path: Path) -> None:
    read = site(tmp_path, "VENDOR Acme 32473 format=1,1\nATTRIBUTE Acme-Role 0 string Acme\n")
    assert wire(read, "Acme-Role", "boss") == b"\x1a\x0c\0\0\x7e\xd9\x00\x06boss"


def test_the_whole_of_freeradius_is_read_and_radclient_agrees() -> None:
    read = all_of_freeradius()
    values = {
        "HP-Privilege-Level": 15,
        "Ruckus-User-Groups": "staff",
        "Juniper-Junosspace-Profiles": "admin",
        "ERX-Service-Activate:2": "gold",
        "ERX-Med-Dev-Handle": "0x6162",
        "Framed-IPv6-Address": "2001:db8::9",
        "Management-Privilege-Level": "15",
        "Service-Type": "Framed-Management",
    }
    printed, _ = radclient(accept(tuple(read.encode(*each) for each in values.items()), None), "auth", LOGIN)
    received = printed[printed.index("Received Access-Accept") :]
    assert set(re.findall(r"^\t(?!Message-Authenticator|Proxy-State)(\S.*)$", received, re.MULTILINE)) == {
        "HP-Privilege-Level = 15",
        'Ruckus-User-Groups = "staff"',
        'Juniper-Junosspace-Profiles = "admin"',
        'ERX-Service-Activate:2 = "gold"',
        "ERX-Med-Dev-Handle = 0x6162",
        "Framed-IPv6-Address = 2001:db8::9",
        "Management-Privilege-Level = 15",
        "Service-Type = Framed-Management",
    }


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Error-Cause", "is not for a policy to set"),
        ("EAP-Key-Name", "is not for a policy to set"),
        ("Acct-Tunnel-Connection", "is not for a policy to set"),
        ("Operator-Name", "is not for a policy to set"),
        ("Originating-Line-Info", "is not for a policy to set"),
        ("Cleartext-Password", "cannot be sent: its number 1100 does not fit into an octet"),
        ("WiMAX-Capability", "cannot be sent: the format of its vendor's attributes is not that of RFC 2865"),
        ("Frag-Status", "cannot be sent: it lies in another attribute"),
        ("Ascend-Send-Secret", "cannot be sent: its flags are encrypt=3"),
    ],
)
def test_what_freeradius_knows_and_no_policy_may_set_is_refused(name: str, message: str) -> None:
    read = all_of_freeradius()
    with pytest.raises(ValueError, match=f"^{name} {message}"):
        read.attribute(name)


def test_each_file_of_freeradius_is_read_or_says_what_it_lacks() -> None:
    assert FREERADIUS.is_dir(), "apt-get install freeradius-common"
    faults = []
    for path in sorted(FREERADIUS.glob("dictionary.*")):
        try:
            Dictionary.load(SHIPPED, path)
        except ValueError as fault:
            faults.append(re.sub(r":\d+:", ":", str(fault).removeprefix(f"{FREERADIUS}/")))
    assert faults == [
        "dictionary.compat: no dictionary knows 'Auth-Type'",
        "dictionary.freedhcp: no dictionary knows 'FreeDHCP-Opcode'",
        "dictionary.freeradius.evs5: no line before this one defines the vendor 'FreeRADIUS'",
        "dictionary.rfc5176: no dictionary knows 'Error-Cause'",
    ]


WORDS = st.sampled_from(
    [
        *("ATTRIBUTE", "VALUE", "VENDOR", "BEGIN-VENDOR", "END-VENDOR", "BEGIN-TLV", "END-TLV", "$INCLUDE-", "#", "="),
        *("A", "B", "C", "Class", "Acme", "Other", "0", "1", "24", "200", "300", "1.2", "0x10", "-1", "16777216", ","),
        *("string", "octets", "integer", "byte", "signed", "ipaddr", "ipv6prefix", "ether", "abinary", "tlv", "evs"),
        *("has_tag", "encrypt=2", "encrypt=3", "has_tag,encrypt=2", "format=1,1", "format=2,1", "format", "array"),
    ]
)
JUMBLED = st.lists(WORDS, min_size=1, max_size=5).map(" ".join)
NAMED = st.tuples(
    *map(st.sampled_from, ("ABC", ("1", "200"), ("string", "octets", "integer", "ether", "abinary")))
).map(lambda words: "ATTRIBUTE " + " ".join(words))
LINES = st.lists(st.one_of(NAMED, JUMBLED), max_size=6).map("\n".join)
VALUES = st.one_of(st.text(max_size=12), st.integers(), st.sampled_from(["192.0.2.1", "0x00", "0x0", "::/0", "a=b"]))


@given(text=LINES, value=VALUES)
def test_whatever_is_read_is_encoded_or_refused(
    text: str, value: str | int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "fuzz"
    folder.mkdir(exist_ok=True)
    (folder / "site").write_text(text)
    try:
        read = Dictionary.load(folder)
    except ValueError as fault:
        assert str(fault).startswith(f"{folder}/site:")  # noqa: PT017 - one of two good ends
        return
    for name in ("A", "B:1", "C", "Class"):
        try:
            attribute = read.encode(name, value)
        except ValueError:
            continue
        assert len(attribute.octets(attribute.value)) <= 255
