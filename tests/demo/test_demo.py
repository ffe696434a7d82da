"""`radius2fa demo` as its user meets it: its lines are copied into a shell, with Debian's own RADIUS clients."""

import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import segno

from bench.browsing import Browser
from tests.demo.glass import Glass
from tests.demo.playing import COMMAND, PATIENCE, Demo, demo, demo_on_terminal
from tests.demo.tools import tool

FREE = ("--port", "0", "--portal-port", "0")


def shell(line: str) -> str:
    """Run a line as if it had been pasted, and return what it prints."""
    tool(line.partition(" ")[0])
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=PATIENCE, check=False).stdout


def received(line: str) -> list[str]:
    return [words.split()[1] for words in shell(line).splitlines() if words.startswith("Received")]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One demo for the tests that leave it as they find it: of Alice's codes, only the first of them uses any."""
    with demo(*FREE, folder=tmp_path_factory.mktemp("demo")) as started:
        yield started


def test_the_lines_to_copy_let_alice_in(running: Demo) -> None:
    (appended,) = running.commands("radtest")
    first, second = running.commands("radclient")
    assert received(appended) == ["Access-Accept"]
    assert received(first) == ["Access-Challenge"]
    assert received(second) == ["Access-Accept"]
    logins = [running.wait_for_line(f"alice via demo: {result}") for result in ("accepted", "asked for the code")]
    assert all(line.endswith(" ms)") for line in logins)


def test_a_code_that_is_used_up_is_replaced_by_the_next(tmp_path: Path) -> None:
    with demo(*FREE, folder=tmp_path) as fresh:
        (appended,) = fresh.commands("radtest")
        assert received(appended) == ["Access-Accept"]
        fresh.wait_for_line("radtest alice ", after=fresh.text.rindex(appended) + len(appended))
        assert received(appended) == ["Access-Challenge"]  # the code is used, so it is a mere password
        (then,) = fresh.commands("radtest")
        assert then != appended
        assert received(then) == ["Access-Accept"]


def test_bob_is_refused_since_he_has_no_token(running: Demo) -> None:
    *_, second = running.commands("radclient")
    assert received(second.replace("alice", "bob")) == ["Access-Reject"]
    assert running.wait_for_line("bob via demo: rejected").endswith(
        "no-token: The user has no active token: give them one with `radius2fa token add` or `token assign`."
    )


def test_carol_is_refused_since_her_account_is_disabled(running: Demo) -> None:
    (appended,) = running.commands("radtest")
    assert received(appended.replace("alice", "carol")) == ["Access-Challenge"]  # as for everybody else
    *_, second = running.commands("radclient")
    assert received(second.replace("alice", "carol")) == ["Access-Reject"]
    assert running.wait_for_line("carol via demo: rejected").endswith(
        "account-disabled: The account is disabled in the directory."
    )


def test_its_portal_lets_bob_in_to_enrol_and_shows_alice_the_helpdesk_s_pages(tmp_path: Path) -> None:
    with demo(*FREE, folder=tmp_path) as fresh:
        port = urlsplit(fresh.wait_for_line("Its portal: ").split()[2]).port
        assert port is not None
        with closing(Browser(port)) as bob, closing(Browser(port)) as alice:
            bob.type_password("bob", "wonderland")
            assert bob.first_octet("/enrol")[1] == 200
            assert bob.first_octet("/people")[1] == 303
            alice.sign_in("alice", "wonderland", fresh.commands("radtest")[0].split("'")[1][-6:])
            assert alice.first_octet("/people")[1] == 200


def test_the_qr_code_is_the_token_s(running: Demo) -> None:
    running.commands("radtest")
    lines = running.text.splitlines()
    by_hand = next(number for number, line in enumerate(lines) if line.startswith("By hand: "))
    secret = lines[by_hand].removeprefix("By hand: ").replace(" ", "")
    drawn = [line for line in lines[:by_hand] if line and set(line) <= set("█▀▄ ")]
    # Two rows of modules a line; what is drawn is light.
    modules = [[letter in " " + dark for letter in line] for line in drawn for dark in ("▄", "▀")]
    uri = f"otpauth://totp/radius2fa%20demo:alice?secret={secret}&issuer=radius2fa%20demo"
    expected = [[bool(module) for module in row] for row in segno.make_qr(uri, error="l").matrix_iter(border=4)]
    assert len(secret) == 32
    assert modules[: len(expected)] == expected


def test_a_datagram_that_is_dropped_is_told_with_its_remedy(running: Demo) -> None:
    first, _ = running.commands("radclient")
    assert received(first.replace("radclient", "radclient -r 1 -t 0.2").replace("testing123", "wrong")) == []
    assert "Compare the shared secret on both sides." in running.wait_for_line("event='dropped'")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_nothing_is_left_behind(tmp_path: Path, number: signal.Signals) -> None:
    with demo(*FREE, folder=tmp_path) as running:
        port = int(running.commands("radtest")[0].split()[3].partition(":")[2])
        assert received(running.commands("radtest")[0]) == ["Access-Accept"]
        (folder,) = tmp_path.iterdir()
        assert folder.stat().st_mode & 0o777 == 0o700
        assert running.end(number) == 0
    assert list(tmp_path.iterdir()) == []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", port))


def test_a_pipe_that_closes_ends_it_in_silence(tmp_path: Path) -> None:
    with demo(*FREE, folder=tmp_path) as running:
        (appended,) = running.commands("radtest")
        running.process.stdout.close()
        received(appended)
        assert running.process.wait(PATIENCE) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_breaks_ends_it_with_a_sentence(tmp_path: Path) -> None:
    with demo(*FREE, folder=tmp_path) as running:
        running.commands("radtest")
        for file in tmp_path.glob("*/radius2fa.db*"):
            file.write_bytes(b"\xff" * file.stat().st_size)
        assert "database" in running.wait_for_line("radius2fa: ", after=len(running.text))
        assert running.process.wait(PATIENCE) == 69
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("option", "kind"),
    [
        ("--port", socket.SOCK_DGRAM),
        ("--directory-port", socket.SOCK_STREAM),
        ("--portal-port", socket.SOCK_STREAM),
    ],
)
def test_a_port_that_is_taken_is_told_with_the_option(tmp_path: Path, option: str, kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind is socket.SOCK_STREAM:
            taken.listen()
        port = taken.getsockname()[1]
        ports = {"--port": "0", "--portal-port": "0", option: str(port)}
        with demo(*(word for pair in ports.items() for word in pair), folder=tmp_path) as running:
            line = running.wait_for_line("radius2fa: ")
            assert line.startswith(
                f"radius2fa: 127.0.0.1:{port}: Address already in use. Choose another port with {option}"
            )
            assert running.process.wait(PATIENCE) == 69
    assert list(tmp_path.iterdir()) == []


def test_without_ldaptor_it_says_what_to_install() -> None:
    script = "import sys; sys.modules['ldaptor'] = None; from radius2fa.demo.run import run; run(0, 0, 0, True)"
    failed = subprocess.run([COMMAND[0], "-c", script], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (failed.returncode, failed.stdout) == (69, "")
    assert failed.stderr == "radius2fa: the demonstration's directory needs ldaptor: pip install 'radius2fa[demo]'\n"


def test_an_output_without_block_characters_is_no_reason_to_crash(tmp_path: Path) -> None:
    with demo(*FREE, folder=tmp_path, environment={"PYTHONIOENCODING": "latin-1"}) as running:
        assert received(running.commands("radtest")[0]) == ["Access-Accept"]


def on_glass(text: str) -> list[str]:
    glass = Glass(80)
    glass.feed(text)
    return glass.lines()


def test_on_a_terminal_the_lines_to_copy_stay_below_the_logins(tmp_path: Path) -> None:
    with demo_on_terminal(*FREE, folder=tmp_path) as running:
        running.wait_for(lambda text: "Waiting for logins" in text)
        first, second = [line for line in on_glass(running.text) if line.startswith("radclient")]
        assert received(first) == ["Access-Challenge"]
        assert received(second) == ["Access-Accept"]
        running.wait_for(lambda text: "accepted" in text.rpartition("Waiting for logins")[0])
        running.wait_for(lambda text: text.endswith("\r"))  # after a second, when only the countdown has been written
        shown = on_glass(running.text)
        assert [line[9:].partition(" (")[0] for line in shown if " via " in line] == [
            "alice via demo: asked for the code",
            "alice via demo: asked for the code",
            "alice via demo: accepted",
        ]
        assert len([line for line in shown if "Waiting for logins" in line]) == 1
        assert shown[-2].endswith("Waiting for logins; Ctrl-C ends the demo.")
        assert max(len(line) for line in shown if not line.startswith("radclient") and " via " not in line) <= 80
        assert running.end() == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "environment", "coloured"),
    [([], {}, True), (["--no-color"], {}, False), ([], {"NO_COLOR": "1"}, False)],
)
def test_colours_can_be_switched_off(
    tmp_path: Path,
    options: list[str],
    environment: dict[str, str],
    coloured: bool,  # noqa: FBT001 - a row of the table
) -> None:
    with demo_on_terminal(*FREE, *options, folder=tmp_path, environment=environment) as running:
        text = running.wait_for(lambda text: "Waiting for logins" in text)
        assert ("\x1b[36m" in text) is coloured  # ECMA-48: cyan, of the lines to copy
        assert ("\x1b[97;40m" in text) is coloured  # white on black, of the QR code
