import json
import re
import time
from datetime import datetime

import pytest

from radius2fa.otp.token import Kind
from tests.cli.helpdesk import Helpdesk
from tests.cli.issued import LETTERS, answers
from tests.servers.slapd import Slapd, person_dn

TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+"


# recovery codes


def test_ten_recovery_codes_are_shown_once_to_be_printed(desk: Helpdesk, slapd: Slapd) -> None:
    output = desk.says("user", "recovery-codes", "ALICE")
    assert re.match(rf"Recovery codes of alice for ACME VPN, made on {TIME}\n\n", output)
    numbered = re.findall(rf"^ +(\d+)  ({LETTERS})$", output, re.MULTILINE)
    assert [int(number) for number, _ in numbered] == list(range(1, 11))
    assert "They are not shown again; codes of an earlier list are good no more.\n" in output
    assert {answers(desk, slapd, code) for _, code in numbered} == {Kind.RECOVERY}
    assert desk.knows("user", "show", "alice")["recovery_codes_left"] == 10
    assert not re.search(LETTERS, desk.says("user", "show", "alice"))


def test_earlier_codes_end_only_if_that_is_confirmed(desk: Helpdesk, slapd: Slapd) -> None:
    [first, *_] = desk.knows("user", "recovery-codes", "alice")["codes"]
    result = desk.run("user", "recovery-codes", "alice", typed="n\n")
    assert result.exit_code == 1
    assert "alice has 10 recovery codes left. End these and make ten new ones? [y/N]" in result.stderr
    assert answers(desk, slapd, first) is Kind.RECOVERY
    assert len(re.findall(LETTERS, desk.says("user", "recovery-codes", "alice", typed="y\n"))) == 10
    assert answers(desk, slapd, first) is None
    assert len(re.findall(LETTERS, desk.says("user", "recovery-codes", "alice", "--yes"))) == 10
    assert desk.knows("user", "show", "alice")["recovery_codes_left"] == 10


def test_recovery_codes_come_as_json_too_and_a_question_does_not_get_into_it(desk: Helpdesk, slapd: Slapd) -> None:
    desk.says("user", "recovery-codes", "alice")
    with desk.start("user", "recovery-codes", "alice", "--json") as program:
        output, errors = program.communicate("y\n", timeout=30)
    assert len(json.loads(output)["codes"]) == 10
    assert "alice has 10 recovery codes left." in errors
    known = desk.knows("user", "recovery-codes", "alice", "--yes")
    assert 0 <= time.time() - datetime.fromisoformat(known.pop("created")).timestamp() < 60
    assert all(re.fullmatch(LETTERS, code) for code in known["codes"])
    assert len(set(known.pop("codes"))) == 10
    assert known == {"user": "alice", "subject": slapd.entry_uuid("alice")}


# temporary codes


def test_a_temporary_code_is_good_for_a_day_and_one_login(desk: Helpdesk, slapd: Slapd) -> None:
    output = desk.says("user", "temp-code", "alice")
    shown = re.fullmatch(
        rf"Code: (\d{{8}})\nalice can log in with it once, until {TIME}\. It is not shown again\.\n", output
    )
    assert shown is not None
    assert answers(desk, slapd, shown[1]) is Kind.TEMPORARY
    assert answers(desk, slapd, shown[1], later=86400 - 60) is Kind.TEMPORARY
    assert answers(desk, slapd, shown[1], later=86400) is None
    [code] = desk.knows("user", "show", "alice")["temporary_codes"]
    assert (code["uses"], code["used"]) == (1, 0)


def test_a_temporary_code_lasts_as_long_and_as_often_as_told(desk: Helpdesk, slapd: Slapd) -> None:
    known = desk.knows("user", "temp-code", "alice", "--valid", "14d", "--uses", "100")
    until = datetime.fromisoformat(known.pop("valid_until")).timestamp()
    assert 14 * 86400 - 60 < until - time.time() <= 14 * 86400
    assert answers(desk, slapd, known.pop("code")) is Kind.TEMPORARY
    assert known == {"user": "alice", "subject": slapd.entry_uuid("alice"), "uses": 100}
    assert "with it 5 times, until" in desk.says("user", "temp-code", "alice", "--uses", "5")


def test_what_lasts_longer_should_be_a_token(desk: Helpdesk) -> None:
    result = desk.run("user", "temp-code", "alice", "--valid", "15d")
    assert (result.exit_code, result.stderr) == (
        64,
        "radius2fa: --valid: a temporary code lasts 14d at most: for longer, add a token\n",
    )
    assert desk.knows("user", "show", "alice")["temporary_codes"] == []


@pytest.mark.parametrize("arguments", [["--uses", "101"], ["--uses", "0"], ["--valid", "1w"], ["--valid", "0h"]])
def test_limits_are_kept(desk: Helpdesk, arguments: list[str]) -> None:
    with desk.start("user", "temp-code", "alice", *arguments) as program:
        program.communicate(timeout=30)
    assert program.returncode == 64
    assert desk.knows("user", "show", "alice")["temporary_codes"] == []


def test_temporary_codes_are_revoked_all_at_once(desk: Helpdesk, slapd: Slapd) -> None:
    codes = [desk.knows("user", "temp-code", "alice")["code"] for _ in range(2)]
    assert desk.says("user", "temp-code", "alice", "--revoke") == "alice: 2 temporary codes are over.\n"
    assert [answers(desk, slapd, code) for code in codes] == [None, None]
    assert desk.says("user", "temp-code", "alice", "--revoke") == "alice had no temporary codes.\n"
    desk.says("user", "temp-code", "alice")
    assert desk.knows("user", "temp-code", "alice", "--revoke") == {
        "user": "alice",
        "subject": slapd.entry_uuid("alice"),
        "revoked": 1,
    }


@pytest.mark.parametrize("arguments", [["--valid", "1h"], ["--uses", "1"]])
def test_to_revoke_and_to_make_are_two_things(desk: Helpdesk, arguments: list[str]) -> None:
    result = desk.run("user", "temp-code", "alice", "--revoke", *arguments)
    assert (result.exit_code, result.stderr) == (
        64,
        "radius2fa: --revoke ends codes and makes none: leave --valid and --uses out\n",
    )


def test_codes_of_somebody_who_has_left_can_be_revoked_but_not_made(desk: Helpdesk, slapd: Slapd) -> None:
    slapd.add_person("carol", "secret")
    desk.says("user", "temp-code", "carol")
    slapd.delete(person_dn("carol"))
    for command in ("temp-code", "recovery-codes"):
        result = desk.run("user", command, "carol")
        assert (result.exit_code, result.stderr) == (1, "radius2fa: carol: nobody has this name\n")
    assert desk.says("user", "temp-code", "carol", "--revoke") == "carol: 1 temporary code is over.\n"
