import traceback

import pytest

from radius2fa.enrol import yubikey
from radius2fa.otp.token import YubiKey

SECRET = (bytes.fromhex("010203040506"), bytes(range(16)))
WORDS = "010203040506 000102030405060708090a0b0c0d0e0f"


def ascending(count: int) -> bytes:
    """Random octets that everybody knows."""
    return bytes(range(count))


@pytest.mark.parametrize("text", [WORDS, WORDS.upper() + "\r\n", WORDS.replace(" ", "\n"), WORDS.replace(" ", ", ")])
def test_the_private_id_and_the_aes_key_are_read_however_they_are_parted(text: str) -> None:
    assert yubikey.read(text) == SECRET


@pytest.mark.parametrize(
    "text",
    [
        "",
        "010203040506",
        "000102030405060708090a0b0c0d0e0f 010203040506",  # the other way round
        WORDS + " 00",
        WORDS + "0f",
        WORDS.replace("0f", "0g"),
        "dvgtiblfkbgt urecfllberrvkinnctnndvgtiblfkbgt",
        "\udcff",
    ],
)
def test_what_is_no_secret_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match=r"its private id of 12 hexadecimal digits, then its AES key of 32$") as raised:
        yubikey.read(text)
    told = "".join(traceback.format_exception(raised.value)) if raised.value.__context__ else str(raised.value)
    assert "0102" not in told
    assert raised.value.__context__ is None


def test_a_yubikey_gets_a_name_and_a_public_id_in_small_letters() -> None:
    made = yubikey.begin("VVccccbhkcjd", SECRET, ascending)
    assert made == YubiKey(made.id, "vvccccbhkcjd", bytes(range(16)), bytes.fromhex("010203040506"))
    assert len(made.id) == 8


def test_a_yubikey_may_have_no_public_id() -> None:
    assert yubikey.begin("", SECRET, ascending).public_id == ""


@pytest.mark.parametrize("public_id", ["vvc", "vvccccbhkcja", "vv" * 9])
def test_a_public_id_that_is_none_is_refused(public_id: str) -> None:
    with pytest.raises(ValueError, match=r"^public_id: not an even number of up to 16 modhex characters$"):
        yubikey.begin(public_id, SECRET, ascending)
