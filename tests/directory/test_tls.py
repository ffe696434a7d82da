import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from subprocess import run

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from radius2fa.directory.drivers import driver_of
from radius2fa.directory.endpoint import parse_url
from radius2fa.directory.link import Broken, Connection, Dialling, dial
from radius2fa.directory.tls import Tls, client_context
from tests.directory.conftest import Clock
from tests.servers.slapd import Slapd, person_dn
from tests.servers.tls import Authority, Certificate, TlsServer

TLS_1_2, TLS_1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@pytest.fixture(scope="module")
def ours(authority: Authority) -> Certificate:
    return authority.issue("ours", ("radius2fa",))


@dataclass(frozen=True)
class Client:
    """Our side, over one of the libraries."""

    driver: str
    clock: Clock

    def dial(self, url: str, tls: Tls) -> Connection:
        dialling = Dialling(tls, start_tls=True, connect_timeout=1.0, timeout=1.5, clock=self.clock)
        return dial(driver_of(self.driver, dialling), parse_url(url), self.clock.soon())

    def refused(self, url: str, tls: Tls) -> str:
        """What is said of a server that does not take us, at once or at the first bind."""
        with pytest.raises(Broken) as broken, closing(self.dial(url, tls)) as made:
            made.bind_external(self.clock.soon())
        return broken.value.cause


@pytest.fixture
def client(driver: str, clock: Clock) -> Client:
    return Client(driver, clock)


def test_certificate_and_host_name_are_checked_and_tls_is_at_least_1_2(authority: Authority) -> None:
    for context in (client_context(Tls()), client_context(Tls(authority.ca_file))):
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname is True
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_a_ca_file_is_trusted_alone(authority: Authority) -> None:
    (trusted,) = client_context(Tls(authority.ca_file)).get_ca_certs()
    assert trusted["subject"] == ((("commonName", "Authority of the tests"),),)


def test_an_empty_ca_file_is_refused(tmp_path: Path) -> None:
    empty = tmp_path / "ca.pem"
    empty.write_bytes(b"")
    with pytest.raises(ValueError, match="holds no certificate"):
        client_context(Tls(empty))


def test_a_ca_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    with pytest.raises(ValueError, match=re.escape(f"ca_file: {gone} cannot be read: No such file or directory")):
        client_context(Tls(gone))


# Our own certificate


@pytest.fixture
def files(tmp_path: Path, ours: Certificate) -> Certificate:
    """A copy to be spoiled."""
    copy = Certificate(tmp_path / "client.pem", tmp_path / "client.key")
    copy.certificate.write_bytes(ours.certificate.read_bytes())
    copy.key.write_bytes(ours.key.read_bytes())
    return copy


def refusal_of(certificate: Path | None, key: Path | None) -> str:
    with pytest.raises(ValueError, match=r"^client_") as refusal:
        client_context(Tls(certificate=certificate, key=key))
    return str(refusal.value)


def test_one_file_may_hold_certificate_and_key(files: Certificate) -> None:
    files.certificate.write_bytes(files.certificate.read_bytes() + files.key.read_bytes())
    client_context(Tls(certificate=files.certificate, key=files.certificate))


def test_a_certificate_without_a_key_is_of_no_use(files: Certificate) -> None:
    expected = "client_certificate, client_key: one is of no use without the other"
    assert refusal_of(files.certificate, None) == refusal_of(None, files.key) == expected


def test_a_certificate_or_key_that_is_not_there_is_told(files: Certificate, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    assert refusal_of(gone, files.key) == f"client_certificate: {gone} cannot be read: No such file or directory"
    assert refusal_of(files.certificate, gone) == f"client_key: {gone} cannot be read: No such file or directory"
    assert refusal_of(files.certificate, tmp_path) == f"client_key: {tmp_path} cannot be read: Is a directory"


def test_a_file_without_a_certificate_is_told(files: Certificate) -> None:
    assert refusal_of(files.key, files.key) == f"client_certificate: {files.key} holds no certificate in PEM"


def test_a_file_without_a_key_is_told(files: Certificate) -> None:
    expected = f"client_key: {files.certificate} holds no private key in PEM, or none that TLS takes"
    assert refusal_of(files.certificate, files.certificate) == expected


@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_a_key_of_another_certificate_is_told(files: Certificate, authority: Authority, kind: str) -> None:
    if kind == "ec":
        files.key.write_bytes(authority.issue("another").key.read_bytes())
    else:
        other = rsa.generate_private_key(65537, 2048)
        files.key.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    expected = f"client_key: {files.key} does not belong to the certificate in {files.certificate}"
    assert refusal_of(files.certificate, files.key) == expected


def test_a_certificate_that_openssl_reads_and_others_do_not_is_named(
    files: Certificate, authority: Authority, client: Client
) -> None:
    """One of the kind that `openssl x509 -trustout` writes, and one of a version that there is none of."""
    kind = files.certificate.with_name("trusted.pem")
    run(["openssl", "x509", "-in", files.certificate, "-trustout", "-out", kind], check=True)
    version = authority.sign("nine", files, b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x09").certificate
    for odd in (kind, version):
        tls = Tls(certificate=odd, key=files.key)
        client_context(tls)
        with pytest.raises(ValueError, match=f"^client_certificate: {odd} holds no plain certificate: "):
            client.dial("ldaps://127.0.0.1:1", tls)


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_an_encrypted_key_is_refused_and_nobody_is_asked_for_its_passphrase(
    files: Certificate, form: PrivateFormat
) -> None:
    key = load_pem_private_key(files.key.read_bytes(), None)
    files.key.write_bytes(key.private_bytes(Encoding.PEM, form, BestAvailableEncryption(b"passphrase")))
    assert refusal_of(files.certificate, files.key).startswith(f"client_key: {files.key} is encrypted, ")


# What servers say to us


@pytest.fixture(scope="module")
def asking(authority: Authority) -> Iterator[Slapd]:
    """A slapd that demands a certificate. By GnuTLS, it refuses without a word."""
    with Slapd(authority=authority, asks_for_certificate=True) as server:
        yield server


@pytest.mark.parametrize("ldaps", [True, False])
def test_a_server_knows_us_by_our_certificate(asking: Slapd, ours: Certificate, client: Client, *, ldaps: bool) -> None:
    """SASL EXTERNAL (RFC 4513 section 5.2.3), by ldaps and by StartTLS. slapd names whom it has seen in its log."""
    before = asking.log().count('BIND dn="cn=radius2fa" mech=EXTERNAL')
    made = client.dial(asking.ldaps_uri if ldaps else asking.uri, Tls(asking.ca_file, ours.certificate, ours.key))
    assert made.bind_external(client.clock.soon()).code == 0
    made.close()
    assert asking.log().count('BIND dn="cn=radius2fa" mech=EXTERNAL') == before + 1


def test_a_server_that_asks_for_a_certificate_is_told(asking: Slapd, client: Client) -> None:
    cause = client.refused(asking.ldaps_uri, Tls(asking.ca_file))
    assert cause.endswith("; it may ask for a certificate (see client_certificate)")


def test_an_expired_certificate_of_ours_is_named_where_the_server_refuses_without_a_word(
    asking: Slapd, authority: Authority, client: Client
) -> None:
    expired = authority.expired()
    command = ["openssl", "x509", "-noout", "-enddate", "-in", str(expired.certificate)]
    shown = run(command, check=True, capture_output=True, text=True).stdout.strip().removeprefix("notAfter=")
    end = f"{datetime.fromtimestamp(ssl.cert_time_to_seconds(shown), UTC):%Y-%m-%d %H:%M}"
    cause = client.refused(asking.ldaps_uri, Tls(asking.ca_file, expired.certificate, expired.key))
    assert cause.endswith(f"; it may not take our certificate, which is valid until {end} UTC")


@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3])
def test_what_a_server_says_of_our_certificate_is_told(
    authority: Authority, client: Client, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    expired, foreign = authority.expired(), Authority(tmp_path).issue("foreign", ("radius2fa",))
    with TlsServer(authority, minimum=version, maximum=version, asks=True) as server:
        url = f"ldaps://127.0.0.1:{server.port}"
        said = {
            name: client.refused(url, Tls(authority.ca_file, shown.certificate, shown.key))
            for name, shown in (("expired", expired), ("foreign", foreign))
        }
        without = client.refused(url, Tls(authority.ca_file))
    assert said["expired"].endswith(": the server says that our certificate has expired (see client_certificate)")
    assert said["foreign"].endswith(
        ": the server does not know the authority of our certificate (see client_certificate)"
    )
    if version is TLS_1_3:  # in TLS 1.2 this alert is the one for everything
        assert without.endswith(": the server asks for a certificate (see client_certificate)")


@pytest.mark.parametrize(
    ("alert", "words"),
    [
        (42, "the server does not take our certificate (see client_certificate)"),
        (43, "the server does not take our certificate (see client_certificate)"),
        (44, "the server says that our certificate was revoked (see client_certificate)"),
        (45, "the server says that our certificate has expired (see client_certificate)"),
        (46, "the server does not take our certificate (see client_certificate)"),
        (48, "the server does not know the authority of our certificate (see client_certificate)"),
        (70, "the server speaks no version of TLS that we do (see tls_minimum)"),
        (116, "the server asks for a certificate (see client_certificate)"),
    ],
)
def test_the_alerts_of_rfc_8446_have_words(client: Client, alert: int, words: str) -> None:
    """Section 6.2: the numbers; section 5.1: a record of them."""
    with answering(bytes([21, 3, 3, 0, 2, 2, alert])) as url:
        assert client.refused(url, Tls()) == f"no TLS: {words}"


def test_what_is_no_tls_is_told(client: Client) -> None:
    with answering(b"HTTP/1.0 400 Bad Request\r\n\r\n") as url:
        assert client.refused(url, Tls()) == "no TLS: what the server says is no TLS"


@contextmanager
def answering(octets: bytes) -> Iterator[str]:
    """The URL of a server that answers the first ClientHello by these octets."""

    def serve() -> None:
        stream, _ = listener.accept()
        with stream:
            stream.recv(4096)
            stream.sendall(octets)
            with suppress(ConnectionError):  # we are refused by an alert, and not always heard out
                stream.recv(4096)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"ldaps://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


def test_a_common_name_is_no_name_of_a_server(authority: Authority, client: Client) -> None:
    """RFC 9525 section 2: only subjectAltName holds those."""
    for common in (False, True):
        with TlsServer(authority, shown=authority.issue("common", ("localhost",), common=common)) as server:
            url = f"ldaps://localhost:{server.port}"
            if common:
                assert client.refused(url, Tls(authority.ca_file)).startswith("the certificate is not accepted: ")
            else:
                client.dial(url, Tls(authority.ca_file)).close()


# The oldest version


def test_a_server_that_speaks_1_2_only_is_refused_where_1_3_is_the_least(authority: Authority, client: Client) -> None:
    with TlsServer(authority, maximum=TLS_1_2) as server:
        url = f"ldaps://127.0.0.1:{server.port}"
        client.dial(url, Tls(authority.ca_file)).close()
        cause = client.refused(url, Tls(authority.ca_file, minimum="1.3"))
    assert cause == "no TLS: the server speaks no version of TLS that we do (see tls_minimum)"


@pytest.mark.parametrize("ldaps", [True, False])
def test_a_slapd_that_speaks_1_2_only_refuses_1_3_without_a_word(
    authority: Authority, client: Client, *, ldaps: bool
) -> None:
    with Slapd(authority=authority, extra="TLSCipherSuite NORMAL:-VERS-ALL:+VERS-TLS1.2") as server:
        url = server.ldaps_uri if ldaps else server.uri
        made = client.dial(url, Tls(authority.ca_file))
        assert made.bind_external(client.clock.soon()).code != 0  # nobody has a certificate here; but it was understood
        made.close()
        cause = client.refused(url, Tls(authority.ca_file, minimum="1.3"))
    assert cause.startswith("no TLS: the server ended it; it may not speak TLS 1.3 (see tls_minimum), or ask for ")


def test_the_least_version_is_spoken(slapd: Slapd, client: Client) -> None:
    made = client.dial(slapd.ldaps_uri, Tls(slapd.ca_file, minimum="1.3"))
    with closing(made):
        made.bind(person_dn("nobody"), b"wrong", client.clock.soon())
    assert "tls_proto=TLS1.3" in re.findall(r"TLS established .*", slapd.log())[-1]
