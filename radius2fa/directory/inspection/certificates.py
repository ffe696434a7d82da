"""Owns what a certificate says of itself: for whom it is, by whom, and from when until when."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509

_MOST_NAMES = 10  # a certificate may hold thousands, and an unproven server anything


@dataclass(frozen=True, slots=True)
class Facts:
    """What a certificate says, proven or not.

    `names` are the host names and addresses that it is for (subjectAltName). The common name in `subject` is no name of
    a server (RFC 9525 section 2).
    """

    names: tuple[str, ...]
    subject: str
    issuer: str
    begins: datetime
    ends: datetime

    @property
    def signed_by_itself(self) -> bool:
        """Tell whether it names itself as its issuer."""
        return self.subject == self.issuer

    def __str__(self) -> str:
        """Return it as a part of a sentence."""
        shown = ", ".join(self.names[:_MOST_NAMES]) or f"no host name (its subject is {self.subject})"
        more = f" and {len(self.names) - _MOST_NAMES} more" if len(self.names) > _MOST_NAMES else ""
        issuer = "itself" if self.signed_by_itself else self.issuer
        return f"issued by {issuer} for {shown}{more}, valid from {_day(self.begins)} until {_day(self.ends)}"


def facts_of(octets: bytes) -> Facts:
    """Read a certificate (DER).

    Raises:
        ValueError: when it is none.

    """
    return _facts(octets, x509.load_der_x509_certificate)


def facts_in(file: Path) -> Facts:
    """Read the first certificate of a file (PEM), which is its owner's.

    Raises:
        ValueError: when it holds none.
        OSError: when it cannot be read.

    """
    return _facts(file.read_bytes(), x509.load_pem_x509_certificate)


def _facts(octets: bytes, load: Callable[[bytes], x509.Certificate]) -> Facts:
    try:
        certificate = load(octets)
        return Facts(
            _names(certificate),
            certificate.subject.rfc4514_string(),
            certificate.issuer.rfc4514_string(),
            certificate.not_valid_before_utc,
            certificate.not_valid_after_utc,
        )
    # A name of a type that names do not have is a TypeError, and found as late as it is read.
    except (ValueError, TypeError, x509.InvalidVersion) as fault:
        raise ValueError("no certificate") from fault


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return ()
    addresses = map(str, names.get_values_for_type(x509.IPAddress))
    return (*names.get_values_for_type(x509.DNSName), *addresses)


def _day(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M} UTC"
