"""protocol.md, "Framing" and "Message-Authenticator and BlastRADIUS": one test for each line."""

import hashlib
import hmac
from dataclasses import replace
from ipaddress import ip_network

import pytest

from radius2fa.radius.attributes import PROXY_STATE, STATE, USER_NAME
from radius2fa.radius.clients import Client
from radius2fa.radius.packet import (
    ATTRIBUTES_MOST,
    PROXY_STATE_MOST,
    BadDatagram,
    Code,
    Drop,
    Request,
    decode,
)
from tests.radius.wire import SECRET, access_request, attribute, packet, request, sign, status_server, vectors

STRICT = Client("vpn", (ip_network("192.0.2.0/24"),), SECRET)
LENIENT = replace(STRICT, require_message_authenticator=False, limit_proxy_state=True)
OPEN = replace(LENIENT, limit_proxy_state=False)
RA = bytes(range(16))


def cause(octets: bytes, client: Client = STRICT) -> Drop:
    with pytest.raises(BadDatagram) as caught:
        decode(octets, client)
    return caught.value.cause


def unsigned(body: bytes, code: int = 1) -> bytes:
    return packet(code, 7, RA, body)


def test_a_signed_request_is_read() -> None:
    asked = access_request(b"alice", None, (STATE, b"s"), (PROXY_STATE, b"one"), (PROXY_STATE, b"two"), identifier=200)
    got = decode(asked.octets, STRICT)
    assert got == Request(Code.ACCESS_REQUEST, 200, asked.authenticator, asked.attributes, STRICT, signed=True)
    assert got.first(USER_NAME) == b"alice"
    assert got.first(99) is None
    assert got.all(PROXY_STATE) == (b"one", b"two")
    assert got.all(99) == ()


def test_the_examples_of_rfc_2865_section_7_are_read() -> None:
    for example in vectors("rfc2865").values():
        octets = bytes.fromhex(example["request"])
        got = decode(octets, replace(OPEN, secret=example["secret"].encode()))
        assert got.code is Code.ACCESS_REQUEST
        assert got.identifier == octets[1]
        assert got.first(USER_NAME) == example["name"].encode()
        assert got.signed is False


def test_a_state_that_runs_over_the_end_as_misprinted_in_rfc_2865_is_dropped() -> None:
    example = vectors("rfc2865")["response"]
    assert cause(bytes.fromhex(example["as_printed"]), OPEN) is Drop.BAD_ATTRIBUTE


def test_the_status_server_of_rfc_5997_section_6_1_is_proven() -> None:
    example = vectors("rfc5997")["status"]
    got = decode(bytes.fromhex(example["request"]), replace(STRICT, secret=example["secret"].encode()))
    assert (got.code, got.identifier, got.signed) == (Code.STATUS_SERVER, 0xDA, True)


@pytest.mark.parametrize("size", [0, 1, 4, 19])
def test_a_datagram_under_20_octets_is_dropped(size: int) -> None:
    assert cause(access_request().octets[:size]) is Drop.TOO_SHORT


@pytest.mark.parametrize("length", [0, 19, 4097, 65535])
def test_a_length_under_20_or_over_4096_is_dropped(length: int) -> None:
    octets = unsigned(bytes(5000))
    assert cause(octets[:2] + length.to_bytes(2) + octets[4:], OPEN) is Drop.BAD_LENGTH


def test_a_length_over_the_datagram_is_dropped() -> None:
    octets = access_request().octets
    assert cause(octets[:-1]) is Drop.BAD_LENGTH


def test_the_tail_behind_the_length_is_ignored() -> None:
    asked = access_request()
    assert decode(asked.octets + b"tail" * 2000, STRICT).attributes == asked.attributes


def test_a_packet_of_exactly_4096_octets_is_read() -> None:
    fill = [(99, bytes(250))] * 15
    asked = access_request(b"a" * 200, b"p" * 16, *fill, (99, bytes(4096 - 20 - 18 - 202 - 18 - 15 * 252 - 2)))
    assert len(asked.octets) == 4096
    assert decode(asked.octets, STRICT).attributes == asked.attributes


def test_a_request_without_attributes_is_framed_well() -> None:
    assert decode(unsigned(b""), OPEN).attributes == ()


@pytest.mark.parametrize("code", [0, 2, 3, 4, 5, 11, 13, 40, 43, 255])
def test_a_code_other_than_1_and_12_is_dropped(code: int) -> None:
    assert cause(request(code, ()).octets) is Drop.WRONG_CODE


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"\x01", id="half a header"),
        pytest.param(b"\x01\x03a\x01", id="half a header at the end"),
        pytest.param(b"\x01\x00", id="length 0"),
        pytest.param(b"\x01\x01", id="length 1"),
        pytest.param(b"\x01\x01\x03x", id="length 1 before what could be another"),
        pytest.param(b"\x01\x04a", id="over the end"),
        pytest.param(b"\x01\xff" + bytes(252), id="over the end by one"),
        pytest.param(b"\x00\x03a", id="type 0"),
    ],
)
def test_attributes_that_do_not_fill_the_packet_are_dropped(body: bytes) -> None:
    assert cause(unsigned(body), OPEN) is Drop.BAD_ATTRIBUTE


def test_an_attribute_over_the_length_is_dropped_though_the_datagram_goes_on() -> None:
    octets = unsigned(b"\x01\x05a")
    assert cause(octets + b"lice", OPEN) is Drop.BAD_ATTRIBUTE
    assert cause(unsigned(b"\x01") + b"\x03a", OPEN) is Drop.BAD_ATTRIBUTE


def test_more_than_200_attributes_are_dropped() -> None:
    assert ATTRIBUTES_MOST == 200
    assert len(decode(unsigned(attribute(99, b"") * 200), OPEN).attributes) == 200
    assert cause(unsigned(attribute(99, b"") * 201), OPEN) is Drop.TOO_MANY_ATTRIBUTES


@pytest.mark.parametrize("size", [0, 15, 17, 64])
def test_a_message_authenticator_of_another_length_is_dropped(size: int) -> None:
    assert cause(unsigned(attribute(80, bytes(size))), OPEN) is Drop.BAD_MESSAGE_AUTHENTICATOR


def test_two_message_authenticators_are_dropped() -> None:
    octets = request(1, ((80, bytes(16)), (1, b"alice"), (80, bytes(16)))).octets
    assert cause(octets) is Drop.BAD_MESSAGE_AUTHENTICATOR


def test_two_states_are_dropped() -> None:
    assert cause(access_request(b"a", b"p", (24, b"s"), (24, b"s")).octets) is Drop.TWO_STATES


@pytest.mark.parametrize("other", [3, 79])
def test_user_password_with_chap_or_eap_is_dropped(other: int) -> None:
    assert cause(access_request(b"a", b"p", (other, bytes(17))).octets) is Drop.TWO_CREDENTIALS


def test_a_wrong_value_length_and_an_unknown_attribute_are_no_reason_to_drop() -> None:
    odd = ((5, b"abc"), (4, b""), (26, b"\0"), (241, b"x"), (255, b"\xff"), (2, b"abc"))
    assert decode(access_request(b"alice", None, *odd).octets, STRICT).attributes[2:] == odd


def test_the_order_of_attributes_means_nothing() -> None:
    behind = request(1, ((1, b"alice"), (33, b"x"), (80, bytes(16)), (4, bytes(4))))
    last = request(1, ((1, b"alice"), (80, bytes(16))))
    assert decode(behind.octets, STRICT).signed is True
    assert decode(last.octets, STRICT).signed is True


def test_the_message_authenticator_covers_the_length_and_not_the_tail() -> None:
    octets = access_request().octets
    assert decode(octets + b"tail", STRICT).signed is True
    longer = octets[:2] + (len(octets) + 3).to_bytes(2) + octets[4:] + attribute(99, b"x")
    assert cause(longer) is Drop.WRONG_MESSAGE_AUTHENTICATOR


def test_the_message_authenticator_is_verified_over_zeros_in_its_place() -> None:
    """RFC 2869 section 5.14; computed here by hand, without the code that the other tests sign with."""
    head = b"\x01\x07\x00\x2d" + RA
    body = b"\x01\x07alice"
    value = hmac.new(SECRET, head + b"\x50\x12" + b"\0" * 16 + body, hashlib.md5).digest()
    assert decode(head + b"\x50\x12" + value + body, STRICT).signed is True
    over_itself = hmac.new(SECRET, head + b"\x50\x12" + b"\1" * 16 + body, hashlib.md5).digest()
    assert cause(head + b"\x50\x12" + over_itself + body) is Drop.WRONG_MESSAGE_AUTHENTICATOR


def test_required_and_absent_is_dropped_before_anything_else() -> None:
    everything_wrong = attribute(24, b"a") + attribute(24, b"b") + attribute(2, bytes(16)) + attribute(3, bytes(17))
    assert cause(unsigned(everything_wrong)) is Drop.NO_MESSAGE_AUTHENTICATOR
    assert cause(unsigned(everything_wrong + attribute(33, b"p"))) is Drop.NO_MESSAGE_AUTHENTICATOR


def test_a_wrong_signature_is_dropped_before_the_other_rules() -> None:
    octets = request(1, ((80, bytes(16)), (24, b"a"), (24, b"b")), secret=b"another").octets
    assert cause(octets) is Drop.WRONG_MESSAGE_AUTHENTICATOR


def test_present_is_verified_though_not_required() -> None:
    octets = access_request(secret=b"another").octets
    assert cause(octets, OPEN) is Drop.WRONG_MESSAGE_AUTHENTICATOR


def test_unsigned_is_read_where_it_is_not_required() -> None:
    assert decode(access_request(signed=False).octets, LENIENT).signed is False


def test_unsigned_proxy_state_is_dropped_under_limit_proxy_state() -> None:
    octets = access_request(b"a", b"p", (33, b"x"), signed=False).octets
    assert cause(octets, LENIENT) is Drop.UNSIGNED_PROXY_STATE
    assert decode(octets, OPEN).all(PROXY_STATE) == (b"x",)
    assert decode(access_request(b"a", b"p", (33, b"x")).octets, LENIENT).all(PROXY_STATE) == (b"x",)


def test_status_server_and_eap_must_be_signed_always() -> None:
    assert cause(unsigned(b"", code=12), OPEN) is Drop.NO_MESSAGE_AUTHENTICATOR
    assert cause(unsigned(attribute(79, b"eap")), OPEN) is Drop.NO_MESSAGE_AUTHENTICATOR
    assert decode(status_server().octets, OPEN).signed is True
    assert decode(request(1, ((79, b"eap"),)).octets, OPEN).signed is True


def test_every_changed_bit_of_a_signed_request_is_dropped() -> None:
    octets = access_request(b"alice", b"secret", (33, b"proxy"), (31, b"203.0.113.9")).octets
    number = int.from_bytes(octets)
    for bit in range(len(octets) * 8):
        changed = (number ^ 1 << bit).to_bytes(len(octets))
        for client in (STRICT, LENIENT):
            with pytest.raises(BadDatagram):
                decode(changed, client)


def test_more_proxy_state_than_a_reply_could_carry_is_dropped() -> None:
    fit = [(33, bytes(251))] * 15
    at_most = access_request(b"a", None, *fit, (33, bytes(PROXY_STATE_MOST - 15 * 253 - 2)))
    assert sum(len(value) + 2 for type_, value in at_most.attributes if type_ == 33) == 4096 - 20 - 18 - 255
    assert decode(at_most.octets, STRICT).signed is True
    over = access_request(b"a", None, *fit, (33, bytes(PROXY_STATE_MOST - 15 * 253 - 1)))
    assert cause(over.octets) is Drop.TOO_MUCH_PROXY_STATE


def test_neither_a_request_nor_a_drop_shows_a_secret() -> None:
    asked = access_request(b"alice", b"opensesame", (24, b"thestate"))
    shown = repr(decode(asked.octets, STRICT))
    with pytest.raises(BadDatagram) as caught:
        decode(sign(asked.octets, b"another"), STRICT)
    for text in (shown, repr(caught.value), str(caught.value), caught.value.detail):
        for secret in (SECRET, b"opensesame", b"thestate", b"alice", dict(asked.attributes)[2]):
            assert secret.decode("latin-1") not in text
            assert repr(secret) not in text


def test_a_drop_names_the_request_and_a_remedy() -> None:
    with pytest.raises(BadDatagram) as caught:
        decode(access_request(signed=False, identifier=77).octets, STRICT)
    assert caught.value.detail == "id=77: ACCESS_REQUEST without Message-Authenticator"
    assert "require_message_authenticator = false" in Drop.NO_MESSAGE_AUTHENTICATOR.remedy
    assert "shared secret" in Drop.WRONG_MESSAGE_AUTHENTICATOR.remedy
    assert "limit_proxy_state" in Drop.UNSIGNED_PROXY_STATE.remedy
    assert {drop.remedy[-1] for drop in Drop} == {"."}
