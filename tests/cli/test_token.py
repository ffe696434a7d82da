import base64
import re
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
import segno

from radius2fa.cli import main
from radius2fa.otp.token import Algorithm, Kind, Token
from tests.cli.helpdesk import Helpdesk
from tests.otp import oathtool
from tests.servers.slapd import Slapd, person_dn, person_ldif

SEED = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
TOKEN = Token("t", Kind.TOTP, b"12345678901234567890")
BUTTON = Token("b", Kind.HOTP, b"12345678901234567890")


@pytest.fixture(scope="module")
def slapd() -> Iterator[Slapd]:
    with Slapd(seed=person_ldif("alice", "secret") + person_ldif("bob", "secret")) as running:
        yield running


@pytest.fixture
def desk(tmp_path: Path, slapd: Slapd) -> Helpdesk:
    return Helpdesk(tmp_path, slapd)


@pytest.fixture
def seed_file(tmp_path: Path) -> str:
    file = tmp_path / "seed"
    file.write_text(SEED + "\n")
    return str(file)


def codes_now(token: Token, *, ahead: int = 0, more: int = 0) -> list[str]:
    """What the token shows now, or some steps ahead."""
    return [code.decode() for code in oathtool.codes(token, int(time.time() // token.period) + ahead, more)]


def id_in(output: str) -> str:
    return re.findall(r"^Token ([a-z2-9]{8}) for ", output, re.MULTILINE)[0]


def add(desk: Helpdesk, *arguments: str, typed: str = "") -> str:
    """Add a token, and return its id."""
    return id_in(desk.says("token", "add", *arguments, typed=typed))


# add


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
    assert output.endswith("The code is right: the token is enabled.\n")
    row = desk.knows("token", "show", id_in(output))
    assert row["active"] is True
    assert row["last_used"] is not None
    assert oathtool.codes(TOKEN, row["counter"] - 1) == [code.encode()]


def test_a_person_confirms_with_the_secret_that_was_shown(desk: Helpdesk) -> None:
    with desk.start("token", "add", "alice", "--confirm") as program:
        assert program.stdout is not None
        secret = next(line.removeprefix("Secret: ") for line in program.stdout if line.startswith("Secret: "))
        token = Token("t", Kind.TOTP, base64.b32decode(secret.replace(" ", "").strip()))
        output, errors = program.communicate(codes_now(token)[0] + "\n", timeout=30)
    assert output.endswith("The code is right: the token is enabled.\n")
    assert errors == ""
    assert program.returncode == 0


def test_a_wrong_first_code_may_be_corrected(desk: Helpdesk, seed_file: str) -> None:
    typed = "".join(f"{code}\n" for code in [*codes_now(TOKEN, ahead=500, more=1), *codes_now(TOKEN)])
    result = desk.run("token", "add", "alice", "--seed-file", seed_file, "--confirm", typed=typed)
    assert result.exit_code == 0
    assert result.stderr == "This is not a code of the token at this time.\n" * 2
    assert [row["active"] for row in desk.knows("token", "list")] == [True]


def test_after_three_wrong_codes_the_token_stays_disabled(desk: Helpdesk, seed_file: str) -> None:
    typed = "".join(f"{code}\n" for code in [*codes_now(TOKEN, ahead=500, more=2), *codes_now(TOKEN)])
    result = desk.run("token", "add", "alice", "--seed-file", seed_file, "--confirm", typed=typed)
    assert result.exit_code == 1
    assert "the token stays disabled" in result.stderr
    assert [row["active"] for row in desk.knows("token", "list")] == [False]


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
    assert (result.exit_code, result.stderr) == (1, refusal.format("the user"))


def test_a_serial_number_is_given_once(desk: Helpdesk) -> None:
    add(desk, "alice", "--serial", "00\x1b42")
    result = desk.run("token", "add", "bob", "--serial", "00\x1b42")
    assert result.exit_code == 1
    assert result.stderr == "radius2fa: a token with the serial 00\\x1b42 exists already\n"


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


def test_a_token_is_shown_without_its_secret(desk: Helpdesk, seed_file: str) -> None:
    token_id = add(desk, "alice", "--seed-file", seed_file, "--label", "spare", "--serial", "0042")
    output = desk.says("token", "show", token_id)
    [created] = re.findall(r"^Created    (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+)$", output, re.MULTILINE)
    assert output.splitlines() == [
        f"Token      {token_id}",
        "User       alice",
        "Kind       TOTP SHA1, 6 digits, 30 s",
        "Label      spare",
        "Serial     0042",
        "State      active",
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


# resync


def test_two_codes_bring_a_button_token_back(desk: Helpdesk, seed_file: str) -> None:
    token_id = add(desk, "alice", "--kind", "hotp", "--seed-file", seed_file)
    first, second = (code.decode() for code in oathtool.codes(BUTTON, 800, more=1))
    assert desk.says("token", "resync", token_id, typed=f"{first}\n{second}\n").endswith(
        f"Token {token_id} is in step again.\n"
    )
    assert desk.knows("token", "show", token_id)["counter"] == 802


def test_two_codes_bring_a_slow_clock_back(desk: Helpdesk, seed_file: str) -> None:
    token_id = add(desk, "alice", "--seed-file", seed_file)
    first, second = codes_now(TOKEN, ahead=-71, more=1)
    desk.says("token", "resync", token_id, typed=f"{first}\n{second}\n")
    row = desk.knows("token", "show", token_id)
    assert row["drift"] in (-70, -71)  # a step may have ended meanwhile
    assert oathtool.codes(TOKEN, row["counter"] - 1) == [second.encode()]


@pytest.mark.parametrize("look", ["8", "7"])
def test_a_resync_looks_as_far_as_told(desk: Helpdesk, seed_file: str, look: str) -> None:
    token_id = add(desk, "alice", "--kind", "hotp", "--seed-file", seed_file)
    result = desk.run("token", "resync", token_id, "--look", look, typed="399871\n520489\n")
    assert result.exit_code == {"8": 0, "7": 1}[look]
    assert desk.knows("token", "show", token_id)["counter"] == {"8": 10, "7": 0}[look]


def test_used_codes_bring_nothing_back(desk: Helpdesk, seed_file: str) -> None:
    token_id = add(desk, "alice", "--kind", "hotp", "--seed-file", seed_file)
    desk.says("token", "resync", token_id, typed="399871\n520489\n")
    result = desk.run("token", "resync", token_id, typed="399871\n520489\n")
    assert result.exit_code == 1
    assert result.stderr.endswith("these are not two codes of the token in sequence, or have been used before\n")


def test_a_disabled_token_is_not_brought_back(desk: Helpdesk) -> None:
    token_id = add(desk, "alice")
    desk.says("token", "disable", token_id)
    result = desk.run("token", "resync", token_id)
    assert (result.exit_code, result.stderr) == (1, f"radius2fa: token {token_id} is disabled: enable it first\n")


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


@pytest.mark.parametrize("command", ["show", "qr", "resync", "enable", "disable", "remove"])
def test_an_unknown_token_is_said_to_be_unknown(desk: Helpdesk, command: str) -> None:
    result = desk.run("token", command, "abc\x1bdefg")
    assert (result.exit_code, result.stderr) == (1, "radius2fa: there is no token abc\\x1bdefg\n")


def test_wrong_usage_ends_with_64(desk: Helpdesk) -> None:
    with desk.start("token", "add", "alice", "--kind", "yubikey") as program:
        program.communicate(timeout=30)
    assert program.returncode == main.USAGE == 64


def test_a_directory_that_is_down_ends_with_69(tmp_path: Path) -> None:
    with Slapd() as gone:
        desk = Helpdesk(tmp_path, gone)
    with desk.start("token", "add", "alice") as program:
        _, errors = program.communicate(timeout=30)
    assert program.returncode == 69
    assert errors.startswith("radius2fa: directory is unavailable: ")
