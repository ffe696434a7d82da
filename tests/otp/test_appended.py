import pytest
from hypothesis import given
from hypothesis import strategies as st

from radius2fa.otp.appended import splits

DIGITS = st.text("0123456789", min_size=6, max_size=8).map(str.encode)
LENGTHS = st.sets(st.sampled_from([6, 8]))


@pytest.mark.parametrize(
    ("password", "lengths", "expected"),
    [
        (b"secret123456", [6], ((b"secret", b"123456"),)),
        (b"secret123456", [8], ()),
        (b"secret12345678", [6, 8], ((b"secret", b"12345678"), (b"secret12", b"345678"))),
        (b"secret12345678", [6], ((b"secret12", b"345678"),)),
        (b"2024123456", [6, 8], ((b"20", b"24123456"), (b"2024", b"123456"))),
        (b"123456", [6, 8], ((b"", b"123456"),)),
        (b"12345", [6], ()),
        (b"secret", [6], ()),
        (b"", [6, 8], ()),
        (b"secret123456", [], ()),
        (b"secret123456 ", [6], ()),
        (b"secret123456\n", [6], ()),
        ("secret１２".encode(), [6], ()),  # noqa: RUF001 - full-width digits, six octets
    ],
)
def test_a_string_is_parted_from_the_right_by_the_lengths_of_the_tokens(
    password: bytes, lengths: list[int], expected: tuple[tuple[bytes, bytes], ...]
) -> None:
    assert splits(password, lengths, None) == expected


@pytest.mark.parametrize(
    ("password", "delimiter", "expected"),
    [
        (b"secret,123456", b",", ((b"secret", b"123456"),)),
        (b"sec,ret,123456", b",", ((b"sec,ret", b"123456"),)),
        (b"12345678,123456", b",", ((b"12345678", b"123456"),)),
        (b",123456", b",", ((b"", b"123456"),)),
        ("secret§123456".encode(), "§".encode(), ((b"secret", b"123456"),)),
        (b"secret123456", b",", ()),
        (b"123456", b",", ()),
        (b"secret,", b",", ()),
        (b"secret,1234567", b",", ()),
        (b"secret,12345a", b",", ()),
        (b"secret,123456,", b",", ()),
        (b"secret, 123456", b",", ()),
        (b"secret,12345678", b",", ()),
    ],
)
def test_with_a_delimiter_only_what_stands_behind_the_last_one_is_a_code(
    password: bytes, delimiter: bytes, expected: tuple[tuple[bytes, bytes], ...]
) -> None:
    assert splits(password, [6], delimiter) == expected


@given(password=st.binary(max_size=128), code=DIGITS)
def test_no_octet_of_a_password_is_lost(password: bytes, code: bytes) -> None:
    assert (password, code) in splits(password + code, [len(code)], None)


@given(password=st.binary(max_size=128), code=DIGITS, delimiter=st.sampled_from([b",", b"--", "§".encode()]))
def test_no_octet_in_front_of_the_delimiter_is_lost(password: bytes, code: bytes, delimiter: bytes) -> None:
    assert splits(password + delimiter + code, [len(code)], delimiter) == ((password, code),)


@given(password=st.binary(max_size=20) | DIGITS, lengths=LENGTHS, delimiter=st.none() | st.just(b"0"))
def test_every_split_is_the_whole_string_with_a_code_of_a_wanted_length(
    password: bytes, lengths: set[int], delimiter: bytes | None
) -> None:
    found = splits(password, lengths, delimiter)
    assert [before + (delimiter or b"") + code for before, code in found] == [password] * len(found)
    assert all(len(code) in lengths and set(code) <= set(b"0123456789") for _, code in found)
    assert [len(code) for _, code in found] == sorted({len(code) for _, code in found}, reverse=True)
