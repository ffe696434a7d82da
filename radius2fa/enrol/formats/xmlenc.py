"""Owns the opening of what a PSKC file has encrypted: XML Encryption with AES-CBC, and MACs that are verified before.

Sources: RFC 6030 sections 6.1 and 6.2, XML Encryption 1.1 sections 5.2 and 5.4.2, RFC 8018 section 5.2 (PBKDF2).
"""

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from radius2fa.enrol.formats.markup import Element
from radius2fa.enrol.formats.rows import BadFile

_BLOCK = 16
_KEY_OCTETS = {"aes128-cbc": 16, "aes192-cbc": 24, "aes256-cbc": 32}
_HASHES = {f"hmac-{name}": name for name in ("sha1", "sha256", "sha384", "sha512")}
_HASHES |= {f"hmacwith{name}": name for name in ("sha1", "sha256", "sha384", "sha512")}
_LEAST_MAC_KEY = 16  # octets
MOST_ITERATIONS = 10_000_000  # some ten seconds


class Need(Enum):
    """What opens a file: the octets of a key, or those of a password."""

    KEY = "key"
    PASSWORD = "password"  # noqa: S105 - its name


class _BadPadding(ValueError):  # noqa: N818 - named by what is wrong
    """What was decrypted is nothing: as good as always since the key is a wrong one."""


Ask = Callable[[Need], bytes]


@dataclass(frozen=True, slots=True)
class _Mac:
    hash: str
    key: bytes = field(repr=False)


class Protection:
    """What the values of one file are encrypted and authenticated with, as far as the file has been read.

    `ask` is called once, when something is encrypted.
    """

    def __init__(self, ask: Ask) -> None:
        """Begin with what holds for a file that says nothing: a key that was agreed upon, and no MAC."""
        self._ask = ask
        self._derivation: Element | None = None
        self._known: bytes | None = None
        self._mac: _Mac | None = None

    def encryption_key(self, element: Element) -> None:
        """Take in what a file says of its key: `EncryptionKey`.

        Raises:
            BadFile: it is of a kind that cannot be used.

        """
        self._derivation = element.child("DerivedKey", "KeyDerivationMethod")
        if self._derivation is not None:
            return
        if element.child("DerivedKey") or not element.child("KeyName"):
            raise BadFile(
                "the file is encrypted neither under a key that was agreed upon nor under a password: ask its maker "
                "for one that is",
                element.line,
            )

    def mac_method(self, element: Element) -> None:
        """Take in how a file's values are authenticated: `MACMethod`.

        Raises:
            BadFile: in a way that is not known, or the key for it does not open.

        """
        algorithm = _HASHES.get(_fragment(element))
        if algorithm is None:
            raise BadFile(
                "the MAC of the file is not HMAC with SHA-1 or SHA-2: ask its maker for another", element.line
            )
        encrypted = element.child("MACKey")
        if encrypted is None:
            raise BadFile("the file does not hold the key of its MAC: ask its maker for one that does", element.line)
        try:
            key = self._decrypted(encrypted, _ciphertext(encrypted))
        except _BadPadding:
            raise BadFile(self._misfit, element.line) from None
        except ValueError as wrong:
            raise BadFile(f"the key of the MAC cannot be opened: {wrong}", element.line) from None
        if len(key) < _LEAST_MAC_KEY:
            raise BadFile(self._misfit, element.line)
        self._mac = _Mac(algorithm, key)

    def opened(self, data: Element) -> bytes:
        """Return the octets in an encrypted value: in `EncryptedValue`, authenticated by `ValueMAC`.

        Raises:
            ValueError: the value is of a form that is not known, has no MAC, or another than it should.
            BadFile: the key is of another length than the file asks for.

        """
        value, mac = data.child("EncryptedValue"), data.child("ValueMAC")
        if value is None:
            raise ValueError("a value is neither plain nor encrypted")
        ciphertext = _ciphertext(value)
        if mac is None or self._mac is None:
            raise ValueError(
                "an encrypted value has no MAC, which RFC 6030 asks for: ask the maker for a file with MACs"
            )
        if not hmac.compare_digest(hmac.digest(self._mac.key, ciphertext, self._mac.hash), from_base64(mac.text)):
            raise ValueError(f"the MAC of an encrypted value is wrong: it was altered, or {self._misfit}")
        return self._decrypted(value, ciphertext)

    @property
    def _misfit(self) -> str:
        return f"the {(Need.PASSWORD if self._derivation else Need.KEY).value} is not that of this file"

    def _decrypted(self, element: Element, ciphertext: bytes) -> bytes:
        """Return what the ciphertext, which begins with its initialisation vector, holds."""
        octets = _KEY_OCTETS.get(_fragment(element.child("EncryptionMethod")))
        if octets is None:
            raise ValueError("a value is not encrypted with AES-128-CBC, AES-192-CBC or AES-256-CBC")
        if len(ciphertext) < 2 * _BLOCK or len(ciphertext) % _BLOCK:
            raise ValueError("an encrypted value is damaged: it is not made of whole blocks")
        key = self._key()
        if len(key) != octets:
            raise BadFile(
                f"the key has {len(key)} octets, and the file is encrypted with AES-{8 * octets}, whose keys have "
                f"{octets} ({2 * octets} hexadecimal digits)",
                element.line,
            )
        decryptor = Cipher(algorithms.AES(key), modes.CBC(ciphertext[:_BLOCK])).decryptor()
        padded = decryptor.update(ciphertext[_BLOCK:]) + decryptor.finalize()
        if not 1 <= padded[-1] <= _BLOCK:  # the octets of the padding before the last one may be any
            raise _BadPadding("an encrypted value is damaged: its padding is wrong")
        return padded[: -padded[-1]]

    def _key(self) -> bytes:
        if self._known is None:
            if self._derivation is None:
                self._known = self._ask(Need.KEY)
            else:
                self._known = _derived(self._derivation, self._ask)
        return self._known


def from_base64(text: str) -> bytes:
    """Return the octets that base64 stands for, whatever white space is within.

    Raises:
        ValueError: it is not base64.

    """
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError:
        raise ValueError("a value is not base64") from None


def _ciphertext(encrypted: Element) -> bytes:
    text = encrypted.content("CipherData", "CipherValue")
    if not text:
        raise ValueError("an encrypted value has no CipherValue")
    return from_base64(text)


def _derived(method: Element, ask: Ask) -> bytes:
    """Return the key that PBKDF2 makes of a password."""
    if _fragment(method) != "pbkdf2":
        raise BadFile(
            "the key of the file is derived by something else than PBKDF2: ask its maker for another", method.line
        )
    parameters = method.child("PBKDF2-params")
    if parameters is None:
        raise BadFile("the file does not tell how its key is derived: PBKDF2-params is missing", method.line)
    try:
        salt = from_base64(parameters.content("Salt", "Specified"))
        iterations, octets = int(parameters.content("IterationCount")), int(parameters.content("KeyLength"))
    except ValueError:
        raise BadFile("the file does not tell how its key is derived: look at PBKDF2-params", parameters.line) from None
    if not (salt and 1 <= iterations <= MOST_ITERATIONS and octets in _KEY_OCTETS.values()):
        raise BadFile(
            f"the key is derived in a way that is not allowed for: without Salt, with IterationCount above "
            f"{MOST_ITERATIONS}, or with a KeyLength that is not 16, 24 or 32",
            parameters.line,
        )
    named = _fragment(parameters.child("PRF")) or _name(parameters.content("PRF"))  # some makers write it as text
    function = _HASHES.get(named or "hmac-sha1")
    if function is None:
        raise BadFile("the PRF of PBKDF2 is not HMAC with SHA-1 or SHA-2", parameters.line)
    return hashlib.pbkdf2_hmac(function, ask(Need.PASSWORD), salt, iterations, octets)


def _fragment(element: Element | None) -> str:
    return "" if element is None else _name(element.attributes.get("Algorithm", ""))


def _name(uri: str) -> str:
    """Return what is behind the `#` of an algorithm's URI: those of one algorithm differ before it."""
    return uri.strip().rpartition("#")[2].lower()
