import os
import subprocess

from radius2fa.cli.actor import actor


def test_sudo_hides_nobody() -> None:
    assert actor({"SUDO_USER": "alice", "USER": "root", "LOGNAME": "root"}, 0) == "cli:alice"


def test_without_sudo_it_is_the_name_of_the_user_id() -> None:
    mine = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    assert actor({"USER": "somebody else", "LOGNAME": "somebody else"}) == f"cli:{mine}"
    assert actor({"SUDO_USER": ""}, os.getuid()) == f"cli:{mine}"


def test_a_user_id_without_a_name_is_named_by_its_number() -> None:
    assert actor({}, 4_000_000_000) == "cli:4000000000"
