import base64
import json
import os
import pty
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from radius2fa.otp.token import Kind, Token, YubiKey
from tests.cli.helpdesk import Helpdesk
from tests.cli.tokens import SEED
from tests.enrol.formats.pskc_files import VECTORS, container, package, pskctool
from tests.servers.slapd import Slapd

SEED_HEX = base64.b32decode(SEED).hex()
ENTRA = "upn,serial number,secret key,time interval,manufacturer,model\n"
KEY, PASSWORD = "12345678901234567890123456789012", "qwerty"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tokens.csv"


def figure(number: int) -> str:
    return str(VECTORS / f"figure{number}.xml")


def test_a_file_comes_in_and_the_same_file_adds_nothing(desk: Helpdesk, file: Path) -> None:
    file.write_text(f"A1,{SEED_HEX},totp,6,30,0\nA2,{SEED},hotp,8,,42\n")
    output = desk.says("token", "import", str(file))
    assert [line.split() for line in output.splitlines()[2:5]] == [
        ["added", "2"],
        ["there", "already", "0"],
        ["rejected", "0"],
    ]
    assert "nothing" not in output
    output = desk.says("token", "import", str(file))
    assert output.endswith("All of the tokens were there already: nothing was added.\n")
    assert {row["serial"]: row["counter"] for row in desk.knows("token", "list")} == {"A1": 0, "A2": 42}
    assert not list(file.parent.glob("*.rejected*"))


def test_a_token_that_came_in_has_its_seed(desk: Helpdesk, file: Path) -> None:
    file.write_text(f"A1,{SEED_HEX},totp,6,30,0\n")
    desk.says("token", "import", str(file))
    [row] = desk.knows("token", "list")
    with desk.store() as store:
        assert store.tokens.secret(row["id"]) == Token(row["id"], Kind.TOTP, base64.b32decode(SEED))


def test_rejected_rows_are_told_and_written_with_their_reasons(desk: Helpdesk, file: Path) -> None:
    file.write_text(f"A1,{SEED_HEX},totp\nA2,?????,totp\nA3,{SEED_HEX},totp,7\nA4,?????,totp\n")
    result = desk.run("token", "import", str(file))
    assert result.exit_code == 1
    assert [" ".join(line.split()) for line in result.stdout.splitlines()[8:10]] == [
        "2 2, 4 the seed is neither hexadecimal nor base32",
        "1 3 the length of the codes is not 6 or 8 digits",
    ]
    rejected = file.with_name("tokens.csv.rejected.csv")
    assert f"What was rejected is in {rejected}, with the reasons" in result.stdout
    assert stat.S_IMODE(rejected.stat().st_mode) == 0o600
    assert rejected.read_text().splitlines()[1] == "A2,?????,totp,,,,the seed is neither hexadecimal nor base32"
    rejected.write_text(rejected.read_text().replace("?????", SEED_HEX).replace(",7,", ",8,"))
    desk.says("token", "import", str(rejected))
    assert sorted(row["serial"] for row in desk.knows("token", "list")) == ["A1", "A2", "A3", "A4"]


def test_a_dry_run_changes_nothing_and_writes_nothing(desk: Helpdesk, file: Path) -> None:
    file.write_text(f"A1,{SEED_HEX},totp\nA2,?????,totp\n")
    before = sorted(file.parent.iterdir())
    result = desk.run("token", "import", str(file), "--dry-run")
    assert result.exit_code == 1
    assert [line.split() for line in result.stdout.splitlines()[2:5]] == [
        ["would", "be", "added", "1"],
        ["there", "already", "0"],
        ["would", "be", "rejected", "1"],
    ]
    assert result.stdout.endswith("This was a dry run: nothing was changed.\n")
    assert desk.knows("token", "list") == []
    assert sorted(file.parent.iterdir()) == before


def test_programs_get_json(desk: Helpdesk, file: Path) -> None:
    file.write_text(f"A1,{SEED_HEX},totp\nA2,?????,totp\n")
    result = desk.run("token", "import", str(file), "--json", "--rejects", str(file.with_name("r.csv")))
    assert result.exit_code == 1
    assert json.loads(result.stdout) == {
        "format": "oath",
        "dry_run": False,
        "added": 1,
        "known": 0,
        "rejected": 1,
        "reasons": [
            {"reason": "the seed is neither hexadecimal nor base32", "number": 1, "first_lines": [2]},
        ],
        "rejects": str(file.with_name("r.csv")),
        "stopped": None,
        "notes": [],
    }


def test_the_owners_of_an_entra_file_are_looked_up(desk: Helpdesk, slapd: Slapd, file: Path) -> None:
    file.write_text(f"{ENTRA}ALICE,1,{SEED},30,ACME,Card\nzoe,2,{SEED},30,ACME,Card\n,3,{SEED},60,ACME,Card\n")
    result = desk.run("token", "import", str(file))
    assert result.exit_code == 1
    assert "the directory does not know the owner: correct the name" in result.stdout
    owners = {row["serial"]: (row["user"], row["subject"]) for row in desk.knows("token", "list")}
    assert owners == {"1": ("alice", slapd.entry_uuid("alice")), "3": (None, None)}


def test_a_file_for_the_stock_needs_no_directory(tmp_path: Path, file: Path) -> None:
    with Slapd() as gone:
        desk = Helpdesk(tmp_path, gone)
    file.write_text(f"{ENTRA},1,{SEED},30,,\n")
    desk.says("token", "import", str(file))
    file.write_text(f"{ENTRA},1,{SEED},30,,\nalice,2,{SEED},30,,\n")
    with desk.start("token", "import", str(file)) as program:
        _, errors = program.communicate(timeout=60)
    assert program.returncode == 69
    assert errors.startswith("radius2fa: 0 tokens were added before; import the file again for the rest\n")


def test_a_yubikey_comes_in(desk: Helpdesk, file: Path) -> None:
    key, private = "c4422890653076cde73d449b191b416a", "33c69e7f249e"
    file.write_text(f"LOGGING START,now\nYubico OTP,now,1,dteffuje,{private},{key},,,0,0,0,0,0,0,0,0,0,0\n")
    desk.says("token", "import", str(file))
    [row] = desk.knows("token", "list")
    with desk.store() as store:
        expected = YubiKey(row["id"], "dteffuje", bytes.fromhex(key), bytes.fromhex(private))
        assert store.tokens.secret(row["id"]) == expected


# PSKC


def test_the_key_of_a_file_is_read_from_a_file(desk: Helpdesk, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{KEY[:16]} {KEY[16:]}\n")
    desk.says("token", "import", figure(6), "--key-file", str(tmp_path / "key"))
    [row] = desk.knows("token", "list")
    assert (row["kind"], row["digits"], row["serial"]) == ("hotp", 8, "987654321")


def test_the_password_of_a_file_is_read_from_a_file(desk: Helpdesk, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(f"{PASSWORD}\r\n")
    desk.says("token", "import", figure(7), "--password-file", str(tmp_path / "password"))
    assert len(desk.knows("token", "list")) == 1


@pytest.mark.parametrize(("number", "what", "typed"), [(6, "key", KEY), (7, "password", PASSWORD)])
def test_what_opens_a_file_is_asked_for_and_not_shown(desk: Helpdesk, number: int, what: str, typed: str) -> None:
    result = desk.run("token", "import", figure(number), typed=f"{typed}\n")
    assert result.exit_code == 0
    assert f"The {what} that the file is encrypted under:" in result.stderr
    assert typed not in result.output


@pytest.mark.parametrize(("number", "typed", "line", "what"), [(6, "00" * 16, 9, "key"), (7, "qwertz", 26, "password")])
def test_a_wrong_key_or_password_brings_nothing_in(
    desk: Helpdesk, number: int, typed: str, line: int, what: str
) -> None:
    result = desk.run("token", "import", figure(number), typed=f"{typed}\n")
    assert result.exit_code == 1
    fault = f"line {line}: the {what} is not that of this file; nothing was imported\n"
    assert result.stderr.endswith(f"radius2fa: {figure(number)}: {fault}")
    assert desk.knows("token", "list") == []


def test_a_key_that_is_not_hexadecimal_is_told_and_not_repeated(desk: Helpdesk) -> None:
    result = desk.run("token", "import", figure(6), typed="secret key\n")
    assert result.exit_code == 64
    assert result.stderr.endswith("radius2fa: the key is not made of hexadecimal digits, two for each octet\n")
    assert "secret key" not in result.output


def test_a_password_for_a_file_with_a_key_is_told(desk: Helpdesk, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(PASSWORD)
    result = desk.run("token", "import", figure(6), "--password-file", str(tmp_path / "password"))
    assert result.exit_code == 64
    assert result.stderr == f"radius2fa: {figure(6)} is encrypted under a key: give it by --key-file\n"


def test_an_xml_file_that_would_open_another_is_refused(desk: Helpdesk, tmp_path: Path) -> None:
    evil = tmp_path / "evil.xml"
    evil.write_text(f'<!DOCTYPE x [<!ENTITY e SYSTEM "file://{tmp_path}/master.key">]>\n{container(package())}')
    result = desk.run("token", "import", str(evil))
    assert result.exit_code == 1
    assert result.stderr == (
        f"radius2fa: {evil}: line 1: the file declares a document type (DTD), which may make a reader open other "
        "files: remove it; nothing was imported\n"
    )


def test_a_file_that_ends_too_early_brings_in_what_is_whole_and_the_rest_later(desk: Helpdesk, tmp_path: Path) -> None:
    file = tmp_path / "tokens.xml"
    whole = container(package("A1"), package("A2"))
    file.write_text(whole[:-100])
    result = desk.run("token", "import", str(file))
    assert result.exit_code == 1
    assert result.stderr == (
        f"radius2fa: {file}: line 4: the file ends too early: get the whole file, and import it again; what stands "
        "before it was done\n"
    )
    file.write_text(whole)
    output = desk.says("token", "import", str(file))
    assert [line.split()[-1] for line in output.splitlines()[2:5]] == ["1", "1", "0"]


def test_rejected_packages_are_a_pskc_file_again(desk: Helpdesk, tmp_path: Path) -> None:
    file = tmp_path / "tokens.xml"
    file.write_text(container(package("A1"), package("A2", data="")))
    assert desk.run("token", "import", str(file)).exit_code == 1
    rejected = file.with_name("tokens.xml.rejected.xml").read_bytes()
    assert pskctool("--validate", content=rejected) == "OK\n"
    assert b"A1" not in rejected
    assert b"<!-- the Key has no Secret: one that is derived elsewhere cannot be imported -->" in rejected


# Files of all kinds


def test_standard_input_is_read(desk: Helpdesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = desk.run("token", "import", "-", typed=f"A1,{SEED_HEX},totp\nA2,?????,totp\n")
    assert result.exit_code == 1
    assert [row["serial"] for row in desk.knows("token", "list")] == ["A1"]
    assert (tmp_path / "standard-input.rejected.csv").exists()


def test_standard_input_that_is_encrypted_needs_a_file_with_the_key(desk: Helpdesk) -> None:
    result = desk.run("token", "import", "-", typed=Path(figure(6)).read_text())
    assert result.exit_code == 64
    assert result.stderr == "radius2fa: standard-input is encrypted under a key: give it by --key-file\n"


def test_an_unknown_file_is_refused_with_what_was_looked_for(desk: Helpdesk, file: Path) -> None:
    file.write_text("Dear customer,\nthe tokens are on their way.\n")
    result = desk.run("token", "import", str(file))
    assert result.exit_code == 1
    assert result.stderr.startswith(
        f"radius2fa: {file}: the file is not of a known format; looked for: PSKC (RFC 6030)"
    )
    result = desk.run("token", "import", str(file), "--format", "entra")
    assert "looked for: Entra ID CSV, with the header upn,serial number," in result.stderr


def test_what_was_rejected_is_never_overwritten(desk: Helpdesk, file: Path) -> None:
    file.write_text("A1,?????,totp\n")
    rejected = file.with_name("tokens.csv.rejected.csv")
    rejected.write_text("precious")
    result = desk.run("token", "import", str(file))
    assert f"What was rejected is in {file}.rejected.2.csv" in result.stdout
    result = desk.run("token", "import", str(file), "--rejects", str(rejected))
    assert result.exit_code == 1
    assert result.stderr == (
        f"radius2fa: {rejected}, where rejected entries would go: File exists; name another file by --rejects. Nothing "
        "was imported\n"
    )
    assert rejected.read_text() == "precious"


def test_a_missing_file_is_wrong_usage(desk: Helpdesk) -> None:
    with desk.start("token", "import", "/no/such/file") as program:
        _, errors = program.communicate(timeout=60)
    assert program.returncode == 64
    assert "No such file or directory" in errors


def test_many_reasons_are_cut_short(desk: Helpdesk, file: Path) -> None:
    rows = [f"A{at},{'ab' * at},totp" for at in range(150, 165)]
    file.write_text(f"A1,{SEED_HEX},totp\n" + "\n".join(rows) + "\n")
    assert "There are 5 more reasons.\n" in desk.run("token", "import", str(file)).stdout


def test_a_bar_is_drawn_on_a_terminal(desk: Helpdesk, file: Path) -> None:
    file.write_text("".join(f"A{at},{SEED_HEX},totp\n" for at in range(1200)))
    ours, theirs = pty.openpty()
    program = Path(sys.executable).with_name("radius2fa")
    command = [str(program), "--config", str(desk.config), "token", "import", str(file)]
    environment = {**os.environ, "TERM": "xterm"}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs, env=environment) as running:
        os.close(theirs)
        drawn = b""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                drawn += os.read(ours, 4096)
            except OSError:  # EIO: the other end is closed
                break
        assert running.wait(60) == 0
    os.close(ours)
    assert b"Importing" in drawn
