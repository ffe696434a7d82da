"""`radius2fa status` beside the installed server: what it tells, and what it never keeps from working."""

import json
import re
import socket
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.house import House, Ready, client, directory_section
from tests.end_to_end.radius import ACCEPT, REJECT
from tests.servers.another_user import another_user, open_folder
from tests.servers.slapd import Slapd

CLIENT = client("vpn", "127.0.0.1")


def told(house: House) -> Any:
    """What the running server says, None if there is none."""
    return json.loads(house.program.run("status", "--json").stdout)["server"]


def lookups(house: House) -> dict[str, Any]:
    (directory,) = told(house)["directories"]
    return dict(directory["lookups"])


def open_house(folder: Path, slapd: Slapd, ready: Ready, **server: str) -> House:
    return House(folder, slapd, ready, clients=[CLIENT], server=server)


def log_in(house: House) -> None:
    somebody = house.person()
    with house.nas("vpn") as nas:
        assert nas.login(somebody.uid, somebody.typed()).code == ACCEPT


def test_repeated_logins_are_hits_of_the_lookups(folder: Path, slapd: Slapd, ready: Ready) -> None:
    with open_house(folder, slapd, ready) as house:
        fresh = {"remembered": 0, "capacity": 10_000, "limit_seconds": 60.0, "hits": 0, "misses": 0}
        assert lookups(house) == fresh
        alice, bob = house.person(), house.person()
        with house.nas("vpn") as nas:
            for person in (alice, bob, alice, alice, bob):
                assert nas.login(person.uid, person.typed()).code == ACCEPT
        assert lookups(house) == fresh | {"remembered": 2, "hits": 3, "misses": 2}
        shown = house.program.run("status").stdout
        assert re.search(r"^main +ldap3 +3 +2 +2 +10000 +60 s *$", shown, re.MULTILINE)
        assert re.search(rf"^main +ldap://127\.0\.0\.1:{slapd.port} +well +\d", shown, re.MULTILINE)


def test_each_directory_has_figures_of_its_own_in_the_order_of_the_file(
    folder: Path, slapd: Slapd, ready: Ready
) -> None:
    guests = directory_section(slapd, name="guests", cache_seconds=5)
    with House(folder, slapd, ready, clients=[CLIENT], more=[("[[directory]]", guests)]) as house:
        log_in(house)  # found in the first one
        with house.nas("vpn") as nas:
            for _ in range(2):
                assert nas.login("nobody at all", b"whatever 000000").code == REJECT
        main, other = told(house)["directories"]
        counted = ("limit_seconds", "remembered", "hits", "misses")
        assert (main["name"], [main["lookups"][each] for each in counted]) == ("main", [60.0, 2, 1, 2])
        assert (other["name"], [other["lookups"][each] for each in counted]) == ("guests", [5.0, 1, 1, 1])


def test_the_server_tells_its_process_and_since_when_it_runs(folder: Path, slapd: Slapd, ready: Ready) -> None:
    before = time.time()
    with open_house(folder, slapd, ready) as house:
        answer = told(house)
        started = datetime.fromisoformat(answer["started"])
        assert (answer["process"], started.tzinfo) == (house.program.pid, UTC)
        assert before - 1 <= started.timestamp() <= time.time()
        version = house.program.run("--version").stdout
        assert version == f"radius2fa {answer['version']}\n"


def test_a_server_that_fails_is_shown_with_the_cause(tmp_path_factory: pytest.TempPathFactory, ready: Ready) -> None:
    with Slapd() as slapd, open_house(tmp_path_factory.mktemp("house"), slapd, ready) as house:
        log_in(house)
        stranger = house.person()
        slapd.stop()
        with house.nas("vpn") as nas:
            nas.send(nas.request(stranger.uid, stranger.typed()))
            house.program.wait_for(lambda line: line.get("why") == "backend-unavailable")
        (directory,) = told(house)["directories"]
        (server,) = directory["servers"]
        assert (server["url"], server["state"]) == (f"ldap://127.0.0.1:{slapd.port}", "failed")
        assert "refused" in server["cause"]


def test_a_stopped_server_leaves_nothing_and_that_is_said(folder: Path, slapd: Slapd, ready: Ready) -> None:
    place = folder / "status.sock"
    with open_house(folder, slapd, ready) as house:
        assert place.is_socket()
        assert house.program.stop() == 0
        assert not place.exists()
        shown = house.program.run("status").stdout
        assert shown.startswith(f"No server is running here (nothing answers at {place})\n\nAs of ")
        assert told(house) is None


def test_a_killed_servers_socket_does_not_hinder_the_next_one(folder: Path, slapd: Slapd, ready: Ready) -> None:
    with open_house(folder, slapd, ready) as house:
        log_in(house)
        house.program.kill()
        assert (folder / "status.sock").is_socket()
        assert told(house) is None
        house.program.start()
        assert told(house)["process"] == house.program.pid
        assert lookups(house)["hits"] == 0
        assert house.program.events("no status socket") == []
        log_in(house)
        assert lookups(house)["misses"] == 1
        assert house.program.stop() == 0
        assert not (folder / "status.sock").exists()


def test_another_user_may_not_ask_a_running_server(slapd: Slapd, ready: Ready) -> None:
    with open_folder() as folder, open_house(folder, slapd, ready) as house:
        place = folder / "status.sock"
        assert place.stat().st_mode & 0o777 == 0o600
        with another_user(place), socket.socket(socket.AF_UNIX) as asking, pytest.raises(PermissionError):
            asking.connect(str(place))
        log_in(house)


def test_where_another_server_listens_the_socket_stays_its_own(
    tmp_path_factory: pytest.TempPathFactory, slapd: Slapd, ready: Ready
) -> None:
    first_folder, second_folder = tmp_path_factory.mktemp("first"), tmp_path_factory.mktemp("second")
    place = str(first_folder / "status.sock")
    with (
        open_house(first_folder, slapd, ready) as first,
        open_house(second_folder, slapd, ready, status_socket=place) as second,
    ):
        (line,) = second.program.events("no status socket")
        assert (line["level"], line["why"]) == ("warning", f"{place}: another process listens there")
        log_in(second)
        assert second.program.stop() == 0
        assert told(first)["process"] == first.program.pid


def test_without_its_folder_the_server_lets_people_in_all_the_same(folder: Path, slapd: Slapd, ready: Ready) -> None:
    with open_house(folder, slapd, ready, status_socket="run/status.sock") as house:
        (line,) = house.program.events("no status socket")
        assert line["why"] == f"{folder}/run/status.sock: No such file or directory"
        assert "status_socket" in line["remedy"]
        log_in(house)
        assert house.program.stop() == 0


def test_a_socket_that_is_switched_off_is_not_missed(folder: Path, slapd: Slapd, ready: Ready) -> None:
    with open_house(folder, slapd, ready, status_socket="") as house:
        assert house.program.events("no status socket") == []
        assert not any(each.is_socket() for each in folder.iterdir())
        assert house.program.run("status").stdout.startswith("A running server is not asked (status_socket is empty)\n")
        log_in(house)
        assert house.program.stop() == 0


def test_a_socket_that_was_removed_by_hand_does_not_hinder_the_end(folder: Path, slapd: Slapd, ready: Ready) -> None:
    with open_house(folder, slapd, ready) as house:
        (folder / "status.sock").unlink()
        log_in(house)
        assert house.program.stop() == 0
        assert house.program.events("internal error") == []
