"""What is said of a server's certificate, accepted or not, by either way to TLS. The facts are openssl's."""

import re
import subprocess
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from radius2fa.directory.inspect import inspect
from radius2fa.directory.inspection.steps import Step
from tests.directory.conftest import Tools
from tests.servers.faulty_ldap import FaultyLdap, hang_up, result, silence
from tests.servers.slapd import ADMIN, Slapd
from tests.servers.tls import Authority, Certificate

YESTERDAY = datetime.now(UTC) - timedelta(days=1)
NEXT_WEEK = datetime.now(UTC) + timedelta(days=37)  # certificates begin 30 days before their end
ELSEWHERE = ("ldap.example.net", "192.0.2.9")

UNKNOWN = "comes from an authority that is not trusted here"
NAMES = "is for other names than localhost"


def said_by_openssl(file: Path) -> str:
    """What a certificate says of itself, in our words but by openssl's reading."""
    options = ["-issuer", "-dates", "-ext", "subjectAltName", "-nameopt", "RFC2253", "-dateopt", "iso_8601"]
    text = subprocess.check_output(["openssl", "x509", "-in", str(file), "-noout", *options], text=True)
    names = ", ".join(re.findall(r"(?:DNS|IP Address):([^,\s]+)", text)).replace("0:0:0:0:0:0:0:1", "::1")
    (issuer,) = re.findall("^issuer=(.*)$", text, re.MULTILINE)
    (begins,), (ends,) = (re.findall(f"^{end}=(.*):..Z$", text, re.MULTILINE) for end in ("notBefore", "notAfter"))
    return f"issued by {issuer} for {names}, valid from {begins} UTC until {ends} UTC"


def tls(url: str, ca_file: Path, tools: Tools, **others: object) -> Step:
    (report,) = inspect(tools.settings(url, ca_file=ca_file, **others), time.monotonic, now=time.time)
    (step,) = (step for step in report.steps if step.name == "tls")
    assert step.ok or step is report.steps[-1]
    return step


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that did not issue what servers show."""
    return Authority(tmp_path_factory.mktemp("other"))


def test_an_accepted_certificate_is_told_with_its_issuer_names_and_end(
    authority: Authority, tools: Tools, driver: str
) -> None:
    file = authority.good().certificate
    with Slapd(authority=authority, certificate=authority.good()) as server:
        for url in (server.uri, server.ldaps_uri):
            step = tls(url, authority.ca_file, tools, driver=driver)
            assert step.detail == f"verified: {said_by_openssl(file)}"
            assert (step.ok, step.remedy) == (True, "")


@dataclass(frozen=True, slots=True)
class Flawed:
    """A certificate, whether its authority is trusted, and what is to be said of it."""

    names: tuple[str, ...]
    until: datetime | None
    flaws: str
    remedies: tuple[str, ...]
    trusted: bool = True


@pytest.mark.parametrize(
    "case",
    [
        Flawed(("localhost",), YESTERDAY, "has expired", ("renewed",)),
        Flawed(("localhost",), NEXT_WEEK, "is not valid yet", ("clock",)),
        Flawed(ELSEWHERE, None, NAMES, ("Name the server in `urls`",)),
        Flawed(("localhost",), None, UNKNOWN, ("`ca_file`",), trusted=False),
        Flawed(
            ELSEWHERE,
            YESTERDAY,
            f"has expired, {UNKNOWN} and {NAMES}",
            ("renewed", "`ca_file`", "`urls`"),
            trusted=False,
        ),
    ],
    ids=lambda case: case.flaws,
)
def test_each_flaw_of_a_certificate_is_told_with_its_remedy_and_what_it_says(
    authority: Authority, other: Authority, tools: Tools, driver: str, case: Flawed
) -> None:
    certificate = authority.issue("flawed", case.names, until=case.until)
    ca_file = (authority if case.trusted else other).ca_file
    with Slapd(authority=authority, certificate=certificate) as server:
        for url in (server.uri, server.ldaps_uri):
            step = tls(url, ca_file, tools, driver=driver)
            assert step.ok is False
            said = said_by_openssl(certificate.certificate)
            assert step.detail == f"the certificate is not accepted: it {case.flaws}. It is {said}"
            assert all(remedy in step.remedy for remedy in case.remedies)
        assert server.binds(ADMIN) == 0


def made(authority: Authority, folder: Path, *, by_itself: bool = False) -> Certificate:
    """A certificate for localhost that is signed by itself, or one of the authority's for clients only."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "made")])
    issuer = name if by_itself else authority._name
    begins, ends = datetime.now(UTC) - timedelta(days=1), datetime.now(UTC) + timedelta(days=1)
    builder = x509.CertificateBuilder(issuer, name, key.public_key(), 7, begins, ends)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    if not by_itself:
        use = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        key_of_issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority._key.public_key())
        builder = builder.add_extension(use, critical=True).add_extension(key_of_issuer, critical=False)
    signed = builder.sign(key if by_itself else authority._key, hashes.SHA256())
    files = Certificate(folder / "made.pem", folder / "made.key")
    files.certificate.write_bytes(signed.public_bytes(Encoding.PEM))
    files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files


def test_a_certificate_that_is_signed_by_itself_may_be_trusted_as_it_is(
    authority: Authority, tools: Tools, driver: str, tmp_path: Path
) -> None:
    certificate = made(authority, tmp_path, by_itself=True)
    with Slapd(authority=authority, certificate=certificate) as server:
        step = tls(server.ldaps_uri, authority.ca_file, tools, driver=driver)
        assert "it is signed by nobody but itself. It is issued by itself for localhost, valid from" in step.detail
        assert step.remedy == "Name a file with the certificate itself (PEM) in `ca_file`, if you trust it."
        assert tls(server.ldaps_uri, certificate.certificate, tools, driver=driver).ok is True


def test_a_flaw_that_is_none_of_these_is_told_in_the_words_of_the_library(
    authority: Authority, tools: Tools, tmp_path: Path
) -> None:
    with Slapd(authority=authority, certificate=made(authority, tmp_path)) as server:
        step = tls(server.ldaps_uri, authority.ca_file, tools)
    assert "purpose. The server's certificate is issued by CN=Authority of the tests for localhost," in step.detail
    assert "authorities in `ca_file`" in step.remedy


@pytest.mark.parametrize("answer", [result("extendedResp", 2), hang_up, silence])
def test_where_there_is_no_tls_the_ways_to_it_are_told(
    faulty: FaultyLdap, slapd: Slapd, tools: Tools, answer: object
) -> None:
    faulty.on_extended = answer  # type: ignore[assignment]
    assert slapd.ca_file is not None
    step = tls(faulty.uri, slapd.ca_file, tools, timeout=0.3)
    assert "ldap:// asks for it by StartTLS" in step.remedy
    assert faulty.service_binds == 0


def test_ldaps_at_the_port_without_tls_is_told(slapd: Slapd, tools: Tools) -> None:
    assert slapd.ca_file is not None
    step = tls(slapd.uri.replace("ldap:", "ldaps:"), slapd.ca_file, tools)
    assert step.ok is False
    assert step.remedy.startswith("ldaps:// begins with TLS (port 636), ldap:// asks for it")


def test_a_certificate_that_tls_accepts_and_nobody_can_read_as_a_whole_is_no_fault(
    authority: Authority, other: Authority, tools: Tools
) -> None:
    shown = authority.sign("odd", authority.good(), b"\x0c\x09localhost", b"\x03\x09\x00ocalhost")
    with Slapd(authority=authority, certificate=shown) as server:
        step = tls(server.ldaps_uri, authority.ca_file, tools)
        assert (step.ok, step.detail) == (True, "verified: a certificate that cannot be read as a whole")
        step = tls(server.ldaps_uri, other.ca_file, tools)
        assert step.ok is False
        assert "does this port do so" in step.remedy
