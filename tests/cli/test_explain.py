"""`radius2fa explain` on a real slapd and a real store."""

import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from radius2fa.login.ports import Record, Result
from radius2fa.login.reason import Reason
from tests.cli.helpdesk import Helpdesk
from tests.cli.tokens import BUTTON, TOKEN, add_seed, codes_now
from tests.otp import oathtool
from tests.servers.slapd import Slapd, free_port, person_ldif

PASSWORD = "secret"
CLIENTS = """
[[client]]
name = "ssh"
addresses = ["127.0.0.2"]
secret = "another secret of the tests"
code = "challenge"

[[client]]
name = "comma"
addresses = ["127.0.0.3"]
secret = "another secret of the tests"
delimiter = ","

[[client]]
name = "either"
addresses = ["127.0.0.4"]
secret = "another secret of the tests"
code = "either"

[[policy]]
name = "guests"
users = ["guest"]
second_factor = "deny"

[[policy]]
name = "office"
networks = ["192.0.2.0/24"]
second_factor = "off"
reply = { Filter-Id = "office" }
"""


@pytest.fixture(scope="module")
def slapd() -> Iterator[Slapd]:
    with Slapd(seed=person_ldif("alice", PASSWORD) + person_ldif("guest", PASSWORD)) as running:
        yield running


@pytest.fixture
def desk(tmp_path: Path, slapd: Slapd) -> Helpdesk:
    desk = Helpdesk(tmp_path, slapd)
    desk.config.write_text(desk.config.read_text() + CLIENTS)
    return desk


def explained(desk: Helpdesk, *options: str, user: str = "alice", password: str = PASSWORD, code: str = "") -> Any:
    """What `explain` says as JSON, when this is typed at its prompts."""
    result = desk.run("explain", user, *options, "--json", typed=f"{password}\n{code}\n")
    return json.loads(result.stdout[result.stdout.index("{") :])


def steps(explanation: Any) -> dict[str, str]:
    return {step["what"]: step["verdict"] for step in explanation["steps"]}


@pytest.mark.parametrize("client", ["vpn", "ssh", "comma", "either"])
def test_a_login_that_would_be_accepted_is_walked_through_and_leaves_nothing(desk: Helpdesk, client: str) -> None:
    token = add_seed(desk, "alice")
    for _ in range(2):  # the code is not used up
        explanation = explained(desk, "--client", client, code=codes_now(TOKEN)[0])
        assert (explanation["outcome"], explanation["reason"]) == ("accept", None)
        assert explanation["words"] == "The login would be accepted (totp)."
        told = steps(explanation)
        assert told["Directory"] == "alice: uid=alice,ou=people,dc=example,dc=org"
        assert told["Policy"] == "no rule matches: a second factor is required"
        assert told["Store"] == f"may answer: totp {token}; failures in a row: 0"
        assert (told["Code"], told["Password"]) == (f"right and unused: token {token}", "right")
        assert all(0 <= step["milliseconds"] < 10_000 for step in explanation["steps"])
    shown = desk.knows("user", "show", "alice")
    assert (shown["logins"], shown["failures"]["count"]) == ([], 0)
    assert desk.knows("token", "show", token)["counter"] == 0


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ({"code": "000000"}, Reason.WRONG_CODE),
        ({"code": ""}, Reason.NO_CODE),
        ({"password": "", "code": ""}, Reason.EMPTY_PASSWORD),
        ({"user": "nobody", "code": "000000"}, Reason.NO_SUCH_USER),
        ({"user": "guest", "code": "000000"}, Reason.DENIED),
    ],
)
def test_a_login_that_would_be_refused_is_told_with_its_reason_and_counts_nothing(
    desk: Helpdesk, typed: dict[str, str], reason: Reason
) -> None:
    add_seed(desk, "alice", "--kind", "hotp")
    for _ in range(6):  # more than a lock would take
        explanation = explained(desk, "--client", "vpn", **typed)
        assert (explanation["outcome"], explanation["reason"]) == ("reject", reason)
        assert explanation["words"] == f"{reason}: {reason.remedy}"
    assert desk.knows("user", "show", "alice")["failures"]["count"] == 0


def test_a_wrong_password_shows_behind_a_right_code(desk: Helpdesk, slapd: Slapd) -> None:
    add_seed(desk, "alice", "--kind", "hotp")
    before = slapd.binds("uid=alice,ou=people,dc=example,dc=org")
    explanation = explained(desk, "--client", "vpn", password="wrong", code=oathtool.codes(BUTTON, 0)[0].decode())
    assert explanation["reason"] == Reason.WRONG_PASSWORD
    assert steps(explanation)["Password"] == "wrong password"
    assert slapd.binds("uid=alice,ou=people,dc=example,dc=org") == before + 1


def test_without_a_code_a_client_that_asks_would_ask(desk: Helpdesk) -> None:
    explanation = explained(desk, "--client", "ssh")
    assert (explanation["outcome"], explanation["words"]) == ("challenge", "A code would be asked for.")
    explanation = explained(desk, "--client", "either", password="pass123456")
    assert explanation["outcome"] == "challenge"


def test_where_the_user_sits_decides_with(desk: Helpdesk) -> None:
    explanation = explained(desk, "--client", "vpn", "--from", "192.0.2.7")
    assert explanation["outcome"] == "accept"
    assert explanation["words"] == "The login would be accepted (off), with Filter-Id = office."
    assert steps(explanation)["Policy"] == "office: the password alone is enough"


def test_what_stands_against_somebody_is_told(desk: Helpdesk) -> None:
    token = add_seed(desk, "alice")
    desk.says("token", "disable", token)
    desk.says("user", "bypass", "alice", "--for", "1h")
    store = steps(explained(desk, "--client", "vpn"))["Store"]
    assert store == f"may answer: nothing; may not: totp {token}; failures in a row: 0; a bypass is in force"


def test_a_lock_is_told(desk: Helpdesk, slapd: Slapd) -> None:
    add_seed(desk, "alice")
    desk.config.write_text(desk.config.read_text() + "\n[lockout]\nfailures = 1\nunknown_names = 1\n")
    from radius2fa.login.lockout import LockoutRules  # noqa: PLC0415 - only here
    from radius2fa.login.ports import Failure, Miss  # noqa: PLC0415 - as above

    rules = LockoutRules(failures=1)
    subject = slapd.entry_uuid("alice")
    with desk.store() as store:
        record = Record("try", time.time(), "vpn", "alice", "192.0.2.9", Result.REJECT, Reason.WRONG_CODE, subject)
        store.ledger.refuse(record, Failure(subject, "alice", b"typed", rules), None)
        store.ledger.refuse(record, Miss("from 192.0.2.9", "nobody", rules), None)
    explanation = explained(desk, "--client", "ssh", "--from", "198.51.100.1", code="000000")
    assert explanation["reason"] == Reason.LOCKED_OUT
    assert "failures in a row: 1; blocked" in steps(explanation)["Store"]
    explanation = explained(desk, "--client", "comma", "--from", "192.0.2.9", code="000000")
    assert explanation["reason"] == Reason.ADDRESS_BLOCKED
    assert "the address is blocked" in steps(explanation)["Store"]


def test_a_table_is_printed_for_people(desk: Helpdesk) -> None:
    result = desk.run("explain", "alice", "--client", "vpn", typed="secret\n000000\n")
    assert result.exit_code == 1
    assert "no rule matches: a second factor is required" in result.output
    assert f"REFUSED  no-token: {Reason.NO_TOKEN.remedy}" in result.output
    assert "000000" not in result.output
    assert "secret" not in result.output


def test_a_directory_that_is_down_is_told_as_silence(desk: Helpdesk) -> None:
    text = desk.config.read_text()
    port = text.partition("ldap://127.0.0.1:")[2].partition('"')[0]
    desk.config.write_text(text.replace(f":{port}", f":{free_port()}"))
    result = desk.run("explain", "alice", "--client", "vpn", typed="secret\n000000\n")
    assert result.exit_code == 69
    assert "SILENCE  No answer at all, so that the client asks another server: directory: " in result.output


def test_the_client_must_be_known_and_named_where_there_are_several(desk: Helpdesk) -> None:
    result = desk.run("explain", "alice")
    assert (result.exit_code, "which client?" in result.output) == (64, True)
    result = desk.run("explain", "alice", "--client", "vqn")
    assert (result.exit_code, "no client is named vqn; there are: vpn, ssh, comma, either" in result.output) == (
        1,
        True,
    )
    result = desk.run("explain")
    assert (result.exit_code, "whose login?" in result.output) == (64, True)


def test_every_reason_is_listed_with_its_remedy(desk: Helpdesk) -> None:
    assert desk.knows("explain", "--reasons") == {reason.value: reason.remedy for reason in Reason}
    printed = desk.says("explain", "--reasons")
    assert all(reason.value in printed for reason in Reason)


def test_on_a_terminal_neither_password_nor_code_is_shown_while_it_is_typed(desk: Helpdesk) -> None:
    add_seed(desk, "alice")
    ours, theirs = pty.openpty()
    command = [Path(sys.executable).with_name("radius2fa"), "--config", desk.config, "explain", "alice"]
    with subprocess.Popen(
        [*command, "--client", "vpn"], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as it:
        os.close(theirs)
        shown = until(ours, b"Password: ")
        os.write(ours, b"typed-for-nobody\n")
        shown += until(ours, b"none): ")
        os.write(ours, b"000000\n")
        shown += until(ours, b"REFUSED")
        assert it.wait(30) == 1
    os.close(ours)
    assert b"wrong-code" in shown
    assert b"typed-for-nobody" not in shown
    assert b"000000" not in shown


def until(terminal: int, words: bytes) -> bytes:
    """Read what is shown on a terminal until these words have been."""
    shown = b""
    while words not in shown:
        shown += os.read(terminal, 4096)
    return shown
