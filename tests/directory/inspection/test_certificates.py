"""What a certificate says of itself, held against what openssl reads in it."""

import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from radius2fa.directory.inspection.certificates import facts_in, facts_of
from tests.servers.tls import Authority


def openssl(file: Path, *options: str) -> str:
    command = ["openssl", "x509", "-in", str(file), "-noout", *options]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_the_facts_are_those_that_openssl_reads(authority: Authority) -> None:
    file = authority.issue("facts", ("ldap.example.org", "192.0.2.7", "2001:db8::7")).certificate
    facts = facts_in(file)
    assert facts_of(subprocess.check_output(["openssl", "x509", "-in", str(file), "-outform", "DER"])) == facts
    names = re.findall(r"(?:DNS|IP Address):([^,\s]+)", openssl(file, "-ext", "subjectAltName"))
    assert names == ["ldap.example.org", "192.0.2.7", "2001:DB8:0:0:0:0:0:7"]
    assert facts.names == ("ldap.example.org", "192.0.2.7", "2001:db8::7")
    assert openssl(file, "-issuer", "-nameopt", "RFC2253").strip() == f"issuer={facts.issuer}"
    assert openssl(file, "-subject", "-nameopt", "RFC2253").strip() == f"subject={facts.subject}"
    begins, ends = (f"{when:%b %e %H:%M:%S %Y} GMT" for when in (facts.begins, facts.ends))
    assert openssl(file, "-dates") == f"notBefore={begins}\nnotAfter={ends}\n"


def test_the_facts_make_a_sentence(authority: Authority) -> None:
    until = datetime(2031, 5, 6, 7, 8, tzinfo=UTC)
    assert str(facts_in(authority.issue("told", ("a.example.org", "192.0.2.7"), until=until).certificate)) == (
        "issued by CN=Authority of the tests for a.example.org, 192.0.2.7, valid from 2031-04-06 07:08 UTC "
        "until 2031-05-06 07:08 UTC"
    )


def test_of_very_many_names_a_few_are_told(authority: Authority) -> None:
    names = tuple(f"host{number}.example.org" for number in range(12))
    told = str(facts_in(authority.issue("many", names).certificate))
    assert " for host0.example.org, " in told
    assert "host9.example.org and 2 more, valid" in told
    assert "host10" not in told


def without_names(folder: Path) -> Path:
    """A certificate of the old kind, with a common name only, and signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "old.example.org")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    file = folder / "old.pem"
    file.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    return file


def test_a_common_name_is_no_name_of_a_server(tmp_path: Path, authority: Authority) -> None:
    facts = facts_in(without_names(tmp_path))
    assert (facts.names, facts.signed_by_itself) == ((), True)
    assert str(facts).startswith("issued by itself for no host name (its subject is CN=old.example.org), valid from ")
    assert facts_in(authority.good().certificate).signed_by_itself is False


def test_what_is_no_certificate_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "none.pem"
    file.write_text("no certificate")
    with pytest.raises(ValueError, match=r"^no certificate$"):
        facts_in(file)
    with pytest.raises(ValueError, match=r"^no certificate$"):
        facts_of(b"no certificate")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x09"),  # a version that there is none of
        (b"\x0c\x09localhost", b"\x03\x09\x00ocalhost"),  # a common name that is a BIT STRING
    ],
    ids=["version", "bits"],
)
def test_a_certificate_that_is_odd_is_none(authority: Authority, old: bytes, new: bytes) -> None:
    """OpenSSL reads it, so it may come from a server that has proven nothing."""
    odd = authority.sign("odd", authority.good(), old, new).certificate
    assert openssl(odd, "-serial").startswith("serial=")
    with pytest.raises(ValueError, match=r"^no certificate$"):
        facts_in(odd)
