import base64
import hmac
import re

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from tests.enrol.formats.pskc_files import VECTORS, figure
from tests.enrol.formats.reading import SEED, read

KEY = bytes.fromhex("12345678901234567890123456789012")
AES256 = (VECTORS / "aes256.xml").read_bytes()
PBKDF2 = (VECTORS / "pbkdf2.xml").read_bytes()
PASSWORD = b"correct horse"
NO_AES = "a value is not encrypted with AES-128-CBC, AES-192-CBC or AES-256-CBC"


def test_a_wrong_key_is_told_before_anything_comes_in() -> None:
    outcome = read(figure(6), key=KEY[:-1] + b"\0")
    assert outcome.drafts == []
    assert outcome.fault == "line 9: the key is not that of this file"


def test_a_wrong_password_is_told_before_anything_comes_in() -> None:
    outcome = read(figure(7), password=b"qwertz")
    assert outcome.drafts == []
    assert outcome.fault == "line 26: the password is not that of this file"


def test_a_wrong_key_that_opens_the_key_of_the_mac_by_chance_opens_nothing_else() -> None:
    """The padding of XML Encryption is one octet: one wrong key in sixteen passes it."""
    outcomes = [read(figure(6), key=KEY[:-1] + bytes([last])) for last in range(256) if last != KEY[-1]]
    by_chance = [outcome for outcome in outcomes if outcome.stopped is None]
    assert len(by_chance) > 0
    for outcome in by_chance:
        assert (
            outcome.reason
            == "the MAC of an encrypted value is wrong: it was altered, or the key is not that of this file"
        )


def test_a_key_of_another_length_is_told_with_the_right_one() -> None:
    assert read(AES256, key=KEY).fault == (
        "line 7: the key has 16 octets, and the file is encrypted with AES-256, whose keys have 32 "
        "(64 hexadecimal digits)"
    )


def altered(content: bytes, tag: bytes, at: int) -> bytes:
    """The file with one letter of the last element of a name changed."""
    start = content.rindex(b"<" + tag) + len(tag) + 2
    start += len(content[start:]) - len(content[start:].lstrip())
    other = b"A" if content[start + at : start + at + 1] != b"A" else b"B"
    return content[: start + at] + other + content[start + at + 1 :]


@pytest.mark.parametrize(("tag", "at"), [(b"xenc:CipherValue", 0), (b"xenc:CipherValue", 30), (b"ValueMAC", 5)])
def test_what_was_altered_is_not_opened(tag: bytes, at: int) -> None:
    assert read(altered(figure(6), tag, at), key=KEY).reason == (
        "the MAC of an encrypted value is wrong: it was altered, or the key is not that of this file"
    )


def test_an_altered_counter_is_not_used() -> None:
    outcome = read(altered(AES256, b"xenc:CipherValue", 0), key=bytes(range(32)))
    assert [draft.serial for draft in outcome.drafts] == ["A1"]
    assert [one.reason for one in outcome.rejected] == [
        "the MAC of an encrypted value is wrong: it was altered, or the key is not that of this file"
    ]


def sealed(plain: bytes, *, padding: bytes | None = None) -> bytes:
    """A value under the key of AES256, and its MAC."""
    padded = plain + (bytes([16 - len(plain) % 16]) * (16 - len(plain) % 16) if padding is None else padding)
    encryptor = Cipher(algorithms.AES(bytes(range(32))), modes.CBC(b"\x55" * 16)).encryptor()
    return b"\x55" * 16 + encryptor.update(padded) + encryptor.finalize()


def with_counter(ciphertext: bytes) -> bytes:
    """The file AES256 with another counter, whose MAC is right."""
    mac = hmac.digest(bytes(range(64)), ciphertext, "sha512")
    head, tail = AES256.split(b"<pskc:Counter>")
    for tag, value in ((b"xenc:CipherValue", ciphertext), (b"pskc:ValueMAC", mac)):
        tail = re.sub(b"<%b>.*?</%b>" % (tag, tag), b"<%b>%b</%b>" % (tag, base64.b64encode(value), tag), tail)
    return head + b"<pskc:Counter>" + tail


@pytest.mark.parametrize(
    ("plain", "counter"),
    [
        (b"\0\0\x01\0", 256),
        (b"\0\0\0\0\0\0\x01\0", 256),
        (b"1234", 0x31323334),
        (b"12345", 12345),
        (b"\x2a", 42),
        (b"", 0),
    ],
)
def test_an_encrypted_counter_is_big_endian_or_if_its_length_allows_it_digits(plain: bytes, counter: int) -> None:
    second = read(with_counter(sealed(plain)), key=bytes(range(32))).drafts[1]
    assert second.token.counter == counter


@pytest.mark.parametrize(
    ("ciphertext", "reason"),
    [
        (sealed(b"\xff" * 4), "the Counter is below 0, or too large"),
        (sealed(b"\xff" * 9), "the Counter is not a whole number"),
        (sealed(b"\x01")[:-1], "an encrypted value is damaged: it is not made of whole blocks"),
        (sealed(b"")[:16], "an encrypted value is damaged: it is not made of whole blocks"),
        (sealed(b"\x01", padding=b"\0" * 15), "an encrypted value is damaged: its padding is wrong"),
        (sealed(b"\x01", padding=b"\x11" * 15), "an encrypted value is damaged: its padding is wrong"),
    ],
)
def test_a_damaged_value_with_a_right_mac_is_told(ciphertext: bytes, reason: str) -> None:
    outcome = read(with_counter(ciphertext), key=bytes(range(32)))
    assert [one.reason for one in outcome.rejected] == [reason]


def test_a_key_of_a_mac_that_is_too_short_is_taken_for_a_wrong_key() -> None:
    short = base64.b64encode(sealed(bytes(15)))
    text = re.sub(rb"<xenc:CipherValue>.*?<", b"<xenc:CipherValue>" + short + b"<", AES256, count=1)
    assert read(text, key=bytes(range(32))).fault == "line 6: the key is not that of this file"


def test_without_a_mac_nothing_is_opened() -> None:
    bare = re.sub(rb"<ValueMAC>.*?</ValueMAC>", b"", figure(6), flags=re.DOTALL)
    reason = "an encrypted value has no MAC, which RFC 6030 asks for: ask the maker for a file with MACs"
    assert read(bare, key=KEY).reason == reason
    methodless = re.sub(rb"<MACMethod.*?</MACMethod>", b"", figure(6), flags=re.DOTALL)
    outcome = read(methodless, key=KEY)
    assert outcome.reason == reason
    assert outcome.asked == []


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (
            b"#aes128-cbc",
            b"#tripledes-cbc",
            f"line 9: the key of the MAC cannot be opened: {NO_AES}",
        ),
        (
            b"#hmac-sha1",
            b"#hmac-md5",
            "line 9: the MAC of the file is not HMAC with SHA-1 or SHA-2: ask its maker for another",
        ),
        (
            b"MACKey>",
            b"MACKeyReference>",
            "line 9: the file does not hold the key of its MAC: ask its maker for one that does",
        ),
    ],
)
def test_a_mac_that_is_not_known_is_told(old: bytes, new: bytes, reason: str) -> None:
    assert read(figure(6).replace(old, new), key=KEY).fault == reason


def test_an_encryption_that_is_not_known_is_told_if_its_mac_is_right() -> None:
    head, tail = figure(6).split(b"<KeyPackage>")
    outcome = read(head + b"<KeyPackage>" + tail.replace(b"#aes128-cbc", b"#kw-aes128"), key=KEY)
    assert outcome.reason == NO_AES


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "an encrypted value has no CipherValue"),
        (b"!!!!", "a value is not base64"),
    ],
)
def test_a_damaged_value_is_told(value: bytes, reason: str) -> None:
    head, tail = figure(6).split(b"<KeyPackage>")
    tail = re.sub(rb"<xenc:CipherValue>.*?</xenc", b"<xenc:CipherValue>" + value + b"</xenc", tail, flags=re.DOTALL)
    assert read(head + b"<KeyPackage>" + tail, key=KEY).reason == reason


def test_a_value_that_is_neither_plain_nor_encrypted_is_told() -> None:
    head, tail = figure(6).split(b"<KeyPackage>")
    assert read(head + b"<KeyPackage>" + tail.replace(b"EncryptedValue", b"OtherValue"), key=KEY).reason == (
        "a value is neither plain nor encrypted"
    )


@pytest.mark.parametrize("prf", [b"<PRF/>", b'<PRF Algorithm="http://www.w3.org/2000/09/xmldsig#hmac-sha1"/>', b""])
def test_the_function_of_pbkdf2_is_sha1_unless_it_is_said(prf: bytes) -> None:
    assert read(figure(7).replace(b"<PRF/>", prf), password=b"qwerty").token.key == SEED


def test_the_function_of_pbkdf2_may_be_an_attribute_too() -> None:
    text = re.sub(rb"<PRF>(.*)</PRF>", rb'<PRF Algorithm="\1"/>', PBKDF2)
    assert b"<PRF Algorithm" in text
    assert len(read(text, password=PASSWORD).drafts) == 2


LIMITS = (
    "the key is derived in a way that is not allowed for: without Salt, with IterationCount above 10000000, or with a "
    "KeyLength that is not 16, 24 or 32"
)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (
            b"#pbkdf2",
            b"#scrypt",
            "the key of the file is derived by something else than PBKDF2: ask its maker for another",
        ),
        (b"PBKDF2-params", b"other", "the file does not tell how its key is derived: PBKDF2-params is missing"),
        (b">2000<", b">many<", "the file does not tell how its key is derived: look at PBKDF2-params"),
        (b">2000<", b">10000001<", LIMITS),
        (b">2000<", b">0<", LIMITS),
        (b">24<", b">20<", LIMITS),
        (b"c2FsdHNhbHQ=", b"", LIMITS),
        (b"hmac-sha256</PRF>", b"hmac-md5</PRF>", "the PRF of PBKDF2 is not HMAC with SHA-1 or SHA-2"),
    ],
)
def test_a_derivation_that_is_not_known_or_would_take_ages_is_told(old: bytes, new: bytes, reason: str) -> None:
    outcome = read(PBKDF2.replace(old, new), password=PASSWORD)
    assert outcome.fault.partition(": ")[2] == reason
    assert outcome.drafts == []


def test_secrets_do_not_show() -> None:
    outcome = read(AES256, key=bytes(range(32)))
    assert "1234567890" not in repr(outcome.drafts)
