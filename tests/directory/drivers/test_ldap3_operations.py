"""What is asked of ldap3, and what is made of its answers."""

import contextlib

import ldap3
import pytest
from ldap3.protocol.rfc4511 import LDAPMessage, ProtocolOp
from ldap3.utils.asn1 import decode_message_fast, encode

from radius2fa.directory.drivers.ldap3_operations import (
    Operation,
    found_of,
    result_of,
    search_operation_of,
)
from radius2fa.directory.terms import Found, Page, Result, Scope, Search
from tests.servers.faulty_ldap import INVALID_CREDENTIALS, SUCCESS, entries, result

CONNECTION = ldap3.Connection(ldap3.Server("nowhere", get_info=ldap3.NONE), check_names=False)


def octets_of(operation: Operation) -> str:
    """As they are sent, in message 1, in hexadecimal digits."""
    message = LDAPMessage()
    for at, control in enumerate(operation.controls):
        message["controls"][at] = control
    message["messageID"] = 1
    message["protocolOp"] = ProtocolOp().setComponentByName(operation.kind, operation.request)
    return bytes(encode(message)).hex()


def read(octets: bytes) -> dict[str, object]:
    """As ldap3 reads one message."""
    return dict(CONNECTION.strategy.decode_response_fast(decode_message_fast(octets)))


PASSWORD_POLICY = "0419" + b"1.3.6.1.4.1.42.2.27.8.5.1".hex()


def test_rfc_4511_section_4_5_1_a_search_never_dereferences_aliases() -> None:
    """The filter is (uid=a), the limits are 2 entries and 4 seconds, and values are wanted too."""
    search = Search("dc=x", Scope.SUBTREE, "(uid=a)", ("uid",), 2, 4)
    expected = "302b0201016326040464633d780a01020a0100020102020104010100a30804037569640401613005"
    assert octets_of(search_operation_of(search)) == expected + "0403756964"


PAGED_RESULTS = "0416" + b"1.2.840.113556.1.4.319".hex()


def test_rfc_2696_a_page_is_asked_for_by_a_control_that_is_not_critical() -> None:
    """[0] { SEQUENCE { type, OCTET STRING { SEQUENCE { 500, cookie } } } }, written out by hand."""
    first = Search("dc=x", Scope.SUBTREE, "(uid=a)", ("uid",), 0, 0, Page(500))
    assert octets_of(search_operation_of(first)).endswith(f"a0243022{PAGED_RESULTS}04083006020201f40400")
    next_one = Search("dc=x", Scope.SUBTREE, "(uid=a)", ("uid",), 0, 0, Page(500, b"\x00abc"))
    assert octets_of(search_operation_of(next_one)).endswith(f"a0283026{PAGED_RESULTS}040c300a020201f4040400616263")


def test_rfc_2696_the_cookie_of_an_answer_asks_for_the_next_page() -> None:
    done = "65070a010004000400"
    control = f"a024{PAGED_RESULTS.join(('3022', ''))}" + "040830060201000401ff"
    octets = bytes.fromhex(f"30{3 + len(done + control) // 2:02x}020105{done}{control}")
    assert result_of(read(octets)) == Result(0, "", b"\xff")
    assert result_of(read(bytes.fromhex(f"300c020105{done}"))) == Result(0, "", b"")


def answered(value: str | None, *more: str) -> bytes:
    """A refusal (invalidCredentials) with a password policy control of this value, and more of them, in octets."""
    controls = "".join(
        control(PASSWORD_POLICY + ("" if each is None else sized("04", each))) for each in (value, *more)
    )
    return bytes.fromhex(sized("30", "020105" + "61070a013104000400" + sized("a0", controls)))


def sized(tag: str, value: str) -> str:
    return f"{tag}81{len(value) // 2:02x}{value}"


def control(parts: str) -> str:
    return sized("30", parts)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("3003810100", 0),
        ("3003810101", 1),
        ("3003810102", 2),
        ("30038101ff", 255),
        ("30840000000781840000000101", 1),
        ("3008a003810105810101", 1),
        ("3000", None),
        ("3005a003800163", None),
        ("3005a003810101", None),
    ],
)
def test_the_error_of_a_password_policy_control_is_read(value: str, error: int | None) -> None:
    """Lengths of four octets, a warning before it, none, and the warnings alone: of seconds, and of grace logins."""
    assert result_of(read(answered(value))) == Result(49, "", b"", error)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "30",
        "3003",
        "300381",
        "30038101",
        "3002810101",
        "3003810200",
        "308100",
        "3080810101" + "0000",
        "30ff810101",
        "3081ff810101",
        "810101",
        "3103810101",
        "0403810101",
        "300481020001",
        "3006810101810100",
        "3003810101" + "00",
        "3003810101" * 2,
        "3003020101",
        "30030a0101",
        "3005a103810101",
        "ff" * 40,
    ],
)
def test_a_password_policy_control_that_cannot_be_read_is_none(value: str | None) -> None:
    """Cut off anywhere, too long, of another type, with two errors, with an empty one or one of two octets."""
    assert result_of(read(answered(value))) == Result(49, "")


def test_a_control_whose_value_is_no_octet_string_is_none() -> None:
    number = control(PASSWORD_POLICY + "020101")
    octets = bytes.fromhex(sized("30", "020105" + "61070a013104000400" + sized("a0", number)))
    assert result_of(read(octets)) == Result(49, "")


def test_of_two_controls_one_is_read_and_the_refusal_stays_one() -> None:
    assert result_of(read(answered("3003810101", "3003810100"))).code == 49
    assert result_of(read(answered("3003810101", "3000"))) == Result(49, "")
    assert result_of(read(answered("30", "3003810101"))) == Result(49, "", b"", 1)


def test_no_altered_octet_of_a_control_makes_a_success_of_a_refusal() -> None:
    """All alterations of one octet behind the result, and the answer cut off at any place."""
    refusal = answered("3008a003810105810101")
    start = refusal.index(b"\xa0")
    altered = [
        refusal[:at] + bytes([octet]) + refusal[at + 1 :] for at in range(start, len(refusal)) for octet in range(256)
    ]
    codes = set()
    for each in (*altered, *(refusal[:end] for end in range(start, len(refusal)))):
        with contextlib.suppress(Exception):
            codes.add(result_of(read(each)).code)
    assert codes == {49}


def test_a_result_is_its_code_and_what_was_said() -> None:
    assert result_of(read(result("bindResponse", 49, "nein, Äpfel")(300))) == Result(49, "nein, Äpfel")


def test_an_entry_is_its_dn_and_the_octets_of_its_values() -> None:
    octets = entries(("uid=ä,dc=x", {"entryUUID": [b"one"], "CN": [b"a", b"\xff"], "empty": []}))(1)
    attributes = {"entryuuid": (b"one",), "cn": (b"a", b"\xff"), "empty": ()}
    assert found_of(read(octets)) == Found("uid=ä,dc=x", attributes)


def test_a_dn_that_is_no_utf_8_is_not_guessed_at() -> None:
    """ldap3 would take it for Latin-1, and the bind would go to another entry."""
    octets = entries(("uid=a,dc=x", {}))(1).replace(b"uid=a", b"uid=\xe4")
    answer = read(octets)
    assert answer["dn"] == "uid=ä,dc=x"
    with pytest.raises(UnicodeDecodeError):
        found_of(answer)


@pytest.mark.parametrize("said", ["", "no", "80090308: LdapErr: DSID-0C09042A, data 52e, v3839"])
def test_no_altered_octet_makes_a_success_of_a_refusal_but_that_of_the_code(said: str) -> None:
    """All alterations of one octet: ldap3's fast decoder is lenient, and this is how far it goes."""
    refusal = result("bindResponse", INVALID_CREDENTIALS, said)(5)
    successes = set()
    for at in range(len(refusal)):
        for octet in range(256):
            altered = refusal[:at] + bytes([octet]) + refusal[at + 1 :]
            with contextlib.suppress(Exception):
                if result_of(read(altered)).code == SUCCESS:
                    successes.add((at, octet))
    assert successes == {(9, 0)}
    assert refusal[7:10] == b"\x0a\x01\x31"


def test_a_result_is_one_line_of_bounded_length_in_a_log() -> None:
    assert str(Result(49, "80090308: \x00\nno" + "x" * 500)) == "invalidCredentials (49): 80090308:   no" + "x" * 186
    assert str(Result(4711, "")) == "result (4711)"
    assert str(Result(49, "no", policy=1)) == "invalidCredentials (49), accountLocked: no"
    assert str(Result(0, "", policy=2)) == "success (0), changeAfterReset"
    assert str(Result(49, "", policy=7)) == "invalidCredentials (49), policy error 7"
