import re
import time
from datetime import datetime

import pytest

from radius2fa.login.lockout import LockoutRules
from radius2fa.login.ports import Burn, Failure, Record, Result, Success
from radius2fa.login.reason import Reason
from tests.cli.helpdesk import Helpdesk
from tests.cli.tokens import add, add_yubikey
from tests.servers.slapd import Slapd, person_dn


def fail_to_log_in(desk: Helpdesk, subject: str, name: str, rules: LockoutRules, *, times: int = 1) -> None:
    """Type a wrong code, as often as told."""
    with desk.store() as store:
        for number in range(times):
            now = time.time()
            reason = Reason.WRONG_CODE
            record = Record(f"try{number}", now, "vpn", name, "192.0.2.7", Result.REJECT, reason, subject)
            store.ledger.refuse(record, Failure(subject, name, b"%d" % number, rules), None)


def log_in(desk: Helpdesk, subject: str, name: str, token: str) -> None:
    with desk.store() as store:
        record = Record(
            "good", time.time(), "vpn", name, "192.0.2.7", Result.ACCEPT, None, subject, token, "staff", "totp"
        )
        assert store.ledger.accept(Success(subject, name, Burn(token, 5, 0)), record, None) is None


PATIENT = LockoutRules(failures=5)
DELAYS = LockoutRules(failures=1, delay=600.0)
LOCKS = LockoutRules(failures=1, lock_after=2)


def test_somebody_without_a_history_is_shown(desk: Helpdesk, slapd: Slapd) -> None:
    assert desk.says("user", "show", "ALICE").splitlines() == [
        "User             alice",
        "Entry            uid=alice,ou=people,dc=example,dc=org",
        f"Id               {slapd.entry_uuid('alice')}",
        "Failures         none",
        "Bypass           none",
        "Recovery codes   none",
        "Temporary codes  none",
        "",
        "Tokens",
        "none",
        "",
        "Last logins",
        "none",
        "",
        "Administration",
        "none",
    ]
    assert desk.knows("user", "show", "alice") == {
        "name": "alice",
        "subject": slapd.entry_uuid("alice"),
        "dn": "uid=alice,ou=people,dc=example,dc=org",
        "directory": "main",
        "failures": {"count": 0, "locked": False, "blocked_until": None},
        "bypass_until": None,
        "recovery_codes_left": 0,
        "temporary_codes": [],
        "invitation": None,
        "tokens": [],
        "logins": [],
        "administration": [],
    }


def test_a_refused_login_is_explained(desk: Helpdesk, slapd: Slapd) -> None:
    fail_to_log_in(desk, slapd.entry_uuid("alice"), "[b]alice\x1b", PATIENT)
    output = desk.says("user", "show", "alice")
    assert "Failures         1 in a row\n" in output
    assert "[b]alice\\x1b" in output
    words = " ".join(output.split())
    assert "vpn" in words
    assert "192.0.2.7" in words
    assert "wrong-code" in words
    assert "check the clock of" in words
    [login] = desk.knows("user", "show", "alice")["logins"]
    assert 0 <= time.time() - datetime.fromisoformat(login.pop("when")).timestamp() < 60
    assert login == {
        "id": "try0",
        "client": "vpn",
        "source": "192.0.2.7",
        "name": "[b]alice\x1b",
        "result": "reject",
        "factor": None,
        "policy": None,
        "reason": "wrong-code",
        "remedy": "The code belongs to none of the user's tokens at this time: check the clock of the phone.",
        "token": None,
    }


def test_tokens_and_accepted_logins_are_shown(desk: Helpdesk, slapd: Slapd) -> None:
    desk.says("token", "add", "alice", "--label", "phone")
    [token] = desk.knows("token", "list")
    log_in(desk, slapd.entry_uuid("alice"), "alice", token["id"])
    output = desk.says("user", "show", "alice")
    assert re.search(rf"^{token['id']} +alice .* phone +active +\d{{4}}-", output, re.MULTILINE)
    assert re.search(r" vpn +192\.0\.2\.7 +alice +accept +totp +staff *$", output, re.MULTILINE)
    shown = desk.knows("user", "show", "alice")
    assert shown["tokens"] == desk.knows("token", "list")
    [login] = shown["logins"]
    told = ("result", "factor", "policy", "reason", "remedy", "token")
    assert [login[key] for key in told] == ["accept", "totp", "staff", None, None, token["id"]]


def test_the_last_ten_logins_are_shown_the_newest_first(desk: Helpdesk, slapd: Slapd) -> None:
    fail_to_log_in(desk, slapd.entry_uuid("alice"), "alice", PATIENT, times=12)
    shown = desk.knows("user", "show", "alice")
    assert [login["id"] for login in shown["logins"]] == [f"try{number}" for number in range(11, 1, -1)]


def test_a_delay_is_shown_with_its_end(desk: Helpdesk, slapd: Slapd) -> None:
    fail_to_log_in(desk, slapd.entry_uuid("alice"), "alice", DELAYS)
    assert re.search(
        r"^Failures +1 in a row, refused until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+$",
        desk.says("user", "show", "alice"),
        re.MULTILINE,
    )
    failures = desk.knows("user", "show", "alice")["failures"]
    assert 540 < datetime.fromisoformat(failures.pop("blocked_until")).timestamp() - time.time() <= 600
    assert failures == {"count": 1, "locked": False}


def test_a_lock_ends_with_an_unlock(desk: Helpdesk, slapd: Slapd) -> None:
    fail_to_log_in(desk, slapd.entry_uuid("alice"), "alice", LOCKS, times=2)
    assert "Failures         2 in a row: locked until an unlock\n" in desk.says("user", "show", "alice")
    assert desk.knows("user", "show", "alice")["failures"] == {"count": 2, "locked": True, "blocked_until": None}
    assert desk.says("user", "unlock", "alice") == "alice is unlocked; the failures in a row were 2.\n"
    assert desk.knows("user", "show", "alice")["failures"] == {"count": 0, "locked": False, "blocked_until": None}
    assert desk.says("user", "unlock", "alice") == "alice was not locked.\n"


def test_somebody_who_has_left_the_directory_is_still_known(desk: Helpdesk, slapd: Slapd) -> None:
    slapd.add_person("carol", "secret")
    subject = slapd.entry_uuid("carol")
    fail_to_log_in(desk, subject, "carol", PATIENT)
    slapd.delete(person_dn("carol"))
    assert desk.says("user", "show", "carol").splitlines()[:3] == [
        "User             carol",
        "Entry            none any more: they have left the directory",
        f"Id               {subject}",
    ]
    shown = desk.knows("user", "show", "carol")
    assert (shown["dn"], shown["directory"]) == (None, None)


@pytest.mark.parametrize("command", ["show", "unlock"])
def test_an_unknown_person_is_said_to_be_unknown(desk: Helpdesk, command: str) -> None:
    result = desk.run("user", command, "no\x1bbody")
    assert (result.exit_code, result.stderr) == (1, "radius2fa: no\\x1bbody: nobody has this name\n")


def test_codes_and_a_bypass_are_shown_with_their_ends(desk: Helpdesk) -> None:
    desk.says("user", "recovery-codes", "alice")
    desk.says("user", "temp-code", "alice", "--valid", "7d", "--uses", "3")
    desk.says("user", "bypass", "alice", "--for", "2h")
    shown = desk.says("user", "show", "alice")
    time_of_day = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+"
    for line in (
        rf"Bypass +the password alone is enough until {time_of_day}",
        r"Recovery codes +10 left",
        rf"Temporary codes +used 0 of 3 times, until {time_of_day}",
    ):
        assert re.search(rf"^{line}$", shown, re.MULTILINE), line
    known = desk.knows("user", "show", "alice")
    assert known["recovery_codes_left"] == 10
    [code] = known["temporary_codes"]
    assert (code["uses"], code["used"]) == (3, 0)
    for until, seconds in ((code["valid_until"], 7 * 86400), (known["bypass_until"], 2 * 3600)):
        assert seconds - 60 < datetime.fromisoformat(until).timestamp() - time.time() <= seconds


def test_a_bypass_that_is_over_is_not_shown(desk: Helpdesk, slapd: Slapd) -> None:
    with desk.store() as store:
        store.accounts.bypass(slapd.entry_uuid("alice"), "alice", time.time() - 1, time.time() - 60)
    assert re.search(r"^Bypass +none$", desk.says("user", "show", "alice"), re.MULTILINE)
    assert desk.knows("user", "show", "alice")["bypass_until"] is None


def test_what_was_done_to_a_person_is_shown_with_who_did_it(desk: Helpdesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "henry")
    token = add_yubikey(desk, "alice")
    desk.says("token", "disable", token)
    shown = desk.says("user", "show", "alice")
    assert re.search(rf"^\d{{4}}-\S+ \S+ \S+ +cli:henry +token-disabled +{token} *$", shown, re.MULTILINE)
    acts = desk.knows("user", "show", "alice")["administration"]
    assert [(act["who"], act["what"], act["token"]) for act in acts] == [
        ("cli:henry", "token-disabled", token),
        ("cli:henry", "token-added", token),
    ]


def test_the_last_ten_acts_are_shown(desk: Helpdesk) -> None:
    for _ in range(6):
        desk.says("token", "remove", add(desk, "alice"), "--yes")
    assert len(desk.knows("user", "show", "alice")["administration"]) == 10


def test_the_reason_that_was_given_for_an_act_is_shown(desk: Helpdesk) -> None:
    token = add(desk, "alice")
    assert " Why " not in desk.says("user", "show", "alice")
    with desk.store() as store:
        store.by("helen", "lost on the train").tokens.set_active(token, active=False)
    shown = desk.says("user", "show", "alice")
    assert re.search(r"^When +Who +What +Token +Detail +Why *$", shown, re.MULTILINE)
    assert re.search(rf" helen +token-disabled +{token} +lost on the train *$", shown, re.MULTILINE)
    disabled, added = desk.knows("user", "show", "alice")["administration"]
    assert (disabled["why"], added["why"]) == ("lost on the train", "")
