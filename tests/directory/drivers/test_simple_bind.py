"""Our own octets of a bind, held against what ldap3 and libldap make and read, and against whatever may come."""

import contextlib
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Self

import _ldap  # type: ignore[import-not-found] # it has no stubs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from ldap3.operation.bind import bind_operation
from ldap3.protocol.controls import build_control
from ldap3.protocol.rfc4511 import LDAPMessage, ProtocolOp, Simple
from ldap3.utils.asn1 import encode
from pyasn1.codec.ber.decoder import decode

from radius2fa.directory.drivers import driver_of
from radius2fa.directory.drivers.simple_bind import bind, number_after
from radius2fa.directory.drivers.wire import Wire
from radius2fa.directory.endpoint import parse_url
from radius2fa.directory.link import LONGEST_ANSWER, LONGEST_IDLE, Broken, Connection, Dialling
from radius2fa.directory.terms import Result, Scope, Search
from radius2fa.directory.tls import Tls
from tests.directory.conftest import Clock
from tests.directory.drivers.messages import answer_with_control, integer, long_form, notice_of_disconnection
from tests.servers.faulty_ldap import INVALID_CREDENTIALS, REFERRAL, FaultyLdap, entries, result

NUMBER = 0x40000005
POLICY = b"1.3.6.1.4.1.42.2.27.8.5.1"
SUCCESS = bytes.fromhex("61070a010004000400")
REFUSAL = bytes.fromhex("61070a013104000400")


class Server:
    """The other end of a wire: it has answered before it is asked, and keeps what it was asked."""

    def __init__(self) -> None:
        clock = Clock()
        ours, self._theirs = socket.socketpair()
        self._wire = Wire(ours, clock)
        self._wire.begin(clock.soon(0.3))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._wire.close()
        self._theirs.close()

    def asked(self, *answers: bytes, number: int = NUMBER, dn: str = "cn=x", password: bytes = b"Pa55") -> Result:
        for answer in answers:
            self._theirs.sendall(answer)
        return bind(self._wire, number, dn, password)

    def heard(self) -> bytes:
        self._theirs.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            return self._theirs.recv(1 << 20)
        return b""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        yield made


def told(answer: bytes, number: int = NUMBER) -> Result:
    """What one answer is taken for."""
    with Server() as server:
        return server.asked(answer, number=number)


def message(*parts: bytes, number: int = NUMBER) -> bytes:
    return long_form(0x30, integer(number), *parts)


def controls(*values: bytes, name: bytes = POLICY) -> bytes:
    """Controls of a password policy, with values of these octets."""
    return long_form(0xA0, *(long_form(0x30, long_form(0x04, name), long_form(0x04, value)) for value in values))


# What is sent


def request(dn: str, password: bytes, number: int = NUMBER) -> bytes:
    with Server() as server:
        server.asked(result("bindResponse", 0)(number), number=number, dn=dn, password=password)
        return server.heard()


def request_of_ldap3(dn: str, password: bytes) -> bytes:
    asked = bind_operation(3, "SIMPLE", "both are mandatory there", b"x")
    asked["name"] = dn
    asked["authentication"]["simple"] = Simple(password)
    made = LDAPMessage()
    made["messageID"] = NUMBER
    made["protocolOp"] = ProtocolOp().setComponentByName("bindRequest", asked)
    made["controls"][0] = build_control(POLICY.decode(), criticality=False, value=None)
    return bytes(encode(made))


def request_of_libldap(dn: str, password: bytes) -> bytes:
    """Its number is 1."""
    ours, theirs = socket.socketpair()
    with ours:
        session = _ldap.initialize_fd(theirs.detach(), "ldap://unused")
        session.set_option(_ldap.OPT_PROTOCOL_VERSION, 3)
        session.simple_bind(dn, password, [(POLICY.decode(), False, None)])
        return ours.recv(1 << 20)


def test_rfc_4511_section_4_2_a_bind_is_version_3_and_simple_and_asks_for_the_password_policy() -> None:
    """SEQUENCE { number, [APPLICATION 0] { 3, "cn=x", [0] "pw" }, [0] { SEQUENCE { type } } }, written out by hand."""
    policy = "a01d301b0419" + POLICY.hex()
    assert request("cn=x", b"pw").hex() == f"30340204{NUMBER:08x}600d0201030404636e3d7880027077{policy}"


LONG = ("cn=" + "ä" * 70, b"x" * 300)
"""Both lengths in the long form, of one and of two octets."""


@given(st.text(max_size=300).filter(lambda text: text.isascii() or text.isprintable()), st.binary(max_size=300))
@example(*LONG)
@example("", b"")
@example("cn=x", b"y" * 0x7F)
@example("cn=x", b"y" * 0x80)
@example("cn=x", b"y" * 70_000)
@example("cn=a\0b", b"a\0b")
def test_a_bind_is_what_ldap3_would_send(dn: str, password: bytes) -> None:
    assert request(dn, password) == request_of_ldap3(dn, password)


@pytest.mark.parametrize(("dn", "password"), [("cn=x", b"pw"), LONG, ("", b""), ("cn=x", b"\xff\0\xfe")])
def test_a_bind_is_what_libldap_would_send_but_for_the_number(dn: str, password: bytes) -> None:
    ours, _ = decode(request(dn, password), asn1Spec=LDAPMessage())
    theirs, _ = decode(request_of_libldap(dn, password), asn1Spec=LDAPMessage())
    theirs["messageID"] = NUMBER
    assert ours.prettyPrint() == theirs.prettyPrint()


@pytest.mark.parametrize("password", ["a\u00adb", "\uff21", "A\u0308", "\u00a0", "\x07"])
def test_saslprep_never_touches_a_password(password: str) -> None:
    """A soft hyphen, a full-width letter, an umlaut in two parts, a hard blank, a bell: no text would pass."""
    assert bytes([0x80, len(password.encode())]) + password.encode() in request("cn=x", password.encode())


def test_a_dn_that_utf_8_cannot_hold_is_not_sent(server: Server) -> None:
    with pytest.raises(Broken, match="the request cannot be made: surrogates not allowed") as broken:
        server.asked(dn="cn=\ud800")
    assert (broken.value.sent, broken.value.late, server.heard()) == (False, False, b"")
    assert "Pa55" not in repr(broken.value) + repr(broken.value.__context__)


def test_numbers_of_binds_are_none_of_the_libraries_and_go_round() -> None:
    """Both count from 1 on; the greatest of all is 2147483647 (RFC 4511 section 4.1.1.1)."""
    first = number_after(0)
    assert (first, number_after(first)) == (2**30, 2**30 + 1)
    assert number_after(2147483647 - 1) == 2147483647
    assert number_after(2147483647) == first
    assert told(result("bindResponse", 0)(2147483647), 2147483647) == Result(0, "")


def connected(driver: str, faulty: FaultyLdap, clock: Clock) -> Connection:
    dialling = Dialling(Tls(), start_tls=False, connect_timeout=1.0, timeout=1.5, clock=clock)
    return driver_of(driver, dialling).connect(parse_url(faulty.uri), clock.soon())


def test_each_driver_numbers_its_binds_apart_from_its_searches(driver: str, faulty: FaultyLdap, clock: Clock) -> None:
    bound: list[int] = []
    searched: list[int] = []

    def answer(kind: str, numbers: list[int]) -> Callable[[int], bytes]:
        def kept(number: int) -> bytes:
            numbers.append(number)
            return result(kind, 0)(number)

        return kept

    faulty.on_bind, faulty.on_search = answer("bindResponse", bound), answer("searchResDone", searched)
    with closing(connected(driver, faulty, clock)) as connection:
        for _ in range(2):
            connection.bind("cn=x", b"Pa55", clock.soon())
            connection.search(Search("dc=x", Scope.BASE, "(uid=a)", ("uid",), 0, 0), clock.soon())
    assert bound == [2**30, 2**30 + 1]
    assert max(searched) < 2**30  # ldap3 counts on for all connections of the process


def test_a_bind_is_a_use_of_the_connection_for_each_driver(driver: str, faulty: FaultyLdap, clock: Clock) -> None:
    with closing(connected(driver, faulty, clock)) as connection:
        clock.advance(LONGEST_IDLE - 1)
        connection.bind("cn=x", b"Pa55", clock.soon())
        clock.advance(LONGEST_IDLE - 1)
        assert connection.usable() is True
        clock.advance(2)
        assert connection.usable() is False


# What comes back


@pytest.mark.parametrize(
    "answer",
    [
        result("bindResponse", 0)(NUMBER),
        message(SUCCESS),
        message(long_form(0x61, long_form(0x0A, b"\0"), long_form(0x04), long_form(0x04))),
        bytes.fromhex("30110204") + NUMBER.to_bytes(4, "big") + bytes.fromhex("61090a03000000" + "04000400"),
        message(SUCCESS, long_form(0xA0)),
        message(SUCCESS, controls(b"86400", name=b"2.16.840.1.113730.3.4.5")),
        message(SUCCESS, long_form(0xA0, long_form(0x30, long_form(0x04, POLICY), b"\x01\x01\0"))),
        message(bytes.fromhex("610b 0a0100 0400 0400 8702 6162")),
    ],
)
def test_a_success_is_one_however_it_is_written(answer: bytes) -> None:
    """Active Directory's long lengths; a code of three octets; no controls in controls; 389's expiring password."""
    assert told(answer) == Result(0, "")


@pytest.mark.parametrize("pieces", [1, 2, 7])
def test_an_answer_may_come_in_pieces(clock: Clock, pieces: int) -> None:
    answer = result("bindResponse", INVALID_CREDENTIALS, "no")(NUMBER)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        wire = Piecemeal(ours, clock, pieces)
        wire.begin(clock.soon(0.3))
        theirs.sendall(answer)
        assert bind(wire, NUMBER, "cn=x", b"Pa55") == Result(INVALID_CREDENTIALS, "no")


class Piecemeal(Wire):
    """Gives so many octets at a time, as TCP may."""

    def __init__(self, stream: socket.socket, clock: Callable[[], float], most: int) -> None:
        super().__init__(stream, clock)
        self._most = most

    def recv(self, size: int) -> bytes:
        return super().recv(min(size, self._most))


def test_a_success_and_a_refusal_are_the_server_s_words() -> None:
    answers = (
        result("bindResponse", 0, "wie schön"),
        result("bindResponse", INVALID_CREDENTIALS, "80090308: LdapErr: DSID-0C09042A, data 775, v3839\0"),
        result("bindResponse", 4711, "?"),
        result("bindResponse", 0x7FFFFFFF),
        result("bindResponse", REFERRAL, "not here", "ldap://127.0.0.1:9/"),
    )
    assert [told(answer(NUMBER)) for answer in answers] == [
        Result(0, "wie schön"),
        Result(INVALID_CREDENTIALS, "80090308: LdapErr: DSID-0C09042A, data 775, v3839\0"),
        Result(4711, "?"),
        Result(0x7FFFFFFF, ""),
        Result(REFERRAL, "not here"),
    ]


def test_of_a_diagnosis_that_is_no_utf_8_what_can_be_read_is_kept() -> None:
    """The number by which Active Directory tells the cause may stand beside it."""
    answer = result("bindResponse", INVALID_CREDENTIALS, "falsch? data 52e")(NUMBER).replace(b"?", b"\xe4")
    assert told(answer) == Result(INVALID_CREDENTIALS, "falsch\ufffd data 52e")


def test_a_referral_that_is_no_utf_8_is_a_referral() -> None:
    """Nobody follows it."""
    answer = result("bindResponse", REFERRAL, "x", "ldap://a")(NUMBER).replace(b"ldap://a", b"ldap://\xff")
    assert told(answer) == Result(REFERRAL, "x")


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
        ("", None),
        ("30", None),
        ("300381", None),
        ("0403810102", None),
        ("3003810200", None),
        ("3006810101810100", None),
        ("ff" * 9, None),
    ],
)
@pytest.mark.parametrize("code", [0, INVALID_CREDENTIALS])
def test_the_error_of_a_password_policy_control_is_read(value: str, error: int | None, code: int) -> None:
    """Lengths of four octets, a warning before it, none, the warnings alone; and what is no such value is none."""
    assert told(answer_with_control(code, bytes.fromhex(value))(NUMBER)) == Result(code, "", policy=error)


def test_a_password_policy_control_may_say_whether_it_is_critical() -> None:
    control = long_form(0x30, long_form(0x04, POLICY), b"\x01\x01\xff", long_form(0x04, bytes.fromhex("3003810102")))
    assert told(message(SUCCESS, long_form(0xA0, control))) == Result(0, "", policy=2)


@pytest.mark.parametrize(
    ("values", "error"),
    [
        (("3000", "3003810102"), 2),
        (("3003810102", "3000"), 2),
        (("3003810102", "ff"), 2),
        (("3003810105", "3003810101"), 1),
        (("3003810101", "3003810105"), 1),
    ],
)
def test_of_several_password_policy_controls_every_one_counts(values: tuple[str, ...], error: int) -> None:
    """Errors from 3 on are about changing a password, and refuse no login: they must not hide one that does."""
    assert told(message(SUCCESS, controls(*map(bytes.fromhex, values)))) == Result(0, "", policy=error)


# What is no answer


def numbered(head: str, tail: str) -> bytes:
    """Octets with the number of the bind between them."""
    return bytes.fromhex(head) + NUMBER.to_bytes(4, "big") + bytes.fromhex(tail)


REFERRED = "a30b 0409 6c6461703a2f2f612f"
CREDENTIALS = "8701 61"

NO_ANSWERS: tuple[tuple[str, bytes], ...] = (
    ("takes leave", notice_of_disconnection()),
    ("takes leave", message(SUCCESS, number=0)),
    ("another question", result("bindResponse", 0)(NUMBER + 1)),
    ("another question", result("bindResponse", 0)(5)),
    ("another question", result("searchResDone", 0)(NUMBER)),
    ("another question", result("extendedResp", 0)(NUMBER)),
    ("another question", entries(("uid=a", {}))(NUMBER)[:-16]),
    ("another question", entries(("uid=a", {}))(NUMBER)),
    ("another question", result("bindResponse", 0)(NUMBER) * 2),
    ("another question", result("bindResponse", 0)(NUMBER) + b"0"),
    ("another question", result("bindResponse", 0)(NUMBER) + notice_of_disconnection()),
    ("cannot be read", b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    ("cannot be read", bytes.fromhex("3000")),
    ("cannot be read", bytes.fromhex("3085010000000c")),
    ("cannot be read", numbered("30800204", "61070a0100040004000000")),
    ("cannot be read", numbered("300f0404", "61070a010004000400")),
    ("cannot be read", numbered("30100205 00", "61070a010004000400")),
    ("cannot be read", numbered("30110204", "61800a0100040004000000")),
    # The code: without octets, as an INTEGER, a BOOLEAN, an OCTET STRING, of five octets, below 0, or not there.
    ("cannot be read", message(bytes.fromhex("61060a0004000400"))),
    ("cannot be read", message(bytes.fromhex("610702010004000400"))),
    ("cannot be read", message(bytes.fromhex("610701010004000400"))),
    ("cannot be read", message(bytes.fromhex("610704010004000400"))),
    ("cannot be read", message(bytes.fromhex("610b0a05000000000004000400"))),
    ("cannot be read", message(bytes.fromhex("61070a01ff04000400"))),
    ("cannot be read", message(bytes.fromhex("610404000400"))),
    # Strings: one, of another type, of an indefinite length, behind the end.
    ("cannot be read", message(bytes.fromhex("61050a01000400"))),
    ("cannot be read", message(bytes.fromhex("61070a01000c000400"))),
    ("cannot be read", message(bytes.fromhex("61070a01000400" + "2400"))),
    ("cannot be read", message(bytes.fromhex("61070a0100040004 80"))),
    ("cannot be read", message(bytes.fromhex("61070a0100040004 7f"))),
    # Behind the diagnosis: something else, something twice, in another order, a referral that is none.
    ("cannot be read", message(bytes.fromhex("61090a0100040004008800"))),
    ("cannot be read", message(bytes.fromhex("61090a010004000400a100"))),
    ("cannot be read", message(bytes.fromhex("610d 0a0100 0400 0400" + CREDENTIALS + CREDENTIALS))),
    ("cannot be read", message(bytes.fromhex("6117 0a0100 0400 0400" + CREDENTIALS + REFERRED))),
    ("cannot be read", message(bytes.fromhex("610b 0a010a 0400 0400 a302 3000"))),
    ("cannot be read", message(bytes.fromhex("610a 0a010a 0400 0400 a301 04"))),
    # Behind the operation: another one, something else, controls twice, controls that are none.
    ("cannot be read", message(SUCCESS, REFUSAL)),
    ("cannot be read", message(SUCCESS, b"\x04\0")),
    ("cannot be read", message(SUCCESS, controls(b""), controls(b""))),
    ("cannot be read", message(SUCCESS, long_form(0xA0, b"\x30\x02\x04"))),
    ("cannot be read", message(SUCCESS, long_form(0xA0, b"\x31\x02\x04\0"))),
    ("cannot be read", message(SUCCESS, long_form(0xA0, b"\x30\0"))),
    ("cannot be read", message(SUCCESS, long_form(0xA0, long_form(0x30, long_form(0x04, POLICY), b"\x02\x01\x01")))),
    ("cannot be read", message(SUCCESS, long_form(0xA0, long_form(0x30, long_form(0x04, POLICY), *[b"\x04\0"] * 2)))),
)


@pytest.mark.parametrize(("cause", "answer"), NO_ANSWERS)
def test_anything_but_one_bind_response_is_no_answer(cause: str, answer: bytes) -> None:
    with pytest.raises(Broken, match=cause) as broken:
        told(answer)
    assert (broken.value.sent, broken.value.late) == (True, False)


def test_an_answer_that_never_ends_is_given_up_in_time_and_size(server: Server) -> None:
    half = result("bindResponse", 0)(NUMBER)[:-1]
    with pytest.raises(Broken, match="no answer in time") as broken:
        server.asked(half)
    assert (broken.value.sent, broken.value.late) == (True, True)


def test_an_endless_answer_is_given_up(clock: Clock) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        wire = Wire(ours, clock, longest=1000)
        wire.begin(clock.soon(0.3))
        theirs.sendall(b"0\x84" + LONGEST_ANSWER.to_bytes(4, "big") + b"x" * 2000)
        with pytest.raises(Broken, match="an answer of an impossible length"):
            bind(wire, NUMBER, "cn=x", b"Pa55")


# Whatever may come

REAL: tuple[Callable[[int], bytes], ...] = (
    result("bindResponse", 0),
    result("bindResponse", INVALID_CREDENTIALS, "80090308: LdapErr: DSID-0C09042A, data 52e, v3839"),
    result("bindResponse", REFERRAL, "x", "ldap://a/"),
    lambda number: message(SUCCESS, controls(bytes.fromhex("3003810102")), number=number),
    lambda number: message(REFUSAL, controls(bytes.fromhex("3008a003810105810101")), number=number),
    lambda _: notice_of_disconnection(),
)


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """A real answer with a few of its octets replaced, taken out, or added to."""
    answer = draw(st.sampled_from(REAL))(NUMBER)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(answer)))
        end = min(len(answer), start + draw(st.integers(0, 3)))
        answer = answer[:start] + draw(st.binary(max_size=3)) + answer[end:]
    return answer


@given(st.one_of(st.binary(min_size=1, max_size=60), spoilt()))
def test_whatever_comes_is_a_result_or_broken_and_a_success_only_by_the_grammar_of_ldap3(answer: bytes) -> None:
    with Server() as server:
        try:
            # The end of the stream comes behind it, so that nobody waits for more.
            server._theirs.sendall(answer)
            server._theirs.shutdown(socket.SHUT_WR)
            taken = server.asked()
        except Broken:
            return
    if taken.code == 0:
        read, behind = decode(answer, asn1Spec=LDAPMessage())
        operation = read["protocolOp"]
        assert (int(read["messageID"]), operation.getName(), behind) == (NUMBER, "bindResponse", b"")
        assert int(operation.getComponent()["resultCode"]) == 0


@pytest.mark.parametrize("said", ["", "no", "80090308: LdapErr: DSID-0C09042A, data 52e, v3839"])
@pytest.mark.parametrize("policy", [b"", controls(bytes.fromhex("3008a003810105810101"))])
def test_no_altered_octet_makes_a_success_of_a_refusal_but_that_of_the_code(said: str, policy: bytes) -> None:
    """All alterations of one octet."""
    refusal = message(result("bindResponse", INVALID_CREDENTIALS, said)(NUMBER)[8:], policy)
    at_code = refusal.index(b"\x0a\x01\x31") + 2
    successes = set()
    for at in range(len(refusal)):
        for octet in range(256):
            with Server() as server, contextlib.suppress(Broken):
                server._theirs.sendall(refusal[:at] + bytes([octet]) + refusal[at + 1 :])
                server._theirs.shutdown(socket.SHUT_WR)
                if server.asked().code == 0:
                    successes.add((at, octet))
    assert successes == {(at_code, 0)}


def test_a_success_that_is_cut_off_anywhere_is_none() -> None:
    """Its end comes instead of the rest."""
    for answer in (result("bindResponse", 0)(NUMBER), message(SUCCESS, controls(bytes.fromhex("3003810102")))):
        for end in range(1, len(answer)):
            with Server() as server:
                server._theirs.sendall(answer[:end])
                server._theirs.shutdown(socket.SHUT_WR)
                with pytest.raises(Broken, match="the server closed the connection"):
                    server.asked()
