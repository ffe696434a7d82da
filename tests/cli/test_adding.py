import base64
import re
import signal
import time
from datetime import datetime
from pathlib import Path

import pytest
import segno

from radius2fa.otp.token import Algorithm, Kind, Token, YubiKey
from tests.cli.helpdesk import Helpdesk
from tests.cli.tokens import (
    BUTTON,
    PUBLIC_ID,
    SEED,
    TOKEN,
    TOUCH_1,
    TOUCH_2,
    YUBIKEY,
    YUBIKEY_SECRET,
    add,
    codes_now,
    id_in,
    lines,
)
from tests.otp import oathtool
from tests.servers.slapd import Slapd


@pytest.fixture
def seed_file(tmp_path: Path) -> str:
    file = tmp_path / "seed"
    file.write_text(SEED + "\n")
    return str(file)


def test_a_new_token_is_the_persons_and_active(desk: Helpdesk, slapd: Slapd) -> None:
    output = desk.says("token", "add", "ALICE", "--label", "phone")
    assert f"Token {id_in(output)} for alice: TOTP SHA1, 6 digits, 30 s." in output
    [row] = desk.knows("token", "list")
    age = time.time() - datetime.fromisoformat(row.pop("created")).timestamp()
    assert 0 <= age < 60
    assert row == {
        "id": id_in(output),
        "user": "alice",
        "subject": slapd.entry_uuid("alice"),
        "kind": "totp",
        "algorithm": "SHA1",
        "digits": 6,
        "period": 30,
        "counter": 0,
        "drift": 0,
        "label": "phone",
        "serial": None,
        "active": True,
        "public_id": None,
        "state": "active",
        "valid_from": None,
        "valid_until": None,
        "last_used": None,
    }


def test_the_secret_is_shown_for_typing_and_as_a_qr_code(desk: Helpdesk) -> None:
    output = desk.says("token", "add", "alice", "--kind", "hotp", "--algorithm", "sha256", "--digits", "8")
    [groups] = re.findall(r"^Secret: ((?:[A-Z2-7]{4} ){12}[A-Z2-7]{4})$", output, re.MULTILINE)
    secret = groups.replace(" ", "")
    with desk.store() as store:
        token = store.tokens.secret(id_in(output))
    assert token == Token(id_in(output), Kind.HOTP, base64.b32decode(secret + "===="), Algorithm.SHA256, 8)
    uri = f"otpauth://hotp/ACME%20VPN:alice?secret={secret}&issuer=ACME%20VPN&counter=0&algorithm=SHA256&digits=8"
    height = (segno.make_qr(uri, error="l").symbol_size(border=4)[1] + 1) // 2
    assert len(re.findall(r"^[ ▀▄█]{40,}$", output, re.MULTILINE)) == height


@pytest.mark.parametrize("text", [SEED, "3132333435363738393031323334353637383930"])
def test_a_seed_comes_from_a_file_and_is_not_shown(desk: Helpdesk, tmp_path: Path, text: str) -> None:
    (tmp_path / "seed").write_text(text + "\n")
    output = desk.says("token", "add", "alice", "--seed-file", str(tmp_path / "seed"), "--serial", "0042")
    assert output == f"Token {id_in(output)} for alice: TOTP SHA1, 6 digits, 30 s.\n"
    with desk.store() as store:
        token = store.tokens.secret(id_in(output))
    assert token == Token(id_in(output), Kind.TOTP, b"12345678901234567890")
    assert desk.knows("token", "show", id_in(output))["serial"] == "0042"


def test_a_seed_comes_from_standard_input(desk: Helpdesk) -> None:
    token_id = add(desk, "alice", "--seed-file", "-", typed=SEED + "\n")
    with desk.store() as store:
        assert store.tokens.secret(token_id) == Token(token_id, Kind.TOTP, b"12345678901234567890")


def test_a_first_code_is_burned(desk: Helpdesk, seed_file: str) -> None:
    [code] = codes_now(TOKEN)
    output = desk.says("token", "add", "alice", "--seed-file", seed_file, "--confirm", typed=f"{code[:3]} {code[3:]}\n")
    assert output.endswith(f"The code is right.\nToken {id_in(output)} for alice: TOTP SHA1, 6 digits, 30 s.\n")
    row = desk.knows("token", "show", id_in(output))
    assert row["active"] is True
    assert oathtool.codes(TOKEN, row["counter"] - 1) == [code.encode()]


def test_a_person_confirms_with_the_secret_that_was_shown(desk: Helpdesk) -> None:
    with desk.start("token", "add", "alice", "--confirm") as program:
        assert program.stdout is not None
        secret = next(line.removeprefix("Secret: ") for line in program.stdout if line.startswith("Secret: "))
        token = Token("t", Kind.TOTP, base64.b32decode(secret.replace(" ", "").strip()))
        output, errors = program.communicate(codes_now(token)[0] + "\n", timeout=30)
    assert "The code is right.\n" in output
    assert errors == ""
    assert program.returncode == 0


def test_a_wrong_first_code_may_be_corrected(desk: Helpdesk, seed_file: str) -> None:
    typed = lines([*codes_now(TOKEN, ahead=500, more=1), *codes_now(TOKEN)])
    result = desk.run("token", "add", "alice", "--seed-file", seed_file, "--confirm", typed=typed)
    assert result.exit_code == 0
    assert result.stderr == "This is not a code of the token at this time.\n" * 2
    assert [row["active"] for row in desk.knows("token", "list")] == [True]


def test_after_three_wrong_codes_nothing_is_added(desk: Helpdesk, slapd: Slapd, seed_file: str) -> None:
    typed = lines([*codes_now(TOKEN, ahead=500, more=2), *codes_now(TOKEN)])
    result = desk.run("token", "add", "alice", "--seed-file", seed_file, "--confirm", typed=typed)
    assert result.exit_code == 1
    assert result.stderr.endswith(
        "radius2fa: nothing was added, for want of a right code: compare the seed, and the kind and form of the codes, "
        "with the token, see that the clocks are right, and run the command again\n"
    )
    assert "Token " not in result.stdout
    require_nothing(desk, slapd)


def test_whoever_breaks_off_has_no_token(desk: Helpdesk, slapd: Slapd) -> None:
    with desk.asked("shows: ", "token", "add", "alice", "--confirm") as program:
        require_nothing(desk, slapd)  # nor while the prompt waits
        program.send_signal(signal.SIGINT)
        output, errors = program.communicate(timeout=30)
    assert (program.returncode, output) == (1, "")
    assert errors == (
        "\nradius2fa: nothing was added, for want of a right code: delete the token from the app, see that the clocks "
        "are right, and run the command again\n"
    )
    require_nothing(desk, slapd)


def require_nothing(desk: Helpdesk, slapd: Slapd) -> None:
    """Return if nothing is known of Alice or of any token, and nothing was done."""
    with desk.store() as store:
        assert store.tokens.list() == ()
        assert store.accounts.get(slapd.entry_uuid("alice")) is None
        assert store.acts.recent(None, 9) == ()


def test_a_button_is_confirmed_by_one_of_its_next_codes(desk: Helpdesk, seed_file: str) -> None:
    arguments = ("token", "add", "alice", "--kind", "hotp", "--seed-file", seed_file, "--confirm")
    result = desk.run(*arguments, typed=lines([*oathtool.codes(BUTTON, 11), *oathtool.codes(BUTTON, 10)]))
    assert (result.exit_code, result.stderr) == (0, "This is not one of the token's next codes.\n")
    assert desk.knows("token", "show", id_in(result.stdout))["counter"] == 11


def test_a_first_code_may_come_from_a_clock_that_has_drifted(desk: Helpdesk, seed_file: str) -> None:
    [code] = codes_now(TOKEN, ahead=-15)
    output = desk.says("token", "add", "alice", "--seed-file", seed_file, "--confirm", typed=code + "\n")
    assert desk.knows("token", "show", id_in(output))["drift"] in (-15, -16)  # a step may have ended meanwhile


def test_letters_are_no_first_code(desk: Helpdesk, seed_file: str) -> None:
    typed = f"äöü\n\udcff\n{codes_now(TOKEN)[0]}\n".encode(errors="surrogateescape").decode("latin-1")
    assert desk.run("token", "add", "alice", "--seed-file", seed_file, "--confirm", typed=typed).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--digits", "7"], "digits: 7 is not one of (6, 8)"),
        (["--period", "45"], "period: 45 s is not one of (30, 60)"),
    ],
)
def test_a_token_that_cannot_be_is_refused(desk: Helpdesk, arguments: list[str], message: str) -> None:
    result = desk.run("token", "add", "alice", *arguments)
    assert (result.exit_code, result.stderr) == (64, f"radius2fa: {message}\n")
    assert desk.knows("token", "list") == []


@pytest.mark.parametrize("octets", [b"not a seed!", b"\xff\xfe"])
def test_a_bad_seed_is_refused_and_not_repeated(desk: Helpdesk, tmp_path: Path, octets: bytes) -> None:
    (tmp_path / "seed").write_bytes(octets)
    result = desk.run("token", "add", "alice", "--seed-file", str(tmp_path / "seed"))
    assert (result.exit_code, result.stderr) == (64, "radius2fa: the seed is neither hexadecimal nor base32\n")


def test_a_token_needs_a_person_in_the_directory(desk: Helpdesk) -> None:
    result = desk.run("token", "add", "nobody")
    assert (result.exit_code, result.stderr) == (1, "radius2fa: nobody: nobody has this name\n")


def test_a_person_has_at_most_eight_active_tokens(desk: Helpdesk) -> None:
    tokens = [add(desk, "alice") for _ in range(8)]
    refusal = "radius2fa: {} has 8 active tokens, which is the most: disable or remove one first\n"
    result = desk.run("token", "add", "alice")
    assert (result.exit_code, result.stderr) == (1, refusal.format("alice"))
    desk.says("token", "disable", tokens[0])
    add(desk, "alice")
    result = desk.run("token", "enable", tokens[0])
    assert (result.exit_code, result.stderr) == (1, refusal.format("alice"))


@pytest.mark.parametrize("confirm", [[], ["--confirm"]], ids=["at once", "with --confirm"])
def test_a_serial_number_is_given_once(desk: Helpdesk, confirm: list[str]) -> None:
    add(desk, "alice", "--serial", "00\x1b42")
    result = desk.run("token", "add", "bob", "--serial", "00\x1b42", *confirm)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "radius2fa: a token with the serial 00\\x1b42 exists already\n"


def test_no_code_is_asked_for_where_there_is_no_room(desk: Helpdesk) -> None:
    for _ in range(8):
        add(desk, "alice")
    result = desk.run("token", "add", "alice", "--confirm")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("radius2fa: alice has 8 active tokens, which is the most: ")


def test_a_serial_number_that_somebody_was_given_meanwhile_is_theirs(desk: Helpdesk, seed_file: str) -> None:
    arguments = ("token", "add", "alice", "--seed-file", seed_file, "--serial", "0042", "--confirm")
    with desk.asked("shows: ", *arguments) as program:
        bobs = add(desk, "bob", "--serial", "0042")
        _, errors = program.communicate(lines(codes_now(TOKEN)), timeout=30)
    assert (program.returncode, errors) == (1, "radius2fa: a token with the serial 0042 exists already\n")
    assert [row["id"] for row in desk.knows("token", "list")] == [bobs]


# validity


def test_a_token_is_valid_from_one_day_to_the_end_of_another(desk: Helpdesk) -> None:
    add(desk, "alice", "--valid-from", "2001-02-03T04:05:06+00:00", "--valid-until", "2001-03-04T05:06:07Z")
    [row] = desk.knows("token", "list")
    bounds = [datetime.fromisoformat(row[bound]).timestamp() for bound in ("valid_from", "valid_until")]
    assert bounds == [981173106, 983682367]  # by date(1)
    assert row["state"] == "expired"


def test_a_token_that_could_never_be_valid_is_refused(desk: Helpdesk) -> None:
    result = desk.run("token", "add", "alice", "--valid-from", "2028-01-02", "--valid-until", "2028-01-01")
    assert (result.exit_code, result.stderr) == (
        64,
        "radius2fa: the end is not after the beginning: the token would never be valid\n",
    )
    assert desk.knows("token", "list") == []


# YubiKeys


def test_a_yubikey_is_added_by_its_public_id_and_its_secret(desk: Helpdesk) -> None:
    output = desk.says("token", "add", "alice", *YUBIKEY, "--serial", "4711", typed=YUBIKEY_SECRET)
    assert output == f"Token {id_in(output)} for alice: YubiKey {PUBLIC_ID}.\n"
    with desk.store() as store:
        assert store.tokens.secret(id_in(output)) == YubiKey(
            id_in(output), PUBLIC_ID, bytes(range(16)), bytes.fromhex("010203040506")
        )
    [row] = desk.knows("token", "list")
    kept = ("kind", "public_id", "serial", "algorithm", "digits", "period", "drift", "counter", "state")
    assert [row[name] for name in kept] == ["yubikey", PUBLIC_ID, "4711", None, None, None, None, 0, "active"]


def test_a_public_id_may_be_typed_in_capitals_and_may_be_empty(desk: Helpdesk) -> None:
    for public_id in (PUBLIC_ID.upper(), ""):
        arguments = ("--kind", "yubikey", "--public-id", public_id, "--seed-file", "-")
        token_id = add(desk, "alice", *arguments, typed=YUBIKEY_SECRET)
        assert desk.knows("token", "show", token_id)["public_id"] == (public_id.lower() or None)


def test_a_touch_confirms_a_yubikey(desk: Helpdesk) -> None:
    file = desk.config.with_name("secret")
    file.write_text(YUBIKEY_SECRET)
    output = desk.says("token", "add", "alice", *YUBIKEY[:-1], str(file), "--confirm", typed=TOUCH_2.upper() + "\n")
    assert "Touch the YubiKey: " in output
    assert output.endswith(f"The code is right.\nToken {id_in(output)} for alice: YubiKey {PUBLIC_ID}.\n")
    row = desk.knows("token", "show", id_in(output))
    assert (row["state"], row["counter"]) == ("active", (1 << 8 | 2) + 1)


def test_the_touch_of_another_yubikey_confirms_nothing(desk: Helpdesk, slapd: Slapd) -> None:
    file = desk.config.with_name("secret")
    file.write_text(YUBIKEY_SECRET)
    stranger = "ddddgciilcjkjhlifidginuirlhgidcvbfnutjnibldi"
    typed = lines([stranger, PUBLIC_ID + stranger[12:], TOUCH_1 + "c", TOUCH_1])
    result = desk.run("token", "add", "alice", *YUBIKEY[:-1], str(file), "--confirm", typed=typed)
    assert result.exit_code == 1
    assert result.stderr.startswith("This is no code of this YubiKey, or has been used before.\n" * 3)
    assert result.stderr.endswith(
        "radius2fa: nothing was added, for want of a right code: compare the public id, the private id and the key "
        "with those of the slot that was touched, and run the command again\n"
    )
    require_nothing(desk, slapd)


def test_a_public_id_is_given_once(desk: Helpdesk) -> None:
    add(desk, "alice", *YUBIKEY, typed=YUBIKEY_SECRET)
    result = desk.run("token", "add", "bob", *YUBIKEY, typed=YUBIKEY_SECRET)
    assert (result.exit_code, result.stderr) == (
        1,
        f"radius2fa: a token with the public id {PUBLIC_ID} exists already\n",
    )
    result = desk.run("token", "add", "bob", *YUBIKEY, "--serial", "4711", "--confirm", typed=YUBIKEY_SECRET)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"radius2fa: a token with the serial 4711 or the public id {PUBLIC_ID} exists already\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--kind", "yubikey", "--public-id", PUBLIC_ID],
            "is written into the key by Yubico's own program: run `ykman",
        ),
        (["--kind", "yubikey", "--seed-file", "-"], "which YubiKey? Give --public-id"),
        ([*YUBIKEY, "--digits", "8"], "a YubiKey's codes have one form: leave --digits, --period"),
        ([*YUBIKEY[:3], "vvcccca", *YUBIKEY[4:]], "public_id: not an even number of up to 16 modhex characters"),
        (["--public-id", PUBLIC_ID], "only a YubiKey has a --public-id"),
    ],
)
def test_a_yubikey_that_cannot_be_is_refused(desk: Helpdesk, arguments: list[str], message: str) -> None:
    result = desk.run("token", "add", "alice", *arguments, typed=YUBIKEY_SECRET)
    assert result.exit_code == 64
    assert message in result.stderr
    assert desk.knows("token", "list") == []


def test_a_bad_secret_of_a_yubikey_is_refused_and_not_repeated(desk: Helpdesk) -> None:
    result = desk.run("token", "add", "alice", *YUBIKEY, typed="c0ffee c0ffee")
    assert result.exit_code == 64
    assert result.stderr.startswith("radius2fa: a YubiKey's secret is two words: ")
    assert "c0ffee" not in result.output


# usage


@pytest.mark.parametrize("kind", ["recovery", "temporary", "sms"])
def test_what_is_no_token_is_wrong_usage(desk: Helpdesk, kind: str) -> None:
    with desk.start("token", "add", "alice", "--kind", kind) as program:
        program.communicate(timeout=30)
    assert program.returncode == 64


def test_a_directory_that_is_down_ends_with_69(tmp_path: Path) -> None:
    with Slapd() as gone:
        desk = Helpdesk(tmp_path, gone)
    with desk.start("token", "add", "alice") as program:
        _, errors = program.communicate(timeout=30)
    assert program.returncode == 69
    assert errors.startswith("radius2fa: directory is unavailable: ")
