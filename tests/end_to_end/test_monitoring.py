"""What the installed server tells of itself while people log in: to Prometheus, to a syslog server, to a file."""

import json
import socket
from pathlib import Path
from urllib.request import urlopen

from tests.end_to_end.house import House, Ready, client
from tests.end_to_end.radius import ACCEPT, REJECT, Nas
from tests.radius.wire import accounting_request
from tests.servers.collector import Collector
from tests.servers.slapd import Slapd

CLIENT = client("vpn", "127.0.0.1")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def test_a_login_is_a_figure_and_so_is_accounting(folder: Path, slapd: Slapd, ready: Ready) -> None:
    port = free_port()
    metrics = {"listen": f"127.0.0.1:{port}"}
    server, more = {"accounting_listen": ["127.0.0.1:0"]}, [("[metrics]", metrics)]
    with House(folder, slapd, ready, clients=[CLIENT], server=server, more=more) as house:
        alice = house.person()
        with house.nas("vpn") as nas:
            assert nas.login(alice.uid, alice.typed()).code == ACCEPT
            assert nas.login(alice.uid, alice.password + b"000000").code == REJECT
        accounting = ("127.0.0.1", house.program.accounting_port)
        with Nas("127.0.0.1", accounting, house.secret("vpn")) as nas:
            asked = accounting_request((40, b"\0\0\0\x01"), secret=nas.secret)
            assert nas.ask(asked).octets == nas.ask(asked).octets
            nas.send(accounting_request((40, b"\0\0\0\x01"), secret=b"another"))
            house.program.wait_for(lambda line: line.get("why") == "wrong-request-authenticator")
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
    assert not any(line.startswith('radius2fa_requests_total{client="vpn",code="accounting') for line in lines)
    assert 'radius2fa_accounting_acknowledged_total{client="vpn",status="start"} 1.0' in lines
    assert 'radius2fa_repeats_total{client="vpn",port="accounting"} 1.0' in lines
    assert 'radius2fa_drops_total{cause="wrong-request-authenticator",client="vpn",port="accounting"} 1.0' in lines


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
