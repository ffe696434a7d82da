"""protocol.md, "Password and name", and the kinds of request that cannot be checked."""

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from radius2fa.radius.clients import Client
from radius2fa.radius.credentials import Credentials, Fault, address_in, address_of, name_of, read, source_of
from radius2fa.radius.packet import Request, decode
from tests.radius.wire import SECRET, Asked, access_request, request, vectors, vendor_attribute

CLIENT = Client("vpn", (ip_network("192.0.2.0/24"),), SECRET)


def decoded(asked: Asked, client: Client = CLIENT) -> Request:
    return decode(asked.octets, client)


def result(asked: Asked, client: Client = CLIENT) -> Credentials | Fault:
    return read(decoded(asked, client))


def password(asked: Asked, client: Client = CLIENT) -> bytes:
    got = result(asked, client)
    assert isinstance(got, Credentials)
    return got.password


def test_a_login_is_read() -> None:
    asked = access_request(b"alice", b"opensesame123456", (31, b"203.0.113.9"))
    assert result(asked) == Credentials("alice", b"opensesame123456", None, "203.0.113.9", ip_address("203.0.113.9"))


def test_the_answer_to_a_challenge_comes_with_its_state() -> None:
    assert result(access_request(b"alice", b"123456", (24, b"4" * 32))) == Credentials(
        "alice", b"123456", b"4" * 32, "", None
    )


def test_the_response_of_rfc_2865_section_7_3_is_read() -> None:
    example = vectors("rfc2865")["response"]
    client = replace(CLIENT, secret=example["secret"].encode(), require_message_authenticator=False)
    got = read(decode(bytes.fromhex(example["request"]), client))
    assert got == Credentials("mopsy", example["password"].encode(), example["state"].encode(), "", None)


@pytest.mark.parametrize("size", [1, 15, 16, 17, 111, 112, 128])
def test_a_password_of_up_to_128_octets_is_read(size: int) -> None:
    assert password(access_request(b"alice", b"p" * size)) == b"p" * size


def test_a_password_stays_octets_and_keeps_its_spaces() -> None:
    assert password(access_request(b"alice", " pä$$ ".encode())) == " pä$$ ".encode()


@pytest.mark.parametrize("attribute", [(), ((2, b""),)])
def test_no_password_and_an_attribute_of_length_2_are_an_empty_password(
    attribute: tuple[tuple[int, bytes], ...],
) -> None:
    """Seen from PHP, and from ocserv."""
    assert password(access_request(b"alice", None, *attribute)) == b""


def test_16_octets_of_padding_are_an_empty_password() -> None:
    """Seen from pam_radius."""
    assert password(access_request(b"alice", b"")) == b""


@pytest.mark.parametrize("size", [1, 15, 17, 31, 129, 144, 253])
def test_a_user_password_of_another_length_is_ignored(size: int) -> None:
    assert password(access_request(b"alice", None, (2, bytes(size)))) == b""


def test_an_embedded_nul_is_refused() -> None:
    assert result(access_request(b"alice", b"pa\0ss")) is Fault.NUL_IN_PASSWORD
    assert result(access_request(b"alice", b"\0pass")) is Fault.NUL_IN_PASSWORD


def test_what_sshd_sends_for_an_unknown_user_is_a_password() -> None:
    """It must end as a plain Reject, for the reason that it is wrong."""
    assert password(access_request(b"nobody", b"\b\n\r\x7fINCORRECT")) == b"\b\n\r\x7fINCORRECT"


def test_text_that_does_not_decode_is_a_wrong_secret_or_charset() -> None:
    assert result(access_request(b"alice", b"pa\xffss")) is Fault.CHARSET
    assert result(access_request(b"alice", b"pa\xff\0ss")) is Fault.CHARSET


def test_a_wrong_shared_secret_is_told_by_the_password() -> None:
    client = replace(CLIENT, require_message_authenticator=False)
    sent = access_request(b"alice", b"opensesame", secret=b"another", authenticator=bytes(16), signed=False)
    assert result(sent, client) is Fault.CHARSET


def test_the_charset_of_the_client_becomes_utf_8() -> None:
    latin = replace(CLIENT, charset="latin-1")
    assert password(access_request(b"alice", "päss".encode("latin-1")), latin) == "päss".encode()
    assert password(access_request(b"alice", b"\x80"), replace(CLIENT, charset="cp1252")) == "€".encode()
    assert result(access_request(b"alice", b"+2AA-"), replace(CLIENT, charset="utf-7")) is Fault.CHARSET


@pytest.mark.parametrize("name", ["a", "user@realm.example", "DOMAIN\\user", "Åsa Öberg", "x" * 253, " ", "名"])
def test_a_name_is_utf_8_of_1_to_253_octets(name: str) -> None:
    got = result(access_request(name.encode()))
    assert isinstance(got, Credentials)
    assert got.name == name


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(None, id="missing"),
        pytest.param(b"", id="empty"),
        pytest.param(b"al\xffice", id="not UTF-8"),
        pytest.param(b"\xed\xa0\x80", id="a surrogate"),
        pytest.param(b"\xc0\x80", id="an overlong NUL"),
        pytest.param(b"alice\0", id="NUL"),
        pytest.param(b"al\nice", id="newline"),
        pytest.param(b"al\x1bice", id="escape"),
        pytest.param(b"alice\x7f", id="DEL"),
        pytest.param("al\x85ice".encode(), id="C1"),
    ],
)
def test_a_name_with_control_characters_or_none_is_refused(name: bytes | None) -> None:
    assert result(access_request(name)) is Fault.BAD_NAME


@pytest.mark.parametrize(
    "attribute",
    [
        pytest.param((3, bytes(17)), id="CHAP-Password"),
        pytest.param((79, b"\x02\x00\x00\x0a\x01alice"), id="EAP-Message"),
        pytest.param(vendor_attribute(311, 1, bytes(50)), id="MS-CHAP-Response"),
        pytest.param(vendor_attribute(311, 25, bytes(50)), id="MS-CHAP2-Response"),
        pytest.param(vendor_attribute(311, 27, bytes(68)), id="MS-CHAP2-CPW"),
        pytest.param((26, b"\0\0\x01\x37" + b"\x0b\x12" + bytes(16) + b"\x19\x34" + bytes(50)), id="two in one"),
        pytest.param((26, b"\0\0\x01\x37" + b"\x0b\x00\x19\x00"), id="lengths of nothing"),
    ],
)
def test_chap_ms_chap_and_eap_are_unsupported(attribute: tuple[int, bytes]) -> None:
    assert result(access_request(b"alice", None, attribute)) is Fault.UNSUPPORTED


@pytest.mark.parametrize(
    "attribute",
    [
        vendor_attribute(311, 11, bytes(16)),
        vendor_attribute(9, 1, b"shell:priv-lvl=15"),
        (26, b"\0\0\x01\x37\x19"),
        (26, b"\0"),
        (26, b""),
        (60, bytes(16)),
    ],
)
def test_other_vendor_attributes_and_a_challenge_alone_are_no_other_method(attribute: tuple[int, bytes]) -> None:
    assert password(access_request(b"alice", b"pass", attribute)) == b"pass"


def test_the_source_is_the_calling_station_else_the_framed_address() -> None:
    both = ((8, bytes([203, 0, 113, 9])), (31, b"00-11-22-33-44-55"))
    assert source_of(decoded(access_request(b"a", b"p", *both))) == "00-11-22-33-44-55"
    assert source_of(decoded(access_request(b"a", b"p", both[0], (31, b"")))) == "203.0.113.9"
    assert source_of(decoded(access_request(b"a", b"p", (8, bytes(3))))) == ""
    assert source_of(decoded(access_request(b"a", b"p", (8, bytes(16))))) == ""
    assert source_of(decoded(access_request(b"a", b"p"))) == ""


def test_the_source_is_printable() -> None:
    assert source_of(decoded(access_request(b"a", b"p", (31, b"a\n\x1b[31m\xff")))) == r"a\n\x1b[31m\xff"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1:4500", "192.0.2.1"),
        ("192.0.2.1[4500]", "192.0.2.1"),
        (" 192.0.2.1 ", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("2001:db8::1[4500]", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:4500", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("[::ffff:192.0.2.1]:4500", "192.0.2.1"),
        ("::ffff:192.0.2.1[4500]", "192.0.2.1"),
    ],
)
def test_an_address_is_read_in_the_forms_of_the_field(text: str, address: str) -> None:
    assert address_in(text) == ip_address(address)
    asked = access_request(b"alice", b"p", (31, text.encode()), (8, bytes([198, 51, 100, 1])))
    assert address_of(decoded(asked)) == ip_address(address)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "00-11-22-33-44-55",
        "00:11:22:33:44:55",
        "0011.2233.4455",
        "001122334455",
        "+49 30 1234567",
        "5551234",
        "async/3",
        "192.0.2",
        "192.0.2.256",
        "192.0.2.010",
        "192.0.2.1:",
        "192.0.2.1:port",
        "192.0.2.1:123456",
        "192.0.2.1[]",
        "[192.0.2.1",
        "192.0.2.1 192.0.2.2",
        "192.0.2.1/24",
        "[2001:db8::1]4500",
        "[2001:db8::1][4500]",
        "[]:4500",
        "2001:db8::g",
        "١٩٢.0.2.1",
        "192.0.2.1:٤٥",
    ],
)
def test_what_is_no_address_leaves_the_word_to_framed_ip_address(text: str) -> None:
    assert address_in(text) is None
    framed = (8, bytes([198, 51, 100, 1]))
    assert address_of(decoded(access_request(b"a", b"p", (31, text.encode()), framed))) == ip_address("198.51.100.1")
    assert address_of(decoded(access_request(b"a", b"p", (31, text.encode())))) is None


@pytest.mark.parametrize(
    ("octets", "address"),
    [
        (b"\xc0\x00\x02\x01", ip_address("192.0.2.1")),
        (b"\xff\xff\xff\xfd", ip_address("255.255.255.253")),
        (b"\xff\xff\xff\xff", None),
        (b"\xff\xff\xff\xfe", None),
        (bytes(3), None),
        (bytes(16), None),
    ],
)
def test_a_framed_ip_address_that_leaves_the_choice_to_the_nas_is_none(octets: bytes, address: object) -> None:
    """RFC 2865 section 5.8."""
    assert address_of(decoded(access_request(b"a", b"p", (8, octets)))) == address
    assert address_of(decoded(access_request(b"a", b"p"))) is None


def test_a_calling_station_that_is_no_text_is_no_address() -> None:
    assert address_of(decoded(access_request(b"a", b"p", (31, b"192.0.2.1\xff")))) is None


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (b"alice", "alice"),
        (b"DOMAIN\\user", "DOMAIN\\user"),
        ("Åsa Öberg".encode(), "Åsa Öberg"),
        (b"al\nice\0\x7f", r"al\nice\x00\x7f"),
        (b"\xff\xfe", r"\xff\xfe"),
        ("a\u202eb\u2028c".encode(), r"a\u202eb\u2028c"),
        (None, ""),
    ],
)
def test_the_name_for_a_log_is_printable_whatever_was_sent(sent: bytes | None, shown: str) -> None:
    assert name_of(decoded(access_request(sent))) == shown


def test_credentials_hide_password_and_state() -> None:
    shown = repr(result(access_request(b"alice", b"opensesame", (24, b"thestate"))))
    assert "alice" in shown
    assert "opensesame" not in shown
    assert "thestate" not in shown


def test_a_name_of_254_octets_does_not_fit_an_attribute() -> None:
    """So the limit of 253 octets is the wire's own."""
    with pytest.raises(Exception, match=r"ubyte format|requires 0 <= number <= 255"):
        request(1, ((1, b"x" * 254),))
