"""Owns the portal's certificate: read at the start, and again when it has been renewed, while connections go on."""

import re
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from zope.interface import implementer

# Of TLS 1.2: forward secrecy and authenticated encryption only (RFC 9325 section 4.2). TLS 1.3 has nothing else.
_CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20"
_PRIVATE_KEY = re.compile(rb"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?-----END \1-----", re.DOTALL)

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey


class UnusableCertificate(Exception):  # noqa: N818 - it says what it is
    """Certificate or key cannot be used. The text says which and why."""


@implementer(IOpenSSLServerConnectionCreator)
class Certificates:
    """What new connections show: the certificate as it was when it was last read."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Read the files.

        Raises:
            UnusableCertificate: when they cannot be used.

        """
        self._files = certificate, key
        self._context = server_context(*self._files)

    def reload(self) -> None:
        """Read the files again; connections that exist keep what they have.

        Raises:
            UnusableCertificate: when they cannot be used. New connections then show what they did before.

        """
        self._context = server_context(*self._files)

    def serverConnectionForTLS(self, protocol: object) -> SSL.Connection:  # noqa: ARG002, N802 - Twisted's signature
        """Return the TLS of a new connection."""
        return SSL.Connection(self._context, None)


def server_context(certificate: Path, key: Path) -> SSL.Context:
    """Return how a server with this certificate and its key speaks TLS.

    It has no callback from OpenSSL, not even to choose a protocol (ALPN; without it browsers speak HTTP/1.1): for one
    memory is needed that can be written and executed, which the systemd unit forbids.

    Raises:
        UnusableCertificate: when the files cannot be read, hold something else, or do not belong together.

    """
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_cipher_list(_CIPHERS)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    own, *between = _certificates(certificate)
    try:
        context.use_certificate(own)
        for one in between:
            context.add_extra_chain_cert(one)
        context.use_privatekey(_private_key(key))
        context.check_privatekey()
    except SSL.Error:
        raise UnusableCertificate(f"the key in {key} is not that of the certificate in {certificate}") from None
    return context


def _certificates(path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(_octets(path))
    except (ValueError, x509.InvalidVersion):
        raise UnusableCertificate(f"{path} holds no certificate in PEM") from None


def _private_key(path: Path) -> PrivateKey:
    """Return the first private key of a file, which may hold other things too."""
    found = _PRIVATE_KEY.search(_octets(path))
    if found is None:
        raise UnusableCertificate(f"{path} holds no private key in PEM")
    try:
        key = load_pem_private_key(found[0], None)
    except TypeError:
        raise UnusableCertificate(f"the key in {path} is encrypted: write it without a passphrase") from None
    except (ValueError, UnsupportedAlgorithm):
        raise UnusableCertificate(f"the private key in {path} cannot be read") from None
    if not isinstance(key, PrivateKey):
        raise UnusableCertificate(f"the key in {path} is of no kind for certificates")
    return key


def _octets(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as fault:
        raise UnusableCertificate(f"{path} cannot be read: {fault.strerror}") from None
