import pytest

from tests.cli.helpdesk import Helpdesk
from tests.cli.tokens import BUTTON, TOKEN, TOUCH_1, TOUCH_2, add, add_seed, add_yubikey, codes_now, lines, register
from tests.otp import oathtool
from tests.servers.slapd import Slapd


def in_stock(desk: Helpdesk, *arguments: str) -> str:
    """Put a token with the seed of the RFCs into the stock, and return its id."""
    token_id = add_seed(desk, "bob", *arguments)
    desk.says("token", "unassign", token_id)
    return token_id


def deeds(desk: Helpdesk) -> list[str]:
    """What was done so far, the newest first."""
    with desk.store() as store:
        return [act.what.value for act in store.acts.recent(None, 20)]


def test_a_token_comes_out_of_the_stock_and_goes_back(desk: Helpdesk, slapd: Slapd) -> None:
    token_id = in_stock(desk)
    assert (
        desk.says("token", "assign", token_id, "ALICE") == f"Token {token_id} for alice: TOTP SHA1, 6 digits, 30 s.\n"
    )
    [row] = desk.knows("token", "list", "alice")
    assert (row["id"], row["subject"], row["state"]) == (token_id, slapd.entry_uuid("alice"), "active")
    assert desk.says("token", "unassign", token_id) == f"Token {token_id} of alice is in the stock again.\n"
    assert desk.knows("token", "show", token_id)["state"] == "in stock"
    assert deeds(desk) == ["token-unassigned", "token-assigned", "token-unassigned", "token-added"]


def test_a_lost_token_stays_disabled_in_the_stock_until_somebody_enables_it(desk: Helpdesk) -> None:
    token_id = add_seed(desk, "bob")
    desk.says("token", "disable", token_id)
    assert (
        desk.says("token", "unassign", token_id) == f"Token {token_id} of bob is in the stock again. It is disabled.\n"
    )
    [row] = desk.knows("token", "list", "--unassigned")
    assert (row["user"], row["state"]) == (None, "disabled")
    result = desk.run("token", "assign", token_id, "alice", "--confirm")
    assert (result.exit_code, result.stderr) == (1, f"radius2fa: token {token_id} is disabled: enable it first\n")
    assert desk.says("token", "assign", token_id, "alice").endswith("30 s. It is disabled.\n")
    desk.says("token", "enable", token_id)
    assert desk.knows("token", "show", token_id)["state"] == "active"


def test_a_token_of_somebody_is_not_taken_away(desk: Helpdesk) -> None:
    token_id = add(desk, "bob")
    result = desk.run("token", "assign", token_id, "alice")
    assert result.exit_code == 1
    assert (
        result.stderr
        == f"radius2fa: token {token_id} belongs to bob: first run `radius2fa token unassign {token_id}`\n"
    )
    result = desk.run("token", "assign", token_id, "bob")
    assert (result.exit_code, result.stderr) == (1, f"radius2fa: token {token_id} belongs to bob already\n")
    assert desk.knows("token", "show", token_id)["user"] == "bob"


def test_what_is_in_the_stock_does_not_go_there_again(desk: Helpdesk) -> None:
    token_id = in_stock(desk)
    result = desk.run("token", "unassign", token_id)
    assert (result.exit_code, result.stderr) == (
        1,
        f"radius2fa: token {token_id} is nobody's: it is in the stock already\n",
    )


def test_a_token_needs_to_be_known_and_a_person_too(desk: Helpdesk) -> None:
    result = desk.run("token", "assign", "4711", "alice")
    assert (result.exit_code, result.stderr) == (1, "radius2fa: there is no token 4711\n")
    result = desk.run("token", "assign", in_stock(desk), "nobody")
    assert (result.exit_code, result.stderr) == (1, "radius2fa: nobody: nobody has this name\n")


def test_what_keeps_an_assigned_token_from_answering_is_said(desk: Helpdesk) -> None:
    token_id = in_stock(desk, "--valid-until", "2001-01-01")
    assert desk.says("token", "assign", token_id, "alice").endswith("30 s. It is expired.\n")
    token_id = in_stock(desk)
    desk.says("token", "disable", token_id)
    assert desk.says("token", "assign", token_id, "alice").endswith("30 s. It is disabled.\n")


@pytest.mark.parametrize("confirm", [[], ["--confirm"]], ids=["at once", "with --confirm"])
def test_nobody_is_assigned_a_ninth_active_token(desk: Helpdesk, confirm: list[str]) -> None:
    token_id = in_stock(desk)
    tokens = [add(desk, "alice") for _ in range(8)]
    result = desk.run("token", "assign", token_id, "alice", *confirm)
    assert (result.exit_code, result.stdout) == (1, "")  # nothing was asked
    assert result.stderr.startswith("radius2fa: alice has 8 active tokens, which is the most: ")
    assert desk.knows("token", "show", token_id)["state"] == "in stock"
    desk.says("token", "disable", tokens[0])
    desk.says("token", "assign", token_id, "alice", *confirm, typed=lines(codes_now(TOKEN)))


# --confirm


def test_a_code_confirms_a_token_with_a_clock_and_is_used_up(desk: Helpdesk) -> None:
    token_id = in_stock(desk)
    [code] = codes_now(TOKEN, ahead=-15)  # it lay in a drawer
    desk.says("token", "assign", token_id, "alice", "--confirm", typed=code + "\n")
    row = desk.knows("token", "show", token_id)
    assert row["user"] == "alice"
    assert row["drift"] in (-15, -16)  # a step may have ended meanwhile
    assert oathtool.codes(TOKEN, row["counter"] - 1) == [code.encode()]


def test_two_codes_confirm_a_button_that_was_played_with(desk: Helpdesk) -> None:
    token_id = in_stock(desk, "--kind", "hotp")
    codes = oathtool.codes(BUTTON, 500, more=1)
    result = desk.run("token", "assign", token_id, "alice", "--confirm", typed=lines([*codes[::-1], *codes]))
    assert (result.exit_code, result.stderr) == (0, "These are not two codes of the token in sequence.\n")
    row = desk.knows("token", "show", token_id)
    assert (row["user"], row["counter"]) == ("alice", 502)


def test_a_touch_confirms_a_yubikey_and_is_used_up(desk: Helpdesk) -> None:
    token_id = add_yubikey(desk, "bob", "--serial", "4711")
    desk.says("token", "unassign", token_id)
    desk.says("token", "assign", "4711", "alice", "--confirm", typed=TOUCH_1 + "\n")
    row = desk.knows("token", "show", token_id)
    assert (row["user"], row["counter"]) == ("alice", (1 << 8 | 1) + 1)
    desk.says("token", "unassign", token_id)
    result = desk.run("token", "assign", "4711", "bob", "--confirm", typed=lines([TOUCH_1, TOUCH_2]))
    assert (result.exit_code, result.stderr) == (0, "This is no code of this YubiKey, or has been used before.\n")


@pytest.mark.parametrize("kind", ["totp", "hotp"])
def test_wrong_codes_leave_the_token_in_the_stock(desk: Helpdesk, kind: str) -> None:
    token_id = in_stock(desk, "--kind", kind)
    result = desk.run("token", "assign", token_id, "alice", "--confirm", typed="000000\n" * 6)
    assert result.exit_code == 1
    assert result.stderr.endswith(f"radius2fa: token {token_id} stays in the stock\n")
    row = desk.knows("token", "show", token_id)
    assert (row["user"], row["state"], row["counter"]) == (None, "in stock", 0)
    assert deeds(desk)[0] == "token-unassigned"  # it was never assigned, not for a moment


def test_whoever_breaks_off_leaves_the_token_in_the_stock(desk: Helpdesk) -> None:
    token_id = in_stock(desk)
    result = desk.run("token", "assign", token_id, "alice", "--confirm", typed="000000\n")
    assert result.exit_code == 1
    assert result.stderr == (
        f"This is not a code of the token at this time.\n\nradius2fa: token {token_id} stays in the stock\n"
    )
    assert desk.knows("token", "show", token_id)["state"] == "in stock"


def test_a_disabled_token_confirms_nothing(desk: Helpdesk) -> None:
    token_id = in_stock(desk)
    desk.says("token", "disable", token_id)
    result = desk.run("token", "assign", token_id, "alice", "--confirm", typed=lines(codes_now(TOKEN)))
    assert (result.exit_code, result.stderr) == (1, f"radius2fa: token {token_id} is disabled: enable it first\n")


# what somebody else does while the prompt waits


def test_a_token_that_somebody_else_was_given_meanwhile_is_theirs(desk: Helpdesk) -> None:
    token_id = in_stock(desk)
    with desk.asked("shows: ", "token", "assign", token_id, "alice", "--confirm") as program:
        desk.says("token", "assign", token_id, "bob")
        _, errors = program.communicate(lines(codes_now(TOKEN)), timeout=30)
    assert program.returncode == 1
    assert errors == f"radius2fa: token {token_id} is in the stock no more: somebody else has just taken it\n"
    assert desk.knows("token", "show", token_id)["user"] == "bob"


def test_a_code_that_was_used_up_meanwhile_confirms_nothing(desk: Helpdesk) -> None:
    token_id = in_stock(desk, "--kind", "hotp")
    typed = lines(oathtool.codes(BUTTON, 5, more=1))
    with desk.asked("of the token: ", "token", "assign", token_id, "alice", "--confirm") as program:
        desk.says("token", "resync", token_id, typed=typed)
        _, errors = program.communicate(typed * 3, timeout=30)
    assert program.returncode == 1
    assert errors.endswith(f"radius2fa: token {token_id} stays in the stock\n")
    assert desk.knows("token", "show", token_id)["user"] is None


@pytest.mark.parametrize("command", [["unassign"], ["assign", "bob"], ["assign", "bob", "--confirm"]])
def test_a_passkey_is_nobody_elses(desk: Helpdesk, slapd: Slapd, command: list[str]) -> None:
    token = register(desk, slapd.entry_uuid("alice"), "alice")
    result = desk.run("token", command[0], token, *command[1:])
    sentence = "which knows whose it is: remove it, and let whoever has it register it in the portal"
    assert (result.exit_code, result.stderr) == (
        1,
        f"radius2fa: token {token} is a security key or passkey, {sentence}\n",
    )
    assert desk.knows("token", "show", token)["user"] == "alice"
