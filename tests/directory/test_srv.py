"""SRV records (RFC 2782) from a nameserver that is not ours."""

import random
import socket
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from subprocess import run
from sys import executable

import dns.rcode
import pytest

from radius2fa.directory.endpoint import Endpoint, Service, parse_source
from radius2fa.directory.srv import Draw, Nameservers, Record, Told, _resolver, ask, in_order
from tests.servers.dns import Dns


@pytest.fixture
def dns_server() -> Iterator[Dns]:
    with Dns() as server:
        yield server


def seeded(seed: int) -> Draw:
    """Chance that is the same in every run."""
    return random.Random(seed).randrange  # noqa: S311 - it is no secret, and has to be repeatable


def told(server: Dns, url: str = "ldap+srv://ad.example.org", lifetime: float = 2.0) -> Told:
    service = parse_source(url)
    assert isinstance(service, Service)
    return ask(service, Nameservers(("127.0.0.1",), server.port), seeded(1), lifetime)


def urls(answer: Told) -> list[str]:
    return [endpoint.url for endpoint in answer.endpoints]


def test_a_record_names_a_server(dns_server: Dns) -> None:
    dns_server.serve("_ldap._tcp.ad.example.org", (0, 100, 389, "DC1.ad.example.org."))
    dc1 = Endpoint("ldap://dc1.ad.example.org", "dc1.ad.example.org", 389, tls=False)
    assert told(dns_server) == Told("ldap+srv://ad.example.org", (dc1,), ttl=600.0)
    assert dns_server.asked == [("_ldap._tcp.ad.example.org", "udp")]


def test_a_record_may_name_an_unusual_port(dns_server: Dns) -> None:
    dns_server.serve("_ldap._tcp.ad.example.org", (0, 0, 1389, "dc1.ad.example.org."))
    assert told(dns_server).endpoints == (
        Endpoint("ldap://dc1.ad.example.org:1389", "dc1.ad.example.org", 1389, tls=False),
    )


def test_servers_that_begin_with_tls_are_those_of_ldaps(dns_server: Dns) -> None:
    dns_server.serve("_ldaps._tcp.ad.example.org", (0, 0, 1636, "dc1.ad.example.org."))
    dns_server.serve("_ldap._tcp.ad.example.org", (0, 0, 389, "dc2.ad.example.org."))
    answer = told(dns_server, "ldaps+srv://ad.example.org")
    assert answer.endpoints == (Endpoint("ldaps://dc1.ad.example.org:1636", "dc1.ad.example.org", 1636, tls=True),)


@pytest.mark.parametrize("exists", [True, False])
def test_where_none_begin_with_tls_those_of_ldap_are_asked_at_636(dns_server: Dns, *, exists: bool) -> None:
    """Active Directory registers no _ldaps."""
    if exists:
        dns_server.serve("_ldaps._tcp.ad.example.org")
    dns_server.serve("_ldap._tcp.ad.example.org", (0, 0, 389, "dc1.ad.example.org."))
    answer = told(dns_server, "ldaps+srv://ad.example.org")
    assert answer.endpoints == (Endpoint("ldaps://dc1.ad.example.org", "dc1.ad.example.org", 636, tls=True),)
    assert dns_server.questions() == ["_ldaps._tcp.ad.example.org", "_ldap._tcp.ad.example.org"]


@pytest.mark.parametrize(
    ("url", "asked", "port", "used"),
    [
        ("ldap+srv://_ldap._tcp.berlin._sites.ad.example.org", "_ldap._tcp.berlin._sites.ad.example.org", 389, 389),
        ("ldaps+srv://_ldap._tcp.dc._msdcs.ad.example.org", "_ldap._tcp.dc._msdcs.ad.example.org", 389, 636),
        ("ldap+srv://_gc._tcp.ad.example.org", "_gc._tcp.ad.example.org", 3268, 3268),
        ("ldaps+srv://_gc._tcp.ad.example.org", "_gc._tcp.ad.example.org", 3268, 3269),
        ("ldaps+srv://_ldaps._tcp.ad.example.org", "_ldaps._tcp.ad.example.org", 10636, 10636),
    ],
)
def test_a_name_with_underscores_is_asked_for_as_it_is(
    dns_server: Dns, url: str, asked: str, port: int, used: int
) -> None:
    dns_server.serve(asked, (0, 0, port, "dc1.ad.example.org."))
    (server,) = told(dns_server, url).endpoints
    assert (server.host, server.port) == ("dc1.ad.example.org", used)
    assert dns_server.questions() == [asked]


def test_a_target_outside_the_domain_is_passed_over_with_the_cause(dns_server: Dns) -> None:
    """As an answer that somebody has forged would name one; ad.example.org at its end is not enough."""
    dns_server.serve(
        "_ldap._tcp.ad.example.org",
        (0, 0, 389, "ldap.example.net."),
        (1, 0, 389, "bad.example.org."),
        (2, 0, 389, "ad.example.org."),
    )
    answer = told(dns_server)
    assert urls(answer) == ["ldap://ad.example.org"]
    assert answer.passed_over == (
        "_ldap._tcp.ad.example.org: ldap.example.net is not within ad.example.org, and an answer of DNS can be forged",
        "_ldap._tcp.ad.example.org: bad.example.org is not within ad.example.org, and an answer of DNS can be forged",
    )
    assert answer.fault == ""


def test_where_all_targets_are_foreign_there_is_no_server(dns_server: Dns) -> None:
    dns_server.serve("_ldap._tcp.berlin._sites.ad.example.org", (0, 0, 389, "dc1.berlin.example.net."))
    answer = told(dns_server, "ldap+srv://_ldap._tcp.berlin._sites.ad.example.org")
    assert answer.endpoints == ()
    assert answer.fault == answer.passed_over[0]
    assert "dc1.berlin.example.net is not within ad.example.org" in answer.fault


@pytest.mark.parametrize("record", [(0, 0, 0, "dc1.ad.example.org."), (0, 0, 389, "dc\\0321.ad.example.org.")])
def test_a_record_that_leads_nowhere_is_passed_over(dns_server: Dns, record: tuple[int, int, int, str]) -> None:
    dns_server.serve("_ldap._tcp.ad.example.org", record, (5, 0, 389, "dc2.ad.example.org."))
    answer = told(dns_server)
    assert urls(answer) == ["ldap://dc2.ad.example.org"]
    assert "is no name of a host, or has port 0" in answer.passed_over[0]


def test_the_root_as_target_says_that_there_is_no_such_service(dns_server: Dns) -> None:
    """RFC 2782, "Target". So _ldap is not asked for."""
    dns_server.serve("_ldaps._tcp.ad.example.org", (0, 0, 0, "."))
    dns_server.serve("_ldap._tcp.ad.example.org", (0, 0, 389, "dc1.ad.example.org."))
    answer = told(dns_server, "ldaps+srv://ad.example.org")
    assert answer.endpoints == ()
    assert answer.fault == '_ldaps._tcp.ad.example.org: the target "." says that the service is not offered'


def test_one_server_of_several_records_counts_once_at_its_best_place(dns_server: Dns) -> None:
    dns_server.serve(
        "_ldap._tcp.ad.example.org",
        (20, 0, 389, "dc1.ad.example.org."),
        (10, 0, 389, "dc2.ad.example.org."),
        (0, 0, 389, "dc1.ad.example.org."),
    )
    assert urls(told(dns_server)) == ["ldap://dc1.ad.example.org", "ldap://dc2.ad.example.org"]


def test_an_answer_that_is_too_long_for_udp_is_asked_for_by_tcp(dns_server: Dns) -> None:
    records = [(place, 0, 389, f"dc{place}.ad.example.org.") for place in range(40)]
    dns_server.serve("_ldap._tcp.ad.example.org", *records)
    dns_server.truncates = True
    assert urls(told(dns_server)) == [f"ldap://dc{place}.ad.example.org" for place in range(40)]
    assert [transport for _, transport in dns_server.asked] == ["udp", "tcp"]


@pytest.mark.parametrize(("ttl", "believed"), [(0, 30.0), (29, 30.0), (600, 600.0), (604800, 3600.0)])
def test_an_answer_holds_as_long_as_dns_says_within_bounds(dns_server: Dns, ttl: int, believed: float) -> None:
    dns_server.serve("_ldap._tcp.ad.example.org", (0, 0, 389, "dc1.ad.example.org."), ttl=ttl)
    assert told(dns_server).ttl == believed


@pytest.mark.parametrize("exists", [True, False])
def test_a_domain_without_records_is_told(dns_server: Dns, *, exists: bool) -> None:
    if exists:
        dns_server.serve("_ldap._tcp.ad.example.org")
    expected = "DNS has no SRV records of _ldaps._tcp.ad.example.org or _ldap._tcp.ad.example.org"
    answer = told(dns_server, "ldaps+srv://ad.example.org")
    assert answer == Told("ldaps+srv://ad.example.org", (), fault=expected, ttl=5.0)


def test_a_nameserver_that_fails_is_told(dns_server: Dns) -> None:
    dns_server.rcode = dns.rcode.SERVFAIL
    answer = told(dns_server)
    assert answer == Told(
        "ldap+srv://ad.example.org", (), fault=f"DNS: Do53:127.0.0.1@{dns_server.port} says SERVFAIL", ttl=5.0
    )


def test_a_nameserver_that_is_silent_is_told_in_time(dns_server: Dns) -> None:
    dns_server.silent = True
    start = time.monotonic()
    assert told(dns_server, lifetime=0.3).fault == "DNS: no answer in time"
    assert 0.3 <= time.monotonic() - start < 1.0


def test_a_dead_nameserver_leaves_time_for_the_next(dns_server: Dns) -> None:
    dns_server.serve("_ldap._tcp.ad.example.org", (0, 0, 389, "dc1.ad.example.org."))
    service = parse_source("ldap+srv://ad.example.org")
    assert isinstance(service, Service)
    # Linux has all of 127.0.0.0/8 on the loopback; a socket that nobody reads from is a nameserver without a word.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as dead:
        dead.bind(("127.0.0.2", dns_server.port))
        answer = ask(service, Nameservers(("127.0.0.2", "127.0.0.1"), dns_server.port), lambda _below: 0, 0.6)
    assert urls(answer) == ["ldap://dc1.ad.example.org"]


def test_a_nameserver_that_is_no_address_is_told() -> None:
    """As resolv.conf may hold one."""
    service = parse_source("ldap+srv://ad.example.org")
    assert isinstance(service, Service)
    answer = ask(service, Nameservers(("ns.example.org",)), lambda _below: 0, 0.5)
    assert answer.endpoints == ()
    assert answer.fault.startswith("DNS: nameserver ns.example.org is not ")


def test_without_addresses_the_nameservers_are_those_of_resolv_conf() -> None:
    lines = Path("/etc/resolv.conf").read_text(encoding="ascii").splitlines()
    expected = [line.split()[1] for line in lines if line.startswith("nameserver ")]
    assert [str(each) for each in _resolver(Nameservers()).nameservers] == expected


def test_without_a_question_dnspython_is_not_loaded() -> None:
    """Who names servers pays neither its time nor its memory."""
    program = "import sys, radius2fa.directory.ldap, radius2fa.directory.inspect; print('dns' in sys.modules)"
    assert run([executable, "-c", program], check=True, capture_output=True, text=True).stdout == "False\n"


# The order


def test_the_lowest_priority_comes_first() -> None:
    records = [Record(priority, 0, 389, f"dc{priority}") for priority in (20, 0, 10)]
    assert [record.priority for record in in_order(records, lambda _below: 0)] == [0, 10, 20]


def test_the_order_is_drawn_as_rfc_2782_says() -> None:
    """Its "Weight", by hand: the sums of 0, 1, 3 are 0, 1, 4. A 2 takes the third; then of 0 and 1 a 1 the second."""
    records = [Record(0, weight, 389, f"w{weight}") for weight in (3, 1, 0)]
    draws = {5: 2, 2: 1, 1: 0}  # by the greatest number that may be drawn, and one
    assert [record.target for record in in_order(records, draws.__getitem__)] == ["w3", "w1", "w0"]
    assert [record.target for record in in_order(records, lambda _below: 0)] == ["w0", "w1", "w3"]


def test_servers_come_first_as_often_as_their_weights_say() -> None:
    """RFC 2782 has a number from 0 to the sum, ends included, so weight 0 has a small chance: 1 in 11 here."""
    records = [Record(0, weight, 389, f"w{weight}") for weight in (0, 2, 8)]
    draw = seeded(7)
    first = Counter(in_order(records, draw)[0].target for _ in range(11000))
    assert first["w0"] == pytest.approx(1000, rel=0.1)
    assert first["w2"] == pytest.approx(2000, rel=0.1)
    assert first["w8"] == pytest.approx(8000, rel=0.1)


def test_every_record_comes_exactly_once() -> None:
    records = [Record(place % 3, place % 5, 389, f"dc{place}") for place in range(30)]
    ordered = in_order(records, seeded(3))
    assert sorted(ordered, key=lambda record: record.target) == sorted(records, key=lambda record: record.target)


def test_of_very_many_records_the_best_count(dns_server: Dns) -> None:
    records = [(number, 0, 389, f"dc{number}.ad.example.org.") for number in range(300)]
    dns_server.serve("_ldap._tcp.ad.example.org", *reversed(records))
    answer = told(dns_server)
    assert urls(answer) == [f"ldap://dc{number}.ad.example.org" for number in range(64)]
    assert answer.passed_over == (
        "_ldap._tcp.ad.example.org: 236 more than the 64 records that count; ask for those of a site",
    )
