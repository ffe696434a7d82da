"""The vectors are Yubico's; what `ykgenerate` and `modhex` of libyubikey 1.13 made is named as such."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radius2fa.otp.token import MODHEX, YubiKey
from radius2fa.otp.yubico import from_modhex, public_ids, read, to_modhex
from tests.otp.touched import crc16, touched

AES = bytes.fromhex("000102030405060708090a0b0c0d0e0f")
KEY = YubiKey("key", "", AES, bytes.fromhex("010203040506"))
OLD = YubiKey("old", "", bytes.fromhex("c4422890653076cde73d449b191b416a"), bytes.fromhex("33c69e7f249e"))
NAMED = YubiKey(
    "named", "ddddgciilcjk", bytes.fromhex("b8c56af07ff79b2230e04ab8891784ce"), bytes.fromhex("1dfc67f97828")
)
VECTORS = [
    (KEY, b"dvgtiblfkbgturecfllberrvkinnctnn", 1, 1),
    (KEY, b"rnibcnfhdninbrdebccrndfhjgnhftee", 1, 2),
    (KEY, b"iikkijbdknrrdhfdrjltvgrbkkjblcbh", 4095, 1),
    (OLD, b"iucvrkjiegbhidrcicvlgrcgkgurhjnj", 1, 0),
    (NAMED, b"ddddgciilcjkjhlifidginuirlhgidcvbfnutjnibldi", 1, 2),
]
FIRST = VECTORS[0][1]

YUBIKEYS = st.builds(
    YubiKey,
    id=st.just("key"),
    public_id=st.binary(max_size=8).map(to_modhex),
    key=st.binary(min_size=16, max_size=16),
    private_id=st.binary(min_size=6, max_size=6),
)


# Reading


@pytest.mark.parametrize(("key", "code", "use", "session"), VECTORS)
def test_yubicos_vectors(key: YubiKey, code: bytes, use: int, session: int) -> None:
    assert read(key, code) == 256 * use + session


@pytest.mark.parametrize(("key", "code", "use", "session"), VECTORS)
def test_a_caps_lock_or_a_shift_key_does_no_harm(key: YubiKey, code: bytes, use: int, session: int) -> None:
    assert read(key, code.upper()) == 256 * use + session
    assert read(key, code.swapcase().capitalize()) == 256 * use + session


@pytest.mark.parametrize(
    ("code", "use", "session"),
    [
        (b"jneuduejvkgkcfvfcklrjrrnkvngjefb", 0x0001, 0x00),
        (b"chvnlcetrbckngulktkeilcjhvvtinuf", 0x0001, 0x00),  # 8001 inside
        (b"ruvdcncitljedkivhtvbhjgejgjdevbv", 0x0001, 0x01),  # 8001 inside
        (b"ekghrbjivvudhuenkvedidjcieiftjjt", 0x0001, 0xFF),
        (b"gbldjilhvubcehdbbvbcldtgrrinbiue", 0x7FFF, 0xFF),
        (b"egrtctvuildfrngfkceetjnlcbvirurc", 0x7FFF, 0xFF),  # ffff inside
    ],
)
def test_the_bit_of_the_caps_lock_is_no_part_of_the_count(code: bytes, use: int, session: int) -> None:
    """Codes of ykgenerate; ykparse names the same counters, cleaned."""
    assert read(KEY, code) == 256 * use + session


@pytest.mark.parametrize(("key", "code", "use", "session"), VECTORS)
def test_one_character_less_or_more_is_no_code(key: YubiKey, code: bytes, use: int, session: int) -> None:
    del use, session
    for other in (code[1:], code[:-1], b"c" + code, code + b"c", code + b"\n", b" " + code, b"cc" + code, b""):
        assert read(key, other) is None


@pytest.mark.parametrize("place", range(len(FIRST)))
def test_one_other_character_is_no_code(place: int) -> None:
    for letter in MODHEX - {chr(FIRST[place])}:
        assert read(KEY, FIRST[:place] + letter.encode() + FIRST[place + 1 :]) is None


@pytest.mark.parametrize("letter", [b"a", b"0", b"\xe9", b"\0", b" "])
def test_a_character_beside_modhex_is_no_code(letter: bytes) -> None:
    assert read(KEY, FIRST[:-1] + letter) is None


@pytest.mark.parametrize(
    "code",
    [
        b"bngfetjbflfegtvfnhjngubjhevhetrh",  # a bit of the CRC
        b"rbgjejjbkicufenhhvfnerrgujgbbrhf",  # a bit of what it is about
        b"ktkcbtggbgdvfirfivkgcirldbefihfk",  # its octets the wrong way round
    ],
)
def test_a_block_with_a_wrong_crc_is_no_code(code: bytes) -> None:
    """Blocks that openssl encrypted; ykparse says `crc check: fail` to the first."""
    assert read(KEY, code) is None


@pytest.mark.parametrize("code", [b"fgvnfhfjcbtleeftiilbilvrjnngljeb", b"tnltuhehinjtdgefndfnkfjkkcrvtlki"])
def test_another_private_id_is_no_code(code: bytes) -> None:
    """Codes of ykgenerate for 010203040507 and 000203040506."""
    assert read(KEY, code) is None


def test_another_aes_key_is_no_code() -> None:
    assert read(YubiKey("other", "", AES[::-1], KEY.private_id), FIRST) is None


@pytest.mark.parametrize("other", ["", "ddddgciilcjl", "ccddgciilcjk", "ddddgciilc"])
def test_another_public_id_is_no_code(other: str) -> None:
    code = other.encode() + VECTORS[4][1][-32:]
    assert read(NAMED, code) is None
    assert read(YubiKey("other", other, NAMED.key, NAMED.private_id), code) == 256 + 2


def test_the_yubikey_of_the_tests_types_yubicos_vectors() -> None:
    """What is inside of them, libyubikey's ykparse tells."""
    assert touched(KEY, 1, 1, time=0x010001) == VECTORS[0][1]
    assert touched(KEY, 4095, 1, time=0x010001) == VECTORS[2][1]
    assert touched(OLD, 1, 0, time=0x2413A7, noise=0xC63C) == VECTORS[3][1]
    assert touched(NAMED, 1, 2, time=0x66E16D, noise=0x7A73) == VECTORS[4][1]
    assert crc16(b"123456789") ^ 0xFFFF == 0x906E  # the check value of CRC-16/IBM-SDLC, which is ISO 13239's


@given(
    key=YUBIKEYS,
    use=st.integers(0, 0x7FFF),
    session=st.integers(0, 0xFF),
    time=st.integers(0, 0xFFFFFF),
    noise=st.integers(0, 0xFFFF),
    caps_lock=st.booleans(),
)
def test_whatever_a_yubikey_types_is_read(
    key: YubiKey, use: int, session: int, time: int, noise: int, *, caps_lock: bool
) -> None:
    code = touched(key, use | 0x8000 * caps_lock, session, time=time, noise=noise)
    assert read(key, code.upper() if caps_lock else code) == 256 * use + session


@given(key=YUBIKEYS, code=st.binary(max_size=60) | st.text(sorted(MODHEX), min_size=32, max_size=48).map(str.encode))
def test_any_other_octets_are_not(key: YubiKey, code: bytes) -> None:
    assert read(key, code) is None


# Modhex


@pytest.mark.parametrize(
    ("octets", "letters"),
    [
        ("", ""),
        ("0123456789abcdef", "cbdefghijklnrtuv"),
        ("69b6481c8baba2b60e8f22179b58cd56", "hknhfjbrjnlnldnhcujvddbikngjrtgh"),
    ],
)
def test_modhex_as_yubicos_program_writes_it(octets: str, letters: str) -> None:
    assert to_modhex(bytes.fromhex(octets)) == letters
    assert from_modhex(letters) == from_modhex(letters.upper()) == bytes.fromhex(octets)


@pytest.mark.parametrize("text", ["c", "cbd", "0123", "ab", "cc cc", "cc\n", "ｃｃ", "ßß", "--"])  # noqa: RUF001 - wide
def test_what_is_not_modhex_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="modhex"):
        from_modhex(text)


@given(st.binary(max_size=40))
def test_modhex_there_and_back(octets: bytes) -> None:
    assert from_modhex(to_modhex(octets)) == octets


# Public ids


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (b"", []),
        (b"c", []),
        (b"secret", ["et", "cret"]),
        (b"secrets", []),
        (b"secret,", []),
        (b"sec,ddddgc", ["gc", "ddgc", "ddddgc"]),
        (b"secret-ddddgciilcjk", ["jk", "lcjk", "iilcjk", "gciilcjk", "ddgciilcjk", "ddddgciilcjk"]),
        (b"secret,DDddGC", ["gc", "ddgc", "ddddgc"]),
        (b"kevinddgc", ["gc", "ddgc", "inddgc", "evinddgc"]),
        (b"gavinddgc", ["gc", "ddgc", "inddgc"]),
        (b"bb", ["bb"]),
        (b"xbb", ["bb"]),
        (b"xcbb", ["bb"]),
        (b"ax" + b"cb" * 8, ["cb" * pairs for pairs in range(1, 9)]),
        (b"ul" + b"cb" * 8, ["cb" * pairs for pairs in range(1, 9)]),
    ],
)
def test_the_public_ids_that_may_stand_in_front_of_a_code(before: bytes, expected: list[str]) -> None:
    assert public_ids(before + FIRST) == tuple(expected)
    assert public_ids(before + FIRST.upper()) == tuple(expected)


@pytest.mark.parametrize(
    "typed",
    [
        b"",
        b"secret123456",
        b"c" * 33,
        b"cc" + FIRST[:-1],
        b"cc" + FIRST + b" ",
        b"cc" + FIRST[:-1] + b"a",
        b"correct horse battery staple, correct horse battery staple",
    ],
)
def test_an_ordinary_password_ends_in_no_code(typed: bytes) -> None:
    assert public_ids(typed) == ()


@given(before=st.binary(max_size=80), key=YUBIKEYS.filter(lambda key: key.public_id != ""), use=st.integers(1, 0x7FFF))
def test_the_true_public_id_is_among_them(before: bytes, key: YubiKey, use: int) -> None:
    found = public_ids(before + touched(key, use, 0))
    assert key.public_id in found
    assert [len(public_id) for public_id in found] == list(range(2, 2 * len(found) + 1, 2))
    assert len(found) <= 8
