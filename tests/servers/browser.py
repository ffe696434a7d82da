"""Debian's Chromium, driven by Playwright; the security key that it can play; the QR codes in its pictures."""

import base64
import contextlib
import hashlib
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
import zxingcpp
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import Browser, Page, Playwright

from tests.servers.png import greens
from tests.servers.tls import Certificate

# Nothing is asked of anybody but the portal; tests run as root too, where the browser's own sandbox cannot.
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@contextlib.contextmanager
def chromium(playwright: Playwright, trusted: Certificate | None = None) -> Iterator[Browser]:
    """Run Chromium, which trusts one server's certificate as it trusts those of known authorities.

    To ignore its faults would not do: no page whose certificate is merely waved through gets at a passkey.
    """
    executable = shutil.which("chromium")
    if executable is None:
        pytest.fail("chromium is missing: apt-get install chromium fonts-dejavu-core")
    flags = list(_FLAGS)
    if trusted is not None:
        flags.append(f"--ignore-certificate-errors-spki-list={_fingerprint(trusted)}")
    browser = playwright.chromium.launch(executable_path=executable, args=flags)
    yield browser
    browser.close()


def _fingerprint(certificate: Certificate) -> str:
    key = x509.load_pem_x509_certificate(certificate.certificate.read_bytes()).public_key()
    octets = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(octets).digest()).decode()


class SecurityKey:
    """A virtual authenticator of one page (Web Authentication level 3, section 11): its user touches it at once.

    It makes CTAP2 credentials and counts signatures; with `verifies` it knows who touches it.
    """

    def __init__(self, page: Page, *, verifies: bool = True, transport: str = "usb") -> None:
        self._devtools = page.context.new_cdp_session(page)
        self._devtools.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "transport": transport,
            "hasResidentKey": True,
            "hasUserVerification": verifies,
            "isUserVerified": verifies,
            "automaticPresenceSimulation": True,
        }
        self._id = self._devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]

    @property
    def credentials(self) -> list[dict[str, Any]]:
        """What it holds: `credentialId`, `rpId`, `signCount`, `privateKey` and more."""
        found = self._devtools.send("WebAuthn.getCredentials", {"authenticatorId": self._id})
        return list(found["credentials"])

    def take(self, credential: dict[str, Any]) -> None:
        """Put a credential of another key into this one, as somebody who copies keys would."""
        self._devtools.send("WebAuthn.addCredential", {"authenticatorId": self._id, "credential": credential})


def qr_codes(png: bytes) -> list[str]:
    """Return what the QR codes in a picture say, as read by ZXing."""
    return [found.text for found in zxingcpp.read_barcodes(greens(png))]
