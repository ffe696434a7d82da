"""Owns how the directory's servers prove who they are, and how we do, where they ask."""

import ssl
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.x509 import InvalidVersion, load_pem_x509_certificate

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}

# What the other side says by an alert (RFC 8446 section 6.2), or we find, where OpenSSL's own words lead nowhere.
_NO_COMMON_VERSION = "the server speaks no version of TLS that we do (see tls_minimum)"
_WORDS = {
    "TLSV1_ALERT_PROTOCOL_VERSION": _NO_COMMON_VERSION,
    "UNSUPPORTED_PROTOCOL": _NO_COMMON_VERSION,
    "WRONG_VERSION_NUMBER": "what the server says is no TLS",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the server asks for a certificate (see client_certificate)",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the server says that our certificate has expired (see client_certificate)",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "the server says that our certificate was revoked (see client_certificate)",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the server does not take our certificate (see client_certificate)",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "the server does not take our certificate (see client_certificate)",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "the server does not take our certificate (see client_certificate)",
    "TLSV1_ALERT_UNKNOWN_CA": "the server does not know the authority of our certificate (see client_certificate)",
}

# What OpenSSL says of a key that is not the certificate's: of the same kind, and of another.
_OF_ANOTHER = {"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"}


@dataclass(frozen=True, slots=True)
class Tls:
    """What a connection demands of TLS, whichever library carries it. Certificate and host name are always checked.

    `ca_file` holds the certificates (PEM) of the authorities to trust; None means the system's own. `certificate` and
    `key` (PEM) are ours, None for none. `minimum` is the oldest version that is spoken: "1.2" or "1.3".
    """

    ca_file: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    minimum: str = "1.2"


def client_context(tls: Tls) -> ssl.SSLContext:
    """Return the one context for all connections.

    Raises:
        ValueError: when a file cannot be read or does not hold what it should, naming the key.

    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # this protocol checks certificate and host name by itself
    context.minimum_version = _VERSIONS[tls.minimum]
    context.hostname_checks_common_name = False  # a common name is no name of a server (RFC 9525 section 2)
    _trust(context, tls.ca_file)
    if tls.certificate or tls.key:
        _show(context, tls.certificate, tls.key)
    return context


def doubts(tls: Tls) -> str:
    """Return what may be wrong where a server ends TLS without a word, to be put behind what is known.

    Those that use GnuTLS, as OpenLDAP in Debian does, close the connection without an alert. The files are those that
    `client_context` has taken.

    Raises:
        ValueError: when the end of our certificate cannot be read, naming the key.

    """
    if tls.certificate is None:
        certificate = "ask for a certificate (see client_certificate)"
    else:
        certificate = f"not take our certificate, which is valid until {_end(tls.certificate):%Y-%m-%d %H:%M} UTC"
    version = "" if tls.minimum == "1.2" else f"not speak TLS {tls.minimum} (see tls_minimum), or "
    return f"; it may {version}{certificate}"


def failure(fault: Exception, suspected: str = "") -> str:
    """Return what ended TLS or a connection, in words. `suspected` is put behind an end without a word."""
    if isinstance(fault, ssl.SSLEOFError):
        return f"the server ended it{suspected}"
    if isinstance(fault, ssl.SSLError):
        return _WORDS.get(fault.reason, str(fault.strerror))
    said = (fault.strerror if isinstance(fault, OSError) else None) or str(fault)
    return said + (suspected if isinstance(fault, ConnectionError) else "")


def _trust(context: ssl.SSLContext, ca_file: Path | None) -> None:
    if ca_file is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        return
    try:
        context.load_verify_locations(cafile=ca_file)
    except ssl.SSLError as fault:
        raise ValueError(f"ca_file: {ca_file} holds no certificate in PEM") from fault
    except OSError as fault:
        raise ValueError(f"ca_file: {ca_file} cannot be read: {fault.strerror}") from fault


def _show(context: ssl.SSLContext, certificate: Path | None, key: Path | None) -> None:
    """Load our own certificate and key, each with a cause of its own when that fails: OpenSSL says "PEM lib" of all."""
    if certificate is None or key is None:
        raise ValueError("client_certificate, client_key: one is of no use without the other")
    _readable("client_certificate", certificate)
    _readable("client_key", key)
    if not _holds_certificates(certificate):
        raise ValueError(f"client_certificate: {certificate} holds no certificate in PEM")
    try:
        context.load_cert_chain(certificate, key, password=lambda: _no_passphrase(key))
    except ssl.SSLError as fault:
        if fault.reason in _OF_ANOTHER:
            raise ValueError(f"client_key: {key} does not belong to the certificate in {certificate}") from fault
        raise ValueError(f"client_key: {key} holds no private key in PEM, or none that TLS takes") from fault


def _end(certificate: Path) -> datetime:
    try:
        return load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
    except (ValueError, InvalidVersion) as fault:  # OpenSSL reads more kinds of PEM, and less of what is in them
        raise ValueError(f"client_certificate: {certificate} holds no plain certificate: {fault}") from fault


def _readable(name: str, path: Path) -> None:
    try:
        path.open("rb").close()
    except OSError as fault:
        raise ValueError(f"{name}: {path} cannot be read: {fault.strerror}") from fault


def _holds_certificates(path: Path) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except ssl.SSLError:
        return False
    return True


def _no_passphrase(key: Path) -> str:
    # Without this OpenSSL would ask for the passphrase at the terminal, and wait.
    raise ValueError(f"client_key: {key} is encrypted, and nobody is there to type its passphrase; write it without")
