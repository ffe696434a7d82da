import pytest
from hypothesis import given
from hypothesis import strategies as st

from radius2fa.otp.appended import splits
from radius2fa.otp.forms import fits
from radius2fa.otp.token import Factor, IssuedCode, Kind, Token, YubiKey

SIX = Token("six", Kind.TOTP, b"key")
EIGHT = Token("eight", Kind.TOTP, b"key", digits=8)
BARE = YubiKey("bare", "", bytes(16), bytes(6))
NAMED = YubiKey("named", "ddddgciilcjk", bytes(16), bytes(6))
RECOVERY = IssuedCode("recovery", Kind.RECOVERY, b"key", b"digest")
TEMPORARY = IssuedCode("temporary", Kind.TEMPORARY, b"key", b"digest")
INVITATION = IssuedCode("invitation", Kind.INVITATION, b"key", b"digest")
LOGIN = IssuedCode("login", Kind.PASSKEY, b"key", b"digest")
OTP = b"jhlifidginuirlhgidcvbfnutjnibldi"
LONG = b"ddddgciilcjk" + OTP

Splits = tuple[tuple[bytes, bytes], ...]


@pytest.mark.parametrize(
    ("password", "tokens", "expected"),
    [
        (b"secret123456", [SIX], ((b"secret", b"123456"),)),
        (b"secret123456", [EIGHT], ()),
        (b"secret12345678", [SIX, EIGHT], ((b"secret", b"12345678"), (b"secret12", b"345678"))),
        (b"secret12345678", [EIGHT, SIX, SIX], ((b"secret", b"12345678"), (b"secret12", b"345678"))),
        (b"secret12345678", [SIX], ((b"secret12", b"345678"),)),
        (b"2024123456", [SIX, EIGHT], ((b"20", b"24123456"), (b"2024", b"123456"))),
        (b"123456", [SIX, EIGHT], ((b"", b"123456"),)),
        (b"12345", [SIX], ()),
        (b"secret", [SIX], ()),
        (b"", [SIX, EIGHT, BARE, RECOVERY], ()),
        (b"secret123456", [], ()),
        (b"secret123456 ", [SIX], ()),
        (b"secret123456\n", [SIX], ()),
        ("secret１２".encode(), [SIX], ()),  # noqa: RUF001 - full-width digits, six octets
    ],
)
def test_a_string_is_parted_from_the_right_by_the_digits_of_the_tokens(
    password: bytes, tokens: list[Factor], expected: Splits
) -> None:
    assert splits(password, tokens, None) == expected


@pytest.mark.parametrize(
    ("password", "tokens", "expected"),
    [
        (b"secret" + OTP, [BARE], ((b"secret", OTP),)),
        (b"secret" + OTP, [NAMED], ()),
        (b"secret" + LONG, [NAMED], ((b"secret", LONG),)),
        (b"secret" + LONG.upper(), [NAMED, SIX], ((b"secret", LONG.upper()),)),
        (b"secret" + LONG, [BARE, NAMED], ((b"secret", LONG), (b"secretddddgciilcjk", OTP))),
        (b"kevin" + OTP, [BARE], ((b"kevin", OTP),)),
        (OTP, [BARE], ((b"", OTP),)),
        (OTP[1:], [BARE], ()),
        (b"secret" + OTP + b"c", [NAMED], ()),
        (b"secretabcde-fghjk", [RECOVERY], ((b"secret", b"abcde-fghjk"),)),
        (b"s\xc3\xa9cretABCDEFGHJK", [RECOVERY], ((b"s\xc3\xa9cret", b"ABCDEFGHJK"),)),
        (b"secret-abcde-fghjk", [RECOVERY], ((b"secret-", b"abcde-fghjk"),)),
        (b"pass4567890123", [RECOVERY, EIGHT], ((b"pass", b"4567890123"), (b"pass45", b"67890123"))),
        (b"secret12345678", [TEMPORARY], ((b"secret", b"12345678"),)),
        (b"secret12345678", [TEMPORARY, EIGHT], ((b"secret", b"12345678"),)),
        (b"secret12345678", [LOGIN, TEMPORARY], ((b"secret", b"12345678"),)),
        (b"secretabcde-fghjk", [INVITATION, RECOVERY], ((b"secret", b"abcde-fghjk"),)),
    ],
)
def test_a_string_is_parted_by_every_form_that_the_tokens_can_produce(
    password: bytes, tokens: list[Factor], expected: Splits
) -> None:
    assert splits(password, tokens, None) == expected


@pytest.mark.parametrize(
    ("password", "delimiter", "expected"),
    [
        (b"secret,123456", b",", ((b"secret", b"123456"),)),
        (b"sec,ret,123456", b",", ((b"sec,ret", b"123456"),)),
        (b"12345678,123456", b",", ((b"12345678", b"123456"),)),
        (b",123456", b",", ((b"", b"123456"),)),
        (b",,123456", b",", ((b",", b"123456"),)),
        ("secret§123456".encode(), "§".encode(), ((b"secret", b"123456"),)),
        (b"secret123456", b",", ()),
        (b"123456", b",", ()),
        (b"secret,", b",", ()),
        (b"secret,1234567", b",", ()),
        (b"secret,12345a", b",", ()),
        (b"secret,123456,", b",", ()),
        (b"secret, 123456", b",", ()),
        (b"secret,12345678", b",", ()),
        (b"secret,1,123456", b",1,", ((b"secret", b"123456"),)),
    ],
)
def test_with_a_delimiter_only_what_stands_behind_one_is_a_code(
    password: bytes, delimiter: bytes, expected: Splits
) -> None:
    assert splits(password, [SIX], delimiter) == expected


@pytest.mark.parametrize(
    ("password", "delimiter", "expected"),
    [
        (b"secret-abcde-fghjk", b"-", ((b"secret", b"abcde-fghjk"),)),
        (b"secret-abcdefghjk", b"-", ((b"secret", b"abcdefghjk"),)),
        (b"sec-ret-abcde-fghjk", b"-", ((b"sec-ret", b"abcde-fghjk"),)),
        (b"secretabcde-fghjk", b"-", ()),
        (b"abcde-fghjk", b"-", ()),
        (b"-abcde-fghjk", b"-", ((b"", b"abcde-fghjk"),)),
        (b"secret--abcde-fghjk", b"--", ((b"secret", b"abcde-fghjk"),)),
        (b"secret,abcde-fghjk", b",", ((b"secret", b"abcde-fghjk"),)),
        (b"secret" + b"x" + b"xxxxx-xxxxx", b"x", ((b"secret", b"xxxxx-xxxxx"),)),
    ],
)
def test_a_delimiter_may_stand_inside_of_a_code_too(password: bytes, delimiter: bytes, expected: Splits) -> None:
    assert splits(password, [RECOVERY, SIX], delimiter) == expected


# Properties

ALL = [SIX, EIGHT, BARE, NAMED, RECOVERY, TEMPORARY, INVITATION, LOGIN]
TOKENS = st.lists(st.sampled_from(ALL), max_size=8)
DELIMITERS = st.none() | st.sampled_from([b",", b"-", b"--", "§".encode(), b"c", b"x"])
PASSWORDS = st.binary(max_size=128) | st.text("0123456789abcd-", max_size=60).map(str.encode)
MODHEX = st.text("cbdefghijklnrtuvCBDEFGHIJKLNRTUV", min_size=32, max_size=32)
SYMBOLS = st.text("0123456789abcdefghijklmnopqrstvwxyzABC", min_size=5, max_size=5)


@st.composite
def typed_codes(draw: st.DrawFn) -> tuple[Factor, bytes]:
    """A token and what may be typed as its code."""
    token = draw(st.sampled_from(ALL))
    if isinstance(token, YubiKey):
        return token, (token.public_id + draw(MODHEX)).encode()
    if token in {RECOVERY, INVITATION}:
        return token, (draw(SYMBOLS) + draw(st.sampled_from(["", "-"])) + draw(SYMBOLS)).encode()
    count = 6 if token is SIX else 8
    return token, draw(st.text("0123456789", min_size=count, max_size=count)).encode()


@given(password=PASSWORDS, typed=typed_codes(), others=TOKENS, delimiter=DELIMITERS)
def test_the_split_at_the_true_place_is_always_among_them(
    password: bytes, typed: tuple[Factor, bytes], others: list[Factor], delimiter: bytes | None
) -> None:
    token, code = typed
    assert (password, code) in splits(password + (delimiter or b"") + code, [*others, token], delimiter)


@given(password=PASSWORDS, tokens=TOKENS, delimiter=DELIMITERS)
def test_no_octet_is_lost_and_every_code_has_the_form_of_a_tokens(
    password: bytes, tokens: list[Factor], delimiter: bytes | None
) -> None:
    found = splits(password, tokens, delimiter)
    assert [before + (delimiter or b"") + code for before, code in found] == [password] * len(found)
    assert all(any(fits(token, code) for token in tokens) for _, code in found)
    assert [len(code) for _, code in found] == sorted({len(code) for _, code in found}, reverse=True)
