"""HTTP as a browser sees it on one connection, with a clock that stands still until a test moves it."""

from typing import Any

import pytest
import structlog
from twisted.internet.address import IPv4Address
from twisted.internet.protocol import connectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from radius2fa.config.rules import network
from radius2fa.portal import hour
from radius2fa.portal.hosting.site import Bounds, Channel, PortalSite

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
PROXY: Any = network("10.0.0.1")


class Page(Resource):
    """Keeps requests until they are answered."""

    isLeaf = True  # noqa: N815 - Twisted's name

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Any] = []

    def render(self, request: Any) -> Any:
        self.requests.append(request)
        return NOT_DONE_YET


class Wire(StringTransport):
    """A connection that can be cut."""

    cut = False

    def abortConnection(self) -> None:  # noqa: N802 - Twisted's name
        self.cut = True


class Browser:
    """One connection to a site."""

    def __init__(self, site: PortalSite, host: str = "198.51.100.7") -> None:
        self.wire = Wire(peerAddress=IPv4Address("TCP", host, 4711))
        self.channel: Channel = site.buildProtocol(self.wire.getPeer())
        self.channel.makeConnection(self.wire)

    def send(self, octets: bytes) -> bytes:
        """Send octets, and return what came back."""
        self.wire.clear()
        self.channel.dataReceived(octets)
        return self.wire.value()

    def leave(self) -> None:
        self.channel.connectionLost(connectionDone)

    @property
    def is_closed(self) -> bool:
        return self.wire.disconnecting or self.wire.cut


class Served:
    """A site with one page. `log` are its lines."""

    def __init__(self, **bounds: Any) -> None:
        self.page = Page()
        self.clock = Clock()
        self.log: list[dict[str, Any]] = []
        log: Any = structlog.wrap_logger(None, processors=[self._note], wrapper_class=structlog.BoundLogger)
        resource: Any = self.page
        clock: Any = self.clock
        self.site = PortalSite(
            resource, bounds=Bounds(**bounds), trusted=(PROXY,), reactor=clock, clock=clock.seconds, log=log
        )

    def browser(self, host: str = "198.51.100.7") -> Browser:
        return Browser(self.site, host)

    def refuses(self, host: str) -> bool:
        return self.site.buildProtocol(IPv4Address("TCP", host, 4711)) is None

    def answer(self, body: bytes = b"page", number: int = -1, **headers: str) -> None:
        request = self.page.requests[number]
        for name, value in headers.items():
            request.setHeader(name.replace("_", "-"), value)
        request.write(body)
        request.finish()

    def _note(self, _: object, method: str, event: Any) -> Any:
        self.log.append({"level": method, **event})
        raise structlog.DropEvent


@pytest.fixture
def served() -> Served:
    return Served()


# Time


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HTTP/1.1\r\nHost: a\r\n", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n12"]
)
def test_a_request_has_to_come_whole_in_thirty_seconds(served: Served, sent: bytes) -> None:
    browser = served.browser()
    browser.send(sent)
    served.clock.advance(29.9)
    assert not browser.is_closed
    served.clock.advance(0.2)
    assert browser.is_closed


def test_octets_that_come_one_by_one_give_no_more_time(served: Served) -> None:
    browser = served.browser()
    for octet in b"GET /a-very-long-path-that-comes-slowly":
        browser.send(bytes([octet]))
        served.clock.advance(0.9)
    assert browser.is_closed
    assert served.page.requests == []


def test_a_page_may_take_longer_and_the_next_request_has_thirty_seconds_again(served: Served) -> None:
    browser = served.browser()
    browser.send(GET)
    served.clock.advance(100)
    assert not browser.is_closed
    served.answer()
    served.clock.advance(29.9)
    assert not browser.is_closed
    browser.send(GET)
    served.clock.advance(100)
    served.answer()
    served.clock.advance(30.1)
    assert browser.is_closed


def test_a_connection_whose_end_is_not_taken_is_cut(served: Served) -> None:
    browser = served.browser()
    browser.send(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    served.answer()
    assert browser.wire.disconnecting
    assert not browser.wire.cut
    served.clock.advance(10)
    assert browser.wire.cut


def test_nothing_is_left_to_be_done_for_connections_that_are_gone(served: Served) -> None:
    browsers = [served.browser() for _ in range(4)]
    browsers[1].send(GET)
    browsers[2].send(b"POST / HTTP/1.1\r\nContent-Length: 9999999\r\n\r\n")
    browsers[3].send(b"POST / HTTP/1.1\r\nContent-Length: 99999\r\n\r\n")
    for browser in browsers:
        browser.leave()
    assert served.clock.getDelayedCalls() == []
    assert (served.site.under_way, served.site.large) == (0, 0)
    assert not served.refuses("198.51.100.7")


# Size


def post(length: int, more: bytes = b"") -> bytes:
    return b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n%s\r\n" % (length, more)


@pytest.mark.parametrize("expect", [b"", b"Expect: 100-continue\r\n"])
def test_a_body_of_more_than_two_mebibytes_is_refused_before_it_is_read(served: Served, expect: bytes) -> None:
    browser = served.browser()
    said = browser.send(post((2 << 20) + 1, expect))
    assert said.startswith(b"HTTP/1.1 413 Content Too Large\r\n")
    assert b"Connection: close\r\n" in said
    assert b"100 Continue" not in said
    assert browser.send(b"x" * 1000) == b""
    assert not browser.is_closed  # or the browser would see a reset instead of the answer
    served.clock.advance(2)
    assert browser.is_closed
    assert served.page.requests == []
    assert served.log == [{"level": "info", "event": "page refused", "status": 413, "address": "198.51.100.7"}]


def test_what_follows_a_refused_body_is_no_request(served: Served) -> None:
    browser = served.browser()
    browser.send(post((2 << 20) + 1) + GET + GET)
    assert served.page.requests == []


def test_a_body_of_two_mebibytes_is_asked_for_and_taken(served: Served) -> None:
    browser = served.browser()
    assert browser.send(post(2 << 20, b"Expect: 100-continue\r\n")) == b"HTTP/1.1 100 Continue\r\n\r\n"
    body = bytes(range(256)) * (1 << 13)
    browser.send(body)
    (request,) = served.page.requests
    assert request.content.read() == body


def test_a_body_in_chunks_is_refused(served: Served) -> None:
    said = served.browser().send(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 411 Length Required\r\n")
    assert served.page.requests == []


@pytest.mark.parametrize(
    "lengths",
    [
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: -1\r\n",
    ],
)
def test_two_lengths_and_a_wrong_one_are_a_bad_request(served: Served, lengths: bytes) -> None:
    browser = served.browser()
    said = browser.send(b"POST / HTTP/1.1\r\n" + lengths + b"Host: a\r\n\r\n12345\r\n")
    assert said.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert browser.is_closed
    assert served.page.requests == []


def test_a_head_of_more_than_sixteen_kibibytes_is_refused(served: Served) -> None:
    line = b"X-Padding: " + b"x" * 1000 + b"\r\n"
    said = served.browser().send(b"GET / HTTP/1.1\r\n" + line * 17 + b"\r\n")
    assert said.startswith(b"HTTP/1.1 400 ")
    assert served.page.requests == []


def test_only_some_large_bodies_come_at_once() -> None:
    served = Served(large=100, large_at_once=2)
    browsers = [served.browser() for _ in range(4)]
    assert [one.send(post(101))[:12] for one in browsers] == [b"", b"", b"HTTP/1.1 503", b"HTTP/1.1 503"]
    assert served.browser().send(post(100)) == b""
    browsers[0].send(b"x" * 101)
    assert served.browser().send(post(101))[:12] == b"HTTP/1.1 503"  # still being worked at
    served.answer()
    assert served.browser().send(post(101)) == b""


# Headers


def test_the_answer_does_not_say_what_the_server_is(served: Served) -> None:
    browser = served.browser()
    browser.send(GET)
    browser.wire.clear()
    served.answer(Content_Length="4")
    head, _, body = browser.wire.value().partition(b"\r\n\r\n")
    assert body == b"page"
    assert b"server:" not in head.lower()
    assert b"twisted" not in head.lower()


def test_a_header_with_an_underscore_is_not_taken_for_another(served: Served) -> None:
    browser = served.browser()
    browser.send(b"GET / HTTP/1.1\r\nX_Forwarded_For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nHost: a\r\n\r\n")
    (request,) = served.page.requests
    assert sorted(name for name, _ in request.requestHeaders.getAllRawHeaders()) == [b"Host", b"X-Forwarded-Proto"]


def test_a_value_of_a_header_brings_no_other_header(served: Served) -> None:
    browser = served.browser()
    browser.send(GET)
    browser.wire.clear()
    served.answer(Location="/a\r\nSet-Cookie: b=c")
    assert b"\r\nSet-Cookie" not in browser.wire.value()


# How many


def test_there_are_no_more_connections_than_that() -> None:
    served = Served(connections=2)
    browsers = [served.browser("198.51.100.1"), served.browser("198.51.100.2")]
    assert served.refuses("198.51.100.3")
    browsers[0].leave()
    assert not served.refuses("198.51.100.3")


def test_one_address_has_only_some_of_them_unless_it_is_a_proxy() -> None:
    served = Served(connections_of_one=2)
    browsers = [served.browser("198.51.100.1") for _ in range(2)]
    assert served.refuses("198.51.100.1")
    assert not served.refuses("198.51.100.2")
    browsers[1].leave()
    assert not served.refuses("198.51.100.1")
    for _ in range(3):
        served.browser("10.0.0.1")
    assert not served.refuses("10.0.0.1")


def test_all_addresses_of_one_machine_have_the_connections_of_one() -> None:
    served = Served(connections_of_one=2)
    browsers = [served.browser(f"2001:db8::{number}") for number in (1, 2)]
    assert served.refuses("2001:db8::3")
    assert not served.refuses("2001:db8:0:1::3")
    browsers[0].leave()
    assert not served.refuses("2001:db8::3")


# The hour at which an answer leaves


def test_an_answer_leaves_at_its_hour_and_does_not_tell_of_it(served: Served) -> None:
    served.clock.advance(1000)
    browser = served.browser()
    browser.send(GET)
    name, value = hour.leave_at(1001.25)
    served.answer(**{name: value, "Content_Length": "4"})
    served.clock.advance(1.2)
    assert browser.wire.value() == b""
    assert served.site.under_way == 1
    served.clock.advance(0.1)
    head, _, body = browser.wire.value().partition(b"\r\n\r\n")
    assert (head.split(b"\r\n")[0], body) == (b"HTTP/1.1 200 OK", b"page")
    assert b"leave" not in head.lower()
    assert served.site.under_way == 0
    assert served.log[0]["ms"] == 1300.0


def test_an_hour_that_has_passed_holds_nothing_back(served: Served) -> None:
    served.clock.advance(1000)
    browser = served.browser()
    browser.send(GET)
    name, value = hour.leave_at(999.0)
    served.answer(**{name: value})
    assert browser.wire.value().endswith(b"page\r\n0\r\n\r\n")


def test_an_answer_without_a_body_waits_for_its_hour_too(served: Served) -> None:
    browser = served.browser()
    browser.send(GET)
    request = served.page.requests[0]
    request.setResponseCode(303)
    request.setHeader(*hour.leave_at(1.0))
    request.finish()
    assert browser.wire.value() == b""
    served.clock.advance(1)
    assert browser.wire.value().startswith(b"HTTP/1.1 303 ")


def test_an_answer_that_waits_is_forgotten_with_its_browser(served: Served) -> None:
    browser = served.browser()
    browser.send(GET)
    name, value = hour.leave_at(1.0)
    served.answer(**{name: value})
    browser.leave()
    assert served.clock.getDelayedCalls() == []


# The log


def test_the_log_tells_of_a_request_neither_what_is_behind_the_question_mark_nor_its_headers(served: Served) -> None:
    browser = served.browser()
    browser.send(b"GET /find?name=secret HTTP/1.1\r\nCookie: a=secret\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n")
    served.clock.advance(0.5)
    served.answer(b"secret")
    assert served.log == [
        {
            "level": "info",
            "event": "page",
            "method": "GET",
            "path": "/find",
            "status": 200,
            "ms": 500.0,
            "address": "198.51.100.7",
        }
    ]


def test_the_log_tells_of_an_answer_whose_reader_has_gone(served: Served) -> None:
    before, after, idle = served.browser(), served.browser(), served.browser()
    before.send(GET)
    after.send(GET)
    served.page.requests[1].write(b"page")
    for browser in (before, after, idle):
        browser.leave()
    assert [(line["event"], line["path"]) for line in served.log] == [("page without reader", "/"), ("page", "/")]


def test_the_log_names_who_asked_the_proxy(served: Served) -> None:
    browser = served.browser("10.0.0.1")
    browser.send(b"GET / HTTP/1.1\r\nX-Forwarded-For: 1.2.3.4, 203.0.113.9\r\n\r\n")
    served.answer()
    assert served.log[0]["address"] == "203.0.113.9"


@pytest.mark.parametrize("path", [b"/static/style.css?v=1", b"/health"])
def test_what_nobody_wants_to_read_of_is_for_those_who_look_for_faults(served: Served, path: bytes) -> None:
    served.browser().send(b"GET " + path + b" HTTP/1.1\r\n\r\n")
    served.answer()
    assert served.log[0]["level"] == "debug"


def test_a_long_path_is_cut_in_the_log(served: Served) -> None:
    served.browser().send(b"GET /" + b"x" * 5000 + b" HTTP/1.1\r\n\r\n")
    served.answer()
    assert len(served.log[0]["path"]) == 200


# The end


def test_at_the_end_idle_connections_are_closed_and_the_others_after_their_answer(served: Served) -> None:
    idle, busy = served.browser(), served.browser()
    busy.send(GET)
    served.site.stop()
    assert (idle.is_closed, busy.is_closed) == (True, False)
    served.answer()
    assert busy.wire.value().endswith(b"page\r\n0\r\n\r\n")
    assert busy.is_closed
