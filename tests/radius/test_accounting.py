"""RFC 2866: what is taken for a client's accounting, what is read of it, and how it is acknowledged."""

import hashlib
import hmac
from dataclasses import replace
from ipaddress import IPv4Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyrad.dictionary import Dictionary
from pyrad.packet import AcctPacket

from radius2fa.config.places import shipped
from radius2fa.radius.accounting import AccountingRecord, Status, acknowledge, decode, record_of
from radius2fa.radius.clients import Client
from radius2fa.radius.packet import PROXY_STATE_MOST, BadDatagram, Code, Drop
from tests.radius.wire import (
    SECRET,
    accounting_request,
    attribute,
    authenticated,
    check_acknowledgement,
    packet,
    request,
    sign,
    status_server,
)

CLIENT = Client("vpn", (ip_network("192.0.2.0/24"),), SECRET)
START = (40, b"\0\0\0\x01")
STOP = (40, b"\0\0\0\x02")
PYRAD = Dictionary(*map(str, sorted(shipped("dictionaries").iterdir())))


def cause(octets: bytes) -> Drop:
    with pytest.raises(BadDatagram) as caught:
        decode(octets, CLIENT)
    return caught.value.cause


def recorded(*attributes: tuple[int, bytes]) -> AccountingRecord:
    return record_of(decode(accounting_request(*attributes).octets, CLIENT), 1000.0)


# the proof


def test_the_request_authenticator_is_md5_over_the_packet_with_zeros_in_its_place_and_the_secret() -> None:
    """Octet for octet, by hand: code 4, identifier 9, length 33; User-Name, Acct-Status-Type."""
    head, body = bytes.fromhex("04090021"), bytes.fromhex("0107616c696365280600000001")
    digest = hashlib.md5(head + bytes(16) + body + b"testing123").digest()  # noqa: S324 - RADIUS
    got = decode(head + digest + body, replace(CLIENT, secret=b"testing123"))
    assert (got.code, got.identifier, got.authenticator) == (Code.ACCOUNTING_REQUEST, 9, digest)
    assert (got.attributes, got.signed) == (((1, b"alice"), START), False)


@pytest.mark.parametrize("at", [4, 19])
def test_one_wrong_bit_of_the_request_authenticator_is_a_drop(at: int) -> None:
    octets = bytearray(accounting_request(START).octets)
    octets[at] ^= 1
    assert cause(bytes(octets)) is Drop.WRONG_REQUEST_AUTHENTICATOR


def test_another_secret_is_a_drop_whose_remedy_is_to_compare_the_secrets() -> None:
    assert cause(accounting_request(START, secret=b"another").octets) is Drop.WRONG_REQUEST_AUTHENTICATOR
    assert "shared secret" in Drop.WRONG_REQUEST_AUTHENTICATOR.remedy


def test_a_random_authenticator_as_an_access_request_has_it_proves_nothing() -> None:
    assert cause(request(4, (START,)).octets) is Drop.WRONG_REQUEST_AUTHENTICATOR


def test_a_message_authenticator_is_verified_over_zeros() -> None:
    head, attributes = bytes.fromhex("04070036"), attribute(*START) + attribute(44, b"00c0ffee")
    blank = head + bytes(16) + attributes + b"\x50\x12" + bytes(16)
    signature = hmac.new(SECRET, blank, hashlib.md5).digest()
    body = attributes + b"\x50\x12" + signature
    digest = hashlib.md5(head[:4] + bytes(16) + body + SECRET).digest()  # noqa: S324 - RADIUS
    assert decode(head + digest + body, CLIENT).signed is True


def test_a_wrong_message_authenticator_is_a_drop_though_the_request_authenticator_is_right() -> None:
    assert cause(accounting_request(START, (80, b"x" * 16)).octets) is Drop.WRONG_MESSAGE_AUTHENTICATOR


def test_a_message_authenticator_made_over_the_request_authenticator_is_a_drop() -> None:
    once = accounting_request(START, (80, bytes(16))).octets
    assert cause(authenticated(sign(once))) is Drop.WRONG_MESSAGE_AUTHENTICATOR


@pytest.mark.parametrize("given", [((80, b"x" * 15),), ((80, bytes(16)), (80, bytes(16)))])
def test_a_message_authenticator_of_another_length_and_two_of_them_are_dropped(
    given: tuple[tuple[int, bytes], ...],
) -> None:
    assert cause(accounting_request(START, *given).octets) is Drop.BAD_MESSAGE_AUTHENTICATOR


def test_none_is_asked_for_even_of_a_client_whose_logins_must_have_one() -> None:
    assert CLIENT.require_message_authenticator
    assert decode(accounting_request(START).octets, CLIENT).signed is False


# whether there is a server


def test_status_server_is_signed_over_its_random_authenticator_as_on_the_other_port() -> None:
    head, authenticator = bytes.fromhex("0c090026"), bytes(range(16))
    blank = head + authenticator + b"\x50\x12" + bytes(16)
    got = decode(blank[:22] + hmac.new(SECRET, blank, hashlib.md5).digest(), CLIENT)
    assert (got.code, got.identifier, got.authenticator, got.signed) == (Code.STATUS_SERVER, 9, authenticator, True)


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (request(12, (), signed=False).octets, Drop.NO_MESSAGE_AUTHENTICATOR),
        (authenticated(packet(12, 7, bytes(16), b"")), Drop.NO_MESSAGE_AUTHENTICATOR),
        (status_server(secret=b"another").octets, Drop.WRONG_MESSAGE_AUTHENTICATOR),
        (status_server((80, bytes(15))).octets, Drop.BAD_MESSAGE_AUTHENTICATOR),
        (status_server((80, bytes(16)), (80, bytes(16))).octets, Drop.BAD_MESSAGE_AUTHENTICATOR),
        (b"\x0c" + accounting_request(START, signed=True).octets[1:], Drop.WRONG_MESSAGE_AUTHENTICATOR),
        (status_server(*((33, bytes(253)),) * 15).octets, Drop.TOO_MUCH_PROXY_STATE),
    ],
)
def test_status_server_that_is_not_proven_is_dropped(octets: bytes, why: Drop) -> None:
    assert cause(octets) is why


def test_the_answer_to_status_server_is_an_accounting_response_signed_over_the_request_authenticator() -> None:
    asked = status_server((33, b"one"))
    octets = acknowledge(decode(asked.octets, CLIENT))
    head, body = b"\x05\x07\0\x2b", b"\x21\x05one"
    blank = head + asked.authenticator + b"\x50\x12" + bytes(16) + body
    signed = b"\x50\x12" + hmac.new(SECRET, blank, hashlib.md5).digest() + body
    digest = hashlib.md5(head + asked.authenticator + signed + SECRET).digest()  # noqa: S324 - RADIUS
    assert octets == head + digest + signed
    assert [type_ for type_, _ in check_acknowledgement(octets, asked)] == [80, 33]


# the frame


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b"", Drop.TOO_SHORT),
        (bytes(19), Drop.TOO_SHORT),
        *((authenticated(packet(code, 7, bytes(16), b"")), Drop.WRONG_CODE) for code in (0, 1, 2, 5, 40, 255)),
        (b"\x04\x07\0\x13" + bytes(16), Drop.BAD_LENGTH),
        (b"\x04\x07\0\x15" + bytes(16), Drop.BAD_LENGTH),
        (authenticated(packet(4, 7, bytes(16), b"\x28\x07\0\0\0\x01")), Drop.BAD_ATTRIBUTE),
        (accounting_request(*((25, b"x"),) * 201).octets, Drop.TOO_MANY_ATTRIBUTES),
        (accounting_request(START, *((33, bytes(253)),) * 15).octets, Drop.TOO_MUCH_PROXY_STATE),
    ],
)
def test_what_is_no_accounting_request_is_dropped(octets: bytes, why: Drop) -> None:
    assert cause(octets) is why


def test_octets_behind_the_length_are_ignored() -> None:
    assert decode(accounting_request(START).octets + b"tail", CLIENT).attributes == (START,)


@pytest.mark.parametrize(
    "attributes", [(), ((40, b"\x01"),), *(((40, bytes((0, 0, 0, n))),) for n in (0, 4, 6, 9, 15))]
)
def test_a_request_without_a_status_type_that_is_recorded_is_dropped(attributes: tuple[tuple[int, bytes], ...]) -> None:
    assert cause(accounting_request(*attributes).octets) is Drop.NO_STATUS_TYPE


def test_a_wrong_secret_is_said_before_a_missing_status_type() -> None:
    assert cause(accounting_request(secret=b"another").octets) is Drop.WRONG_REQUEST_AUTHENTICATOR


# what it says


def test_everything_that_a_client_tells_is_read() -> None:
    got = recorded(
        STOP,
        (1, b"alice"),
        (44, b"00C0FFEE"),
        (25, b"0123456789abcdef"),
        (25, b"of a policy"),
        (42, b"\0\0\0\x05"),
        (43, b"\xff\xff\xff\xff"),
        (53, b"\0\0\0\x02"),
        (46, b"\0\0\x0e\x10"),
        (49, b"\0\0\0\x01"),
        (8, bytes((10, 8, 0, 6))),
        (31, b"203.0.113.5"),
    )
    assert got == AccountingRecord(
        when=1000.0,
        client="vpn",
        name="alice",
        status=Status.STOP,
        session="00C0FFEE",
        login="0123456789abcdef",
        input_octets=5,
        output_octets=2 * 4294967296 + 4294967295,
        seconds=3600,
        cause="user-request",
        address=IPv4Address("10.8.0.6"),
        source="203.0.113.5",
    )


@pytest.mark.parametrize(
    ("number", "word"),
    [(1, "start"), (2, "stop"), (3, "interim-update"), (7, "accounting-on"), (8, "accounting-off")],
)
def test_each_status_has_its_word_and_needs_nothing_else(number: int, word: str) -> None:
    got = recorded((40, number.to_bytes(4)))
    assert got.status.word == word
    assert got == AccountingRecord(1000.0, "vpn", "", got.status, "")


def test_values_of_a_wrong_length_count_as_not_sent() -> None:
    numbers = [(type_, b"\0\0\x01") for type_ in (42, 43, 46, 49, 52, 53)]
    assert recorded(START, (8, b"\x0a"), *numbers) == recorded(START)


def test_gigawords_alone_count_nothing_and_wrong_ones_add_nothing() -> None:
    assert recorded(START, (52, b"\0\0\0\x01")).input_octets is None
    assert recorded(START, (42, b"\0\0\0\x07"), (52, b"\x01")).input_octets == 7


@pytest.mark.parametrize(
    ("delay", "when"),
    [((), 1000.0), ((0, 0, 0, 7), 993.0), ((0, 1, 0x51, 0x80), -85400.0), ((0, 1, 0x51, 0x81), 1000.0), ((7,), 1000.0)],
)
def test_what_was_delayed_happened_earlier_but_by_no_more_than_a_day(delay: tuple[int, ...], when: float) -> None:
    assert recorded(STOP, (41, bytes(delay))).when == when


def test_a_count_that_no_database_holds_is_cut() -> None:
    assert recorded(START, (42, b"\xff" * 4), (52, b"\xff" * 4)).input_octets == 2**63 - 1


@pytest.mark.parametrize(
    ("number", "word"), [(1, "user-request"), (10, "nas-request"), (18, "host-request"), (0, "0"), (19, "19")]
)
def test_a_terminate_cause_is_a_word_of_rfc_2866_or_its_number(number: int, word: str) -> None:
    assert recorded(STOP, (49, number.to_bytes(4))).cause == word


def test_texts_are_printable_whatever_was_sent() -> None:
    got = recorded(START, (1, b"al\x1b[2Jice\n"), (44, b"\xff\0"), (25, "\N{RIGHT-TO-LEFT OVERRIDE}".encode()))
    assert (got.name, got.session, got.login) == (r"al\x1b[2Jice\n", r"\xff\x00", r"\u202e")


# the acknowledgement


def test_an_acknowledgement_of_a_plain_request_is_twenty_octets() -> None:
    asked = accounting_request(START)
    octets = acknowledge(decode(asked.octets, CLIENT))
    head = b"\x05\x07\0\x14"
    assert octets == head + hashlib.md5(head + asked.authenticator + SECRET).digest()  # noqa: S324 - RADIUS
    assert check_acknowledgement(octets, asked) == ()


@pytest.mark.parametrize("signed", [False, True])
def test_proxy_states_come_back_in_order_and_a_signature_where_one_was(*, signed: bool) -> None:
    asked = accounting_request((33, b"two"), START, (33, b"\0one"), (33, b"two"), (1, b"alice"), signed=signed)
    got = check_acknowledgement(acknowledge(decode(asked.octets, CLIENT)), asked)
    assert [type_ for type_, _ in got] == [80] * signed + [33] * 3


def test_as_much_proxy_state_as_is_let_in_comes_back() -> None:
    rest = PROXY_STATE_MOST - 14 * 255
    asked = accounting_request(START, *((33, bytes(253)),) * 14, (33, bytes(rest - 2)), signed=True)
    check_acknowledgement(acknowledge(decode(asked.octets, CLIENT)), asked)


# what others say


@pytest.mark.parametrize("signed", [False, True])
def test_pyrad_makes_requests_that_are_read_and_believes_their_acknowledgement(*, signed: bool) -> None:
    theirs = AcctPacket(id=200, secret=SECRET, dict=PYRAD, message_authenticator=signed)
    theirs["User-Name"] = "alice"
    theirs["Acct-Status-Type"] = "Stop"
    theirs["Acct-Session-Id"] = "00C0FFEE"
    theirs["Acct-Terminate-Cause"] = "Idle-Timeout"
    theirs["Proxy-State"] = [b"one", b"two"]
    got = decode(theirs.RequestPacket(), CLIENT)
    record = record_of(got, 1000.0)
    assert (got.signed, record.name, record.status) == (signed, "alice", Status.STOP)
    assert (record.session, record.cause) == ("00C0FFEE", "idle-timeout")
    octets = acknowledge(got)
    assert theirs.VerifyReply(theirs.CreateReply(packet=octets), octets)


def test_pyrad_believes_the_requests_of_these_tests() -> None:
    for signed in (False, True):
        theirs = AcctPacket(packet=accounting_request(START, signed=signed).octets, secret=SECRET, dict=PYRAD)
        assert theirs.VerifyAcctRequest()
        assert not signed or theirs.verify_message_authenticator()


# anything else


TYPES = st.sampled_from((1, 8, 25, 31, 33, 40, 40, 42, 43, 44, 46, 49, 52, 53, 80, 99)) | st.integers(0, 255)
ATTRIBUTES = st.lists(st.tuples(TYPES, st.binary(max_size=40) | st.sampled_from((START[1], STOP[1], bytes(16)))))
NEARLY = st.builds(
    lambda attributes, identifier, signed: (
        accounting_request(START, *attributes, identifier=identifier, signed=signed).octets
    ),
    ATTRIBUTES.map(lambda attributes: tuple(each for each in attributes if each[0] != 80)),
    st.integers(0, 255),
    st.booleans(),
)


STATUS_SERVER = st.builds(
    lambda attributes, identifier: status_server(*attributes, identifier=identifier).octets,
    ATTRIBUTES.map(lambda attributes: tuple(each for each in attributes if each[0] != 80)),
    st.integers(0, 255),
)
UNPROVEN = ATTRIBUTES.map(lambda each: accounting_request(*each).octets)


@given(st.binary(max_size=300) | NEARLY | STATUS_SERVER | UNPROVEN, st.data())
def test_any_octets_give_a_request_that_is_proven_and_can_be_answered_or_bad_datagram(
    octets: bytes, data: st.DataObject
) -> None:
    if octets and data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(octets) - 1))
        octets = octets[:at] + bytes((data.draw(st.integers(0, 255)),)) + octets[at + 1 :]
    try:
        got = decode(octets, CLIENT)
    except BadDatagram:
        return
    octets = octets[: int.from_bytes(octets[2:4])]
    if got.code is Code.STATUS_SERVER:
        assert sign(octets) == octets, "no answer without a right signature"
    else:
        assert authenticated(octets) == octets, "no answer to a wrong authenticator"
        record = record_of(got, 1000.0)
        told = (record.name, record.session, record.login, record.cause, record.source)
        assert all(text.isprintable() for text in told)
    answer = acknowledge(got)
    assert answer[0] == 5
    assert [each for each in got.attributes if each[0] == 33] == [
        (33, value) for type_, value in _split(answer) if type_ == 33
    ]


def _split(octets: bytes) -> list[tuple[int, bytes]]:
    found, rest = [], octets[20:]
    while rest:
        found.append((rest[0], rest[2 : rest[1]]))
        rest = rest[rest[1] :]
    return found
