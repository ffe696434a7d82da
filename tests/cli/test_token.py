import re
import sqlite3
from contextlib import closing

import pytest

from tests.cli.helpdesk import Helpdesk
from tests.cli.tokens import BUTTON, SEED, TOKEN, add, add_seed, add_yubikey, codes_now, id_in, register
from tests.otp import oathtool
from tests.servers.slapd import Slapd, person_dn

# list, show, qr


def test_the_list_is_everybodys_or_one_persons(desk: Helpdesk) -> None:
    one, other = add(desk, "alice", "--label", "phone"), add(desk, "bob", "--kind", "hotp", "--digits", "8")
    everybody = desk.says("token", "list")
    assert [line.split() for line in everybody.splitlines()[2:] if line.strip()] == [
        [one, "alice", "TOTP", "SHA1,", "6", "digits,", "30", "s", "phone", "active", "never"],
        [other, "bob", "HOTP", "SHA1,", "8", "digits", "active", "never"],
    ]
    assert [row["id"] for row in desk.knows("token", "list", "bob")] == [other]
    assert desk.knows("token", "list", "bob")[0]["period"] is None


def test_an_empty_list_says_so(desk: Helpdesk) -> None:
    assert desk.says("token", "list", "alice") == "There are no tokens.\n"
    assert desk.knows("token", "list", "alice") == []


def test_the_tokens_of_somebody_who_has_left_are_still_found(desk: Helpdesk, slapd: Slapd) -> None:
    slapd.add_person("carol", "secret")
    token_id = add(desk, "carol")
    slapd.delete(person_dn("carol"))
    assert [row["id"] for row in desk.knows("token", "list", "carol")] == [token_id]


def test_a_name_that_two_have_had_is_refused(desk: Helpdesk, slapd: Slapd) -> None:
    for _ in range(2):
        slapd.add_person("dave", "secret")
        add(desk, "dave")
        slapd.delete(person_dn("dave"))
    result = desk.run("token", "list", "dave")
    assert (result.exit_code, result.stderr) == (1, "radius2fa: dave: several entries have this name\n")


def test_texts_from_outside_cannot_steer_the_terminal(desk: Helpdesk) -> None:
    token_id = add(desk, "alice", "--label", "[red]x[/red] :boom: \x1b[31m\u202e")
    for output in (desk.says("token", "list"), desk.says("token", "show", token_id)):
        assert "[red]x[/red] :boom: \\x1b[31m\\u202e" in output
        assert "\x1b" not in output


def test_a_token_is_shown_without_its_secret(desk: Helpdesk) -> None:
    token_id = add_seed(desk, "alice", "--label", "spare", "--serial", "0042")
    output = desk.says("token", "show", token_id)
    [created] = re.findall(r"^Created    (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+)$", output, re.MULTILINE)
    assert output.splitlines() == [
        f"Token      {token_id}",
        "User       alice",
        "Kind       TOTP SHA1, 6 digits, 30 s",
        "Label      spare",
        "Serial     0042",
        "State      active",
        "Valid      always",
        "Counter    0",
        "Drift      0 steps",
        f"Created    {created}",
        "Last used  never",
    ]
    assert SEED not in str(desk.knows("token", "show", token_id))


def test_the_qr_code_can_be_drawn_again(desk: Helpdesk) -> None:
    output = desk.says("token", "add", "alice")
    shown = output[: output.index("Token ")]
    assert desk.says("token", "qr", id_in(output)) == shown


def test_the_help_warns_that_the_qr_code_shows_the_secret(desk: Helpdesk) -> None:
    assert "THIS SHOWS THE SECRET" in desk.says("token", "qr", "--help")


def test_a_seed_that_another_key_sealed_is_a_fault_of_the_configuration(desk: Helpdesk) -> None:
    token_id = add(desk, "alice")
    desk.replace_key()
    result = desk.run("token", "qr", token_id)
    assert result.exit_code == 78
    assert "which is not in the master key file" in result.stderr


def test_a_yubikey_has_no_qr_code(desk: Helpdesk) -> None:
    token_id = add_yubikey(desk, "alice")
    result = desk.run("token", "qr", token_id)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"radius2fa: token {token_id} is a YubiKey: no app can take its secret in\n"


def test_a_yubikey_is_listed_and_shown_as_one(desk: Helpdesk) -> None:
    token_id = add_yubikey(desk, "alice", "--serial", "4711")
    assert [line.split() for line in desk.says("token", "list").splitlines()[2:] if line.strip()] == [
        [token_id, "alice", "YubiKey", "vvccccbhkcjd", "4711", "active", "never"]
    ]
    shown = desk.says("token", "show", token_id)
    assert "Kind       YubiKey vvccccbhkcjd\n" in shown
    assert "Drift\n" in shown


def test_a_passkey_is_listed_and_shown_as_one(desk: Helpdesk, slapd: Slapd) -> None:
    token_id = register(desk, slapd.entry_uuid("alice"), "alice")
    assert [line.split() for line in desk.says("token", "list").splitlines()[2:] if line.strip()] == [
        [token_id, "alice", "security", "key", "/", "passkey", "yellow", "active", "never"]
    ]
    shown = desk.says("token", "show", token_id)
    assert "Kind       security key / passkey\n" in shown
    assert "digits" not in shown
    assert "Drift\n" in shown
    known = desk.knows("token", "show", token_id)
    facts = ("kind", "algorithm", "digits", "period", "drift", "state", "label")
    assert [known[name] for name in facts] == ["webauthn", None, None, None, None, "active", "yellow"]


@pytest.mark.parametrize("command", [["qr"], ["resync"]])
def test_a_passkey_makes_no_codes(desk: Helpdesk, slapd: Slapd, command: list[str]) -> None:
    token_id = register(desk, slapd.entry_uuid("alice"), "alice")
    result = desk.run("token", *command, token_id)
    what = "is a security key or passkey: it makes no codes, and its secret never leaves it"
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"radius2fa: token {token_id} {what}\n"


def test_a_passkey_is_disabled_bounded_and_removed_like_any_token(desk: Helpdesk, slapd: Slapd) -> None:
    token_id = register(desk, slapd.entry_uuid("alice"), "alice")
    assert desk.says("token", "disable", token_id) == f"Token {token_id} is disabled.\n"
    assert desk.knows("token", "show", token_id)["state"] == "disabled"
    assert desk.says("token", "enable", token_id) == f"Token {token_id} is enabled.\n"
    desk.says("token", "valid", token_id, "--until", "2001-01-01")
    assert desk.knows("token", "show", token_id)["state"] == "expired"
    assert desk.says("token", "remove", token_id, "--yes") == f"Token {token_id} is removed.\n"
    assert desk.knows("token", "list") == []


def test_columns_that_would_say_nothing_are_left_out(desk: Helpdesk) -> None:
    add(desk, "alice")
    assert desk.says("token", "list").split("\n")[0].split() == ["Token", "User", "Kind", "State", "Last", "used"]
    add(desk, "alice", "--serial", "7", "--valid-from", "2001-01-01")
    titles = ["Token", "User", "Kind", "Serial", "State", "Valid", "Last", "used"]
    assert desk.says("token", "list").split("\n")[0].split() == titles


def test_the_stock_is_listed_alone(desk: Helpdesk) -> None:
    assert desk.says("token", "list", "--unassigned") == "There are no tokens in the stock.\n"
    assert desk.knows("token", "list", "--unassigned") == []
    add(desk, "alice")
    token_id = add(desk, "bob", "--serial", "0042")
    desk.says("token", "unassign", token_id)
    [row] = desk.knows("token", "list", "--unassigned")
    assert (row["id"], row["user"], row["subject"], row["state"]) == (token_id, None, None, "in stock")
    assert len(desk.knows("token", "list")) == 2
    assert "User       nobody\n" in desk.says("token", "show", token_id)
    result = desk.run("token", "list", "bob", "--unassigned")
    assert (result.exit_code, result.stderr) == (64, "radius2fa: what is --unassigned is nobody's: leave USER out\n")


def test_a_serial_number_does_for_an_id(desk: Helpdesk) -> None:
    token_id = add_seed(desk, "alice", "--kind", "hotp", "--serial", "00 42")
    assert desk.knows("token", "show", "00 42")["id"] == token_id
    assert desk.says("token", "qr", "00 42") == desk.says("token", "qr", token_id)
    assert desk.says("token", "disable", "00 42") == f"Token {token_id} is disabled.\n"
    assert desk.says("token", "enable", "00 42") == f"Token {token_id} is enabled.\n"
    assert desk.says("token", "resync", "00 42", typed="399871\n520489\n").endswith(f"{token_id} is in step again.\n")
    assert desk.says("token", "valid", "00 42", "--always") == f"Token {token_id} is valid always.\n"
    assert desk.says("token", "unassign", "00 42") == f"Token {token_id} of alice is in the stock again.\n"
    assert desk.says("token", "assign", "00 42", "bob").startswith(f"Token {token_id} for bob: ")
    assert desk.says("token", "remove", "00 42", "--yes") == f"Token {token_id} is removed.\n"


# resync


def test_two_codes_bring_a_button_token_back(desk: Helpdesk) -> None:
    token_id = add_seed(desk, "alice", "--kind", "hotp")
    first, second = (code.decode() for code in oathtool.codes(BUTTON, 800, more=1))
    assert desk.says("token", "resync", token_id, typed=f"{first}\n{second}\n").endswith(
        f"Token {token_id} is in step again.\n"
    )
    assert desk.knows("token", "show", token_id)["counter"] == 802


def test_two_codes_bring_a_slow_clock_back(desk: Helpdesk) -> None:
    token_id = add_seed(desk, "alice")
    first, second = codes_now(TOKEN, ahead=-71, more=1)
    desk.says("token", "resync", token_id, typed=f"{first}\n{second}\n")
    row = desk.knows("token", "show", token_id)
    assert row["drift"] in (-70, -71)  # a step may have ended meanwhile
    assert oathtool.codes(TOKEN, row["counter"] - 1) == [second.encode()]


@pytest.mark.parametrize("look", ["8", "7"])
def test_a_resync_looks_as_far_as_told(desk: Helpdesk, look: str) -> None:
    token_id = add_seed(desk, "alice", "--kind", "hotp")
    result = desk.run("token", "resync", token_id, "--look", look, typed="399871\n520489\n")
    assert result.exit_code == {"8": 0, "7": 1}[look]
    assert desk.knows("token", "show", token_id)["counter"] == {"8": 10, "7": 0}[look]


def test_used_codes_bring_nothing_back(desk: Helpdesk) -> None:
    token_id = add_seed(desk, "alice", "--kind", "hotp")
    desk.says("token", "resync", token_id, typed="399871\n520489\n")
    result = desk.run("token", "resync", token_id, typed="399871\n520489\n")
    assert result.exit_code == 1
    assert result.stderr.endswith("these are not two codes of the token in sequence, or have been used before\n")


def test_a_disabled_token_is_not_brought_back(desk: Helpdesk) -> None:
    token_id = add(desk, "alice")
    desk.says("token", "disable", token_id)
    result = desk.run("token", "resync", token_id)
    assert (result.exit_code, result.stderr) == (1, f"radius2fa: token {token_id} is disabled: enable it first\n")


def test_a_yubikey_is_never_out_of_step(desk: Helpdesk) -> None:
    token_id = add_yubikey(desk, "alice")
    result = desk.run("token", "resync", token_id)
    assert result.exit_code == 1
    assert result.stderr == (
        f"radius2fa: token {token_id} is a YubiKey: each touch counts on from the last, so it is never out of step\n"
    )


# valid


def bounds(desk: Helpdesk, token_id: str) -> list[str | None]:
    row = desk.knows("token", "show", token_id)
    return [row["valid_from"] and row["valid_from"][:10], row["valid_until"] and row["valid_until"][:10]]


def test_each_bound_is_set_by_itself_and_both_are_taken_away_at_once(desk: Helpdesk) -> None:
    token_id = add(desk, "alice")
    desk.says("token", "valid", token_id, "--from", "2001-01-01T12:00")
    assert bounds(desk, token_id) == ["2001-01-01", None]
    desk.says("token", "valid", token_id, "--until", "2099-12-30")  # to the end of that day
    assert bounds(desk, token_id) == ["2001-01-01", "2099-12-31"]
    desk.says("token", "valid", token_id, "--from", "2002-01-01T12:00", "--until", "2098-12-31T12:00")
    assert bounds(desk, token_id) == ["2002-01-01", "2098-12-31"]
    assert desk.says("token", "valid", token_id, "--always") == f"Token {token_id} is valid always.\n"
    assert bounds(desk, token_id) == [None, None]


def test_a_token_that_is_over_is_said_to_be(desk: Helpdesk) -> None:
    token_id = add(desk, "alice")
    assert re.fullmatch(
        rf"Token {token_id} is valid until 2001-01-02 00:00:00 \S+\. It is expired\.\n",
        desk.says("token", "valid", token_id, "--until", "2001-01-01"),
    )
    assert "State      expired\n" in desk.says("token", "show", token_id)
    desk.says("token", "valid", token_id, "--always")
    desk.says("token", "valid", token_id, "--from", "2999-01-01")
    assert "State      not yet valid\n" in desk.says("token", "show", token_id)
    result = desk.run("token", "valid", token_id, "--until", "2998-12-31")  # whose end is where the other begins
    assert (result.exit_code, result.stderr) == (
        64,
        "radius2fa: the end is not after the beginning: the token would never be valid\n",
    )


@pytest.mark.parametrize("arguments", [[], ["--always", "--from", "2001-01-01"], ["--always", "--until", "2001-01-01"]])
def test_a_validity_is_either_bounded_or_not(desk: Helpdesk, arguments: list[str]) -> None:
    result = desk.run("token", "valid", add(desk, "alice"), *arguments)
    assert result.exit_code == 64
    assert result.stderr.startswith("radius2fa: say from when, until when, or both")


# enable, disable, remove


def test_a_token_is_disabled_and_enabled(desk: Helpdesk) -> None:
    token_id = add(desk, "alice")
    assert desk.says("token", "disable", token_id) == f"Token {token_id} is disabled.\n"
    assert desk.knows("token", "show", token_id)["active"] is False
    assert "State      disabled" in desk.says("token", "show", token_id)
    assert desk.says("token", "enable", token_id) == f"Token {token_id} is enabled.\n"
    assert desk.knows("token", "show", token_id)["active"] is True


def test_a_token_is_removed_when_that_is_confirmed(desk: Helpdesk) -> None:
    token_id = add(desk, "alice")
    result = desk.run("token", "remove", token_id, typed="n\n")
    assert result.exit_code == 1
    assert f"Remove token {token_id} of alice?" in result.stdout
    assert len(desk.knows("token", "list")) == 1
    assert desk.says("token", "remove", token_id, typed="y\n").endswith(f"Token {token_id} is removed.\n")
    assert desk.knows("token", "list") == []


def test_a_token_is_removed_unasked_with_yes(desk: Helpdesk) -> None:
    token_id = add(desk, "alice")
    assert desk.says("token", "remove", token_id, "--yes") == f"Token {token_id} is removed.\n"
    assert desk.knows("token", "list") == []


COMMANDS = [["show"], ["qr"], ["resync"], ["enable"], ["disable"], ["valid", "--always"], ["unassign"], ["remove"]]


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_token_is_said_to_be_unknown(desk: Helpdesk, command: list[str]) -> None:
    result = desk.run("token", *command, "abc\x1bdefg")
    assert (result.exit_code, result.stderr) == (1, "radius2fa: there is no token abc\\x1bdefg\n")


def test_a_token_that_is_removed_while_the_question_waits_is_unknown(desk: Helpdesk) -> None:
    token_id = add(desk, "alice")
    with desk.asked("[y/N]: ", "token", "remove", token_id) as program:
        desk.says("token", "remove", token_id, "--yes")
        _, errors = program.communicate("y\n", timeout=30)
    assert (program.returncode, errors) == (1, f"radius2fa: there is no token {token_id}\n")


def test_a_seed_that_was_altered_is_told(desk: Helpdesk) -> None:
    token_id = add(desk, "alice")
    with closing(sqlite3.connect(desk.config.with_name("radius2fa.db"))) as database, database:
        database.execute("UPDATE token SET seed = substr(seed, 1, length(seed) - 1)")
    for command in ("qr", "resync"):
        result = desk.run("token", command, token_id)
        assert result.exit_code == 78
        assert "was altered or belongs to another row" in result.stderr
