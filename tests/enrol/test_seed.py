import base64
import traceback

import pytest

from radius2fa.enrol import seed

OCTETS = b"12345678901234567890"


@pytest.mark.parametrize(
    "text",
    [
        "3132333435363738393031323334353637383930",
        "31:32:33:34:35:36:37:38:39:30:31:32:33:34:35:36:37:38:39:30\n",
        "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
        "gezd gnbv gy3t qojq gezd gnbv gy3t qojq\r\n",
        "GEZD-GNBV-GY3T-QOJQ-GEZD-GNBV-GY3T-QOJQ",
    ],
)
def test_a_seed_is_read_however_it_is_written(text: str) -> None:
    assert seed.read(text) == OCTETS


@pytest.mark.parametrize("text", ["GAYTEMZUGU3DOOBZMFRGG===", "GAYTEMZUGU3DOOBZMFRGG"])
def test_padding_may_be_there_or_not(text: str) -> None:
    assert seed.read(text) == b"0123456789abc"


def test_hexadecimal_letters_may_be_small() -> None:
    assert seed.read("00ff" * 5) == b"\x00\xff" * 5


@pytest.mark.parametrize("text", ["GEZDGNBVGY3TQOJQ1", "GEZDGNBVGY3TQOJQG", "313", "not a seed!", "ＧＥＺＤ"])  # noqa: RUF001
def test_what_is_no_seed_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match=r"^the seed is neither hexadecimal nor base32$") as raised:
        seed.read(text)
    assert raised.value.__cause__ is None
    assert text not in "".join(traceback.format_exception_only(raised.value))


@pytest.mark.parametrize(("text", "octets"), [("", 0), ("313233343536373839", 9), ("GEZDGNBV", 5)])
def test_a_seed_of_less_than_80_bits_is_refused(text: str, octets: int) -> None:
    with pytest.raises(ValueError, match=rf"^the seed has {octets} octets; it needs at least 10$"):
        seed.read(text)


def test_a_seed_of_more_than_1024_bits_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^the seed has 129 octets; it may have 128 at most$"):
        seed.read("ab" * 129)


@pytest.mark.parametrize("text", ["ABCDEF234567ABCDEF234567", "abcd-ef23-4567-abcd-ef23-4567"])
def test_what_is_known_to_be_base32_is_never_read_as_hex(text: str) -> None:
    assert seed.read_base32(text) == base64.b32decode("ABCDEF234567ABCDEF234567")


@pytest.mark.parametrize("text", ["3132333435363738393031323334353637383930", "not a seed!"])
def test_what_should_be_base32_and_is_not_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"^the seed is not base32 \(the letters A to Z and the digits 2 to 7\)$"
    ) as raised:
        seed.read_base32(text)
    assert raised.value.__cause__ is None
