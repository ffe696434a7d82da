"""Owns the sealing of what is secret in the tables: seeds, what waits in a login or a session, and keyed digests.

AES-256-GCM throughout (NIST SP 800-38D). A blob is a version octet, the id of its key, a nonce of 12 octets, and the
ciphertext with its tag. Of codes that were handed out only a digest is kept (`otp.issued`), behind a version octet and
the id of its key. The keys in use are derived from the master key by HKDF-SHA256 (RFC 5869), one for each purpose.
"""

import base64
import hashlib
import hmac
import os
import stat
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from radius2fa.login.ports import Held
from radius2fa.otp.issued import digest_of
from radius2fa.otp.token import Kind

Random = Callable[[int], bytes]

KEY_OCTETS = 32
_VERSION = b"\x01"
_ID = slice(1, 5)
_HEADER = slice(0, 5)
_NONCE = slice(5, 17)
_CIPHERTEXT = slice(17, None)
_DIGEST = slice(5, None)


class BadKeyFile(ValueError):  # noqa: N818 - named by what is wrong, like the reasons
    """The master key file cannot be used. The message names the file or line and the remedy, never a key."""


class SealBroken(Exception):  # noqa: N818 - as above
    """A blob does not open: altered, of another row, or sealed with a missing key. The message names the key."""


@dataclass(frozen=True, slots=True)
class _Key:
    """A master key and what is derived from it once."""

    id: bytes
    master: bytes = field(repr=False)
    seeds: AESGCM = field(repr=False)
    digests: bytes = field(repr=False)
    codes: bytes = field(repr=False)
    forms: bytes = field(repr=False)
    tags: bytes = field(repr=False)
    links: bytes = field(repr=False)
    proofs: AESGCM = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The master keys. The first one seals; every one opens what it has sealed.

    Besides, it may know the audit keys of master keys that are out of use: they prove rows, and no more.
    """

    _current: _Key
    _by_id: dict[bytes, _Key]
    _retired: Mapping[bytes, bytes] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the keys of a file that only its owner may read.

        Raises:
            BadKeyFile: it is missing, readable by others, or holds something else than keys.

        """
        try:
            with path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                text = file.read()
        except OSError as error:
            raise BadKeyFile(f"{path}: {error.strerror}; `radius2fa init` makes a master key") from None
        if mode & _forbidden(path):
            raise BadKeyFile(f"{path}: others than its owner may read it; run `chmod 0400 {path}`")
        try:
            return cls.parse(text.decode("ascii", "replace"))
        except BadKeyFile as fault:
            raise BadKeyFile(f"{path}: {fault}") from None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the keys of a text: on each line the base64 of 32 octets, the current key first.

        Empty lines and those that start with `#` mean nothing.

        Raises:
            BadKeyFile: naming the line.

        """
        lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
        keys = [_derive(_decoded(number, line)) for number, line in lines if line and not line.startswith("#")]
        if not keys:
            raise BadKeyFile("holds no key; `radius2fa init` makes one")
        return cls(keys[0], {key.id: key for key in keys})

    def seal_seed(self, token: str, kind: Kind, seed: bytes, random: Random) -> bytes:
        """Return the seed, sealed so that it opens only for this token and kind."""
        return _seal(self._current, self._current.seeds, seed, _framed(b"seed", token.encode(), kind.encode()), random)

    def open_seed(self, token: str, kind: Kind, blob: bytes) -> bytes:
        """Return the seed that was sealed for this token and kind.

        Raises:
            SealBroken: it was altered, or sealed for another token or kind, or its key is missing.

        """
        key = self._key_of(blob)
        return _open(key, key.seeds, blob, _framed(b"seed", token.encode(), kind.encode()))

    def seal_held(self, held: Held, random: Random) -> bytes:
        """Return the password of a login that waits, sealed under the master key and its State."""
        return _seal(self._current, _of_state(self._current, held.state), held.password, _held_context(held), random)

    def open_held(self, held: Held, blob: bytes) -> bytes:
        """Return the password that was sealed for the State, client, name and expiry of `held`.

        Raises:
            SealBroken: it was altered, or sealed for another of these, or its key is missing.

        """
        key = self._key_of(blob)
        return _open(key, _of_state(key, held.state), blob, _held_context(held))

    def seal_session(self, session: str, token: bytes, secret: bytes, random: Random) -> bytes:
        """Return what waits in the session of this id, sealed under the master key and its token."""
        cipher = _of_session(self._current, token)
        return _seal(self._current, cipher, secret, _framed(b"session", session.encode()), random)

    def open_session(self, session: str, token: bytes, blob: bytes) -> bytes:
        """Return what was sealed for the session of this id and token.

        Raises:
            SealBroken: it was altered, or sealed for another session, or its key is missing.

        """
        key = self._key_of(blob)
        return _open(key, _of_session(key, token), blob, _framed(b"session", session.encode()))

    def digest_code(self, code: str, normal: bytes) -> bytes:
        """Return what is kept of an issued code of this id: the digest of its normal form."""
        return _VERSION + self._current.id + digest_of(self._current.codes, code, normal)

    def open_code(self, blob: bytes) -> tuple[bytes, bytes]:
        """Return the key and the digest of an issued code.

        Raises:
            SealBroken: its key is missing.

        """
        return self._key_of(blob).codes, blob[_DIGEST]

    @staticmethod
    def name_of(blob: bytes) -> str:
        """Return the name of the key that sealed a blob: eight hex digits."""
        return blob[_ID].hex()

    def knows(self, blob: bytes) -> bool:
        """Tell whether the key that sealed a blob is on the ring."""
        return blob[_ID] in self._by_id

    def digest(self, client: str, credentials: bytes) -> bytes:
        """Return what recognises the same credentials from the same client again, and tells nothing else about them."""
        return hmac.digest(self._current.digests, _framed(client.encode(), credentials), "sha256")

    def form_code(self, token: bytes) -> bytes:
        """Return what a form holds to show that it came from a page of ours, for whoever has this token."""
        return hmac.digest(self._current.forms, token, "sha256")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the keys, eight hex digits each; that of the current one first."""
        return self._current.id.hex(), *(key.hex() for key in self._by_id if key != self._current.id)

    def digest_of(self, name: str, purpose: bytes, data: bytes) -> bytes | None:
        """Return what `derive` returned where the key of this name was the current one; None if that is not here."""
        key = next((each for each in self._by_id.values() if each.id.hex() == name), None)
        return None if key is None else hmac.digest(key.tags, _framed(purpose, data), "sha256")

    def derive(self, purpose: bytes, data: bytes) -> bytes:
        """Return 32 octets that only whoever has the master key can tell, other ones for each purpose and data."""
        return hmac.digest(self._current.tags, _framed(purpose, data), "sha256")

    def link(self, before: bytes, line: bytes) -> bytes:
        """Return the keyed hash that follows `before` for a line: a version octet, the id of its key, 32 octets."""
        return _linked(self._current, before, line)

    def links(self, before: bytes, line: bytes, blob: bytes) -> bool:
        """Tell whether a keyed hash is what follows `before` for a line, under a key of the ring or a retired one.

        Raises:
            SealBroken: its key is missing.

        """
        retired = self._retired.get(blob[_ID]) if blob[:1] == _VERSION and not self.knows(blob) else None
        if retired is not None:
            return hmac.compare_digest(_hashed(blob[_ID], retired, before, line), blob)
        return self.ends(before, line, blob)

    def ends(self, before: bytes, line: bytes, blob: bytes) -> bool:
        """Tell the same of the seal of a chain's end. No retired key may make one: it may have become known.

        Raises:
            SealBroken: its key is not on the ring.

        """
        return hmac.compare_digest(_linked(self._key_of(blob), before, line), blob)

    def seal_audit_key(self, name: str, random: Random) -> bytes:
        """Return the audit key of a master key, on the ring or retired, by its name, sealed with the current one."""
        key_id = bytes.fromhex(name)
        links = self._by_id[key_id].links if key_id in self._by_id else self._retired[key_id]
        return _seal(self._current, self._current.proofs, links, _framed(b"audit key", name.encode()), random)

    def open_audit_key(self, name: str, blob: bytes) -> bytes:
        """Return the audit key of the master key of this name.

        Raises:
            SealBroken: it was altered, or is that of another key, or the key that sealed it is missing.

        """
        key = self._key_of(blob)
        return _open(key, key.proofs, blob, _framed(b"audit key", name.encode(errors="surrogatepass")))

    def proving(self, retired: Mapping[str, bytes]) -> "KeyRing":
        """Return this ring with audit keys of master keys that are out of use, by the names of these."""
        return replace(self, _retired={bytes.fromhex(name): key for name, key in retired.items()})

    def proves(self, blob: bytes) -> bool:
        """Tell whether the key that made a keyed hash is on the ring or a retired one."""
        return self.knows(blob) or blob[_ID] in self._retired

    def file_key(self, salt: bytes) -> tuple[str, bytes]:
        """Return the name of the current key, and the key of a file (`sealedfile`) that it and a salt seal."""
        return self._current.id.hex(), _of_file(self._current, salt)

    def file_key_of(self, name: str, salt: bytes) -> bytes | None:
        """Return the key of a file that is sealed with the key of this name and a salt; None if that is not here."""
        key = next((each for each in self._by_id.values() if each.id.hex() == name), None)
        return None if key is None else _of_file(key, salt)

    def _key_of(self, blob: bytes) -> _Key:
        if blob[:1] != _VERSION:
            raise SealBroken("a sealed value has a form that this version does not know")
        if not self.knows(blob):
            raise SealBroken(f"a value is sealed with key {self.name_of(blob)}, which is not in the master key file")
        return self._by_id[blob[_ID]]


def new_key_text(random: Random) -> str:
    """Return the text of a key file with one new key."""
    return base64.b64encode(random(KEY_OCTETS)).decode() + "\n"


def _forbidden(path: Path) -> int:
    """Return the permission bits that a key file must not have.

    systemd lets the service read its credentials by an access list, whose mask shows in the group's bits.
    """
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    by_systemd = credentials is not None and path.parent == Path(credentials)
    return stat.S_IRWXO if by_systemd else stat.S_IRWXG | stat.S_IRWXO


def _decoded(number: int, line: str) -> bytes:
    try:
        octets = base64.b64decode(line, validate=True)
    except ValueError:  # binascii.Error among them; another one for what is not ASCII
        octets = b""
    if len(octets) != KEY_OCTETS:
        raise BadKeyFile(f"line {number} is not the base64 of {KEY_OCTETS} octets")
    return octets


def _derive(master: bytes) -> _Key:
    return _Key(
        hashlib.sha256(master).digest()[:4],
        master,
        AESGCM(_hkdf(master, None, b"radius2fa seed")),
        _hkdf(master, None, b"radius2fa failure digest"),
        _hkdf(master, None, b"radius2fa issued code"),
        _hkdf(master, None, b"radius2fa form"),
        _hkdf(master, None, b"radius2fa derived"),
        _hkdf(master, None, b"radius2fa chain"),
        AESGCM(_hkdf(master, None, b"radius2fa audit key")),
    )


def _linked(key: _Key, before: bytes, line: bytes) -> bytes:
    return _hashed(key.id, key.links, before, line)


def _hashed(key_id: bytes, key: bytes, before: bytes, line: bytes) -> bytes:
    return _VERSION + key_id + hmac.digest(key, _framed(before, line), "sha256")


def _of_state(key: _Key, state: bytes) -> AESGCM:
    return AESGCM(_hkdf(key.master, state, b"radius2fa challenge"))


def _of_session(key: _Key, token: bytes) -> AESGCM:
    return AESGCM(_hkdf(key.master, token, b"radius2fa session"))


def _of_file(key: _Key, salt: bytes) -> bytes:
    return _hkdf(key.master, salt, b"radius2fa file")


def _hkdf(master: bytes, salt: bytes | None, purpose: bytes) -> bytes:
    return HKDF(SHA256(), KEY_OCTETS, salt, purpose).derive(master)


def _held_context(held: Held) -> bytes:
    return _framed(b"held", held.client.encode(), held.name.encode(), struct.pack(">d", held.expires))


def _framed(*parts: bytes) -> bytes:
    """Join parts so that no two different lists of parts give the same octets."""
    return b"".join(len(part).to_bytes(4) + part for part in parts)


def _seal(key: _Key, cipher: AESGCM, secret: bytes, context: bytes, random: Random) -> bytes:
    header, nonce = _VERSION + key.id, random(12)
    return header + nonce + cipher.encrypt(nonce, secret, header + context)


def _open(key: _Key, cipher: AESGCM, blob: bytes, context: bytes) -> bytes:
    try:
        return cipher.decrypt(blob[_NONCE], blob[_CIPHERTEXT], blob[_HEADER] + context)
    except (InvalidTag, ValueError):  # ValueError: the blob was cut short
        raise SealBroken(f"a value sealed with key {key.id.hex()} was altered or belongs to another row") from None
