"""The digests were computed by `openssl dgst -sha256 -mac HMAC`."""

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radius2fa.otp.issued import digest_of, invitation, login_code, normal, of_letters, recovery_code, temporary_code
from radius2fa.otp.token import ISSUED, Kind

KEY = b"k" * 32
LETTERS, DIGITS = (Kind.RECOVERY, Kind.INVITATION), (Kind.TEMPORARY, Kind.PASSKEY)


def octets(*given: bytes) -> Callable[[int], bytes]:
    """Return a source of these octets, each draw as long as it is asked for."""
    draws = list(given)

    def random(count: int) -> bytes:
        draw = draws.pop(0)
        assert len(draw) == count
        return draw

    return random


@pytest.mark.parametrize(
    ("drawn", "code"),
    [
        (range(10), "01234-56789"),
        (range(10, 20), "abcde-fghjk"),
        (range(20, 30), "mnpqr-stvwx"),
        ([30, 31, 32, 63, 64, 95, 128, 224, 254, 255], "yz0z0-z00yz"),
    ],
)
def test_a_recovery_code_is_ten_symbols_of_crockfords_base32(drawn: list[int], code: str) -> None:
    assert recovery_code(octets(bytes(drawn))) == code


def test_each_symbol_of_a_recovery_code_is_as_likely_as_any_other() -> None:
    """Out of all 256 octets, each of the 32 symbols comes from 8."""
    codes = [recovery_code(octets(bytes([octet]) * 10)) for octet in range(256)]
    assert set(Counter(code[0] for code in codes).values()) == {8}
    assert len(set(codes)) == 32


@pytest.mark.parametrize(
    ("drawn", "code"),
    [
        ([0], "00000000"),
        ([7], "00000007"),
        ([99_999_999], "99999999"),
        ([100_000_000], "00000000"),
        ([4_199_999_999], "99999999"),
        ([4_200_000_000, 12_345_678], "12345678"),
        ([4_294_967_295, 4_200_000_001, 5], "00000005"),
    ],
)
def test_a_temporary_code_is_eight_digits_each_as_likely_as_any_other(drawn: list[int], code: str) -> None:
    """42 times 100 million numbers are taken; of the rest that four octets can hold, none."""
    assert temporary_code(octets(*(number.to_bytes(4, "big") for number in drawn))) == code


def test_an_invitation_has_the_form_of_a_recovery_code_and_a_login_code_that_of_a_temporary_one() -> None:
    assert invitation(octets(bytes(range(10, 20)))) == "abcde-fghjk"
    drawn = (4_200_000_000).to_bytes(4, "big"), (12_345_678).to_bytes(4, "big")
    assert login_code(octets(*drawn)) == "12345678"
    assert [kind for kind in ISSUED if of_letters(kind)] == list(LETTERS)
    assert set(ISSUED) == {*LETTERS, *DIGITS}


@pytest.mark.parametrize("kind", LETTERS)
@pytest.mark.parametrize(
    "typed",
    [
        b"10c0v-w5tz1",
        b"10c0vw5tz1",
        b"10C0V-W5TZ1",
        b"lOcOv-W5tzI",
        b"ioCov-w5TzL",
        b"LocoVw5tzi",
    ],
)
def test_a_code_of_letters_is_read_however_it_is_written(typed: bytes, kind: Kind) -> None:
    assert normal(kind, typed) == b"10c0vw5tz1"


@pytest.mark.parametrize("kind", LETTERS)
@pytest.mark.parametrize(
    "typed",
    [
        b"",
        b"abcde-fghj",
        b"abcde-fghjkm",
        b"abcdefghj",
        b"abcdefghjkm",
        b"abcd-efghjk",
        b"abcdef-ghjk",
        b"-abcdefghjk",
        b"abcdefghjk-",
        b"abcde--fghjk",
        b"abcde-fghj-",
        b"abcde fghjk",
        b"abcde-fghju",  # the one letter that stands for nothing
        b"abcde-fghjU",
        b"abcde-fghjk\n",
        b" abcde-fghjk",
        b"abcde-fgh\xc3\xa9",
        b"\xff" * 10,
        b"abcde_fghjk",
    ],
)
def test_what_is_not_in_the_form_of_a_code_of_letters(typed: bytes, kind: Kind) -> None:
    assert normal(kind, typed) is None


@pytest.mark.parametrize("kind", DIGITS)
@pytest.mark.parametrize(
    "typed",
    [b"", b"1234567", b"123456789", b"1234-5678", b"1234567o", b"1234567\n", b" 1234567", "１２３".encode()],  # noqa: RUF001
)
def test_a_code_of_digits_is_eight_ascii_digits(typed: bytes, kind: Kind) -> None:
    assert normal(kind, typed) is None
    assert normal(kind, b"01234567") == b"01234567"


@given(st.binary(min_size=10, max_size=10), st.sampled_from(LETTERS))
def test_every_code_of_letters_can_be_read_as_it_is_shown(drawn: bytes, kind: Kind) -> None:
    code = (recovery_code if kind is Kind.RECOVERY else invitation)(octets(drawn))
    assert normal(kind, code.encode()) == code.replace("-", "").encode()


@given(st.integers(0, 4_199_999_999), st.sampled_from(DIGITS))
def test_every_code_of_digits_can_be_read_as_it_is_shown(drawn: int, kind: Kind) -> None:
    code = (temporary_code if kind is Kind.TEMPORARY else login_code)(octets(drawn.to_bytes(4, "big"))).encode()
    assert normal(kind, code) == code


@pytest.mark.parametrize(
    ("code", "digest"),
    [
        (b"7k2mqx9f4c", "37bfb12d7cb5585ef4b23452db9d8cfc470264a0bc1f6da3e3bb39727a98b099"),
        (b"90817263", "32a3e0410714d178847bb5f7a03613e0e7133886050f2a56fc2e0c87c634a37c"),
    ],
)
def test_a_digest_is_an_hmac_over_the_length_of_the_id_the_id_and_the_code(code: bytes, digest: str) -> None:
    assert digest_of(KEY, "code", code).hex() == digest


def test_a_digest_is_of_no_use_under_another_key_or_in_another_row() -> None:
    digests = {
        digest_of(KEY, "row", b"abcdefghjk"),
        digest_of(KEY[::-1] + b"x", "row", b"abcdefghjk"),
        digest_of(KEY, "rowa", b"bcdefghjk"),  # the same octets, parted elsewhere
        digest_of(KEY, "ro", b"wabcdefghjk"),
        digest_of(KEY, "other", b"abcdefghjk"),
        digest_of(KEY, "row", b"abcdefghjm"),
    }
    assert len(digests) == 6
