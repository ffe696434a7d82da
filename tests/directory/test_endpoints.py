"""Which servers there are, while DNS tells, changes its mind, and fails. The nameserver is not ours."""

import contextlib
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import dns.rcode
import pytest

from radius2fa.directory.endpoint import Endpoint
from radius2fa.directory.endpoints import FIRST_WAIT, endpoints_of, tell
from radius2fa.directory.srv import Nameservers
from radius2fa.login.ports import Unavailable
from tests.directory.conftest import Clock, Tools
from tests.servers.dns import Dns

AD = "_ldap._tcp.ad.example.org"
ORG = "_ldap._tcp.example.org"
SRV = "ldap+srv://ad.example.org"
DC1, DC2 = (0, 0, 389, "dc1.ad.example.org."), (1, 0, 389, "dc2.ad.example.org.")

Servers = Callable[[], tuple[Endpoint, ...]]


@pytest.fixture
def dns_server() -> Iterator[Dns]:
    with Dns() as server:
        server.serve(AD, DC1, DC2, ttl=600)
        yield server


class Asking:
    """Servers of settings, for which DNS is asked at once, or, when `waiting`, as soon as `work` is done."""

    def __init__(self, server: Dns, clock: Clock, tools: Tools) -> None:
        self._server = server
        self._clock = clock
        self._tools = tools
        self.waiting = False
        self.work: list[Callable[[], None]] = []

    def servers(self, *urls: str) -> Servers:
        nameservers = Nameservers(("127.0.0.1",), self._server.port)
        draw = random.Random(1).randrange  # noqa: S311 - it is no secret, and has to be repeatable
        return endpoints_of(self._tools.settings(*urls), self._clock, draw, nameservers, self._beside)

    def _beside(self, work: Callable[[], None]) -> None:
        if self.waiting:
            self.work.append(work)
        else:
            work()


@pytest.fixture
def asking(dns_server: Dns, clock: Clock, tools: Tools) -> Asking:
    return Asking(dns_server, clock, tools)


def urls(servers: Servers) -> list[str]:
    return [endpoint.url for endpoint in servers()]


def test_servers_of_the_configuration_need_no_dns(dns_server: Dns, asking: Asking) -> None:
    servers = asking.servers("ldap://one", "ldaps://two:1636", "ldapi:///")
    assert urls(servers) == ["ldap://one", "ldaps://two:1636", "ldapi:///"]
    assert dns_server.asked == []


def test_a_url_that_is_none_is_refused_at_the_start(tools: Tools, clock: Clock) -> None:
    settings = tools.settings("ldap://one").model_copy(update={"urls": ("gopher://one",)})
    with pytest.raises(ValueError, match="gopher://one: begins with none of"):
        endpoints_of(settings, clock)


def test_each_url_has_its_place_in_the_order(dns_server: Dns, asking: Asking) -> None:
    dns_server.serve(ORG, (0, 0, 389, "ldap.example.org."))
    servers = asking.servers("ldap://first", SRV, "ldap://between", "ldap+srv://example.org", "ldap://last")
    assert urls(servers) == [
        "ldap://first",
        "ldap://dc1.ad.example.org",
        "ldap://dc2.ad.example.org",
        "ldap://between",
        "ldap://ldap.example.org",
        "ldap://last",
    ]


def test_a_server_that_is_named_twice_counts_once_at_its_first_place(asking: Asking) -> None:
    servers = asking.servers("ldap://dc2.ad.example.org:389/", SRV, "ldaps://dc1.ad.example.org")
    assert urls(servers) == ["ldap://dc2.ad.example.org:389", "ldap://dc1.ad.example.org", "ldaps://dc1.ad.example.org"]


def test_one_port_with_and_without_tls_first_is_two_servers(asking: Asking) -> None:
    assert urls(asking.servers("ldap://one:1636", "ldaps://one:1636", "ldap+srv://none.example.org")) == [
        "ldap://one:1636",
        "ldaps://one:1636",
    ]


def test_dns_is_asked_again_when_the_ttl_is_over(dns_server: Dns, asking: Asking, clock: Clock) -> None:
    servers = asking.servers(SRV)
    servers()
    dns_server.serve(AD, DC2)
    clock.advance(598)
    assert urls(servers) == ["ldap://dc1.ad.example.org", "ldap://dc2.ad.example.org"]
    clock.advance(3)
    assert urls(servers) == ["ldap://dc2.ad.example.org"]
    assert dns_server.questions() == [AD, AD]


def test_the_order_is_drawn_anew_at_each_refresh(dns_server: Dns, asking: Asking, clock: Clock) -> None:
    """So that several nodes spread over the servers, and one node too, in time."""
    dns_server.serve(AD, *((0, 10, 389, f"dc{place}.ad.example.org.") for place in range(8)), ttl=30)
    servers = asking.servers(SRV)
    first = servers()
    assert servers() == first
    clock.advance(31)
    assert servers() != first
    assert set(servers()) == set(first)


@pytest.mark.parametrize("fault", ["servfail", "nxdomain", "nodata", "foreign"])
def test_the_last_answer_is_kept_while_dns_tells_no_server(
    dns_server: Dns, asking: Asking, clock: Clock, fault: str
) -> None:
    servers = asking.servers(SRV)
    known = servers()
    clock.advance(601)
    if fault == "servfail":
        dns_server.rcode = dns.rcode.SERVFAIL
    elif fault == "nxdomain":
        dns_server.forget(AD)
    else:
        dns_server.serve(AD, *([(0, 0, 389, "dc1.example.net.")] if fault == "foreign" else []))
    for _ in range(3):
        assert servers() == known
        clock.advance(6)
    assert len(dns_server.asked) == 4
    dns_server.rcode = dns.rcode.NOERROR
    dns_server.serve(AD, DC2)
    assert urls(servers) == ["ldap://dc2.ad.example.org"]


def test_nobody_waits_for_a_refresh_and_dns_is_asked_once_by_all(dns_server: Dns, asking: Asking, clock: Clock) -> None:
    servers = asking.servers(SRV)
    known = servers()
    dns_server.serve(AD, DC2)
    asking.waiting = True
    clock.advance(601)
    assert [servers(), servers(), servers()] == [known] * 3
    (work,) = asking.work
    work()
    assert urls(servers) == ["ldap://dc2.ad.example.org"]


def test_the_first_answer_is_waited_for(dns_server: Dns, tools: Tools, clock: Clock) -> None:
    """By a thread of its own, which ends with the answer."""
    servers = endpoints_of(tools.settings(SRV), clock, nameservers=Nameservers(("127.0.0.1",), dns_server.port))
    assert urls(servers) == ["ldap://dc1.ad.example.org", "ldap://dc2.ad.example.org"]
    for thread in [each for each in threading.enumerate() if each.name == "radius2fa-srv"]:
        thread.join(5)
        assert not thread.is_alive()


def test_all_who_come_before_the_first_answer_wait_for_one_question(
    dns_server: Dns, tools: Tools, clock: Clock
) -> None:
    servers = endpoints_of(tools.settings(SRV), clock, nameservers=Nameservers(("127.0.0.1",), dns_server.port))
    dns_server.answers.clear()
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(servers) for _ in range(8)]
        while not dns_server.asked:
            assert not any(each.done() for each in waiting)
        dns_server.answers.set()
        assert {each.result() for each in waiting} == {servers()}
    assert dns_server.questions() == [AD]


def test_the_wait_for_the_first_answer_is_bounded_and_the_answer_still_counts(
    dns_server: Dns, tools: Tools, clock: Clock
) -> None:
    servers = endpoints_of(tools.settings(SRV), clock, nameservers=Nameservers(("127.0.0.1",), dns_server.port))
    dns_server.answers.clear()
    start = clock()
    with pytest.raises(Unavailable) as unavailable:
        servers()
    assert FIRST_WAIT <= clock() - start < FIRST_WAIT + 1
    assert unavailable.value.cause == f"{SRV}: DNS: no answer yet"
    start = clock()
    with pytest.raises(Unavailable):
        servers()
    assert clock() - start < 1  # the wait is the first answer's, not each login's
    (thread,) = [each for each in threading.enumerate() if each.name == "radius2fa-srv"]
    assert thread.daemon is True  # the end of a command does not wait for it
    dns_server.answers.set()
    thread.join(5)
    assert urls(servers) == ["ldap://dc1.ad.example.org", "ldap://dc2.ad.example.org"]
    assert dns_server.questions() == [AD]


def test_a_known_server_serves_while_dns_has_not_answered(dns_server: Dns, asking: Asking) -> None:
    dns_server.rcode = dns.rcode.SERVFAIL
    assert urls(asking.servers(SRV, "ldap://known")) == ["ldap://known"]


def test_without_any_server_the_cause_is_told_and_dns_asked_again_soon(
    dns_server: Dns, asking: Asking, clock: Clock
) -> None:
    servers = asking.servers(SRV, "ldap+srv://example.org")
    dns_server.rcode = dns.rcode.SERVFAIL
    says = f"DNS: Do53:127.0.0.1@{dns_server.port} says SERVFAIL"
    for _ in range(2):
        with pytest.raises(Unavailable) as unavailable:
            servers()
        assert unavailable.value.cause == f"{SRV}: {says}; ldap+srv://example.org: {says}"
    assert dns_server.questions() == [AD, ORG]
    dns_server.rcode = dns.rcode.NOERROR
    clock.advance(5.1)
    assert urls(servers) == ["ldap://dc1.ad.example.org", "ldap://dc2.ad.example.org"]


def test_the_cause_is_that_of_the_last_answer(dns_server: Dns, asking: Asking, clock: Clock) -> None:
    servers = asking.servers("ldap+srv://example.org")
    dns_server.rcode = dns.rcode.SERVFAIL
    with pytest.raises(Unavailable, match="SERVFAIL"):
        servers()
    dns_server.rcode = dns.rcode.NOERROR
    clock.advance(5.1)
    with pytest.raises(Unavailable, match=f"DNS has no SRV records of {ORG}$"):
        servers()


def test_a_bug_while_asking_costs_one_question(dns_server: Dns, tools: Tools, clock: Clock) -> None:
    bug = iter([True])

    def draw(_below: int) -> int:
        if next(bug, False):
            raise ZeroDivisionError
        return 0

    def beside(work: Callable[[], None]) -> None:
        with contextlib.suppress(ZeroDivisionError):  # which ends a thread, and nothing else
            work()

    nameservers = Nameservers(("127.0.0.1",), dns_server.port)
    servers = endpoints_of(tools.settings(SRV), clock, draw, nameservers, beside)
    for _ in range(2):
        with pytest.raises(Unavailable, match="DNS: no answer yet"):
            servers()
    assert dns_server.questions() == [AD]
    clock.advance(5.1)
    assert urls(servers) == ["ldap://dc1.ad.example.org", "ldap://dc2.ad.example.org"]


def test_where_no_thread_is_to_be_had_the_next_login_tries_again(dns_server: Dns, tools: Tools, clock: Clock) -> None:
    refused = [True, False]

    def beside(work: Callable[[], None]) -> None:
        if refused.pop(0):
            raise RuntimeError("can't start new thread")  # as threading does
        work()

    nameservers = Nameservers(("127.0.0.1",), dns_server.port)
    servers = endpoints_of(tools.settings(SRV, "ldap://known"), clock, lambda _below: 0, nameservers, beside)
    start = clock()
    assert urls(servers) == ["ldap://known"]
    assert clock() - start < 1
    assert urls(servers) == ["ldap://dc1.ad.example.org", "ldap://dc2.ad.example.org", "ldap://known"]


def test_what_each_url_leads_to_is_told(dns_server: Dns, tools: Tools) -> None:
    """For check: what DNS told just now, what was passed over, and what failed."""
    dns_server.serve(AD, DC1, (5, 0, 389, "dc9.example.net."))
    settings = tools.settings("ldap://known", SRV, "ldap+srv://example.org")
    known, served, missing = tell(settings, nameservers=Nameservers(("127.0.0.1",), dns_server.port))
    assert [(each.url, urls(lambda each=each: each.endpoints)) for each in (known, served, missing)] == [
        ("ldap://known", ["ldap://known"]),
        (SRV, ["ldap://dc1.ad.example.org"]),
        ("ldap+srv://example.org", []),
    ]
    assert [len(each.passed_over) for each in (known, served, missing)] == [0, 1, 0]
    assert "dc9.example.net is not within ad.example.org" in served.passed_over[0]
    assert [each.fault for each in (known, served, missing)] == ["", "", f"DNS has no SRV records of {ORG}"]
