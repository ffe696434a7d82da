import json
import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from radius2fa.cli import running
from radius2fa.cli.running import NoAnswer, Running, ask
from radius2fa.cli.status import status_of
from radius2fa.login.lockout import LockoutRules, place_rules
from radius2fa.login.ports import Failure, Miss, Record, Result
from radius2fa.login.reason import Reason
from tests.cli.helpdesk import Helpdesk
from tests.cli.tokens import add, add_yubikey, register
from tests.servers.another_user import another_user, open_folder
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
        rf"No server is running here \(nothing answers at {desk.socket}\)\n\n"
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
        "server": None,
        "bypasses": [],
        "kept_out": [],
        "blocked_places": [],
        "temporary_codes": [],
        "tokens": {"totp": NOBODYS, "hotp": NOBODYS, "yubikey": NOBODYS, "webauthn": NOBODYS},
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


def test_tokens_are_counted_by_kind_and_state(desk: Helpdesk, slapd: Slapd) -> None:
    add(desk, "alice")
    add(desk, "alice")
    add(desk, "bob", "--valid-until", "2001-01-01")
    add(desk, "bob", "--valid-from", "2999-01-01")
    desk.says("token", "disable", add(desk, "bob", "--kind", "hotp"))
    desk.says("token", "unassign", add_yubikey(desk, "bob"))
    desk.says("user", "recovery-codes", "alice")  # which are no tokens
    register(desk, slapd.entry_uuid("alice"), "alice")
    shown = desk.says("status")
    assert re.search(r"^TOTP +2 +1 +1 *$", shown, re.MULTILINE)
    assert re.search(r"^HOTP +1 *$", shown, re.MULTILINE)
    assert re.search(r"^YubiKey +1 *$", shown, re.MULTILINE)
    assert re.search(r"^Security key / passkey +1 *$", shown, re.MULTILINE)
    tokens: dict[str, Any] = desk.knows("status")["tokens"]
    assert tokens == {
        "totp": NOBODYS | {"active": 2, "expired": 1, "not yet valid": 1},
        "hotp": NOBODYS | {"disabled": 1},
        "yubikey": NOBODYS | {"in stock": 1},
        "webauthn": NOBODYS | {"active": 1},
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


ANSWER = {
    "version": "9.8.7",
    "process": 4711,
    "started": "2026-01-01T00:00:00+00:00",
    "directories": [
        {
            "name": "staff",
            "driver": "ldap3",
            "lookups": {"remembered": 3, "capacity": 10000, "limit_seconds": 60.0, "hits": 20, "misses": 5},
            "servers": [
                {"url": "ldaps://one.example.org", "state": "well", "since": "2026-01-01T00:00:00+00:00", "cause": ""},
                {
                    "url": "ldaps://two.example.org",
                    "state": "failed",
                    "since": "2026-01-01T00:01:00+00:00",
                    "cause": "connection refused\x1b[2J",
                },
            ],
        },
        {
            "name": "guests",
            "driver": "libldap",
            "lookups": {"remembered": 0, "capacity": 10000, "limit_seconds": 0.5, "hits": 0, "misses": 7},
            "servers": [],
        },
    ],
}


@contextmanager
def answering(path: Path, octets: bytes, *, close: bool = True, pace: float = 0) -> Iterator[None]:
    """Somebody who listens at the path, and tells whoever comes these octets, with a `pace` one in so many seconds."""
    ended = Event()

    def serve() -> None:
        with listening.accept()[0] as connection:
            if pace:
                with suppress(OSError):  # until nobody listens any more
                    for octet in octets:
                        connection.sendall(bytes([octet]))
                        ended.wait(pace)
                return
            connection.sendall(octets)
            if not close:
                ended.wait(10)

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening, ThreadPoolExecutor(1) as thread:
        listening.settimeout(5)  # where nobody asks, the test fails
        listening.bind(str(path))
        listening.listen()
        served = thread.submit(serve)
        yield
        ended.set()
        served.result(10)


def line_with(shown: str, *cells: str) -> bool:
    return re.search(rf"^{' +'.join(map(re.escape, cells))} *$", shown, re.MULTILINE) is not None


@pytest.mark.usefixtures("in_auckland")
def test_the_running_server_is_shown_above_the_rest(desk: Helpdesk) -> None:
    with answering(desk.socket, json.dumps(ANSWER).encode()):
        shown = desk.says("status")
    first, _, rest = shown.partition("\n")
    running = "The server is running: version 9.8.7, process 4711, since 2026-01-01 13:00:00 NZDT"
    assert re.fullmatch(rf"{running} \(\d+ d( \d+ h)?\)", first)
    lookups, servers, others = (rest.index(each) for each in ("\nDirectory look-ups", "\nDirectory servers", "\nAs of"))
    assert 0 < lookups < servers < others
    assert line_with(shown, "Directory", "Driver", "From memory", "Asked for", "Remembered", "At most", "For")
    assert line_with(shown, "staff", "ldap3", "20", "5", "3", "10000", "60 s")
    assert line_with(shown, "guests", "libldap", "0", "7", "0", "10000", "0.5 s")
    assert line_with(shown, "staff", "ldaps://one.example.org", "well", "2026-01-01 13:00:00 NZDT")
    failed = ("staff", "ldaps://two.example.org", "failed", "2026-01-01 13:01:00 NZDT", r"connection refused\x1b[2J")
    assert line_with(shown, *failed)


WORKING = ANSWER | {
    "python": "3.13.1",
    "listeners": [{"address": "0.0.0.0", "port": 1812}, {"address": "::", "port": 1812}],
    "work": {"threads": 16, "busy": 21, "waiting": 5, "held": 3, "backlog": 1024},
    "clients": [
        {
            "name": name,
            "addresses": ["192.0.2.1/32"],
            "last_request": last,
            "message_authenticator": {"required": required, "with": signed, "without": unsigned},
        }
        for name, last, required, signed, unsigned in (
            ("asa", "2026-01-01T00:02:00+00:00", True, 12, 0),
            ("old", "2026-01-01T00:03:00+00:00", False, 0, 7),
            ("mixed", "2026-01-01T00:03:00+00:00", False, 2, 7),
            ("ready", "2026-01-01T00:03:00+00:00", False, 9, 0),
            ("refused", None, True, 0, 4),
            ("quiet", None, True, 0, 0),
        )
    ],
    "drops": [
        {"client": None, "cause": "unknown-client", "count": 8},
        {"client": "asa", "cause": "overload", "count": 6, "port": "accounting"},
    ],
    "accounting": {
        "listeners": [{"address": "0.0.0.0", "port": 1813}],
        "in_progress": 4,
        "acknowledged": [{"client": "asa", "status": "interim-update", "count": 77}],
    },
}


@pytest.mark.usefixtures("in_auckland")
def test_what_the_server_is_doing_is_shown(desk: Helpdesk) -> None:
    with answering(desk.socket, json.dumps(WORKING).encode()):
        shown = desk.says("status")
    assert shown.startswith("The server is running: version 9.8.7 on Python 3.13.1, process 4711, since 2026-01-01 ")
    lines = shown.splitlines()
    assert lines[1:4] == [
        "Listening on 0.0.0.0 port 1812, :: port 1812",
        "Accounting on 0.0.0.0 port 1813, reports in progress 4",
        (
            "Threads at work 16 of 16, requests waiting 5 (at most 1024 under way at each port), "
            "answers that wait for their hour 3"
        ),
    ]
    assert line_with(shown, "asa", "2026-01-01 13:02:00 NZDT", "12", "0", "always")
    assert line_with(shown, "old", "2026-01-01 13:03:00 NZDT", "0", "7", "never")
    assert line_with(shown, "mixed", "2026-01-01 13:03:00 NZDT", "2", "7", "sometimes")
    assert line_with(shown, "ready", "2026-01-01 13:03:00 NZDT", "9", "0", "always: it can be required")
    assert line_with(shown, "refused", "never", "0", "4", "never: dropped without")
    assert line_with(shown, "quiet", "never", "0", "0")
    assert line_with(shown, "(unknown)", "unknown-client", "8")
    assert line_with(shown, "asa", "overload", "6", "accounting")
    assert line_with(shown, "asa", "interim-update", "77")


@pytest.mark.usefixtures("in_auckland")
def test_how_the_last_reload_ended_is_shown(desk: Helpdesk) -> None:
    reload = {"at": "2026-01-01T01:00:00+00:00", "result": "refused", "faults": ["a.toml:3: no\x1b[2J"]}
    with answering(desk.socket, json.dumps(WORKING | {"reload": reload}).encode()):
        shown = desk.says("status")
    when = "Last reload 2026-01-01 14:00:00 NZDT"
    assert f"\n{when}: refused, the earlier configuration stays in force\n  a.toml:3: no\\x1b[2J\n" in shown
    reload |= {"result": "taken", "faults": [], "changed": ["client.vpn.secret"], "needs_restart": ["log.level"]}
    desk.socket.unlink()
    with answering(desk.socket, json.dumps(WORKING | {"reload": reload}).encode()):
        shown = desk.says("status")
    assert f"\n{when}: taken; changed: client.vpn.secret\n  Needs a restart: log.level\n" in shown


def test_programs_get_the_servers_answer_as_it_came(desk: Helpdesk) -> None:
    answer = ANSWER | {"of a later version": [1, 2]}
    with answering(desk.socket, json.dumps(answer).encode()):
        assert desk.knows("status")["server"] == answer


def test_a_server_of_another_version_is_understood_as_far_as_possible(desk: Helpdesk) -> None:
    answer = {"version": "9", "process": 1, "started": "2026-01-01T00:00:00Z", "more": ["unknown"]}
    with answering(desk.socket, json.dumps(answer).encode()):
        shown = desk.says("status")
    assert "\nDirectory look-ups\nnone\n\nDirectory servers\nnone\n\nAs of " in shown


def test_that_one_may_not_ask_is_told() -> None:
    with open_folder() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(folder / "status.sock"))
        listening.listen()
        (folder / "status.sock").chmod(0o600)
        with another_user(folder / "status.sock"):
            answer = ask(folder / "status.sock")
    assert answer == NoAnswer(
        f"A running server answers root and its own user only (no permission for {folder}/status.sock)"
    )


def test_a_socket_that_was_left_behind_is_no_server(desk: Helpdesk) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as killed:
        killed.bind(str(desk.socket))
    assert desk.says("status").startswith(f"No server is running here (nothing answers at {desk.socket})\n")
    assert desk.knows("status")["server"] is None


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"[" * 100_000,
        b"{}",
        b'{"version": "9", "process": 1, "started": "yesterday"}',
        json.dumps(ANSWER).encode()[:-1],
        json.dumps(ANSWER | {"started": "0001-01-01T00:00:00+14:00"}).encode(),
        json.dumps(ANSWER | {"started": "9999-12-31T23:59:59-12:00"}).encode(),
        json.dumps(ANSWER).encode()[:-1] + b', "more": ' + b"1" * 5000 + b"}",
    ],
    ids=["nothing", "http", "brackets", "empty", "no date", "half", "first year", "last year", "digits"],
)
def test_what_answers_something_else_is_no_server_of_radius2fa(desk: Helpdesk, octets: bytes) -> None:
    with answering(desk.socket, octets):
        assert desk.says("status").startswith(f"What answers at {desk.socket} is no server of radius2fa\n")


def test_who_never_comes_to_an_end_is_given_up(desk: Helpdesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "PATIENCE", 0.05)
    with answering(desk.socket, b'{"version": ', close=False):
        assert ask(desk.socket) == NoAnswer(f"The server did not answer (at {desk.socket}: timed out)")


def test_who_tells_an_octet_at_a_time_is_given_up_no_later(desk: Helpdesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "PATIENCE", 0.1)
    with answering(desk.socket, b" " * 100, pace=0.02):
        assert ask(desk.socket) == NoAnswer(f"The server did not answer (at {desk.socket}: timed out)")


def test_an_endless_answer_is_not_read_to_its_end(desk: Helpdesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "LONGEST", 1000)
    with answering(desk.socket, json.dumps(ANSWER).encode() + b" " * 100_000, close=False):
        assert isinstance(ask(desk.socket), Running)


def test_a_path_that_is_too_long_for_a_socket_is_told(tmp_path: Path) -> None:
    path = tmp_path / ("s" * 108)
    assert ask(path) == NoAnswer(f"The server did not answer (at {path}: AF_UNIX path too long)")


def test_two_seconds_are_waited() -> None:
    assert running.PATIENCE == 2.0


def test_where_the_socket_is_switched_off_that_is_said(desk: Helpdesk) -> None:
    desk.config.write_text(desk.config.read_text().replace('"status.sock"', '""'))
    assert desk.says("status").startswith("A running server is not asked (status_socket is empty)\n\nAs of ")


def test_the_server_is_shown_though_the_database_is_gone(desk: Helpdesk) -> None:
    desk.config.write_text(desk.config.read_text().replace("/radius2fa.db", "/none/radius2fa.db"))
    with answering(desk.socket, json.dumps(ANSWER).encode()):
        result = desk.run("status")
    assert result.stdout.startswith("The server is running: version 9.8.7")
    assert result.exit_code != 0


def test_the_server_is_shown_though_the_file_has_a_fault_by_now(desk: Helpdesk) -> None:
    """So a refused reload can be looked at, and a slip of the pen makes no container unhealthy."""
    desk.config.write_text(desk.config.read_text() + "\n[lockout]\nfailure = 5\n")
    with answering(desk.socket, json.dumps(ANSWER).encode()):
        result = desk.run("status")
    assert result.stdout.startswith("The server is running: version 9.8.7")
    assert (result.exit_code, "lockout.failure: is no key of this section" in result.stderr) == (78, True)
    desk.socket.unlink()
    with answering(desk.socket, json.dumps(ANSWER).encode()):
        assert desk.says("status", "--running").startswith("The server is running: version 9.8.7")


def test_asked_whether_a_server_runs_it_looks_at_nothing_else(desk: Helpdesk) -> None:
    """What watches a container asks so: the database is not opened, which may be in need of an upgrade."""
    desk.config.with_name("radius2fa.db").unlink()
    refused = desk.run("status", "--running")
    assert (refused.exit_code, refused.output) == (1, f"No server is running here (nothing answers at {desk.socket})\n")
    with answering(desk.socket, json.dumps(ANSWER).encode()):
        assert "As of" not in desk.says("status", "--running")
    desk.socket.unlink()
    with answering(desk.socket, json.dumps(ANSWER).encode()):
        assert desk.knows("status", "--running")["server"]["version"]
