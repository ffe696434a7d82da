import re
import time
from datetime import datetime
from typing import Any

from radius2fa.cli.status import status_of
from radius2fa.login.lockout import LockoutRules, place_rules
from radius2fa.login.ports import Failure, Miss, Record, Result
from radius2fa.login.reason import Reason
from tests.cli.helpdesk import Helpdesk
from tests.cli.tokens import add, add_yubikey
from tests.servers.slapd import Slapd

TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+"
LOCKS = LockoutRules(failures=1, delay=600.0, lock_after=2)
NOBODYS = {"active": 0, "disabled": 0, "expired": 0, "not yet valid": 0, "in stock": 0}


def fail_to_log_in(desk: Helpdesk, name: str, when: float, *, times: int = 1) -> None:
    """Type a wrong code, as often as told."""
    with desk.store() as store:
        for number in range(times):
            subject = f"{name}-id"
            record = Record(f"id{number}", when, "vpn", name, "", Result.REJECT, Reason.WRONG_CODE, subject)
            store.ledger.refuse(record, Failure(subject, name, b"%d" % number, LOCKS), None)


def seconds_until(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp() - time.time()


def test_where_nothing_is_in_force_that_is_said(desk: Helpdesk) -> None:
    assert re.fullmatch(
        rf"As of {TIME}\n\n"
        r"Bypasses in force: the password alone is enough\nnone\n\n"
        r"Kept out by failures\nnone\n\n"
        r"Places blocked for names that do not exist\nnone\n\n"
        r"Temporary codes in force\nnone\n\n"
        r"Tokens\nnone\n\n"
        r"Logins of the last hour\nnone\n",
        desk.says("status"),
    )
    known = desk.knows("status")
    assert -60 < seconds_until(known.pop("at")) <= 0
    assert known == {
        "bypasses": [],
        "kept_out": [],
        "blocked_places": [],
        "temporary_codes": [],
        "tokens": {"totp": NOBODYS, "hotp": NOBODYS, "yubikey": NOBODYS},
        "logins": [],
    }


def test_bypasses_are_shown_with_their_ends(desk: Helpdesk, slapd: Slapd) -> None:
    desk.says("user", "bypass", "alice", "--for", "2h")
    desk.says("user", "bypass", "bob", "--for", "2h")
    desk.says("user", "bypass", "bob", "--end")
    assert re.search(rf"^alice +{TIME} *$", desk.says("status"), re.MULTILINE)
    [bypass] = desk.knows("status")["bypasses"]
    assert 7200 - 60 < seconds_until(bypass.pop("until")) <= 7200
    assert bypass == {"user": "alice", "subject": slapd.entry_uuid("alice")}


def test_whoever_is_delayed_or_locked_is_shown(desk: Helpdesk) -> None:
    now = time.time()
    fail_to_log_in(desk, "carol", now)
    fail_to_log_in(desk, "dave", now, times=2)
    fail_to_log_in(desk, "erin", now - 601.0)  # whose delay is over
    shown = desk.says("status")
    assert re.search(rf"^carol +1 in a row, refused until {TIME} *$", shown, re.MULTILINE)
    assert re.search(r"^dave +2 in a row: locked until an unlock *$", shown, re.MULTILINE)
    assert not re.search(r"^erin ", shown, re.MULTILINE)
    carol, dave = desk.knows("status")["kept_out"]
    assert 540 < seconds_until(carol.pop("until")) <= 600
    assert carol == {"user": "carol", "subject": "carol-id", "failures": 1, "locked": False}
    assert dave == {"user": "dave", "subject": "dave-id", "failures": 2, "locked": True, "until": None}


def test_tokens_are_counted_by_kind_and_state(desk: Helpdesk) -> None:
    add(desk, "alice")
    add(desk, "alice")
    add(desk, "bob", "--valid-until", "2001-01-01")
    add(desk, "bob", "--valid-from", "2999-01-01")
    desk.says("token", "disable", add(desk, "bob", "--kind", "hotp"))
    desk.says("token", "unassign", add_yubikey(desk, "bob"))
    desk.says("user", "recovery-codes", "alice")  # which are no tokens
    shown = desk.says("status")
    assert re.search(r"^TOTP +2 +1 +1 *$", shown, re.MULTILINE)
    assert re.search(r"^HOTP +1 *$", shown, re.MULTILINE)
    assert re.search(r"^YubiKey +1 *$", shown, re.MULTILINE)
    tokens: dict[str, Any] = desk.knows("status")["tokens"]
    assert tokens == {
        "totp": NOBODYS | {"active": 2, "expired": 1, "not yet valid": 1},
        "hotp": NOBODYS | {"disabled": 1},
        "yubikey": NOBODYS | {"in stock": 1},
    }


def test_what_is_in_force_ends_to_the_second(desk: Helpdesk) -> None:
    fail_to_log_in(desk, "carol", 1000.0)
    with desk.store() as store:
        store.accounts.bypass("alice-id", "alice", 1600.0, 1000.0)
        for when, names in ((1599.0, ["alice"]), (1600.0, [])):
            status = status_of(store, when)
            assert [one.name for one in status.bypasses] == names
            assert [one.name for one in status.kept_out] == ["carol"] * len(names)


def test_blocked_places_are_shown(desk: Helpdesk) -> None:
    now = time.time()
    rules = place_rules(LOCKS, address=1, client=1)
    with desk.store() as store:
        record = Record("id", now, "vpn", "who", "192.0.2.7", Result.REJECT, Reason.NO_SUCH_USER)
        store.ledger.refuse(record, Miss("from 192.0.2.7", "who", rules.address), None)
    shown = desk.says("status")
    assert re.search(rf"^from 192\.0\.2\.7 +1 in a row, refused until {TIME} *$", shown, re.MULTILINE)
    [place] = desk.knows("status")["blocked_places"]
    assert 540 < seconds_until(place.pop("until")) <= 600
    assert place == {"place": "from 192.0.2.7", "failures": 1}


def test_temporary_codes_are_shown_with_their_uses_and_ends(desk: Helpdesk, slapd: Slapd) -> None:
    desk.says("user", "temp-code", "alice", "--uses", "3")
    desk.says("user", "temp-code", "bob")
    desk.says("user", "temp-code", "bob", "--revoke")
    assert re.search(rf"^alice +0 of 3 +{TIME} *$", desk.says("status"), re.MULTILINE)
    [code] = desk.knows("status")["temporary_codes"]
    [known] = desk.knows("user", "show", "alice")["temporary_codes"]
    assert code == {"user": "alice", "subject": slapd.entry_uuid("alice")} | known


def test_the_logins_of_the_last_hour_are_counted_by_their_ends(desk: Helpdesk) -> None:
    now = time.time()
    fail_to_log_in(desk, "carol", now - 3700.0)
    fail_to_log_in(desk, "carol", now - 3000.0, times=2)
    with desk.store() as store:
        store.ledger.refuse(Record("id", now, "vpn", "alice", "", Result.ACCEPT, None), None, None)
    shown = desk.says("status")
    assert re.search(r"^accept +1 *$", shown, re.MULTILINE)
    assert re.search(r"^reject +wrong-code +2 *$", shown, re.MULTILINE)
    assert desk.knows("status")["logins"] == [
        {"result": "accept", "reason": None, "count": 1},
        {"result": "reject", "reason": "wrong-code", "count": 2},
    ]
