"""What the installed server tells of itself while people log in: to Prometheus, to a syslog server, to a file."""

import json
import socket
from pathlib import Path
from urllib.request import urlopen

from tests.end_to_end.house import House, Ready, client
from tests.end_to_end.radius import ACCEPT, REJECT
from tests.servers.collector import Collector
from tests.servers.slapd import Slapd

CLIENT = client("vpn", "127.0.0.1")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def test_a_login_is_a_figure(folder: Path, slapd: Slapd, ready: Ready) -> None:
    port = free_port()
    metrics = {"listen": f"127.0.0.1:{port}"}
    with House(folder, slapd, ready, clients=[CLIENT], more=[("[metrics]", metrics)]) as house:
        alice = house.person()
        with house.nas("vpn") as nas:
            assert nas.login(alice.uid, alice.typed()).code == ACCEPT
            assert nas.login(alice.uid, alice.password + b"000000").code == REJECT
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as page:
            lines = page.read().decode().splitlines()
    of = 'radius2fa_logins_total{client="vpn",factor="%s",outcome="%s",reason_class="%s"} 1.0'
    assert of % ("hotp", "accept", "none") in lines
    assert of % ("none", "reject", "code") in lines
    for stage in ("queue", "look_up", "code", "store"):
        assert f'radius2fa_login_stage_seconds_count{{stage="{stage}"}} 2.0' in lines
    assert 'radius2fa_login_stage_seconds_count{stage="bind"} 1.0' in lines
    assert f'radius2fa_directory_server_up{{directory="main",url="ldap://127.0.0.1:{slapd.port}"}} 1.0' in lines
    assert 'radius2fa_requests_total{client="vpn",code="access-request",message_authenticator="present"} 2.0' in lines


def test_a_port_that_is_taken_keeps_no_login_out(folder: Path, slapd: Slapd, ready: Ready) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        metrics = {"listen": f"127.0.0.1:{taken.getsockname()[1]}"}
        with House(folder, slapd, ready, clients=[CLIENT], more=[("[metrics]", metrics)]) as house:
            house.program.wait_for(lambda line: line.get("event") == "no metrics")
            alice = house.person()
            with house.nas("vpn") as nas:
                assert nas.login(alice.uid, alice.typed()).code == ACCEPT


def test_every_line_from_the_first_to_the_last_goes_to_the_syslog_server(
    folder: Path, slapd: Slapd, ready: Ready
) -> None:
    with Collector("tcp") as collector:
        syslog = {"server": "127.0.0.1", "port": collector.port, "transport": "tcp"}
        with House(folder, slapd, ready, clients=[CLIENT], more=[("[log.syslog]", syslog)]) as house:
            alice = house.person()
            with house.nas("vpn") as nas:
                assert nas.login(alice.uid, alice.typed()).code == ACCEPT
                nas.login("forged\x1b[2J\u202e", b"whatever000000")
            assert house.program.stop() == 0
            written = [line["event"] for line in house.program.lines]
        messages = collector.wait_for(len(written))
    assert [json.loads(each.text)["event"] for each in messages] == written
    assert {"ready", "accepted", "stopped"} <= set(written)
