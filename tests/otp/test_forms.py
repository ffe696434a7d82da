import pytest
from hypothesis import given
from hypothesis import strategies as st

from radius2fa.otp.forms import fits, lengths, unlike
from radius2fa.otp.token import Factor, IssuedCode, Kind, Token, YubiKey

SIX = Token("six", Kind.TOTP, b"key")
EIGHT = Token("eight", Kind.HOTP, b"key", digits=8)
BARE = YubiKey("bare", "", bytes(16), bytes(6))
NAMED = YubiKey("named", "ddddgciilcjk", bytes(16), bytes(6))
RECOVERY = IssuedCode("recovery", Kind.RECOVERY, b"key", b"digest")
TEMPORARY = IssuedCode("temporary", Kind.TEMPORARY, b"key", b"digest")
INVITATION = IssuedCode("invitation", Kind.INVITATION, b"key", b"digest")
LOGIN = IssuedCode("login", Kind.PASSKEY, b"key", b"digest")
OTP = b"jhlifidginuirlhgidcvbfnutjnibldi"


@pytest.mark.parametrize(
    ("token", "codes"),
    [
        (SIX, [b"000000", b"123456"]),
        (EIGHT, [b"00000000", b"12345678"]),
        (BARE, [OTP, OTP.upper(), OTP.title()]),
        (NAMED, [NAMED.public_id.encode() + OTP, NAMED.public_id.upper().encode() + OTP.upper()]),
        (RECOVERY, [b"abcde-fghjk", b"ABCDEFGHJK", b"0123456789"]),
        (TEMPORARY, [b"00000000", b"12345678"]),
        (INVITATION, [b"abcde-fghjk", b"ABCDEFGHJK", b"0123456789"]),
        (LOGIN, [b"00000000", b"12345678"]),
    ],
)
def test_a_code_fits_and_one_character_less_or_more_does_not(token: Factor, codes: list[bytes]) -> None:
    for code in codes:
        assert fits(token, code)
        assert len(code) in lengths(token)
        assert not fits(token, code[:-1])
        assert not fits(token, code + code[-1:])
        assert not fits(token, code + b"\n")
        assert not fits(token, b" " + code[1:])


@pytest.mark.parametrize(
    ("token", "code"),
    [
        (SIX, "１２".encode()),  # noqa: RUF001 - wide digits, six octets
        (SIX, b"12345a"),
        (SIX, b"+12345"),
        (EIGHT, b"1234 678"),
        (BARE, OTP[:-1] + b"a"),
        (BARE, OTP[:-1] + b"1"),
        (BARE, OTP[:-1] + b"\xe9"),
        (NAMED, b"ddddgciilcjl" + OTP),
        (NAMED, OTP + NAMED.public_id.encode()),
        (RECOVERY, b"abcde+fghjk"),
        (RECOVERY, b"abcde-fghju"),
        (TEMPORARY, b"1234-678"),
        (INVITATION, b"abcde-fghju"),
        (LOGIN, b"1234567a"),
    ],
)
def test_the_right_length_alone_does_not_fit(token: Factor, code: bytes) -> None:
    assert len(code) in lengths(token)
    assert not fits(token, code)


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (SIX, (6,)),
        (EIGHT, (8,)),
        (BARE, (32,)),
        (NAMED, (44,)),
        (RECOVERY, (10, 11)),
        (TEMPORARY, (8,)),
        (INVITATION, (10, 11)),
        (LOGIN, (8,)),
    ],
)
def test_the_lengths_of_the_codes(token: Factor, expected: tuple[int, ...]) -> None:
    assert lengths(token) == expected


@given(
    token=st.sampled_from([SIX, EIGHT, BARE, NAMED, RECOVERY, TEMPORARY, INVITATION, LOGIN]),
    code=st.binary(max_size=50) | st.text("0123456789bcdk-", max_size=12).map(str.encode),
)
def test_nothing_fits_that_is_of_another_length(token: Factor, code: bytes) -> None:
    assert not fits(token, code) or len(code) in lengths(token)


def test_tokens_are_alike_if_their_codes_look_alike() -> None:
    others = [Token("hotp", Kind.HOTP, b"another"), YubiKey("twin", "", bytes(range(16)), bytes(6))]
    codes = [IssuedCode(str(number), Kind.RECOVERY, b"key", b"digest") for number in range(10)] + [INVITATION, LOGIN]
    several = [SIX, EIGHT, BARE, NAMED, RECOVERY, TEMPORARY]
    assert {lengths(token) for token in unlike([*several, *others, *codes])} == {lengths(token) for token in several}
    assert len(unlike([*several, *others, *codes])) == 6
    assert unlike([]) == []
