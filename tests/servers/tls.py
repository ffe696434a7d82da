"""A certificate authority for tests, the certificates that servers and clients show, and a server that only has TLS."""

import contextlib
import socket
import ssl
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate and its key, as files in PEM."""

    certificate: Path
    key: Path


class Authority:
    """A certificate authority whose files lie in a folder. `ca_file` is what a client has to trust."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("Authority of the tests")
        now = datetime.now(UTC)
        certificate = (
            _certificate(self._name, self._name, self._key, now + timedelta(days=7))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.ca_file = folder / "ca.pem"
        self.ca_file.write_bytes(certificate.public_bytes(Encoding.PEM))

    def issue(
        self, stem: str, names: tuple[str, ...] = LOOPBACK, *, until: datetime | None = None, common: bool = False
    ) -> Certificate:
        """Issue a certificate for host names and addresses, valid `until` (a day from now if not given).

        The first name is its common name; with `common` that is the only one, as certificates had it long ago.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = (
            _certificate(_name(names[0]), self._name, key, until or datetime.now(UTC) + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(authority, critical=False)
        )
        if not common:
            alternatives = x509.SubjectAlternativeName([_general(name) for name in names])
            certificate = certificate.add_extension(alternatives, critical=False)
        files = Certificate(self._folder / f"{stem}.pem", self._folder / f"{stem}.key")
        files.certificate.write_bytes(certificate.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))
        files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return files

    def sign(self, stem: str, made: Certificate, old: bytes, new: bytes) -> Certificate:
        """Sign a certificate of ours again with some octets in it (DER) replaced by as many others."""
        read = x509.load_pem_x509_certificate(made.certificate.read_bytes())
        signed, octets = read.tbs_certificate_bytes, read.public_bytes(Encoding.DER)
        changed = signed.replace(old, new)
        start = octets.index(signed) + len(signed)
        algorithm = octets[start : start + 2 + octets[start + 1]]
        signature = b"\0" + self._key.sign(changed, ec.ECDSA(hashes.SHA256()))
        body = changed + algorithm + b"\x03" + bytes([len(signature)]) + signature
        der = b"\x30\x82" + len(body).to_bytes(2) + body
        files = Certificate(self._folder / f"{stem}.pem", made.key)
        files.certificate.write_text(ssl.DER_cert_to_PEM_cert(der))
        return files

    def good(self) -> Certificate:
        """Issue a certificate for the loopback names."""
        return self.issue("good")

    def expired(self) -> Certificate:
        """Issue one that was good until yesterday."""
        return self.issue("expired", until=datetime.now(UTC) - timedelta(days=1))

    def wrong_name(self) -> Certificate:
        """Issue one for another host."""
        return self.issue("wrong-name", ("ldap.example.net",))


class TlsServer:
    """A server by OpenSSL, which says why it ends TLS, where GnuTLS is silent. Use as a context manager.

    It shows a certificate of the authority (for the loopback, unless one is `shown`), reads what it gets, and answers
    nothing. `minimum` and `maximum` are the versions that it speaks; with `asks` it demands a certificate of the
    authority.
    """

    def __init__(
        self,
        authority: Authority,
        *,
        minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
        maximum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
        asks: bool = False,
        shown: Certificate | None = None,
    ) -> None:
        shown = shown or authority.issue("tls-server")
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.minimum_version, self._context.maximum_version = minimum, maximum
        self._context.load_cert_chain(shown.certificate, shown.key)
        if asks:
            self._context.verify_mode = ssl.CERT_REQUIRED
            self._context.load_verify_locations(authority.ca_file)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                stream, _ = self._listener.accept()
                # Kept until the client is through: what it sends to a closed connection would have it miss the alert.
                with stream, stream.dup() as kept:
                    with contextlib.suppress(OSError), self._context.wrap_socket(stream, server_side=True) as secure:
                        _read_all(secure)
                    with contextlib.suppress(OSError):
                        _read_all(kept)


def _read_all(stream: socket.socket) -> None:
    while stream.recv(4096):
        pass


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(until - timedelta(days=30))
        .not_valid_after(until)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
