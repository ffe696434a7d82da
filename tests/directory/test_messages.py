"""The octets are held against ldap3's, which are built by pyasn1 from the grammar of RFC 4511."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ldap3 import SIMPLE, SUBTREE
from ldap3.operation.bind import bind_operation
from ldap3.operation.extended import extended_operation
from ldap3.operation.search import compile_filter, parse_filter, search_operation
from ldap3.operation.unbind import unbind_operation
from ldap3.protocol.rfc4511 import LDAPMessage, ProtocolOp
from ldap3.utils.asn1 import encode

from radius2fa.directory import messages
from radius2fa.directory.ber import Malformed, elements, message_size
from radius2fa.directory.messages import BIND_RESPONSE, Result, Search
from tests.servers.faulty_ldap import REFERRAL, SUCCESS, entries, result

FILTER = "(&(objectClass=person)(uid=alice))"


def by_ldap3(message_id: int, kind: str, request: object) -> bytes:
    message = LDAPMessage()
    message["messageID"] = message_id
    message["protocolOp"] = ProtocolOp().setComponentByName(kind, request)
    return bytes(encode(message))


@given(st.integers(1, 2**31 - 1), st.text(min_size=1, max_size=300), st.binary(min_size=1, max_size=300))
def test_a_bind_has_the_octets_of_ldap3(message_id: int, dn: str, password: bytes) -> None:
    expected = by_ldap3(message_id, "bindRequest", bind_operation(3, SIMPLE, dn, password))
    assert messages.bind_request(message_id, dn, password) == expected


def test_a_search_has_the_octets_of_ldap3() -> None:
    wanted = ["entryUUID", "uid"]
    request = search_operation("dc=example,dc=org", FILTER, SUBTREE, 0, wanted, 2, 200, False, False, False)  # noqa: FBT003 - ldap3's
    ber = bytes(encode(compile_filter(parse_filter(FILTER, None, True, False, None, False).elements[0])))  # noqa: FBT003 - ldap3's
    search = Search("dc=example,dc=org", messages.SUBTREE, ber, ("entryUUID", "uid"), 2, 200)
    assert messages.search_request(7, search) == by_ldap3(7, "searchRequest", request)


def test_start_tls_and_unbind_have_the_octets_of_ldap3() -> None:
    start_tls = extended_operation("1.3.6.1.4.1.1466.20037")
    assert messages.start_tls_request(1) == by_ldap3(1, "extendedReq", start_tls)
    assert messages.unbind_request(2) == by_ldap3(2, "unbindRequest", unbind_operation())


def test_a_result_is_read() -> None:
    message = messages.read_message(result("bindResponse", 49, "nein, Äpfel")(300) or b"")
    assert (message.id, message.tag) == (300, BIND_RESPONSE)
    assert messages.read_result(message.body) == Result(49, "nein, Äpfel")


def test_a_result_with_a_referral_is_read() -> None:
    message = messages.read_message(result("bindResponse", REFERRAL, referral="ldap://elsewhere/")(1) or b"")
    assert messages.read_result(message.body).code == 10


def test_an_entry_is_read() -> None:
    octets = entries(("uid=ä,dc=x", {"entryUUID": [b"one"], "CN": [b"a", b"\xff"]}))(1) or b""
    size = message_size(octets)
    entry = messages.read_entry(messages.read_message(octets[:size]).body)
    assert entry == messages.Found("uid=ä,dc=x", {"entryuuid": (b"one",), "cn": (b"a", b"\xff")})


def test_the_long_lengths_of_active_directory_are_read() -> None:
    """As a domain controller sends them: 84 and four octets, for the sequence and for the operation."""
    octets = bytes.fromhex("3084000000100201016184000000070a010004000400")
    assert message_size(octets) == len(octets)
    message = messages.read_message(octets)
    assert messages.read_result(message.body) == Result(0, "")


@given(st.binary(max_size=80))
def test_octets_that_are_no_message_are_malformed_and_nothing_worse(octets: bytes) -> None:
    for read in (messages.read_message, messages.read_result, messages.read_entry, message_size):
        with contextlib.suppress(Malformed):
            read(octets)


@given(st.data())
def test_an_altered_answer_is_success_only_with_code_0_in_it(data: st.DataObject) -> None:
    good = bytearray(result("bindResponse", 49, "no")(5) or b"")
    at = data.draw(st.integers(0, len(good) - 1))
    good[at] = data.draw(st.integers(0, 255))
    try:
        answer = messages.read_result(messages.read_message(bytes(good)).body)
    except Malformed:
        return
    if answer.code == SUCCESS:
        assert bytes(good[7:10]) == b"\x0a\x01\x00"


@pytest.mark.parametrize("octets", ["0a0004000400", "0a05000000000004000400", "02010004000400", "0a0100"])
def test_a_result_without_a_proper_code_is_malformed(octets: str) -> None:
    with pytest.raises(Malformed):
        messages.read_result(bytes.fromhex(octets))


@pytest.mark.parametrize("octets", ["3080", "3085", "1f0100", "0441", "04"])
def test_what_ldap_does_not_allow_in_ber_is_malformed(octets: str) -> None:
    with pytest.raises(Malformed):
        list(elements(bytes.fromhex(octets)))


@pytest.mark.parametrize("octets", [b"HTTP/1.1 400 Bad Request", bytes.fromhex("3084ffffffff")])
def test_a_stranger_s_greeting_or_an_endless_message_is_malformed(octets: bytes) -> None:
    with pytest.raises(Malformed):
        message_size(octets)


@pytest.mark.parametrize("octets", ["", "30", "3082", "308201"])
def test_a_message_whose_length_has_not_come_yet_is_waited_for(octets: str) -> None:
    assert message_size(bytes.fromhex(octets)) is None


def test_an_entry_with_an_attribute_that_is_no_set_is_malformed() -> None:
    with pytest.raises(Malformed):
        messages.read_entry(bytes.fromhex("04003006300404000400"))


def test_a_result_is_one_line_of_bounded_length_in_a_log() -> None:
    assert str(Result(49, "80090308: \x00\nno" + "x" * 500)) == "invalidCredentials (49): 80090308:   no" + "x" * 186
    assert str(Result(4711, "")) == "result (4711)"
