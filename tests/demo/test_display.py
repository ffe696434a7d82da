import dataclasses
import subprocess

import pytest

from radius2fa.demo import display
from radius2fa.login.ports import Result
from radius2fa.login.reason import Reason
from radius2fa.otp.token import Kind, Token
from radius2fa.server.login import Login

# RFC 6238's key; the codes of the steps 47251644 to 47251647 (oathtool gives the same).
TOKEN = Token(id="t", kind=Kind.TOTP, key=b"12345678901234567890")
STEP = 47251644
CODES = ("942826", "063321", "306773")
START = STEP * 30.0
LOGIN = Login(
    id="1",
    when=START,
    client="demo",
    name="alice",
    address="127.0.0.1",
    result=Result.ACCEPT,
    reason=None,
    subject="s",
    token="t",
    milliseconds=12.4,
)


@pytest.mark.parametrize(("passed", "left"), [(0.0, 30), (0.5, 30), (29.0, 1), (29.9, 1)])
def test_the_code_counts_down(passed: float, left: int) -> None:
    now = display.moment(TOKEN, START + passed)
    assert (now.code, now.seconds) == (CODES[0], left)


@pytest.mark.parametrize(
    ("counter", "unused"), [(0, CODES[:2]), (STEP, CODES[:2]), (STEP + 1, CODES[1:2]), (STEP + 2, ())]
)
def test_a_used_code_is_not_offered(counter: int, unused: tuple[str, ...]) -> None:
    now = display.moment(dataclasses.replace(TOKEN, counter=counter), START)
    assert (now.code, now.unused) == (CODES[0], unused)


def test_the_two_ways_to_log_in_are_shown_with_a_code_each() -> None:
    lines = [text.plain for text in display.block(display.moment(TOKEN, START), "127.0.0.1:1812")]
    radtest, first, second = [line for line in lines if line.startswith("rad")]
    assert radtest == "radtest alice 'wonderland942826' 127.0.0.1:1812 0 testing123"
    radclient, signed = "radclient -x 127.0.0.1:1812 auth testing123", "Message-Authenticator=0x00"
    assert first == f"{radclient} <<< 'User-Name=alice,User-Password=wonderland,{signed}'"
    state = f"$({first} | awk '/State/{{print $3}}')"
    assert second == f'{radclient} <<< "User-Name=alice,User-Password=063321,State={state},{signed}"'
    assert max(len(line) for line in lines if not line.startswith("radclient")) <= 80


def test_when_no_code_is_left_it_says_so_instead() -> None:
    now = display.moment(dataclasses.replace(TOKEN, counter=STEP + 2), START)
    text = "".join(text.plain for text in display.block(now, "127.0.0.1:1812"))
    assert text == "Every code works once, and those of the moment are used: wait for the next one."


def test_the_lines_are_whole_words_for_a_shell() -> None:
    line = display.second_leg("alice", "063321", "127.0.0.1:1812")
    assert subprocess.run(["bash", "-n", "-c", line], capture_output=True, check=True).stderr == b""


def test_a_login_is_one_line() -> None:
    line = display.line(LOGIN)
    assert line.plain[9:] == "alice via demo: accepted (12 ms)"
    assert line.plain[2:9:3] == ":: "


def test_a_refusal_is_shown_with_its_reason_and_remedy() -> None:
    refused = dataclasses.replace(LOGIN, name="bob", result=Result.REJECT, reason=Reason.NO_TOKEN)
    assert display.line(refused).plain[9:] == (f"bob via demo: rejected (12 ms) no-token: {Reason.NO_TOKEN.remedy}")


def test_each_result_has_its_colour() -> None:
    colours = {result: str(display.line(dataclasses.replace(LOGIN, result=result)).spans[2].style) for result in Result}
    assert colours == {Result.ACCEPT: "bold green", Result.CHALLENGE: "bold yellow", Result.REJECT: "bold red"}


@pytest.mark.parametrize(
    ("name", "shown"), [("zoë", "zoë"), ("a\x1b[2Jb\n\u202ec", "a\\x1b[2Jb\\n\\u202ec"), ("x" * 253, "x" * 32)]
)
def test_a_name_cannot_command_the_terminal(name: str, shown: str) -> None:
    assert display.line(dataclasses.replace(LOGIN, name=name)).plain[9:] == f"{shown} via demo: accepted (12 ms)"
