import base64
import hashlib
import hmac
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from radius2fa.login.ports import Held
from radius2fa.otp.token import Kind
from radius2fa.store.seal import BadKeyFile, KeyRing, SealBroken, new_key_text

MASTER, OTHER = bytes(range(32)), bytes(range(100, 132))
MASTER_ID, OTHER_ID = hashlib.sha256(MASTER).hexdigest()[:8], hashlib.sha256(OTHER).hexdigest()[:8]
SEED = b"12345678901234567890"
HELD = Held(b"0123456789abcdef0123456789abcdef", "vpn", "alice", b"pa\xc3\xa4ss", expires=1120.0)


def counted(size: int) -> bytes:
    """Stand for the system's randomness, where a test wants to know it."""
    return bytes(range(size))


def text(*masters: bytes) -> str:
    return "".join(base64.b64encode(master).decode() + "\n" for master in masters)


RING = KeyRing.parse(text(MASTER))
OTHER_RING = KeyRing.parse(text(OTHER))
SEALED = RING.seal_seed("phone", Kind.TOTP, SEED, counted)
SEALED_HELD = RING.seal_held(HELD, counted)
COOKIE = bytes(range(200, 232))
WAITING = RING.seal_session("5e55", COOKIE, b"a pending seed", counted)


def flipped(blob: bytes, bit: int) -> bytes:
    return bytes(octet ^ (1 << bit % 8 if place == bit // 8 else 0) for place, octet in enumerate(blob))


def test_a_sealed_seed_opens_for_its_token_and_kind() -> None:
    assert RING.open_seed("phone", Kind.TOTP, SEALED) == SEED


def test_a_blob_is_a_version_a_key_id_a_nonce_and_a_ciphertext_with_its_tag() -> None:
    assert SEALED[:1] == b"\x01"
    assert SEALED[1:5].hex() == MASTER_ID
    assert SEALED[5:17] == bytes(range(12))
    assert len(SEALED) == 17 + len(SEED) + 16
    assert SEED not in SEALED


def test_a_seed_is_sealed_by_aes_256_gcm_under_a_key_derived_by_hkdf_sha256() -> None:
    # RFC 5869 with one block of output, by hand: the standard library has no HKDF.
    extracted = hmac.digest(bytes(32), MASTER, "sha256")
    key = hmac.digest(extracted, b"radius2fa seed\x01", "sha256")
    context = b"\0\0\0\x04seed\0\0\0\x05phone\0\0\0\x04totp"
    assert AESGCM(key).decrypt(SEALED[5:17], SEALED[17:], SEALED[:5] + context) == SEED


@pytest.mark.parametrize(("token", "kind"), [("fob", Kind.TOTP), ("phone", Kind.HOTP), ("phonet", Kind.TOTP)])
def test_a_seed_moved_to_another_row_does_not_open(token: str, kind: Kind) -> None:
    with pytest.raises(SealBroken, match=MASTER_ID):
        RING.open_seed(token, kind, SEALED)


def test_a_seed_with_any_bit_flipped_does_not_open() -> None:
    for bit in range(len(SEALED) * 8):
        with pytest.raises(SealBroken):
            RING.open_seed("phone", Kind.TOTP, flipped(SEALED, bit))


def test_a_seed_cut_short_does_not_open() -> None:
    for size in range(len(SEALED)):
        with pytest.raises(SealBroken):
            RING.open_seed("phone", Kind.TOTP, SEALED[:size])


def test_a_missing_key_is_named() -> None:
    with pytest.raises(SealBroken, match=f"key {MASTER_ID}, which is not in the master key file"):
        OTHER_RING.open_seed("phone", Kind.TOTP, SEALED)
    with pytest.raises(SealBroken, match=f"key {MASTER_ID}, which is not in the master key file"):
        OTHER_RING.open_held(HELD, SEALED_HELD)


def test_a_blob_that_claims_another_key_of_the_ring_does_not_open() -> None:
    both = KeyRing.parse(text(MASTER, OTHER))
    claiming = SEALED[:1] + bytes.fromhex(OTHER_ID) + SEALED[5:]
    with pytest.raises(SealBroken, match=OTHER_ID):
        both.open_seed("phone", Kind.TOTP, claiming)


def test_the_first_key_seals_and_every_key_opens() -> None:
    rotated = KeyRing.parse(text(OTHER, MASTER))
    assert rotated.open_seed("phone", Kind.TOTP, SEALED) == SEED
    assert rotated.open_held(HELD, SEALED_HELD) == HELD.password
    assert rotated.seal_seed("phone", Kind.TOTP, SEED, counted)[1:5].hex() == OTHER_ID


def test_a_waiting_password_opens_for_its_own_state_client_name_and_expiry() -> None:
    assert RING.open_held(HELD, SEALED_HELD) == b"pa\xc3\xa4ss"
    for other in (
        replace(HELD, state=b"f" * 32),
        replace(HELD, client="switch"),
        replace(HELD, name="bob"),
        replace(HELD, client="vpnal", name="ice"),
        replace(HELD, expires=9999.0),
    ):
        with pytest.raises(SealBroken):
            RING.open_held(other, SEALED_HELD)


def test_a_waiting_password_with_any_bit_flipped_does_not_open() -> None:
    for bit in range(len(SEALED_HELD) * 8):
        with pytest.raises(SealBroken):
            RING.open_held(HELD, flipped(SEALED_HELD, bit))


def test_the_master_key_alone_does_not_open_a_waiting_password() -> None:
    context = b"\0\0\0\x04held\0\0\0\x03vpn\0\0\0\x05alice\0\0\0\x08" + bytes.fromhex("4091800000000000")  # 1120.0
    for key in (MASTER, hashlib.sha256(MASTER).digest()):
        with pytest.raises(InvalidTag):
            AESGCM(key).decrypt(SEALED_HELD[5:17], SEALED_HELD[17:], SEALED_HELD[:5] + context)
    with pytest.raises(SealBroken):
        RING.open_held(replace(HELD, state=b""), SEALED_HELD)


def test_the_state_alone_does_not_open_a_waiting_password() -> None:
    claiming = SEALED_HELD[:1] + bytes.fromhex(OTHER_ID) + SEALED_HELD[5:]
    with pytest.raises(SealBroken):
        OTHER_RING.open_held(HELD, claiming)


def test_what_waits_in_a_session_opens_for_its_own_id_and_token() -> None:
    assert RING.open_session("5e55", COOKIE, WAITING) == b"a pending seed"
    rotated = KeyRing.parse(text(OTHER, MASTER))
    assert rotated.open_session("5e55", COOKIE, WAITING) == b"a pending seed"
    others = (("5e56", COOKIE), ("5e55", COOKIE[:-1]), ("5e55", b""), ("5e55", bytes(32)))
    for session, token in others:
        with pytest.raises(SealBroken):
            RING.open_session(session, token, WAITING)


def test_what_waits_in_a_session_does_not_open_with_any_bit_flipped_or_another_key() -> None:
    for bit in range(len(WAITING) * 8):
        with pytest.raises(SealBroken):
            RING.open_session("5e55", COOKIE, flipped(WAITING, bit))
    claiming = WAITING[:1] + bytes.fromhex(OTHER_ID) + WAITING[5:]
    with pytest.raises(SealBroken):
        OTHER_RING.open_session("5e55", COOKIE, claiming)


def test_what_waits_in_a_session_and_a_waiting_password_are_sealed_with_different_keys() -> None:
    context = WAITING[:5] + b"\0\0\0\x07session\0\0\0\x045e55"
    extracted = hmac.digest(COOKIE, MASTER, "sha256")
    keys = [
        hmac.digest(extracted, purpose + b"\x01", "sha256")
        for purpose in (b"radius2fa session", b"radius2fa challenge")
    ]
    assert AESGCM(keys[0]).decrypt(WAITING[5:17], WAITING[17:], context) == b"a pending seed"
    with pytest.raises(InvalidTag):
        AESGCM(keys[1]).decrypt(WAITING[5:17], WAITING[17:], context)


def test_a_digest_is_of_client_and_credentials_and_of_the_key() -> None:
    digest = RING.digest("vpn", b"secret123456")
    assert digest == RING.digest("vpn", b"secret123456")
    others = [RING.digest("vpn", b"secret123457"), RING.digest("vpns", b"ecret123456")]
    assert digest not in [*others, OTHER_RING.digest("vpn", b"secret123456")]
    assert len(digest) == 32


def test_no_key_is_in_a_repr() -> None:
    shown = repr(RING)
    assert repr(bytes.fromhex(MASTER_ID)) in shown
    for secret in (repr(MASTER)[2:-1], MASTER.hex(), base64.b64encode(MASTER).decode()):
        assert secret not in shown


def test_a_new_key_text_holds_one_key_of_the_randomness_given() -> None:
    assert base64.b64decode(new_key_text(counted)) == MASTER


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "holds no key"),
        ("# a comment\n\n", "holds no key"),
        ("c2hvcnQ=\n", "line 1 is not the base64 of 32 octets"),
        (text(MASTER) + "not base64!\n", "line 2 is not the base64 of 32 octets"),
        (text(MASTER) + "\n" + text(MASTER + b"x"), "line 3 is not the base64 of 32 octets"),
    ],
)
def test_a_key_text_that_holds_something_else_is_refused_by_its_line(content: str, fault: str) -> None:
    with pytest.raises(BadKeyFile, match=fault):
        KeyRing.parse(content)


def key_file(folder: Path, mode: int, content: str = text(MASTER)) -> Path:
    path = folder / "master.key"
    path.write_text(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o400, 0o600])
def test_a_key_file_of_its_owners_own_is_read(tmp_path: Path, mode: int) -> None:
    ring = KeyRing.read(key_file(tmp_path, mode, "# the key of node 1\n" + text(MASTER)))
    assert ring.open_seed("phone", Kind.TOTP, SEALED) == SEED


@pytest.mark.parametrize("mode", [0o440, 0o404, 0o644, 0o420, 0o402])
def test_a_key_file_that_others_may_read_or_write_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    path = key_file(tmp_path, mode)
    with pytest.raises(BadKeyFile, match=f"chmod 0400 {path}"):
        KeyRing.read(path)


def test_a_credential_of_systemd_may_have_its_access_lists_mask_but_nothing_for_the_world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert KeyRing.read(key_file(tmp_path, 0o440)).open_seed("phone", Kind.TOTP, SEALED) == SEED
    with pytest.raises(BadKeyFile, match="chmod 0400"):
        KeyRing.read(key_file(tmp_path, 0o444))


def test_a_missing_key_file_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(BadKeyFile, match=f"{tmp_path}/none: No such file or directory; `radius2fa init`"):
        KeyRing.read(tmp_path / "none")


def test_a_fault_in_a_key_file_names_the_file_and_not_its_content(tmp_path: Path) -> None:
    path = key_file(tmp_path, 0o400, "c2VjcmV0LWtleS1tYXRlcmlhbA==\n")
    with pytest.raises(BadKeyFile) as fault:
        KeyRing.read(path)
    assert str(fault.value) == f"{path}: line 1 is not the base64 of 32 octets"


def test_the_keys_of_a_ring_are_named_the_current_one_first() -> None:
    assert KeyRing.parse(text(MASTER, OTHER)).names == (MASTER_ID, OTHER_ID)
    assert KeyRing.parse(text(OTHER, MASTER)).names == (OTHER_ID, MASTER_ID)


def test_an_audit_key_opens_for_its_own_name_and_is_what_made_the_hashes() -> None:
    """By another library: HMAC-SHA256 under HKDF-SHA256 of the master key."""
    blob = KeyRing.parse(text(OTHER, MASTER)).seal_audit_key(MASTER_ID, counted)
    key = OTHER_RING.open_audit_key(MASTER_ID, blob)
    assert key == HKDF(SHA256(), 32, None, b"radius2fa chain").derive(MASTER)
    line = b"\0\0\0\6before\0\0\0\4line"
    assert RING.link(b"before", b"line")[5:] == hmac.digest(key, line, hashlib.sha256)
    for name in (OTHER_ID, ""):
        with pytest.raises(SealBroken, match=OTHER_ID):
            OTHER_RING.open_audit_key(name, blob)
    for bit in range(8 * len(blob)):
        with pytest.raises(SealBroken):
            OTHER_RING.open_audit_key(MASTER_ID, flipped(blob, bit))


def test_a_retired_key_proves_rows_and_no_ends() -> None:
    blob = RING.link(b"before", b"line")
    knowing = OTHER_RING.proving({MASTER_ID: HKDF(SHA256(), 32, None, b"radius2fa chain").derive(MASTER)})
    assert knowing.links(b"before", b"line", blob)
    assert not knowing.links(b"before", b"other", blob)
    with pytest.raises(SealBroken, match=MASTER_ID):
        knowing.ends(b"before", b"line", blob)
    with pytest.raises(SealBroken, match=MASTER_ID):
        OTHER_RING.links(b"before", b"line", blob)
    assert knowing.seal_audit_key(MASTER_ID, counted) == KeyRing.parse(text(OTHER, MASTER)).seal_audit_key(
        MASTER_ID, counted
    )


def test_what_was_derived_under_an_earlier_key_can_be_told_again() -> None:
    rotated = KeyRing.parse(text(OTHER, MASTER))
    assert rotated.digest_of(MASTER_ID, b"purpose", b"data") == RING.derive(b"purpose", b"data")
    assert rotated.digest_of(MASTER_ID, b"purpose", b"data") != rotated.derive(b"purpose", b"data")
    assert OTHER_RING.digest_of(MASTER_ID, b"purpose", b"data") is None


def test_a_key_file_of_other_octets_than_text_is_no_key(tmp_path: Path) -> None:
    path = key_file(tmp_path, 0o400, "")
    path.chmod(0o600)
    path.write_bytes(b"\xff\xfe" + bytes(40))
    path.chmod(0o400)
    with pytest.raises(BadKeyFile, match="line 1 is not the base64 of 32 octets"):
        KeyRing.read(path)
