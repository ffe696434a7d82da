"""Owns what a security key's word on its own model is worth: a chain of certificates up to its maker.

The AAGUID that an authenticator tells proves nothing by itself: any program can tell it. So where only some models are
admitted, the makers' root certificates are in the settings, the library follows the chain up to one of them, and here
the rest is looked at that Web Authentication level 2 asks for in sections 8.2.1 and 8.3.1.
"""

import re
from collections.abc import Collection, Mapping

from cryptography import x509
from cryptography.x509.oid import NameOID
from webauthn.helpers import parse_attestation_object
from webauthn.helpers.structs import AttestationFormat
from webauthn.registration.verify_registration_response import VerifiedRegistration

from radius2fa.config.model import Portal
from radius2fa.login.ports import Unavailable

# In these a maker vouches for the model. "none" and an authenticator's word for itself do not; "fido-u2f" has no
# AAGUID; for those of telephones the library trusts roots of its own, which nobody has put into the settings.
_PROVING = (AttestationFormat.PACKED, AttestationFormat.TPM)
_AAGUID = x509.ObjectIdentifier("1.3.6.1.4.1.45724.1.1.4")  # id-fido-gen-ce-aaguid
_OCTET_STRING = b"\x04\x10"  # in DER, of 16 octets
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)

Roots = Mapping[AttestationFormat, list[bytes]]


def roots(portal: Portal) -> Roots:
    """Return the root certificates (PEM) by which the library judges chains; none where no models are set.

    Raises:
        Unavailable: a file cannot be read.

    """
    found: list[bytes] = []
    for path in portal.attestation_roots:
        try:
            found += _CERTIFICATE.findall(path.read_bytes())
        except OSError as wrong:
            raise Unavailable("attestation roots", f"{path}: {wrong.strerror}") from None
    return {kind: list(found) for kind in _PROVING} if found else {}


def doubt(made: VerifiedRegistration, models: Collection[str], *, trusted: bool) -> str | None:
    """Return why a credential is not proven to be of one of these models (AAGUIDs); None if it is.

    The library has verified it; `trusted` says that it had roots to do so.

    Raises:
        Exception: of any type, if the certificate cannot be read.

    """
    if made.aaguid not in models:
        return "not one of those admitted"
    if made.fmt not in _PROVING or not trusted:
        return f"not proven by an attestation of the format {str(made.fmt)!r}"
    chain = parse_attestation_object(made.attestation_object).att_stmt.x5c
    if not chain:
        return "not proven: it vouches for itself"
    leaf = x509.load_der_x509_certificate(chain[0])
    if made.fmt == AttestationFormat.PACKED and not _is_for_attestation(leaf):
        return "its certificate is not one for attestation"
    return None if _told(leaf) in (None, made.aaguid) else "its certificate is another model's"


def _is_for_attestation(leaf: x509.Certificate) -> bool:
    """Tell whether a certificate has what section 8.2.1 asks for, by which others of the same maker differ."""
    units = [each.value for each in leaf.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)]
    limits = leaf.extensions.get_extension_for_class(x509.BasicConstraints).value
    return leaf.version is x509.Version.v3 and "Authenticator Attestation" in units and not limits.ca


def _told(leaf: x509.Certificate) -> str | None:
    """Return the model that a certificate is for (a UUID as text); None if it is for several."""
    for extension in leaf.extensions:
        if extension.oid == _AAGUID:
            value = extension.value.public_bytes()
            octets = value.removeprefix(_OCTET_STRING).hex()
            return "-".join((octets[:8], octets[8:12], octets[12:16], octets[16:20], octets[20:]))
    return None
