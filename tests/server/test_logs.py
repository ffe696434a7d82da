import io
import json
from dataclasses import replace

import pytest

from radius2fa.config.model import Log
from radius2fa.directory.servers import ServerChange
from radius2fa.login.ports import Result
from radius2fa.login.reason import Reason
from radius2fa.server.login import Login
from radius2fa.server.logs import log_changes, log_logins, open_log
from radius2fa.traced import traced


def a_login(name: str = "alice", reason: Reason | None = None, factor: str = "totp") -> Login:
    return Login(
        id="0123456789abcdef",
        when=59.0,
        client="vpn",
        name=name,
        address="192.0.2.1",
        result=Result.REJECT if reason else Result.ACCEPT,
        reason=reason,
        subject=None if reason else "subject",
        token="k7m2x9qa" if factor == "totp" and not reason else None,
        milliseconds=4.123,
        policy=None if reason else "staff",
        factor=None if reason else factor,
    )


def test_a_login_is_one_line_of_fields() -> None:
    stream = io.StringIO()
    observe = log_logins(open_log(Log(format="json"), stream))
    observe(a_login())
    observe(a_login(reason=Reason.CODE_ALREADY_USED))
    accepted, rejected = map(json.loads, stream.getvalue().splitlines())
    common = {"id": "0123456789abcdef", "user": "alice", "client": "vpn", "address": "192.0.2.1", "ms": 4.1}
    del accepted["time"], rejected["time"]
    assert accepted == {
        **common,
        "event": "accepted",
        "level": "info",
        "policy": "staff",
        "factor": "totp",
        "token": "k7m2x9qa",
    }
    assert rejected == {**common, "event": "rejected", "level": "info", "reason": "code-already-used"}


@pytest.mark.parametrize("factor", ["off", "not-enrolled", "bypass"])
def test_a_login_without_a_second_factor_is_told_from_others(factor: str) -> None:
    stream = io.StringIO()
    log_logins(open_log(Log(format="json"), stream))(a_login(factor=factor))
    line = json.loads(stream.getvalue())
    assert (line["event"], line["factor"], line["policy"]) == ("accepted without second factor", factor, "staff")
    assert "token" not in line


def test_a_login_by_no_rule_names_its_factor_all_the_same() -> None:
    stream = io.StringIO()
    log_logins(open_log(Log(format="json"), stream))(replace(a_login(), policy=None))
    line = json.loads(stream.getvalue())
    assert line["factor"] == "totp"
    assert "policy" not in line


def test_the_readable_form_begins_with_time_level_and_event() -> None:
    stream = io.StringIO()
    log_logins(open_log(Log(), stream))(a_login())
    time, level, event, *_ = stream.getvalue().split(" ")
    assert time.startswith("time='2")
    assert (level, event) == ("level='info'", "event='accepted'")


@pytest.mark.parametrize("format_", ["readable", "json"])
@pytest.mark.parametrize(
    "name", ["a\nlevel=error event=forged", "a\x1b[2J", "a\u2028b", "a\u202egnp", 'a" event="accepted', "a=b c", "a\rb"]
)
def test_no_name_can_inject_a_line_or_steer_a_terminal(format_: str, name: str) -> None:
    stream = io.StringIO()
    log_logins(open_log(Log(format=format_), stream))(a_login(name))  # type: ignore[arg-type]
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert text.endswith("\n")
    assert [character for character in text[:-1] if not character.isprintable()] == []


def test_a_directory_server_that_goes_out_or_is_back_is_one_line() -> None:
    stream = io.StringIO()
    tell = log_changes(open_log(Log(format="json"), stream))
    tell(ServerChange("corp", "ldap://one", well=False, cause="no answer in time"))
    tell(ServerChange("corp", "ldap://one", well=True, cause=""))
    out, back = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (out["level"], out["event"], out["url"]) == ("warning", "directory server failed", "ldap://one")
    assert (out["directory"], out["why"]) == ("corp", "no answer in time")
    assert (back["level"], back["event"], back["url"]) == ("info", "directory server back", "ldap://one")


def test_levels_below_the_configured_one_are_silent() -> None:
    stream = io.StringIO()
    log_logins(open_log(Log(level="warning"), stream))(a_login())
    assert stream.getvalue() == ""


def test_a_bug_is_told_by_place_and_type_without_what_was_typed() -> None:
    typed = "canary-password"
    with pytest.raises(ValueError, match=typed) as caught:
        int(typed)
    told = traced(caught.value)
    assert told.startswith("ValueError in test_a_bug_is_told_by_place_and_type_without_what_was_typed (test_logs.py:")
    assert typed not in told
