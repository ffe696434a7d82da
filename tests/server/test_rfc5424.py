import json
import re

import pytest

from radius2fa.server.rfc5424 import FACILITIES, LONGEST, Origin, framed, message
from tests.servers.collector import Message

ORIGIN = Origin(FACILITIES["authpriv"], "radius-1", "radius2fa", 4711)
LINE = {"event": "accepted", "user": "alice", "level": "info", "time": "2026-11-24T10:00:00.123456Z"}
# What names of users, of places and causes may hold at the worst.
HOSTILE = (
    "a\nb",
    "a\r\n<14>1 - forged forged - - - x",
    "\x1b[2J\x1b]0;title\x07",
    "\x00",
    "a\u202egnp.exe",
    "\u2028\u2029\x85",
    "\udcff\ud800",
    "\ufeff",
    '"]} [meta sequenceId="1"] \\',
    "9 <14>1 -",
    "x" * 65536,
    "\U0001f600" * 65536,
)


def test_a_line_is_a_message_as_the_rfc_shows_it() -> None:
    """Section 6.5 shows the order of the fields; 10 (authpriv) times 8 and 6 (informational) is 86, section 6.2.1."""
    assert message(LINE, ORIGIN, 7) == (
        b"<86>1 2026-11-24T10:00:00.123456Z radius-1 radius2fa 4711 accepted "
        b'[meta sequenceId="7"] \xef\xbb\xbf{"event": "accepted", "user": "alice"}'
    )


@pytest.mark.parametrize(
    ("level", "facility", "priority"),
    [("debug", "auth", 39), ("info", "auth", 38), ("warning", "local0", 132), ("error", "local7", 187),
     ("critical", "daemon", 26)],
)  # fmt: skip
def test_the_priority_is_that_of_facility_and_level(level: str, facility: str, priority: int) -> None:
    made = Message.read(message(LINE | {"level": level}, Origin(FACILITIES[facility], "h", "p", 1), 1))
    assert made.priority == priority


def test_a_name_in_the_header_has_no_space_and_no_more_letters_than_may_be() -> None:
    made = Message.read(message(LINE | {"event": "accepted without second factor"}, Origin(1, "häuschen 1", "p", 1), 1))
    assert (made.name, made.host) == ("accepted-without-second-factor", "h-uschen-1")
    assert json.loads(made.text)["event"] == "accepted without second factor"
    assert Message.read(message(LINE | {"event": "x" * 100}, ORIGIN, 1)).name == "x" * 32


def test_the_number_begins_again_after_the_last_one() -> None:
    assert b'"2147483647"' in message(LINE, ORIGIN, 2147483647)
    assert b'"1"' in message(LINE, ORIGIN, 2147483648)


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("name", ["user", "event", "time", "level"])
def test_no_value_can_forge_end_or_swell_a_message(name: str, hostile: str) -> None:
    octets = message(LINE | {name: hostile}, ORIGIN, 3)
    made = Message.read(octets)
    assert len(octets) <= LONGEST
    assert re.fullmatch(rb"[ -~]*\xef\xbb\xbf[ -~]*", octets), octets
    assert (made.host, made.program, made.process) == ("radius-1", "radius2fa", "4711")
    assert made.data == '[meta sequenceId="3"]'
    fields = json.loads(made.text)
    if name == "user" and len(hostile) < 1000:
        assert fields["user"] == hostile


def test_where_one_value_is_too_long_the_others_stay_whole() -> None:
    fields = json.loads(Message.read(message(LINE | {"why": "x" * 9000, "ms": 4.5}, ORIGIN, 1)).text)
    assert fields == {"event": "accepted", "user": "alice", "ms": 4.5, "why": f"{'x' * 64}..."}


def test_ever_so_many_values_make_no_message_too_long() -> None:
    octets = message(LINE | {f"key{number}": "x" * 100 for number in range(200)}, ORIGIN, 1)
    assert json.loads(Message.read(octets).text) == {"event": "accepted"}


def test_a_stream_has_the_number_of_octets_before_each_message() -> None:
    assert framed(b"<86>1 x") == b"7 <86>1 x"  # RFC 6587 section 3.4.1
