"""The figures for Prometheus over a real port: what they tell, and what alerts and dashboard ask of them."""

import io
import json
import re
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from twisted.internet import selectreactor

from radius2fa.config.model import Listen, Log
from radius2fa.directory.figures import DirectoryFigures, LookupFigures
from radius2fa.directory.servers import ServerState
from radius2fa.login.ports import Result
from radius2fa.login.reason import Reason
from radius2fa.login.stages import Stages
from radius2fa.radius.packet import Drop
from radius2fa.server.drops import Silence
from radius2fa.server.figures import BUCKETS, CLASSES
from radius2fa.server.listener import ListenFailed
from radius2fa.server.load import Load
from radius2fa.server.login import Login
from radius2fa.server.logs import open_log
from radius2fa.server.metrics import Figures, new_figures
from radius2fa.server.metricsport import MetricsPort
from radius2fa.server.sources import Files, Sources
from tests.servers.tls import Authority

ROOT = Path(__file__).parents[2]
RULES = ROOT / "monitoring" / "radius2fa.rules.yml"
DASHBOARD = ROOT / "monitoring" / "grafana.json"
GUIDE = ROOT / "docs" / "monitoring.md"
_NAME = re.compile(r"\b(?:radius2fa|process)_[a-z0-9_]+\b")


def login(result: Result = Result.ACCEPT, reason: Reason | None = None, **keys: Any) -> Login:
    accepted = result is Result.ACCEPT
    fields: dict[str, Any] = {
        "id": "0123456789abcdef", "when": 59.0, "client": "vpn", "name": "alice", "address": "192.0.2.1",
        "result": result, "reason": reason, "subject": None, "token": "k7m2x9qa" if accepted else None,
        "milliseconds": 4.0, "factor": "totp" if accepted else None, "stages": Stages(queue=1.5, store=2.0),
    }  # fmt: skip
    return Login(**{**fields, **keys})


def directories() -> list[DirectoryFigures]:
    one = ServerState("ldap://one", well=True, cause="", since=0.0)
    two = ServerState("ldap://two", well=False, cause="no answer", since=5.0)
    return [DirectoryFigures("main", "ldap3", LookupFigures(2, 10, 60.0, 7, 3), (one, two))]


@pytest.fixture
def figures(tmp_path: Path) -> Figures:
    made = new_figures()
    (tmp_path / "master.key").touch()
    authority = Authority(tmp_path)
    certificates = (("portal", authority.issue("portal").certificate), ("portal", tmp_path / "none.pem"))
    load = Load(
        requests=Counter({("vpn", "access-request", True): 5, ("vpn", "access-request", False): 2}),
        repeats={("vpn", "authentication"): 3, ("vpn", "accounting"): 1},
        drops={("unknown-client", "", "authentication"): 9, ("overload", "vpn", "accounting"): 1},
        acknowledged={("vpn", "start"): 8, ("vpn", "status-server"): 2},
        in_progress=4, accounting_in_progress=6, waiting=1, held=2, threads=16, backlog=1024,
    )  # fmt: skip
    lost = {"stderr": 0, "syslog": 6}
    files = Files(certificates, tmp_path / "master.key")
    made.ask(Sources(lambda: load, directories, lambda: lost, lambda: files, 1000.0))
    return made


def lines(figures: Figures) -> list[str]:
    return figures.page().decode().splitlines()


def values(figures: Figures) -> dict[str, float]:
    return {name: float(value) for name, value in (each.rsplit(" ", 1) for each in lines(figures) if each[0] != "#")}


def names(figures: Figures) -> set[str]:
    return {re.split(r"[{ ]", each)[0] for each in lines(figures) if each[0] != "#"}


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_belongs_to_a_class(reason: Reason) -> None:
    assert CLASSES[reason]


def test_logins_are_counted_by_client_outcome_class_and_factor(figures: Figures) -> None:
    for each in (login(), login(), login(Result.REJECT, Reason.WRONG_CODE), login(Result.CHALLENGE)):
        figures.count(each)
    found = values(figures)
    of = 'radius2fa_logins_total{client="vpn",factor="%s",outcome="%s",reason_class="%s"}'
    assert found[of % ("totp", "accept", "none")] == 2
    assert found[of % ("none", "reject", "code")] == 1
    assert found[of % ("none", "challenge", "none")] == 1
    assert found['radius2fa_login_seconds_count{outcome="accept"}'] == 2
    assert found['radius2fa_login_seconds_sum{outcome="accept"}'] == pytest.approx(0.008)
    assert found['radius2fa_login_stage_seconds_sum{stage="queue"}'] == pytest.approx(0.006)
    assert found['radius2fa_login_stage_seconds_count{stage="bind"}'] == 0


def test_durations_are_told_as_the_library_s_own_histograms_tell_them(figures: Figures) -> None:
    """On every bound, beside it, below the first and beyond the last."""
    registry = CollectorRegistry()
    oracle = Histogram("radius2fa_login_seconds", "As ours.", ("outcome",), registry=registry, buckets=BUCKETS)
    for milliseconds in (0.0, 9999.0, *(1000 * bound + more for bound in BUCKETS for more in (-0.1, 0.0, 0.1))):
        figures.count(login(milliseconds=milliseconds))
        oracle.labels("accept").observe(milliseconds / 1000)
    ours = [each for each in lines(figures) if each.startswith("radius2fa_login_seconds_") and "accept" in each]
    theirs = [each for each in generate_latest(registry).decode().splitlines() if "_created" not in each]
    assert sorted(ours) == sorted(each for each in theirs if each[0] != "#")


def test_names_of_users_make_no_series(figures: Figures) -> None:
    for reason in Reason:
        figures.count(login(Result.REJECT, reason))
    before = len(lines(figures))
    for number in range(100):
        figures.count(login(Result.REJECT, Reason.NO_SUCH_USER, name=f'a{number}"}}\n#', address=f"192.0.2.{number}"))
    assert len(lines(figures)) == before
    assert b"192.0.2." not in figures.page()


def test_what_the_parts_tell_is_there(figures: Figures, tmp_path: Path) -> None:
    found = values(figures)
    of = 'radius2fa_requests_total{client="vpn",code="access-request",message_authenticator="%s"}'
    assert (found[of % "present"], found[of % "absent"]) == (5, 2)
    assert found['radius2fa_repeats_total{client="vpn",port="authentication"}'] == 3
    assert found['radius2fa_repeats_total{client="vpn",port="accounting"}'] == 1
    assert found['radius2fa_drops_total{cause="unknown-client",client="",port="authentication"}'] == 9
    assert found['radius2fa_drops_total{cause="overload",client="vpn",port="accounting"}'] == 1
    assert found['radius2fa_accounting_acknowledged_total{client="vpn",status="start"}'] == 8
    assert found['radius2fa_accounting_acknowledged_total{client="vpn",status="status-server"}'] == 2
    assert found["radius2fa_accounting_in_progress"] == 6
    assert found['radius2fa_directory_server_up{directory="main",url="ldap://one"}'] == 1
    assert found['radius2fa_directory_server_up{directory="main",url="ldap://two"}'] == 0
    assert found['radius2fa_directory_lookups_total{directory="main",memory="hit"}'] == 7
    assert found['radius2fa_log_lines_lost_total{output="syslog"}'] == 6
    assert [found[f"radius2fa_{name}"] for name in ("requests_in_progress", "requests_waiting", "threads")] == [
        4,
        1,
        16,
    ]
    assert found["radius2fa_start_time_seconds"] == 1000
    key = tmp_path / "master.key"
    assert found[f'radius2fa_master_key_timestamp_seconds{{file="{key}"}}'] == pytest.approx(key.stat().st_mtime)


def test_the_end_of_a_certificate_is_that_which_openssl_reads(figures: Figures) -> None:
    ((name, end),) = ((n, v) for n, v in values(figures).items() if n.startswith("radius2fa_certificate"))
    path = re.findall(r'file="([^"]+)"', name)[0]
    shown = subprocess.run(
        ["openssl", "x509", "-in", path, "-noout", "-enddate"], capture_output=True, text=True, check=True
    )
    seconds = subprocess.run(["date", "-d", shown.stdout.split("=")[1].strip(), "+%s"], capture_output=True, check=True)
    assert end == float(seconds.stdout)


def test_prometheus_finds_no_fault_with_the_page(figures: Figures) -> None:
    figures.count(login())
    done = subprocess.run(["promtool", "check", "metrics"], input=figures.page(), capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_prometheus_takes_the_alerts() -> None:
    done = subprocess.run(["promtool", "check", "rules", str(RULES)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def expressions() -> Iterator[str]:
    yield from re.findall(r"^ +expr: (.+)$", RULES.read_text(), re.MULTILINE)
    dashboard = json.loads(DASHBOARD.read_text())
    yield from (target["expr"] for panel in dashboard["panels"] for target in panel["targets"])
    yield from (each["query"] for each in dashboard["templating"]["list"] if each["type"] == "query")


def test_alerts_and_dashboard_ask_for_nothing_that_is_not_told(figures: Figures) -> None:
    figures.count(login())
    asked = list(expressions())
    assert len(asked) > 30
    assert {name for each in asked for name in _NAME.findall(each)} - names(figures) - {"radius2fa"} == set()
    causes = {name for each in asked for found in re.findall(r'cause=~?"([^"]+)"', each) for name in found.split("|")}
    assert causes <= {each.value for each in (*Silence, *Drop)}
    classes = {name for each in asked for name in re.findall(r'reason_class="([^"]+)"', each)}
    assert classes <= set(CLASSES.values())


def test_prometheus_reads_every_expression_of_the_dashboard(tmp_path: Path) -> None:
    """As rules, with the dashboard's variables filled in, since promtool checks no single expression."""
    filled = [each.replace("$__rate_interval", "5m").replace("$instance", ".*") for each in expressions()]
    rules = [{"record": f"check:{n}", "expr": e} for n, e in enumerate(filled) if not e.startswith("label_values")]
    (tmp_path / "rules.json").write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = subprocess.run(
        ["promtool", "check", "rules", str(tmp_path / "rules.json")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_guide_names_every_figure_and_no_other(figures: Figures) -> None:
    figures.count(login())
    told = {re.sub(r"_(bucket|sum|count)$", "", name) for name in names(figures) if name.startswith("radius2fa_")}
    shown = set(re.findall(r"^\| `(radius2fa_[a-z0-9_]+)` \|", GUIDE.read_text(), re.MULTILINE))
    assert shown == told


def test_the_guide_tells_every_alert_and_no_other() -> None:
    alerts = set(re.findall(r"alert: (\w+)", RULES.read_text()))
    assert set(re.findall(r"^\| `(Radius2fa\w+)` \|", GUIDE.read_text(), re.MULTILINE)) == alerts


# The port


class Served:
    """A metrics port on a reactor of its own, which runs in a thread."""

    def __init__(self, page: Any) -> None:
        self.reactor: Any = selectreactor.SelectReactor()
        self.port = MetricsPort(page, self.reactor, open_log(Log(level="error"), io.StringIO()))
        self.port.start(Listen(host="127.0.0.1", port=0))
        self.thread = threading.Thread(target=self.reactor.run, kwargs={"installSignalHandlers": False}, daemon=True)
        self.thread.start()

    def ask(self, octets: bytes) -> bytes:
        with socket.create_connection(self.port.address, 10) as connection:
            connection.sendall(octets)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def stop(self) -> None:
        self.reactor.callFromThread(self.port.close)
        self.reactor.callFromThread(self.reactor.stop)
        self.thread.join(10)


def test_the_port_tells_the_figures_and_nothing_else() -> None:
    faults = [False]

    def page() -> bytes:
        if faults[0]:
            raise ValueError
        return b"radius2fa_threads 16.0\n"

    served = Served(page)
    try:
        head, _, body = served.ask(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4")
        assert body == page()
        assert served.ask(b"HEAD /metrics HTTP/1.0\r\n\r\n").endswith(b"\r\n\r\n")
        answers = {
            b"GET / HTTP/1.1\r\n\r\n": b"404",
            b"POST /metrics HTTP/1.1\r\n\r\n": b"400",
            b"\x16\x03\x01\r\n\r\n": b"400",
            b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 8190: b"431",
        }
        for asked, status in answers.items():
            assert served.ask(asked).split(b" ")[1] == status
        faults[0] = True
        assert served.ask(b"GET /metrics HTTP/1.1\r\n\r\n").split(b" ")[1] == b"500"
        with pytest.raises(ListenFailed, match="Address already in use"):
            MetricsPort(page, served.reactor, open_log(Log())).start(
                Listen(host="127.0.0.1", port=served.port.address[1])
            )
    finally:
        served.stop()


def test_whoever_keeps_connections_open_keeps_nobody_else_out() -> None:
    """Of eight that have not asked yet, the oldest makes way for the ninth, which may be Prometheus."""
    served = Served(lambda: b"")
    try:
        held = [socket.create_connection(served.port.address, 10) for _ in range(8)]
        for each in held:  # each has been taken once it has begun
            each.sendall(b"G")
        assert served.ask(b"GET /metrics HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 200")
        with pytest.raises(ConnectionResetError):
            held[0].recv(1)
        held[1].sendall(b"ET /metrics HTTP/1.1\r\n\r\n")
        assert held[1].recv(12) == b"HTTP/1.1 200"
        for each in held:
            each.close()
    finally:
        served.stop()


def test_no_more_than_eight_have_a_page_made() -> None:
    free = threading.Event()
    begun = threading.Semaphore(0)

    def page() -> bytes:
        begun.release()
        assert free.wait(10)
        return b""

    served = Served(page)
    try:
        held = [socket.create_connection(served.port.address, 10) for _ in range(8)]
        for each in held:
            each.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        for _ in held:
            assert begun.acquire(timeout=10)
        with socket.create_connection(served.port.address, 10) as one_more:
            assert one_more.recv(1) == b""
        free.set()
        for each in held:
            assert each.recv(12) == b"HTTP/1.1 200"
            each.close()
    finally:
        free.set()
        served.stop()
