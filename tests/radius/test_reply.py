"""protocol.md, "Replies"."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network

import pytest

from radius2fa.radius.attributes import ReplyAttribute
from radius2fa.radius.clients import Client
from radius2fa.radius.packet import Code, decode
from radius2fa.radius.reply import Encoded, Reply, accept, challenge, encode, reject, status
from tests.radius.wire import (
    SECRET,
    Answer,
    Asked,
    access_request,
    check_reply,
    request,
    status_server,
    uncover_salted,
    vectors,
)

CLIENT = Client("vpn", (ip_network("192.0.2.0/24"),), SECRET)
STATE = b"0123456789abcdef0123456789abcdef"
FILTER = ReplyAttribute("Filter-Id", 11, b"staff")
AV_PAIR = ReplyAttribute("Cisco-AVPair", 1, b"shell:priv-lvl=15", vendor=9)
KEY = ReplyAttribute("MS-MPPE-Send-Key", 16, bytes(range(32)), vendor=311, salted=True)
TUNNEL_PASSWORD = ReplyAttribute("Tunnel-Password", 69, b"tunnel secret", tag=3, salted=True)
ANY_REPLY = [accept(), accept((FILTER,), b"audit"), reject("No."), challenge("Code:", STATE, 120), status()]


def salts(*values: bytes) -> Callable[[int], bytes]:
    """Return a source of these octets, in order; two zeros when they are used up."""
    left = list(values)

    def draw(size: int) -> bytes:
        octets = left.pop(0) if left else bytes(size)
        assert len(octets) == size
        return octets

    return draw


def encoded(reply: Reply, asked: Asked, client: Client = CLIENT) -> Encoded:
    return encode(reply, decode(asked.octets, client), salts())


def answer(reply: Reply, asked: Asked) -> Answer:
    got = encoded(reply, asked)
    assert got.left_out == ()
    return check_reply(got.octets, asked)


@pytest.mark.parametrize("reply", ANY_REPLY)
def test_message_authenticator_is_the_first_attribute_of_every_reply(reply: Reply) -> None:
    for asked in (access_request(), status_server(), access_request(b"a", b"p", (33, b"x"), identifier=255)):
        assert answer(reply, asked).attributes[0][0] == 80


def test_message_authenticator_is_first_though_the_request_had_none() -> None:
    asked = access_request(signed=False)
    got = encoded(reject("No."), asked, replace(CLIENT, require_message_authenticator=False))
    assert check_reply(got.octets, asked).attributes[0][0] == 80


def test_an_accept_holds_the_attributes_of_the_policy_and_class() -> None:
    got = answer(accept((FILTER, AV_PAIR), b"audit"), access_request(b"a", b"p", (33, b"x")))
    assert got.code == 2
    assert got.attributes[1:] == (
        (25, b"audit"),
        (11, b"staff"),
        (26, b"\0\0\0\x09\x01\x13shell:priv-lvl=15"),
        (33, b"x"),
    )


def test_the_accept_of_rfc_2865_section_7_1_holds_the_same_attributes() -> None:
    example = vectors("rfc2865")["telnet"]
    asked = Asked(bytes.fromhex(example["request"]), example["secret"].encode())
    printed = bytes.fromhex(example["reply"])
    attributes = (
        ReplyAttribute("Service-Type", 6, b"\0\0\0\1"),
        ReplyAttribute("Login-Service", 15, b"\0\0\0\0"),
        ReplyAttribute("Login-IP-Host", 14, b"\xc0\xa8\x01\x03"),
    )
    client = replace(CLIENT, secret=asked.secret, require_message_authenticator=False)
    got = encoded(accept(attributes), asked, client).octets
    assert check_reply(got, asked).code == 2
    assert got[:2] == printed[:2]
    assert got[38:] == printed[20:]  # all but Length, Authenticator, and the Message-Authenticator that came later


def test_a_reject_holds_the_message_and_proxy_state() -> None:
    got = answer(reject("Login refused."), access_request(b"a", b"p", (33, b"x")))
    assert got.code == 3
    assert got.attributes[1:] == ((18, b"Login refused."), (33, b"x"))


def test_a_challenge_holds_message_state_timeout_and_prompt() -> None:
    got = answer(challenge("One-time code:", STATE, 120), access_request(b"a", b"p", (33, b"x")))
    assert got.code == 11
    assert got.one(18) == b"One-time code:"
    assert got.one(24) == STATE
    assert got.one(27) == b"\0\0\0\x78"
    assert got.one(76) == b"\0\0\0\0"  # No-Echo
    assert sorted(type_ for type_, _ in got.attributes) == [18, 24, 27, 33, 76, 80]


def test_status_server_is_answered_with_an_accept_that_holds_only_its_signature() -> None:
    example = vectors("rfc5997")["status"]
    asked = Asked(bytes.fromhex(example["request"]), example["secret"].encode())
    got = encoded(status(), asked, replace(CLIENT, secret=asked.secret)).octets
    answer = check_reply(got, asked)
    assert (answer.code, [type_ for type_, _ in answer.attributes]) == (2, [80])
    assert got[:2] == bytes.fromhex(example["reply"])[:2]


def test_an_empty_message_is_no_attribute() -> None:
    assert answer(reject(""), access_request()).attributes[1:] == ()


def test_proxy_state_comes_back_whole_unmodified_and_in_order() -> None:
    states = [(33, b"second"), (33, b""), (33, bytes(253)), (33, b"second"), (33, b"\xff\0")]
    asked = access_request(b"a", b"p", states[0], (31, b"between"), *states[1:])
    assert [each for each in answer(reject("No."), asked).attributes if each[0] == 33] == states
    assert answer(reject("No."), asked).attributes[-5:] == tuple(states)


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("x" * 253, [253]),
        ("x" * 254, [253, 1]),
        ("x" * 252 + "é", [252, 2]),
        ("x" * 251 + "é", [253]),
        ("x" * 250 + "😀", [250, 4]),
        ("é" * 300, [252, 252, 96]),
        ("😀" * 200, [252, 252, 252, 44]),
    ],
)
def test_a_message_is_split_between_characters_at_253_octets(text: str, sizes: list[int]) -> None:
    parts = answer(reject(text), access_request()).all(18)
    assert [len(part) for part in parts] == sizes
    assert "".join(part.decode() for part in parts) == text


def test_what_has_no_room_is_left_out_from_the_end_and_named() -> None:
    fill = tuple(ReplyAttribute(f"Filler-{number}", 11, bytes(253)) for number in range(20))
    small = ReplyAttribute("Session-Timeout", 27, bytes(4))
    asked = access_request(b"a", b"p", (33, bytes(100)))
    got = encoded(accept((*fill, small)), asked)
    assert got.left_out == ("Filler-15", "Filler-16", "Filler-17", "Filler-18", "Filler-19", "Session-Timeout")
    assert len(check_reply(got.octets, asked).all(11)) == 15


def test_a_reply_may_fill_4096_octets_exactly() -> None:
    asked = access_request()
    fill = tuple(ReplyAttribute("Filter-Id", 11, bytes(253)) for _ in range(15))
    last = 4096 - 20 - 18 - 15 * 255 - 2
    exact = encoded(accept((*fill, ReplyAttribute("Last", 11, bytes(last)))), asked)
    assert exact.left_out == ()
    assert len(exact.octets) == 4096
    assert check_reply(exact.octets, asked).code == 2
    assert encoded(accept((*fill, ReplyAttribute("Last", 11, bytes(last + 1)))), asked).left_out == ("Last",)


def test_proxy_state_and_state_never_give_way() -> None:
    proxy_states = [(33, bytes(251))] * 15
    asked = access_request(b"a", None, *proxy_states, (33, bytes(4096 - 20 - 18 - 255 - 15 * 253 - 2)))
    state = b"s" * 253
    got = encoded(challenge("One-time code:", state, 120), asked)
    answer = check_reply(got.octets, asked)
    assert got.left_out == ("Session-Timeout", "Prompt", "Reply-Message")
    assert answer.one(24) == state
    assert len(got.octets) == 4096


def test_salted_attributes_are_uncovered_by_the_client() -> None:
    asked = access_request()
    got = answer(accept((KEY, TUNNEL_PASSWORD)), asked)
    vendor = got.one(26)
    assert vendor[:6] == b"\0\0\x01\x37\x10" + bytes([len(vendor) - 4])
    assert uncover_salted(vendor[6:], SECRET, asked.authenticator) == bytes(range(32))
    tunnel = got.one(69)
    assert tunnel[0] == 3
    assert uncover_salted(tunnel[1:], SECRET, asked.authenticator) == b"tunnel secret"


@pytest.mark.parametrize("first", [b"\0\0", b"\x7f\xfe", b"\xff\xff", b"\x80\x00"])
def test_salts_have_their_first_bit_set_and_are_unique_within_the_packet(first: bytes) -> None:
    asked = access_request()
    got = encode(accept((TUNNEL_PASSWORD,) * 60), decode(asked.octets, CLIENT), salts(first))
    values = check_reply(got.octets, asked).all(69)
    assert len(values) == 60
    assert len({value[1:3] for value in values}) == 60
    assert {value[1] & 0x80 for value in values} == {0x80}


def test_no_randomness_is_drawn_where_nothing_is_salted() -> None:
    def never(size: int) -> bytes:
        raise AssertionError(size)

    assert encode(accept((FILTER,)), decode(access_request().octets, CLIENT), never).left_out == ()


@pytest.mark.parametrize("attribute", [FILTER, AV_PAIR, ReplyAttribute("Class", 25, b"x")])
@pytest.mark.parametrize("code", [Code.ACCESS_CHALLENGE, Code.ACCESS_REJECT])
def test_a_challenge_and_a_reject_never_hold_authorisation(code: Code, attribute: ReplyAttribute) -> None:
    with pytest.raises(ValueError, match=f"{attribute.name} has no place in an {code.name}"):
        Reply(code, (attribute,))


def test_a_reject_holds_no_state_and_an_accept_none_of_the_protocols_own() -> None:
    with pytest.raises(ValueError, match="State has no place in an ACCESS_REJECT"):
        Reply(Code.ACCESS_REJECT, (ReplyAttribute("State", 24, b"s"),))
    for type_ in (24, 33, 76, 80):
        with pytest.raises(ValueError, match="Own has no place in an ACCESS_ACCEPT"):
            accept((ReplyAttribute("Own", type_, b"x"),))
    assert accept((ReplyAttribute("Vendors-24", 24, b"x", vendor=9),)).attributes[0].type == 24


def test_a_challenge_has_one_state_and_it_comes_first() -> None:
    state, prompt = ReplyAttribute("State", 24, b"s"), ReplyAttribute("Prompt", 76, bytes(4))
    for attributes in ((state, state), (prompt, state)):
        with pytest.raises(ValueError, match="a challenge has one State"):
            Reply(Code.ACCESS_CHALLENGE, attributes)


def test_an_attribute_that_is_empty_or_too_long_does_not_exist() -> None:
    with pytest.raises(ValueError, match="Class: an attribute's value cannot be empty"):
        ReplyAttribute("Class", 25, b"")
    assert ReplyAttribute("Class", 25, bytes(253)).size == 255
    for attribute in (FILTER, AV_PAIR, KEY, TUNNEL_PASSWORD, replace(FILTER, tag=1)):
        longest = replace(attribute, value=b"x")
        while not _too_long(longest):
            longest = replace(longest, value=longest.value + b"x")
        asked = access_request()
        assert len(answer(accept((longest,)), asked).attributes) == 2
        with pytest.raises(ValueError, match="octets too long for an attribute"):
            replace(longest, value=longest.value + b"x")


def _too_long(attribute: ReplyAttribute) -> bool:
    try:
        replace(attribute, value=attribute.value + b"x")
    except ValueError:
        return True
    return False


def test_a_reply_shows_no_value() -> None:
    shown = repr((accept((KEY, TUNNEL_PASSWORD), b"audit"), challenge("Code:", STATE, 120)))
    shown += repr(encoded(accept((FILTER,), b"audit"), request(1, ())))
    for secret in (b"tunnel secret", STATE, b"audit"):
        assert secret.decode() not in shown
    assert "\\x02\\x03" not in shown
