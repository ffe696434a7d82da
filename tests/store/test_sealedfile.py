import io
import json
import os
from contextlib import closing
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from radius2fa.store.seal import KeyRing, new_key_text
from radius2fa.store.sealedfile import (
    CHUNK,
    MAGIC,
    BadBackup,
    Lock,
    OpeningFile,
    SealingFile,
    key_of,
    locked_to_key,
    locked_to_passphrase,
    read_header,
)

KEYS = KeyRing.parse(new_key_text(os.urandom))
LOCK = locked_to_key(KEYS, os.urandom)
SEALED_CHUNK = CHUNK + 16


def no_passphrase() -> bytes:
    raise AssertionError("a passphrase is asked for")


def sealed(octets: bytes, lock: Lock = LOCK) -> bytes:
    out = io.BytesIO()
    with closing(SealingFile(out, {"form": 1}, lock)) as sealing:
        sealing.write(octets)
    return out.getvalue()


def opened(file: bytes, key: bytes = LOCK.key) -> bytes:
    stream = io.BytesIO(file)
    _, before = read_header(stream)
    with closing(OpeningFile(stream, before, key)) as opening:
        return opening.readall() or b""


def opened_by_its_header(file: bytes) -> bytes:
    header, _ = read_header(io.BytesIO(file))
    return opened(file, key_of(header, lambda: KEYS, no_passphrase))


def chunks(file: bytes) -> tuple[bytes, list[bytes]]:
    """What stands before the chunks, and the chunks."""
    stream = io.BytesIO(file)
    _, before = read_header(stream)
    rest = stream.read()
    return before, [rest[start : start + SEALED_CHUNK] for start in range(0, len(rest), SEALED_CHUNK)]


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 7])
def test_what_is_sealed_opens_whatever_its_length(size: int) -> None:
    octets = os.urandom(size)
    assert opened(sealed(octets)) == octets


def test_the_chunks_are_aes_256_gcm_under_counted_nonces_and_bound_to_the_header() -> None:
    before, (first, last) = chunks(sealed(b"x" * CHUNK + b"y"))
    cipher, bound = AESGCM(LOCK.key), sha256(before).digest()
    assert cipher.decrypt(bytes(12), first, bound) == b"x" * CHUNK
    assert cipher.decrypt(bytes(10) + b"\x01\x01", last, bound) == b"y"


def test_a_file_that_was_cut_short_anywhere_does_not_open() -> None:
    file = sealed(os.urandom(3 * CHUNK))
    before, _ = chunks(file)
    ends = {len(before) + number * SEALED_CHUNK + more for number in range(3) for more in (0, 1, 15, 16, 17, 4000)}
    for end in sorted(ends):
        with pytest.raises(BadBackup):
            opened(file[:end])


def test_chunks_that_were_moved_left_out_repeated_or_of_another_file_do_not_open() -> None:
    octets = os.urandom(4 * CHUNK)
    before, (a, b, c, d) = chunks(sealed(octets))
    _, (foreign, *_) = chunks(sealed(octets))
    assert opened(b"".join([before, a, b, c, d])) == octets
    for altered in ([b, a, c, d], [a, c, d], [a, b, c], [a, a, b, c, d], [a, b, c, d, d], [a, b, c, d, b"\0"]):
        with pytest.raises(BadBackup):
            opened(b"".join([before, *altered]))
    other = locked_to_key(KEYS, os.urandom)
    _, (theirs, *_) = chunks(sealed(octets, other))
    with pytest.raises(BadBackup):
        opened(b"".join([before, theirs, b, c, d]))
    assert foreign == a, "the same key and octets; other files have other keys, by their salts"


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_altered_octet_passes(data: st.DataObject) -> None:
    file = bytearray(sealed(b"what is kept"))
    place = data.draw(st.integers(0, len(file) - 1))
    file[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BadBackup):
        opened_by_its_header(bytes(file))


def test_the_key_is_that_of_the_master_key_which_the_header_names() -> None:
    old, new = new_key_text(os.urandom), new_key_text(os.urandom)
    file = sealed(b"kept", locked_to_key(KeyRing.parse(old), os.urandom))
    header, _ = read_header(io.BytesIO(file))
    assert opened(file, key_of(header, lambda: KeyRing.parse(new + old), no_passphrase)) == b"kept"
    with pytest.raises(BadBackup, match=r"sealed with master key [0-9a-f]{8}, which is not in the master key file"):
        key_of(header, lambda: KeyRing.parse(new), no_passphrase)


def test_a_passphrase_opens_what_it_sealed_and_no_other_does() -> None:
    file = sealed(b"kept", locked_to_passphrase(b"five words of some length", os.urandom))
    header, _ = read_header(io.BytesIO(file))

    def no_keys() -> KeyRing:
        raise AssertionError("the key file is read")

    assert opened(file, key_of(header, no_keys, lambda: b"five words of some length")) == b"kept"
    with pytest.raises(BadBackup, match="another passphrase or key"):
        opened(file, key_of(header, no_keys, lambda: b"five words of some lengtH"))


@pytest.mark.parametrize(
    "costs",
    [{"n": 1 << 40}, {"n": 1 << 20, "r": 64}, {"p": 1000}, {"n": 3}, {"n": -1}, {"n": "many"}, {"salt": "no hex"}],
)
def test_a_header_cannot_make_us_take_all_memory(costs: dict[str, object]) -> None:
    lock = {"with": "passphrase", "salt": "00" * 32, "n": 1 << 14, "r": 8, "p": 1} | costs
    with pytest.raises(BadBackup):
        key_of({"lock": lock}, lambda: KEYS, lambda: b"any")


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"SQLite format 3\0",
        MAGIC,
        MAGIC + b"\0\0\0\x02{",
        MAGIC + b"\xff\xff\xff\xff" + b"{}",
        MAGIC + b"\0\0\0\x02[]",
        MAGIC + b"\0\0\xea\x60" + b"[" * 60000,
    ],
)
def test_what_is_no_backup_is_told_from_one(octets: bytes) -> None:
    with pytest.raises(BadBackup, match=r"no backup|header is damaged"):
        read_header(io.BytesIO(octets))


def test_the_header_stands_in_clear_and_holds_no_key() -> None:
    header, before = read_header(io.BytesIO(sealed(b"x")))
    assert json.loads(before[len(MAGIC) + 4 :]) == header
    assert set(header["lock"]) == {"with", "key", "salt"}
    assert LOCK.key.hex().encode() not in before
