"""Owns a security key in software, with the browser that it is used in, as Web Authentication level 2 has them.

It signs what it is asked to, and lies where a test tells it to: `Lie` names what is wrong in one response.
"""

import base64
import hashlib
import json
import secrets
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tests.portal.site import URL, Browser

RP_ID = "portal.example.org"
AAGUID = "cb69481e-8ff7-4039-93ec-0a2729a154a8"

USER_PRESENT, USER_VERIFIED, MAY_BE_BACKED_UP, BACKED_UP, ATTESTED = 0x01, 0x04, 0x08, 0x10, 0x40  # section 6.1


@dataclass(frozen=True)
class Lie:
    """What is wrong in a response; None for what is right. `flags` are taken away, `add_flags` added."""

    origin: str | None = None
    rp_id: str | None = None
    challenge: bytes | None = None
    type: str | None = None
    flags: int = 0
    add_flags: int = 0
    credential_id: bytes | None = None
    spoil_signature: bool = False
    aaguid: str | None = None


TRUTH = Lie()
_ROOTS = "Roots"


@dataclass
class Maker:
    """Whoever makes security keys: a root certificate, and one for attestation beneath it."""

    model: str | None = AAGUID
    unit: str = "Authenticator Attestation"
    is_authority: bool = False
    root_key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    leaf_key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def root(self) -> x509.Certificate:
        """The root certificate."""
        return self._certificate(self.root_key, _ROOTS, is_authority=True).sign(self.root_key, SHA256())

    @property
    def leaf(self) -> x509.Certificate:
        """The certificate that the model attests with."""
        made = self._certificate(self.leaf_key, self.unit, is_authority=self.is_authority)
        if self.model is not None:
            oid = x509.ObjectIdentifier("1.3.6.1.4.1.45724.1.1.4")
            value = b"\x04\x10" + bytes.fromhex(self.model.replace("-", ""))
            made = made.add_extension(x509.UnrecognizedExtension(oid, value), critical=False)
        return made.sign(self.root_key, SHA256())

    @property
    def root_pem(self) -> bytes:
        """The root certificate, as a settings file has it."""
        return self.root.public_bytes(Encoding.PEM)

    def _certificate(
        self, key: ec.EllipticCurvePrivateKey, unit: str, *, is_authority: bool
    ) -> x509.CertificateBuilder:
        mine, above = key.public_key(), self.root_key.public_key()
        return (
            x509.CertificateBuilder()
            .subject_name(_name(unit))
            .issuer_name(_name(_ROOTS))
            .public_key(mine)
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
            .not_valid_after(datetime(2099, 1, 1, tzinfo=UTC))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(mine), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(above), critical=False)
        )


@dataclass
class _Credential:
    key: ec.EllipticCurvePrivateKey
    user: bytes
    count: int


@dataclass
class Authenticator:
    """A security key with ES256. `counts` says that it counts signatures; `attests` is none, self, packed or u2f."""

    origin: str = URL
    rp_id: str = RP_ID
    counts: bool = True
    attests: str = "none"
    maker: Maker = field(default_factory=Maker)
    aaguid: str = AAGUID
    backed_up: bool = False
    id_octets: int = 64
    credentials: dict[bytes, _Credential] = field(default_factory=dict)

    def create(self, options: str, lie: Lie = TRUTH) -> str:
        """Make a credential, as navigator.credentials.create() does, and return what the page sends of it."""
        asked = json.loads(options)
        assert {"type": "public-key", "alg": -7} in asked["pubKeyCredParams"]
        known = {octets(each["id"]) for each in asked["excludeCredentials"]}
        assert known.isdisjoint(self.credentials), "InvalidStateError"
        credential_id = lie.credential_id or secrets.token_bytes(self.id_octets)
        key = ec.generate_private_key(ec.SECP256R1())
        self.credentials[credential_id] = _Credential(key, octets(asked["user"]["id"]), 0)
        data = self._client_data("webauthn.create", asked["challenge"], lie)
        aaguid = bytes.fromhex((lie.aaguid or self.aaguid).replace("-", ""))
        attested = aaguid + struct.pack(">H", len(credential_id)) + credential_id + _cose(key)
        auth_data = self._auth_data(credential_id, lie, ATTESTED) + attested
        made = {
            "fmt": {"none": "none", "u2f": "fido-u2f"}.get(self.attests, "packed"),
            "attStmt": self._statement(credential_id, auth_data, data),
            "authData": auth_data,
        }
        response = {"clientDataJSON": text(data), "attestationObject": text(cbor2.dumps(made)), "transports": ["usb"]}
        return _sent(credential_id, response)

    def get(self, options: str, lie: Lie = TRUTH) -> str:
        """Sign a challenge, as navigator.credentials.get() does, and return what the page sends of it."""
        asked = json.loads(options)
        allowed = [octets(each["id"]) for each in asked["allowCredentials"]]
        mine = [credential_id for credential_id in allowed if credential_id in self.credentials]
        assert mine or lie.credential_id, "NotAllowedError"
        credential_id = lie.credential_id or mine[0]
        credential = self.credentials[credential_id]
        data = self._client_data("webauthn.get", asked["challenge"], lie)
        auth_data = self._auth_data(credential_id, lie, 0)
        signature = credential.key.sign(auth_data + hashlib.sha256(data).digest(), ec.ECDSA(SHA256()))
        if lie.spoil_signature:
            signature = signature[:-1] + bytes([signature[-1] ^ 1])
        response = {
            "clientDataJSON": text(data),
            "authenticatorData": text(auth_data),
            "signature": text(signature),
            "userHandle": text(credential.user),
        }
        return _sent(credential_id, response)

    @property
    def only(self) -> _Credential:
        """The one credential that it has."""
        (credential,) = self.credentials.values()
        return credential

    def _client_data(self, kind: str, challenge: str, lie: Lie) -> bytes:
        said = {
            "type": lie.type or kind,
            "challenge": text(lie.challenge) if lie.challenge is not None else challenge,
            "origin": lie.origin or self.origin,
            "crossOrigin": False,
        }
        return json.dumps(said).encode()

    def _auth_data(self, credential_id: bytes, lie: Lie, more: int) -> bytes:
        credential = self.credentials[credential_id]
        if self.counts:
            credential.count += 1
        flags = USER_PRESENT | USER_VERIFIED | more
        if self.backed_up:
            flags |= MAY_BE_BACKED_UP | BACKED_UP
        flags = flags & ~lie.flags | lie.add_flags
        return hashlib.sha256((lie.rp_id or self.rp_id).encode()).digest() + struct.pack(">BI", flags, credential.count)

    def _statement(self, credential_id: bytes, auth_data: bytes, data: bytes) -> Mapping[str, Any]:
        key, digest = self.credentials[credential_id].key, hashlib.sha256(data).digest()
        leaf = self.maker.leaf.public_bytes(Encoding.DER)
        match self.attests:
            case "none":
                return {}
            case "self":
                return {"alg": -7, "sig": key.sign(auth_data + digest, ec.ECDSA(SHA256()))}
            case "packed":
                signature = self.maker.leaf_key.sign(auth_data + digest, ec.ECDSA(SHA256()))
                return {"alg": -7, "sig": signature, "x5c": [leaf]}
            case "u2f":
                numbers = key.public_key().public_numbers()
                point = b"\x04" + numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
                signed = b"\0" + auth_data[:32] + digest + credential_id + point
                return {"sig": self.maker.leaf_key.sign(signed, ec.ECDSA(SHA256())), "x5c": [leaf]}
        raise ValueError(self.attests)


def options_of(browser: Browser, action: str) -> str:
    """Return what the page asks of the browser in its form that goes to `action`."""
    (form,) = [form for form in browser.forms if form.action == action]
    return form.data["options"]


def add_passkey(browser: Browser, key: Authenticator, label: str = "blue key", lie: Lie = TRUTH) -> None:
    """Enrol a key by the page for it, in the browser of somebody who has signed in."""
    browser.get("/enrol/passkey")
    response = key.create(options_of(browser, "/enrol/passkey"), lie)
    browser.submit("/enrol/passkey", label=label, response=response)


def sign_in_by_key(browser: Browser, name: str, key: Authenticator, lie: Lie = TRUTH, **more: Any) -> None:
    """Type name and password, and show a key."""
    browser.sign_in(name, **more)
    response = key.get(options_of(browser, "/signin/passkey"), lie)
    browser.submit("/signin/passkey", response=response)


def _sent(credential_id: bytes, response: Mapping[str, Any]) -> str:
    name = text(credential_id)
    return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": response})


def _cose(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the public key as COSE has it (RFC 9053 section 7.1): EC2, ES256, P-256."""
    numbers = key.public_key().public_numbers()
    return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")})


def _name(unit: str) -> x509.Name:
    parts = (
        (NameOID.COUNTRY_NAME, "DE"),
        (NameOID.ORGANIZATION_NAME, "Example Keys"),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, unit),
        (NameOID.COMMON_NAME, f"Example {unit}"),
    )
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])


def text(octets: bytes) -> str:
    """Return octets as WebAuthn writes them in JSON: base64url without padding."""
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


def octets(text: str) -> bytes:
    """Return the octets of such a text."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
