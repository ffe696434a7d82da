"""Writes small PSKC files, and asks pskctool what it makes of them."""

import base64
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.enrol.formats.reading import SEED

VECTORS = Path(__file__).parents[2] / "vectors" / "pskc"
PLAIN = f"<Secret><PlainValue>{base64.b64encode(SEED).decode()}</PlainValue></Secret>"


def figure(number: int) -> bytes:
    """A figure of RFC 6030."""
    return (VECTORS / f"figure{number}.xml").read_bytes()


def package(
    serial: str = "A1",
    *,
    algorithm: str = "urn:ietf:params:xml:ns:keyprov:pskc:totp",
    parameters: str = "",
    data: str = PLAIN,
    device: str = "",
    more: str = "",
) -> str:
    """A KeyPackage of one line."""
    parts = [
        f"<KeyPackage><DeviceInfo><SerialNo>{serial}</SerialNo>{device}</DeviceInfo>",
        f'<Key Id="k-{serial}" Algorithm="{algorithm}">',
        f"<AlgorithmParameters>{parameters}</AlgorithmParameters>" if parameters else "",
        f"<Data>{data}</Data>{more}</Key></KeyPackage>",
    ]
    return "".join(parts)


def container(*packages: str) -> str:
    """A file with these packages, the first of them in line 3."""
    opening = '<KeyContainer Version="1.0" xmlns="urn:ietf:params:xml:ns:keyprov:pskc">'
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', opening, *packages, "</KeyContainer>\n"])


def pskctool(*arguments: str, content: bytes) -> str:
    """What pskctool prints of a file."""
    assert shutil.which("pskctool"), "pskctool is missing: apt-get install pskctool"
    done = subprocess.run(["pskctool", *arguments], input=content, capture_output=True, check=True)
    return done.stdout.decode()


def signer(folder: Path) -> list[str]:
    """The options by which pskctool signs, with a key and certificate made for it: RSA, since it knows no other."""
    key = rsa.generate_private_key(65537, 2048)
    name, now = x509.Name([]), datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    key_file, certificate_file = folder / "maker.key", folder / "maker.pem"
    key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    certificate_file.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    return [f"--sign-key={key_file}", f"--sign-crt={certificate_file}"]
