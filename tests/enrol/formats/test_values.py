import pytest

from radius2fa.enrol.formats import values
from radius2fa.otp.token import Algorithm


@pytest.mark.parametrize("text", ["-1", "1.0", "0x10", "१", "1" * 5000, str(2**63)])
def test_what_is_no_whole_number_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match=r"^the counter is not a whole number$"):
        values.whole(text, "counter", 0)


def test_no_number_is_the_default_if_there_is_one() -> None:
    assert values.whole("", "counter", 7) == 7
    with pytest.raises(ValueError, match=r"^the counter is not a whole number$"):
        values.whole("", "counter")


@pytest.mark.parametrize("text", ["1.00013E+12", "2,60013E+12", "1e+12"])
def test_a_serial_number_that_a_spreadsheet_has_rounded_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"^a spreadsheet has rounded the serial number"):
        values.serial(text)


@pytest.mark.parametrize("text", ["a\x1bb", "x" * 101])
def test_a_serial_number_can_be_printed(text: str) -> None:
    with pytest.raises(ValueError, match=r"^the serial number is not made of up to 100 printable characters$"):
        values.serial(text)


def test_no_serial_number_is_none_unless_it_is_needed() -> None:
    assert values.serial("") is None
    with pytest.raises(ValueError, match=r"^the serial number is missing$"):
        values.needed_serial("")


@pytest.mark.parametrize("text", ["sha256", "SHA-256", "HMAC-SHA256", "HmacSHA256", "hmac_sha_256"])
def test_a_hash_goes_by_several_names(text: str) -> None:
    assert values.algorithm(text) is Algorithm.SHA256


def test_no_hash_is_sha1_and_another_one_is_refused() -> None:
    assert values.algorithm("") is Algorithm.SHA1
    with pytest.raises(ValueError, match=r"^the hash is not SHA1, SHA256 or SHA512$"):
        values.algorithm("MD5")
