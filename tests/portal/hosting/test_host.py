"""The web server over real sockets and TLS, with pages of the test's own."""

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from OpenSSL import SSL

from radius2fa.portal import hour
from radius2fa.portal.hosting.certificates import UnusableCertificate
from radius2fa.portal.hosting.site import Bounds
from radius2fa.server.listener import ListenFailed
from tests.portal.hosting.hosting import PATIENCE, Answer, Hosting, trusting, until
from tests.servers.tls import Authority, Certificate


def is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), PATIENCE).close()
    except ConnectionRefusedError:
        return False
    return True


class Pages:
    """A WSGI application. `seen` are the environments that it was asked in, `bodies` what came with them.

    It waits on /wait until it may go on, and breaks on /break.
    """

    def __init__(self) -> None:
        self.seen: list[WSGIEnvironment] = []
        self.bodies: list[bytes] = []
        self.waiting = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.headers: list[tuple[str, str]] = []

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self.seen.append(environ)
        length = int(environ["CONTENT_LENGTH"] or 0)
        self.bodies.append(environ["wsgi.input"].read(length))
        if environ["PATH_INFO"] == "/break":
            raise RuntimeError("the secret of a page")
        if environ["PATH_INFO"] == "/wait":
            self.waiting.release()
            self.go_on.wait()
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "4"), *self.headers])
        return [b"page"]


@pytest.fixture
def pages() -> Pages:
    return Pages()


@pytest.fixture
def hosting(pages: Pages) -> Iterator[Hosting]:
    with Hosting(pages) as running:
        yield running
        pages.go_on.set()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def files(certificate: Certificate) -> dict[str, Path]:
    return {"certificate": certificate.certificate, "key": certificate.key}


def shown(hosting: Hosting, authority: Authority) -> Any:
    """Return the certificate that a new connection shows, as OpenSSL read it."""
    with closing(HTTPSConnection("localhost", hosting.port, context=trusting(authority.ca_file))) as connection:
        connection.connect()
        return connection.sock.getpeercert()


# Pages


def test_a_page_is_served(hosting: Hosting, pages: Pages) -> None:
    answer = hosting.get("/a//b%20c?x=1%2B1")
    assert (answer.status, answer.body) == (200, b"page")
    assert sorted(name.lower() for name in answer.headers) == ["content-length", "content-type", "date"]
    (seen,) = pages.seen
    assert (seen["PATH_INFO"], seen["QUERY_STRING"]) == ("/a//b c", "x=1%2B1")
    assert (seen["REMOTE_ADDR"], seen["wsgi.url_scheme"]) == ("127.0.0.1", "http")


def test_a_body_comes_to_the_page_as_it_was_sent(hosting: Hosting, pages: Pages) -> None:
    body = bytes(range(256)) * 7000
    assert hosting.ask("POST", "/", body).status == 200
    assert pages.bodies == [body]


def test_a_head_is_asked_for_without_a_body(hosting: Hosting, pages: Pages) -> None:
    answer = hosting.ask("HEAD", "/")
    assert (answer.status, answer.body, answer.headers["Content-Length"]) == (200, b"", "4")
    assert pages.seen[0]["REQUEST_METHOD"] == "HEAD"


def test_several_requests_come_over_one_connection(hosting: Hosting) -> None:
    with closing(HTTPConnection("127.0.0.1", hosting.port, timeout=PATIENCE)) as connection:
        for _ in range(3):
            connection.request("POST", "/", b"body")
            assert Answer.of(connection.getresponse()).body == b"page"
    until(lambda: len(hosting.log) == 3)


def test_a_page_that_breaks_tells_the_browser_nothing(hosting: Hosting) -> None:
    answer = hosting.get("/break")
    assert (answer.status, answer.body) == (500, b"")


def test_a_body_that_is_too_long_is_refused_before_it_is_sent(hosting: Hosting, pages: Pages) -> None:
    with hosting.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 413 Content Too Large\r\n")
        connection.sendall(b"x" * 100_000)
        while connection.recv(4096):  # until it is closed, without a reset
            pass
    assert pages.seen == []


def test_pages_are_made_at_the_same_time_in_as_many_threads_as_there_are(pages: Pages) -> None:
    with Hosting(pages, threads=2) as hosting:
        askers = [threading.Thread(target=hosting.get, args=("/wait",)) for _ in range(3)]
        for asker in askers:
            asker.start()
        for _ in range(2):
            assert pages.waiting.acquire(timeout=PATIENCE)
        assert hosting.there(lambda: hosting.host.site.under_way) in {2, 3}
        assert not pages.waiting.acquire(timeout=0)
        pages.go_on.set()
        for asker in askers:
            asker.join()
    assert len(pages.seen) == 3


def test_an_answer_that_waits_for_its_hour_keeps_no_thread(pages: Pages) -> None:
    with Hosting(pages, threads=1) as hosting:
        pages.headers = [hour.leave_at(hosting.clock() + 1000)]
        late = hosting.connect()
        late.sendall(b"GET /late HTTP/1.1\r\nHost: a\r\n\r\n")
        until(lambda: len(pages.seen) == 1)
        pages.headers = []
        assert hosting.get("/").body == b"page"
        until(lambda: [line["path"] for line in hosting.log] == ["/"])  # written when the browser may have the page
        late.close()


# Who asks


def test_a_proxy_that_is_trusted_tells_who_asks(pages: Pages) -> None:
    with Hosting(pages, url="https://portal.example.org", trusted_proxies=["127.0.0.1"]) as hosting:
        told = {"X-Forwarded-For": "198.51.100.7", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "p.example"}
        assert hosting.ask("GET", "/", headers=told).status == 200
        assert hosting.ask("GET", "/", headers={**told, "X-Forwarded-Proto": "http"}).status == 403
        assert hosting.ask("GET", "/health").status == 200
    assert [seen["REMOTE_ADDR"] for seen in pages.seen] == ["198.51.100.7", "127.0.0.1"]
    assert (pages.seen[0]["wsgi.url_scheme"], pages.seen[0]["HTTP_HOST"]) == ("https", "p.example")
    assert [line["address"] for line in hosting.log] == ["198.51.100.7", "198.51.100.7", "127.0.0.1"]


def test_whoever_is_no_proxy_tells_nothing_of_themselves(hosting: Hosting, pages: Pages) -> None:
    told = {"X-Forwarded-For": "198.51.100.7", "X_Forwarded_For": "198.51.100.8", "X-Forwarded-Proto": "https"}
    assert hosting.ask("GET", "/", headers=told).status == 200
    assert (pages.seen[0]["REMOTE_ADDR"], pages.seen[0]["wsgi.url_scheme"]) == ("127.0.0.1", "http")


# TLS


def test_with_a_certificate_pages_come_by_https(pages: Pages, authority: Authority) -> None:
    with Hosting(pages, url="https://localhost", **files(authority.good())) as hosting:
        context = trusting(authority.ca_file)
        context.set_alpn_protocols(["h2", "http/1.1"])
        with closing(HTTPSConnection("localhost", hosting.port, timeout=PATIENCE, context=context)) as connection:
            connection.request("GET", "/")
            assert Answer.of(connection.getresponse()).body == b"page"
    assert pages.seen[0]["wsgi.url_scheme"] == "https"


def test_tls_needs_no_memory_that_can_be_written_and_executed(
    pages: Pages, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a callback from OpenSSL would, which MemoryDenyWriteExecute of the systemd unit forbids."""

    class Forbidding:
        def __getattr__(self, name: str) -> Any:
            assert name != "callback"
            return getattr(ffi, name)

    ffi = SSL._ffi
    monkeypatch.setattr(SSL, "_ffi", Forbidding())
    with Hosting(pages, url="https://localhost", **files(authority.good())) as hosting:
        assert shown(hosting, authority)


@pytest.mark.parametrize(
    ("version", "accepted"),
    [
        (ssl.TLSVersion.TLSv1, False),
        (ssl.TLSVersion.TLSv1_1, False),
        (ssl.TLSVersion.TLSv1_2, True),
        (ssl.TLSVersion.TLSv1_3, True),
    ],
)
def test_tls_is_spoken_from_1_2_on(
    pages: Pages,
    authority: Authority,
    version: ssl.TLSVersion,
    accepted: bool,  # noqa: FBT001 - a case
) -> None:
    with Hosting(pages, url="https://localhost", **files(authority.good())) as hosting:
        option = {"TLSv1": "-tls1", "TLSv1_1": "-tls1_1", "TLSv1_2": "-tls1_2", "TLSv1_3": "-tls1_3"}[version.name]
        done = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{hosting.port}", option, "-cipher", "ALL:@SECLEVEL=0"],
            input=b"",
            capture_output=True,
            check=False,
            timeout=PATIENCE,
        )
    assert (done.returncode == 0) is accepted
    if not accepted:
        assert b"alert protocol version" in done.stderr


@pytest.mark.parametrize("cipher", ["AES128-SHA256", "ECDHE-ECDSA-AES128-SHA256", "NULL"])
def test_nothing_without_forward_secrecy_or_authenticated_encryption_is_spoken(
    pages: Pages, authority: Authority, cipher: str
) -> None:
    with Hosting(pages, url="https://localhost", **files(authority.good())) as hosting:
        context = trusting(authority.ca_file)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(f"{cipher}:@SECLEVEL=0")
        with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"), hosting.connect() as plain:
            context.wrap_socket(plain, server_hostname="localhost")


def test_the_certificates_behind_our_own_are_sent_too(pages: Pages, authority: Authority, tmp_path: Path) -> None:
    good = authority.good()
    chain = tmp_path / "chain.pem"
    chain.write_bytes(good.certificate.read_bytes() + authority.ca_file.read_bytes())
    with Hosting(pages, url="https://localhost", certificate=chain, key=good.key) as hosting:
        asked = ["openssl", "s_client", "-showcerts", "-connect", f"127.0.0.1:{hosting.port}"]
        done = subprocess.run(asked, input=b"", capture_output=True, check=False, timeout=PATIENCE)
    assert done.stdout.count(b"-----BEGIN CERTIFICATE-----") == 2


def test_certificate_and_key_may_be_in_one_file(pages: Pages, authority: Authority, tmp_path: Path) -> None:
    good = authority.good()
    both = tmp_path / "both.pem"
    both.write_bytes(good.key.read_bytes() + good.certificate.read_bytes())
    with Hosting(pages, url="https://localhost", certificate=both, key=both) as hosting:
        assert shown(hosting, authority)


def test_a_renewed_certificate_is_taken_and_connections_go_on(pages: Pages, authority: Authority) -> None:
    good = authority.issue("portal")
    with Hosting(pages, url="https://localhost", **files(good)) as hosting:
        before = shown(hosting, authority)["serialNumber"]
        context = trusting(authority.ca_file)
        with closing(HTTPSConnection("localhost", hosting.port, timeout=PATIENCE, context=context)) as connection:
            connection.request("GET", "/")
            assert Answer.of(connection.getresponse()).status == 200
            authority.issue("portal")
            hosting.host.reload()
            assert shown(hosting, authority)["serialNumber"] != before
            connection.auto_open = 0  # type: ignore[assignment]  # no new connection in its place
            connection.request("GET", "/")
            assert Answer.of(connection.getresponse()).status == 200
    assert "certificate read again" in [line["event"] for line in hosting.log]


def test_a_renewed_certificate_that_cannot_be_used_is_not_taken(pages: Pages, authority: Authority) -> None:
    good = authority.issue("portal")
    with Hosting(pages, url="https://localhost", **files(good)) as hosting:
        before = shown(hosting, authority)["serialNumber"]
        good.certificate.write_bytes(authority.issue("other").certificate.read_bytes())
        hosting.host.reload()
        assert shown(hosting, authority)["serialNumber"] == before
    (line,) = [line for line in hosting.log if line["event"] == "certificate not taken"]
    assert line["level"] == "error"
    assert line["why"] == f"the key in {good.key} is not that of the certificate in {good.certificate}"


def test_without_a_certificate_there_is_nothing_to_read_again(hosting: Hosting) -> None:
    hosting.host.reload()
    assert hosting.log == []


def encrypted(key: Path) -> Path:
    made = key.with_suffix(".encrypted")
    subprocess.run(["openssl", "pkey", "-in", key, "-aes256", "-passout", "pass:x", "-out", made], check=True)
    return made


def test_what_is_wrong_with_certificate_or_key_is_told(pages: Pages, authority: Authority, tmp_path: Path) -> None:
    good, other = authority.issue("portal"), authority.issue("other")
    garbage = tmp_path / "garbage"
    garbage.write_text("no certificate")
    damaged = tmp_path / "damaged"
    damaged.write_text("-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n")
    for certificate, key, why in (
        (garbage, good.key, f"{garbage} holds no certificate in PEM"),
        (good.key, good.key, f"{good.key} holds no certificate in PEM"),
        (good.certificate, garbage, f"{garbage} holds no private key in PEM"),
        (
            good.certificate,
            other.key,
            f"the key in {other.key} is not that of the certificate in {good.certificate}",
        ),
        (tmp_path / "gone", good.key, f"{tmp_path / 'gone'} cannot be read: No such file or directory"),
        (good.certificate, tmp_path, f"{tmp_path} cannot be read: Is a directory"),
        (good.certificate, damaged, f"the private key in {damaged} cannot be read"),
        (
            good.certificate,
            encrypted(good.key),
            f"the key in {good.key.with_suffix('.encrypted')} is encrypted: write it without a passphrase",
        ),
    ):
        with pytest.raises(UnusableCertificate) as wrong:
            Hosting(pages, certificate=certificate, key=key)
        assert str(wrong.value) == why


def test_a_connection_on_which_nobody_begins_tls_is_closed(pages: Pages, authority: Authority) -> None:
    bounds = Bounds(seconds=0.1)
    with Hosting(pages, bounds=bounds, url="https://localhost", **files(authority.good())) as hosting:
        with hosting.connect() as silent, suppress(ConnectionResetError):
            assert silent.recv(100) == b""
        until(lambda: hosting.there(lambda: len(hosting.host.site._channels)) == 0)


# Connections


@pytest.mark.parametrize("tls", [False, True])
def test_too_many_connections_are_closed_at_once(pages: Pages, authority: Authority, *, tls: bool) -> None:
    portal: dict[str, Any] = {"url": "https://localhost", **files(authority.good())} if tls else {}
    with Hosting(pages, bounds=Bounds(connections_of_one=2), **portal) as hosting:
        first, second = hosting.connect(), hosting.connect()
        with hosting.connect() as third:
            assert third.recv(100) == b""
        with hosting.connect("127.0.0.2") as another:
            another.settimeout(0)
            until(lambda: hosting.there(lambda: len(hosting.host.site._channels)) == 3)
            with pytest.raises(BlockingIOError):
                another.recv(100)
        first.close()
        second.close()
        until(lambda: hosting.there(lambda: len(hosting.host.site._channels)) == 0)


def test_every_address_is_bound_and_ipv6_is_apart_from_ipv4(pages: Pages) -> None:
    with Hosting(pages, listen=["0.0.0.0:0", "[::1]:0"], trusted_proxies=["192.0.2.1"]) as hosting:
        (_, four), (host, six) = hosting.host.addresses
        assert host == "::1"
        with closing(HTTPConnection("127.0.0.1", four, timeout=PATIENCE)) as connection:
            connection.request("GET", "/")
            assert Answer.of(connection.getresponse()).status == 200
        with closing(HTTPConnection("::1", six, timeout=PATIENCE)) as connection:
            connection.request("GET", "/")
            assert Answer.of(connection.getresponse()).status == 200
    assert [seen["REMOTE_ADDR"] for seen in pages.seen] == ["127.0.0.1", "::1"]


def test_one_port_may_be_bound_for_both_families(pages: Pages) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with Hosting(pages, listen=[f"0.0.0.0:{port}", f"[::]:{port}"], trusted_proxies=["192.0.2.1"]) as hosting:
        assert hosting.host.addresses == (("0.0.0.0", port), ("::", port))


def test_if_one_address_cannot_be_bound_none_is(pages: Pages) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as free:
        taken_port, free_port = (each.getsockname()[1] for each in (taken, free))
        free.close()
        hosting = Hosting(pages, listen=[f"127.0.0.1:{free_port}", f"127.0.0.1:{taken_port}"])
        with pytest.raises(ListenFailed, match=f"127.0.0.1:{taken_port}: Address already in use"):
            hosting.host.start()
        hosting.dispose()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", free_port), PATIENCE)


# The end


def test_at_the_end_the_page_under_way_is_finished(hosting: Hosting, pages: Pages) -> None:
    with hosting.connect() as idle, hosting.connect() as busy:
        busy.sendall(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        assert pages.waiting.acquire(timeout=PATIENCE)
        hosting.stopping()
        assert idle.recv(100) == b""
        until(lambda: not is_open(hosting.port))
        pages.go_on.set()
        answer = b""
        while part := busy.recv(4096):
            answer += part
    assert answer.endswith(b"\r\n\r\npage")


def test_the_end_does_not_wait_for_a_page_that_hangs(pages: Pages) -> None:
    with Hosting(pages) as hosting, hosting.connect() as busy:
        busy.sendall(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        assert pages.waiting.acquire(timeout=PATIENCE)
        hosting.stopping()
        until(lambda: hosting.host.site.stopping)
        hosting.ahead = 3.9  # seconds later
        assert hosting.there(lambda: hosting.host.site.under_way) == 1
        hosting.ahead = 4.1
        assert hosting.stop() < 2
        busy.settimeout(PATIENCE)
        with suppress(ConnectionResetError):
            assert busy.recv(100) == b""
