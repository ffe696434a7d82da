"""Owns the sealed file: a header in clear, then octets of any number under AES-256-GCM, in chunks.

A file is the line `radius2fa backup`, the length of the header in four octets, the header in JSON, and the chunks:
65536 octets each but the last, with their tags. The construction is STREAM (Hoang, Reyhanitabar, Rogaway and Vizar,
2015): the nonce of a chunk is its number in eleven octets and one octet that is 1 for the last chunk only, so that no
chunk can be left out, moved or put in, and no file be cut short, without being noticed. All that stands before the
chunks is authenticated with each of them. Every file has a key of its own, made from its salt and the master key (HKDF)
or a passphrase (scrypt, RFC 7914).
"""

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from radius2fa.store.seal import KEY_OCTETS, KeyRing, Random

MAGIC = b"radius2fa backup\n"
CHUNK = 1 << 16
_SEALED = CHUNK + 16  # with its tag
_SALT_OCTETS = 32
_LONGEST_HEADER = 1 << 16

_N, _R, _P = 1 << 17, 8, 1  # 128 MiB and a third of a second for each guess
_MOST_MEMORY = 1 << 30  # octets that a header may make scrypt take: 128 * n * r
_MOST_PASSES = 16

Header = Mapping[str, Any]
Ask = Callable[[], bytes]


class BadBackup(ValueError):  # noqa: N818 - named by what is wrong, like the reasons
    """The file is no backup, is damaged, or does not open. The message says which, and what helps."""


@dataclass(frozen=True, slots=True)
class Lock:
    """What a file is sealed with: the part of its header that says so, and the key itself."""

    described: Header
    key: bytes = field(repr=False)


def locked_to_key(keys: KeyRing, random: Random) -> Lock:
    """Return a lock that opens with the current master key."""
    salt = random(_SALT_OCTETS)
    name, key = keys.file_key(salt)
    return Lock({"with": "key", "key": name, "salt": salt.hex()}, key)


def locked_to_passphrase(passphrase: bytes, random: Random) -> Lock:
    """Return a lock that opens with a passphrase."""
    salt = random(_SALT_OCTETS)
    return Lock(
        {"with": "passphrase", "salt": salt.hex(), "n": _N, "r": _R, "p": _P}, _scrypt(passphrase, salt, _N, _R, _P)
    )


def needs_passphrase(header: Header) -> bool:
    """Tell whether the file opens with a passphrase, not with a master key."""
    return bool(header["lock"].get("with") == "passphrase")


def key_of(header: Header, keys: Callable[[], KeyRing], passphrase: Ask) -> bytes:
    """Return the key of a file, from the master keys or the passphrase, whichever it needs; only that is asked for.

    Raises:
        BadBackup: it needs a master key that is not there, or something that this version does not know.

    """
    lock = header["lock"]
    salt = _salt(lock)
    match lock.get("with"):
        case "key":
            name = str(lock.get("key"))
            key = keys().file_key_of(name, salt)
            if key is None:
                raise BadBackup(
                    f"it is sealed with master key {name}, which is not in the master key file: put the right file back"
                )
            return key
        case "passphrase":
            costs = _costs(lock)  # before anybody is asked
            return _scrypt(passphrase(), salt, *costs)
        case _:
            raise BadBackup("it is sealed in a way that this version does not know")


def _salt(lock: Header) -> bytes:
    try:
        return bytes.fromhex(lock["salt"])
    except (KeyError, TypeError, ValueError):
        raise BadBackup("its header is damaged") from None


def _costs(lock: Header) -> tuple[int, int, int]:
    n, r, p = (lock.get(name) for name in ("n", "r", "p"))
    if not (isinstance(n, int) and isinstance(r, int) and isinstance(p, int) and min(n, r, p) > 0):
        raise BadBackup("its header is damaged")
    if 128 * n * r > _MOST_MEMORY or p > _MOST_PASSES:
        raise BadBackup("its header asks for more memory or time than any backup needs")
    return n, r, p


def _scrypt(passphrase: bytes, salt: bytes, n: int, r: int, p: int) -> bytes:
    try:
        return Scrypt(salt, KEY_OCTETS, n, r, p).derive(passphrase)
    except ValueError:
        raise BadBackup("its header is damaged") from None


class SealingFile(io.RawIOBase):
    """Seals what is written to it. Only `close` writes the last chunk, without which nothing opens."""

    def __init__(self, file: BinaryIO, header: Header, lock: Lock) -> None:
        """Take the file to write to, which is not closed, and what shall stand in clear before the chunks."""
        super().__init__()
        octets = json.dumps({**header, "lock": dict(lock.described)}).encode()
        self._file = file
        self._cipher = AESGCM(lock.key)
        self._before = MAGIC + len(octets).to_bytes(4) + octets
        self._bound = hashlib.sha256(self._before).digest()
        self._pending = bytearray()
        self._number = 0
        file.write(self._before)

    def writable(self) -> bool:
        """Tell that it can be written to."""
        return True

    def write(self, octets: Any) -> int:  # noqa: ANN401 - any buffer
        """Take octets, and seal whole chunks."""
        self._pending += octets
        while len(self._pending) > CHUNK:  # a full chunk stays until more comes: it may be the last
            self._seal(last=False)
        return len(octets)

    def close(self) -> None:
        """Seal the rest as the last chunk."""
        if not self.closed:
            self._seal(last=True)
        super().close()

    def _seal(self, *, last: bool) -> None:
        octets = bytes(self._pending[:CHUNK])
        del self._pending[:CHUNK]
        self._file.write(self._cipher.encrypt(_nonce(self._number, last=last), octets, self._bound))
        self._number += 1


def read_header(file: BinaryIO) -> tuple[Header, bytes]:
    """Return the header of a file, and all octets up to the first chunk.

    Nothing of it may be believed before a chunk has opened.

    Raises:
        BadBackup: it is no sealed file.

    """
    if file.read(len(MAGIC)) != MAGIC:
        raise BadBackup("it is no backup of radius2fa")
    length = file.read(4)
    size = int.from_bytes(length)
    octets = file.read(min(size, _LONGEST_HEADER))
    try:
        header = json.loads(octets)
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict) or not isinstance(header.get("lock"), dict) or len(octets) != size:
        raise BadBackup("its header is damaged")
    return header, MAGIC + length + octets


class OpeningFile(io.RawIOBase):
    """Opens what SealingFile has sealed, chunk by chunk; gives no octet that was not authenticated."""

    def __init__(self, file: BinaryIO, before: bytes, key: bytes) -> None:
        """Take a file that stands at its first chunk, what stood before, and the key."""
        super().__init__()
        self._file = file
        self._cipher = AESGCM(key)
        self._bound = hashlib.sha256(before).digest()
        self._next = file.read(_SEALED)
        self._number = 0
        self._opened = memoryview(b"")
        self.finished = False

    def readable(self) -> bool:
        """Tell that it can be read from."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any buffer
        """Read what is there of the chunk at hand, or of the next one. 0 after the last.

        Raises:
            BadBackup: a chunk was altered, moved, left out, or the key is another one.

        """
        if not self._opened and not self.finished:
            self._open()
        many = min(len(buffer), len(self._opened))
        buffer[:many] = self._opened[:many]
        self._opened = self._opened[many:]
        return many

    def _open(self) -> None:
        sealed, self._next = self._next, self._file.read(_SEALED)
        last = not self._next
        try:
            opened = self._cipher.decrypt(_nonce(self._number, last=last), sealed, self._bound)
        except (InvalidTag, ValueError):  # ValueError: less than a tag is left
            raise BadBackup(
                "it does not open: another passphrase or key, or its beginning was altered"
                if self._number == 0
                else f"it is damaged or was cut short, after {self._number * CHUNK} octets"
            ) from None
        self._opened = memoryview(opened)
        self._number += 1
        self.finished = last


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11) + bytes([last])
