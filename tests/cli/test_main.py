import base64
import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import typer

from radius2fa import __version__
from radius2fa.cli.main import app, config_first
from tests.cli.files import command, configured

PROGRAM = Path(sys.executable).with_name("radius2fa")


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name != "RADIUS2FA_CONFIG"}
    return subprocess.run(
        [PROGRAM, *arguments], env=clean | environment, capture_output=True, text=True, check=False, timeout=30
    )


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], []])
def test_the_help_names_every_command(arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.returncode == 0
    for name in ("demo", "init", "check", "serve", "status", "explain", "unblock", "policy", "token", "user", "db"):
        assert f"│ {name} " in done.stdout


def test_no_paragraph_of_a_help_has_a_line_end_within_which_narrow_terminals_would_show() -> None:
    """Typer takes line ends out of the first paragraph only."""

    def paragraphs(command: Any) -> list[str]:
        inner = [each for one in getattr(command, "commands", {}).values() for each in paragraphs(one)]
        return [*(command.help or "").split("\n\n")[1:], *inner]

    found = paragraphs(typer.main.get_command(app))
    assert "Exits with 1 if the rule lets the user in by no means." in found
    assert [each for each in found if "\n" in each.strip()] == []


def test_the_version_is_printed() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"radius2fa {__version__}\n")


@pytest.mark.parametrize("arguments", [["--nonsense"], ["chek"], ["db"], ["check", "--ofline"], ["--config"]])
def test_wrong_usage_exits_with_64(arguments: list[str]) -> None:
    assert run(*arguments).returncode == 64


def test_the_configuration_may_be_named_before_and_behind_the_command_and_in_the_environment(tmp_path: Path) -> None:
    config = str(configured(tmp_path))
    for done in (
        run("--config", config, "check", "--offline"),
        run("check", "--offline", "--config", config),
        run("check", f"--config={config}", "--offline"),
        run("check", "--offline", RADIUS2FA_CONFIG=config),
    ):
        assert (done.returncode, done.stderr) == (0, "")
    assert run("check", "--offline", "--config", config + "x", RADIUS2FA_CONFIG=config).returncode == 78


def test_what_stands_behind_two_dashes_stays_there() -> None:
    given = ["token", "add", "--config", "a", "--", "--config", "b"]
    assert config_first(given) == ["--config", "a", "token", "add", "--", "--config", "b"]


def test_a_wrong_configuration_is_told_with_all_its_faults_and_exits_with_78(tmp_path: Path) -> None:
    config = configured(tmp_path, more='delimeter = ","\ncode = "never"\n')
    done = run("serve", "--config", str(config))
    assert done.returncode == 78
    assert done.stderr.splitlines() == [
        f"{config}:14: client[1].delimeter: is no key of this section. Did you mean delimiter?",
        f"{config}:15: client[1].code: must be 'appended', 'challenge' or 'either'. Write one of these, in quotes.",
        "radius2fa: the configuration has 2 faults",
    ]


@pytest.mark.parametrize("daemon", ["serve", "portal"])
def test_a_daemon_that_does_not_begin_leaves_signals_as_they_were(tmp_path: Path, daemon: str) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    assert command(configured(tmp_path, more="faulty = 1\n"), daemon).exit_code == 78
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


def test_a_wrong_reply_attribute_keeps_the_server_from_starting(tmp_path: Path) -> None:
    config = configured(tmp_path, more='[[policy]]\nname = "staff"\nreply = { Filtre-Id = "x" }\n')
    done = run("serve", "--config", str(config))
    assert done.returncode == 78
    assert f"{config}:16: policy[1].reply.Filtre-Id: no dictionary knows 'Filtre-Id'" in done.stderr


def test_a_backend_that_is_down_is_told_in_one_line_and_exits_with_69(tmp_path: Path) -> None:
    config = configured(tmp_path)
    text = config.read_text().replace(
        f"sqlite:///{tmp_path}/radius2fa.db", "postgresql://radius2fa@127.0.0.1:1/radius2fa"
    )
    config.write_text(text)
    done = run("db", "upgrade", "--config", str(config))
    assert done.returncode == 69
    assert done.stderr.startswith("radius2fa: database is unavailable: ")
    assert "Traceback" not in done.stderr


def test_the_help_loads_nothing_heavy() -> None:
    heavy = "{'alembic', 'cryptography', 'ldap3', 'pydantic', 'pyrad', 'rich', 'sqlalchemy', 'twisted'}"
    script = f"import sys, radius2fa.cli.main; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_fault_of_the_program_is_told_by_its_place_and_exits_with_70(tmp_path: Path) -> None:
    config = configured(tmp_path)
    key = base64.b64decode((tmp_path / "master.key").read_text())
    seed = b"\x01" + hashlib.sha256(key).digest()[:4] + bytes(48)
    with closing(sqlite3.connect(tmp_path / "radius2fa.db")) as database, database:
        database.execute("INSERT INTO account (subject, name, failures, blocked_until) VALUES ('s', 'n', 0, 0)")
        database.execute(  # of a kind that the program never writes
            "INSERT INTO token (id, subject, kind, algorithm, digits, period, seed, counter, drift, label, active, "
            "created) VALUES ('t', 's', 'canary', 'SHA1', 6, 30, ?, 1, 0, '', 1, 1)",
            [seed],
        )
    done = run("token", "list", "--config", str(config))
    assert done.returncode == 70
    assert done.stderr.startswith("radius2fa: a fault of the program, please report it: ValueError in ")
    assert "canary" not in done.stderr


@pytest.mark.parametrize(
    ("shell", "asked"),
    [
        ("bash", {"COMP_WORDS": "radius2fa to", "COMP_CWORD": "1"}),
        ("zsh", {"_TYPER_COMPLETE_ARGS": "radius2fa to"}),
        ("fish", {"_TYPER_COMPLETE_ARGS": "radius2fa to", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}),
    ],
)
def test_commands_are_completed(shell: str, asked: dict[str, str]) -> None:
    done = run(_RADIUS2FA_COMPLETE=f"complete_{shell}", **asked)
    assert done.returncode == 0
    assert "token" in done.stdout
    assert "user" not in done.stdout
    script = run(_RADIUS2FA_COMPLETE=f"source_{shell}")
    assert (script.returncode, f"complete_{shell}" in script.stdout) == (0, True)


def test_bash_completes_once_it_is_installed_for_somebody(tmp_path: Path) -> None:
    environment = {**os.environ, "HOME": str(tmp_path), "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}"}

    def bash(script: str) -> str:
        return subprocess.run(
            ["bash", "--norc", "-c", script], env=environment, capture_output=True, text=True, check=True, timeout=30
        ).stdout

    bash("radius2fa --install-completion; true")  # and more, or bash would be replaced by what it starts
    told = bash(
        ". ~/.bashrc; COMP_WORDS=(radius2fa token im); COMP_CWORD=2; _radius2fa_completion radius2fa\n"
        'echo "${COMPREPLY[*]}"'
    )
    assert told == "import\n"
