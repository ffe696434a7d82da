"""SIGHUP to the installed server: what it takes, what it refuses whole, and that no login is lost by either."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from radius2fa.store.seal import new_key_text
from tests.end_to_end.crowd import crowd, crowd_ldif
from tests.end_to_end.house import House, Ready, client, directory_section
from tests.end_to_end.radius import ACCEPT, Nas, radclient
from tests.end_to_end.reloading import Reloading, load
from tests.end_to_end.reporting import reports
from tests.servers.program import EXECUTABLE, LIMIT
from tests.servers.slapd import Slapd

CLIENT = client("vpn", "127.0.0.1")
RATE = 500  # logins a second
PEOPLE, CODES = 300, 8
REPORTS = 3000
PAUSE = 0.3  # seconds between two reloads


def open_house(folder: Path, slapd: Slapd, ready: Ready, **server: Any) -> House:
    return House(folder, slapd, ready, clients=[CLIENT], server=server)


def told(house: House) -> Any:
    return json.loads(house.program.run("status", "--json").stdout)["server"]


def log_in(house: House, port: int | None = None, secret: str | None = None) -> None:
    somebody = house.person()
    with Nas("127.0.0.1", ("127.0.0.1", port or house.program.port), secret or house.secret("vpn")) as nas:
        assert nas.login(somebody.uid, somebody.typed()).code == ACCEPT


def ports(line: dict[str, Any]) -> list[int]:
    return [int(each.split()[2]) for each in line["listen"]]


def test_reloads_of_all_sorts_lose_no_login_at_500_a_second(folder: Path, ready: Ready) -> None:
    people = crowd(PEOPLE, "busy")
    limits = {"backlog": 8192, "client_backlog": 8192, "patience": 30}
    with Slapd(seed=crowd_ldif(people)) as slapd, open_house(folder, slapd, ready, **limits) as house:
        house.enrol(people)
        logins = [(person, person.typed()) for _ in range(CODES) for person in people]
        reloading = Reloading(house)
        results = []
        with load(house, "vpn", logins, RATE) as outcome:
            until = time.monotonic() + len(logins) / RATE
            while time.monotonic() < until:
                reloading.write(reloading.written)
                results.append(reloading.reload()["event"])
                reloading.change("[[directory]]", "[[directory]]\ncache_seconds = 30")
                results.append(reloading.reload()["event"])
                reloading.change('"127.0.0.1:0"', '"127.0.0.1:0", "127.0.0.1:0"')
                results.append(reloading.reload()["event"])
                reloading.change("[[client]]", "[[client]]\nfaulty = 1")
                results.append(reloading.reload()["event"])
                time.sleep(PAUSE)
        assert outcome["sent"] == outcome["answered"] == outcome["accept"] == PEOPLE * CODES
        assert (outcome["lost"], outcome["forged"], outcome["stray"]) == (0, 0, 0)
        assert results == ["reloaded", "reloaded", "reloaded", "not reloaded"] * (len(results) // 4)
        assert len(results) >= 8
        assert house.program.events("dropped") == house.program.events("internal error") == []
        print(f"{len(results)} reloads, {outcome}")  # noqa: T201 - figures, for whoever asks with -s


def test_a_good_configuration_is_taken_and_the_rest_says_what_it_needs(
    folder: Path, slapd: Slapd, ready: Ready
) -> None:
    with open_house(folder, slapd, ready) as house:
        reloading = Reloading(house)
        text = reloading.change(house.secret("vpn"), "another secret of 24 octets")
        text = text.replace("[server]", "[server]\nthreads = 7\nbacklog = 77")
        reloading.write(text)
        line = reloading.reload()
        assert (line["event"], line["changed"]) == ("reloaded", ["server.backlog", "client.vpn.secret"])
        (other,) = house.program.wait_for(lambda each: each["event"] == "needs a restart")
        assert other["keys"] == ["server.threads"]
        log_in(house, secret="another secret of 24 octets")
        answer = told(house)
        assert (answer["work"]["threads"], answer["work"]["backlog"]) == (16, 77)
        last = answer["reload"]
        assert (last["result"], last["changed"]) == ("taken", ["server.backlog", "client.vpn.secret"])
        assert last["needs_restart"] == ["server.threads"]
        assert re_said(house, "Needs a restart: server.threads")


def re_said(house: House, text: str) -> bool:
    return text in house.program.run("status").stdout


@pytest.mark.parametrize(
    "fault",
    [
        ("[[client]]", "[[client]]\nunheard = 1", "client[1].unheard"),
        ("[[client]]", "[[client", "is not TOML"),
        ("master.key", "no.key", "No such file"),
        ('"127.0.0.1:0"', '"127.0.0.1:0", "192.0.2.77:0"', "192.0.2.77:0: Cannot assign"),
    ],
    ids=["unknown key", "no TOML", "no master key", "no such address"],
)
def test_a_faulty_one_is_refused_whole_and_why_is_said(
    folder: Path, slapd: Slapd, ready: Ready, fault: tuple[str, str, str]
) -> None:
    with open_house(folder, slapd, ready) as house:
        reloading = Reloading(house)
        before = told(house)["configuration"]
        old, new, why = fault
        text = reloading.change(old, new)
        reloading.write(text.replace(house.secret("vpn"), "another secret of 24 octets"))
        line = reloading.reload()
        assert (line["event"], line["level"]) == ("not reloaded", "error")
        assert why in line["why"]
        answer = told_by(folder / "status.sock")
        assert answer["configuration"] == before
        assert (answer["reload"]["result"], answer["reload"]["faults"]) == ("refused", [line["why"]])
        log_in(house)
        reloading.write(reloading.written)
        assert reloading.reload()["event"] == "reloaded"
        assert told(house)["reload"]["faults"] == []
        log_in(house)


def told_by(place: Path) -> Any:
    """What the server says to whoever connects, without a configuration that can be read."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(LIMIT)
        asking.connect(str(place))
        with asking.makefile("rb") as answer:
            return json.loads(answer.read())


def test_a_master_key_that_opens_no_token_is_refused(folder: Path, slapd: Slapd, ready: Ready) -> None:
    with open_house(folder, slapd, ready) as house:
        log_in(house)
        reloading, key = Reloading(house), house.program.key_file
        old = key.read_text()
        key.chmod(0o600)
        key.write_text(new_key_text(os.urandom))
        line = reloading.reload()
        assert line["event"] == "not reloaded"
        assert "which is not in the master key file" in line["why"]
        log_in(house)
        key.write_text(new_key_text(os.urandom) + old)
        line = reloading.reload()
        assert (line["event"], len(line["master_keys"])) == ("reloaded", 2)
        log_in(house)


def test_listeners_that_stay_are_not_opened_anew_and_the_others_come_and_go(
    folder: Path, slapd: Slapd, ready: Ready
) -> None:
    with open_house(folder, slapd, ready) as house:
        reloading, first = Reloading(house), list(house.program.ports.values())
        reloading.change('"[::1]:0"', '"127.0.0.2:0"')
        line = reloading.reload()
        stays, new = ports(line)
        assert stays == first[0]
        log_in(house)
        somebody = house.person()
        with Nas("127.0.0.1", ("127.0.0.2", new), house.secret("vpn")) as nas:
            assert nas.login(somebody.uid, somebody.typed()).code == ACCEPT
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as free:
            free.bind(("::1", first[1]))


def report(house: House, port: int, session: str, secret: str | None = None) -> bool:
    """Let the real radclient report a session; return whether that was acknowledged."""
    lines = ["Acct-Status-Type = Start", f"Acct-Session-Id = {session}"]
    shown = radclient(lines, port, secret or house.secret("vpn"), "-r", "3", kind="acct")
    return shown.name == "Accounting-Response"


def accounting_ports(line: dict[str, Any]) -> list[int]:
    return [int(each.split()[2]) for each in line.get("accounting", ())]


def test_listeners_for_accounting_come_stay_and_go_too(folder: Path, slapd: Slapd, ready: Ready) -> None:
    with open_house(folder, slapd, ready) as house:
        reloading = Reloading(house)
        on = reloading.change("[server]", '[server]\naccounting_listen = ["127.0.0.1:0"]')
        found = json.loads(house.program.run("check", "--diff", "--json").stdout)["differences"]
        assert [(each["key"], each["fate"]) for each in found] == [("server.accounting_listen", "by reload")]
        line = reloading.reload()
        assert (line["event"], line["changed"]) == ("reloaded", ["server.accounting_listen"])
        (first,) = accounting_ports(line)
        assert report(house, first, "one")
        reloading.write(on.replace('["127.0.0.1:0"]', '["127.0.0.1:0", "127.0.0.1:0"]', 1))
        stays, second = accounting_ports(reloading.reload())
        assert stays == first
        assert report(house, first, "two")
        assert report(house, second, "three")
        assert told(house)["accounting"]["acknowledged"] == [{"client": "vpn", "status": "start", "count": 3}]
        reloading.write(reloading.written)
        assert accounting_ports(reloading.reload()) == []
        for port in (first, second):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
                free.bind(("127.0.0.1", port))
        log_in(house)


def test_accounting_goes_by_the_clients_of_the_last_reload(folder: Path, slapd: Slapd, ready: Ready) -> None:
    with open_house(folder, slapd, ready, accounting_listen=["127.0.0.1:0"]) as house:
        reloading, port = Reloading(house), house.program.accounting_port
        reloading.change(house.secret("vpn"), "another secret of 24 octets")
        assert accounting_ports(reloading.reload()) == [port]
        assert report(house, port, "new", "another secret of 24 octets")
        assert not report(house, port, "old", house.secret("vpn"))
        reloading.change('"127.0.0.1"]', '"127.0.0.9"]')
        assert reloading.reload()["changed"] == ["client.vpn.addresses", "client.vpn.secret"]
        assert not report(house, port, "strange")
        house.program.wait_for(lambda line: line.get("why") == "unknown-client")


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("192.0.2.77:0", "server.accounting_listen: 192.0.2.77:0: Cannot assign"),
        ("127.0.0.1:{taken}", "server.accounting_listen: 127.0.0.1:{taken}: Address already in use"),
    ],
)
def test_an_address_for_accounting_that_cannot_be_had_refuses_all_of_a_reload(
    folder: Path, slapd: Slapd, ready: Ready, address: str, why: str
) -> None:
    with open_house(folder, slapd, ready, accounting_listen=["127.0.0.1:0"]) as house:
        reloading, taken, port = Reloading(house), house.program.port, house.program.accounting_port
        free = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        free.bind(("127.0.0.1", 0))
        wanted = free.getsockname()[1]
        free.close()
        text = reloading.change("accounting_listen = [", f'accounting_listen = ["{address.format(taken=taken)}", ')
        text = text.replace('\nlisten = ["127.0.0.1:0", "[::1]:0"]', f'\nlisten = ["127.0.0.1:{wanted}"]')
        assert f"127.0.0.1:{wanted}" in text
        reloading.write(text.replace(house.secret("vpn"), "another secret of 24 octets"))
        line = reloading.reload()
        assert line["event"] == "not reloaded"
        assert line["why"].startswith(why.format(taken=taken))
        log_in(house)
        assert report(house, port, "before")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:  # nor is the new one for logins open
            again.bind(("127.0.0.1", wanted))


def test_reloads_of_all_sorts_lose_no_report(folder: Path, slapd: Slapd, ready: Ready) -> None:
    limits = {"backlog": 8192, "client_backlog": 8192, "patience": 30, "accounting_listen": ["127.0.0.1:0"]}
    with open_house(folder, slapd, ready, **limits) as house:
        reloading, results = Reloading(house), []
        with reports(house, "vpn", REPORTS, RATE) as outcome:
            until = time.monotonic() + REPORTS / RATE
            while time.monotonic() < until:
                reloading.change('accounting_listen = ["127.0.0.1:0"', 'accounting_listen = ["127.0.0.1:0", "[::1]:0"')
                results.append(reloading.reload()["event"])
                reloading.change("[[directory]]", "[[directory]]\ncache_seconds = 30")
                results.append(reloading.reload()["event"])
                reloading.change("[[client]]", "[[client]]\nfaulty = 1")
                results.append(reloading.reload()["event"])
        assert outcome == {"sent": REPORTS, "answered": REPORTS}
        assert results == ["reloaded", "reloaded", "not reloaded"] * (len(results) // 3)
        assert len(results) >= 6
        assert house.query("SELECT count(*), count(DISTINCT session) FROM accounting") == [(REPORTS, REPORTS)]
        assert house.program.events("dropped") == house.program.events("internal error") == []


def test_reports_under_way_are_acknowledged_by_the_listener_that_went(folder: Path, slapd: Slapd, ready: Ready) -> None:
    """And under the secret that they came with."""
    closed = open_house(folder, slapd, ready, patience=30, accounting_listen=["127.0.0.1:0"])
    config = closed.program.config
    config.write_text(config.read_text().replace("[store]", "[store]\ntimeout = 15", 1))
    with closed as house:
        reloading = Reloading(house)
        with closing(sqlite3.connect(house.program.database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with reports(house, "vpn", 100, 10000) as outcome:
                text = reloading.change(house.secret("vpn"), "another secret of 24 octets")
                reloading.write(text.replace('accounting_listen = ["127.0.0.1:0"]', "accounting_listen = []"))
                until = time.monotonic() + LIMIT
                while told_by(folder / "status.sock")["accounting"]["in_progress"] < 100 and time.monotonic() < until:
                    time.sleep(0.05)
                assert "accounting" not in reloading.reload()
                other.execute("ROLLBACK")
        assert house.program.events("dropped") == []
        assert outcome == {"sent": 100, "answered": 100}


def test_what_was_answered_is_answered_alike_after_a_reload(folder: Path, slapd: Slapd, ready: Ready) -> None:
    with open_house(folder, slapd, ready) as house, house.nas("vpn") as nas:
        somebody = house.person()
        first = nas.login(somebody.uid, somebody.typed())
        reloading = Reloading(house)
        reloading.change("[[directory]]", "[[directory]]\ncache_seconds = 30")
        reloading.reload()
        assert nas.ask(first.asked).octets == first.octets


def test_an_unchanged_directory_keeps_its_memory_and_a_changed_one_is_made_anew(
    folder: Path, slapd: Slapd, ready: Ready
) -> None:
    guests = directory_section(slapd, name="guests")
    with House(folder, slapd, ready, clients=[CLIENT], more=[("[[directory]]", guests)]) as house:
        with house.nas("vpn") as nas:
            nas.login("nobody at all", b"whatever 000000")
        reloading = Reloading(house)
        reloading.change('name = "guests"', 'name = "guests"\ncache_seconds = 5')
        assert reloading.reload()["changed"] == ["directory.guests.cache_seconds"]
        main, other = told(house)["directories"]
        assert (main["lookups"]["remembered"], other["lookups"]["remembered"]) == (1, 0)
        assert other["lookups"]["limit_seconds"] == 5.0
        log_in(house)


def test_two_signals_at_once_leave_the_last_configuration_in_force(folder: Path, slapd: Slapd, ready: Ready) -> None:
    with open_house(folder, slapd, ready) as house:
        reloading = Reloading(house)
        reloading.change("[server]", "[server]\nbacklog = 100")
        reloading.hang_up(2)
        reloading.change("[server]", "[server]\nbacklog = 200")
        reloading.hang_up(2)
        until = time.monotonic() + LIMIT
        while told_by(folder / "status.sock")["work"]["backlog"] != 200 and time.monotonic() < until:
            time.sleep(0.05)
        assert told_by(folder / "status.sock")["work"]["backlog"] == 200
        log_in(house)


def test_the_level_of_the_log_is_taken_while_the_server_runs(folder: Path, slapd: Slapd, ready: Ready) -> None:
    with open_house(folder, slapd, ready) as house:
        reloading = Reloading(house)
        reloading.change('level = "info"', 'level = "warning"')
        assert reloading.reload()["changed"] == ["log.level"]
        log_in(house)
        assert house.program.events("accepted") == []
        reloading.write(reloading.written)
        reloading.hang_up()
        until = time.monotonic() + LIMIT
        while not house.program.events("accepted") and time.monotonic() < until:
            log_in(house)
        assert house.program.events("accepted") != []


def holds_hang_ups(pid: int) -> bool:
    """Whether SIGHUP, the lowest bit of the mask, waits: proc_pid_status(5)."""
    mask = Path(f"/proc/{pid}/status").read_text().partition("SigBlk:")[2].split()[0]
    return bool(int(mask, 16) & 1)


def test_a_signal_that_comes_before_the_server_is_ready_is_taken_when_it_is(
    folder: Path, slapd: Slapd, ready: Ready
) -> None:
    """By default it would end the process; and the file may have changed since it was read."""
    with open_house(folder, slapd, ready) as house:
        house.program.stop()
        with subprocess.Popen(
            [EXECUTABLE, "--config", house.program.config, "serve"], stderr=subprocess.PIPE, text=True
        ) as server:
            until = time.monotonic() + LIMIT
            while not holds_hang_ups(server.pid) and time.monotonic() < until:
                time.sleep(0.005)
            held = holds_hang_ups(server.pid)
            server.send_signal(signal.SIGHUP)
            assert server.stderr is not None
            events = [json.loads(server.stderr.readline())["event"] for _ in range(2)]
            server.terminate()
        assert (held, events) == (True, ["ready", "reloaded"])
        assert server.returncode == 0


def test_systemd_hears_of_the_beginning_and_the_end_of_a_reload(folder: Path, slapd: Slapd, ready: Ready) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd, open_house(folder, slapd, ready) as house:
        house.program.kill()
        systemd.settimeout(LIMIT)
        systemd.bind(str(folder / "notify"))
        house.program.start(NOTIFY_SOCKET=str(folder / "notify"))
        assert systemd.recv(1000) == b"READY=1"
        before = time.monotonic_ns() // 1000
        os.kill(house.program.pid, signal.SIGHUP)
        word, when = systemd.recv(1000).decode().split("\nMONOTONIC_USEC=")
        assert word == "RELOADING=1"
        assert before <= int(when) <= time.monotonic_ns() // 1000
        assert systemd.recv(1000) == b"READY=1\nSTATUS=Configuration reloaded"
        Reloading(house).change("[server]", "[server")
        os.kill(house.program.pid, signal.SIGHUP)
        assert systemd.recv(1000).startswith(b"RELOADING=1\n")
        assert systemd.recv(1000).startswith(b"READY=1\nSTATUS=Reload refused")


def test_a_reload_that_comes_while_the_server_stops_does_no_harm(folder: Path, slapd: Slapd, ready: Ready) -> None:
    with open_house(folder, slapd, ready) as house:
        Reloading(house).hang_up()
        assert house.program.stop() == 0
        assert house.program.events("internal error") == []


def test_before_and_after_a_reload_check_tells_what_would_change(folder: Path, slapd: Slapd, ready: Ready) -> None:
    def differing() -> list[str]:
        found = json.loads(house.program.run("check", "--diff", "--json").stdout)
        return [each["key"] for each in found["differences"]]

    with open_house(folder, slapd, ready) as house:
        assert differing() == []
        reloading = Reloading(house)
        reloading.change("[server]", "[server]\nthreads = 7\nbacklog = 77")
        assert differing() == ["server.threads", "server.backlog"]
        assert reloading.reload()["changed"] == ["server.backlog"]
        assert differing() == ["server.threads"]
