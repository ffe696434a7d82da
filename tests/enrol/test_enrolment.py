import base64
import os
from dataclasses import replace
from urllib.parse import parse_qs, unquote, urlsplit

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radius2fa.enrol.enrolment import Form, begin, confirm, present
from radius2fa.otp.token import DIGITS, PERIODS, Algorithm, Kind, Token, YubiKey
from radius2fa.otp.verify import Match, Windows
from tests.otp import oathtool

SEED = b"12345678901234567890"
NOW = 47251645 * 30.0


def ascending(count: int) -> bytes:
    """Random octets that everybody knows."""
    return bytes(range(count))


@pytest.mark.parametrize(("algorithm", "octets"), [("SHA1", 20), ("SHA256", 32), ("SHA512", 64)])
def test_a_new_key_is_as_long_as_the_hash(algorithm: str, octets: int) -> None:
    made = begin(Form(algorithm=Algorithm(algorithm)), ascending)
    assert made.key == bytes(range(octets))


def test_the_form_decides_on_the_token() -> None:
    made = begin(Form(Kind.HOTP, Algorithm.SHA256, 8), ascending)
    assert replace(made, id="") == Token("", Kind.HOTP, bytes(range(32)), Algorithm.SHA256, 8)


def test_a_token_takes_the_key_that_it_is_given() -> None:
    made = begin(Form(), ascending, key=b"0123456789")
    assert made.key == b"0123456789"


def test_a_form_that_makes_no_codes_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^period: 45 s is not one of"):
        begin(Form(period=45), ascending)


def test_token_names_are_short_random_and_without_lookalikes() -> None:
    names = [begin(Form(), os.urandom).id for _ in range(200)]
    assert len(set(names)) == 200
    assert {len(name) for name in names} == {8}
    assert set("".join(names)) == set("abcdefghjkmnpqrstuvwxyz23456789")


def test_the_secret_is_grouped_for_typing() -> None:
    assert present(Token("t", Kind.TOTP, SEED), "ACME", "alice").secret == "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ"


def test_the_secret_has_no_padding() -> None:
    assert present(Token("t", Kind.TOTP, b"0123456789abc"), "ACME", "alice").secret == "GAYT EMZU GU3D OOBZ MFRG G"


def test_an_enrolment_never_shows_the_key() -> None:
    shown = repr(present(Token("t", Kind.TOTP, SEED), "ACME", "alice"))
    assert "GEZD" not in shown
    assert "123456" not in shown


LABEL = "ACME%20VPN:alice%40example.org"
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
URIS = [
    (Token("t", Kind.TOTP, SEED), f"otpauth://totp/{LABEL}?secret={SECRET}&issuer=ACME%20VPN"),
    (
        Token("t", Kind.TOTP, SEED, Algorithm.SHA256, digits=8, period=60),
        f"otpauth://totp/{LABEL}?secret={SECRET}&issuer=ACME%20VPN&algorithm=SHA256&digits=8&period=60",
    ),
    (Token("t", Kind.HOTP, SEED), f"otpauth://hotp/{LABEL}?secret={SECRET}&issuer=ACME%20VPN&counter=0"),
    (
        Token("t", Kind.HOTP, SEED, Algorithm.SHA512, digits=8, counter=7),
        f"otpauth://hotp/{LABEL}?secret={SECRET}&issuer=ACME%20VPN&counter=7&algorithm=SHA512&digits=8",
    ),
]


@pytest.mark.parametrize(("token", "uri"), URIS)
def test_the_uri_says_all_that_is_not_the_default(token: Token, uri: str) -> None:
    assert present(token, "ACME VPN", "alice@example.org").uri == uri


def test_a_classic_key_of_80_bits_has_a_uri_too() -> None:
    assert (
        present(Token("t", Kind.TOTP, b"0123456789"), "A", "b").uri
        == "otpauth://totp/A:b?secret=GAYTEMZUGU3DOOBZ&issuer=A"
    )


@pytest.mark.parametrize("name", ["Ünal & Söhne?", "a:b", "x#y%z", "名前", 'a"b<c>'])
def test_any_issuer_and_account_can_stand_in_a_uri(name: str) -> None:
    parts = urlsplit(present(Token("t", Kind.TOTP, SEED), name, name).uri)
    issuer, account = parts.path.removeprefix("/").split(":")
    assert [unquote(issuer), unquote(account)] == [name, name]
    assert parse_qs(parts.query)["issuer"] == [name]


@given(
    key=st.binary(min_size=14, max_size=70),
    algorithm=st.sampled_from(Algorithm),
    digits=st.sampled_from(DIGITS),
    period=st.sampled_from(PERIODS),
)
def test_an_app_that_reads_the_uri_makes_codes_that_are_accepted(
    key: bytes, algorithm: Algorithm, digits: int, period: int
) -> None:
    token = Token("t", Kind.TOTP, key, algorithm, digits, period)
    app = pyotp.parse_uri(present(token, "ACME VPN", "alice@example.org").uri)
    assert isinstance(app, pyotp.TOTP)
    assert (app.issuer, app.name) == ("ACME VPN", "alice@example.org")
    assert confirm(token, app.at(NOW).encode(), NOW, Windows()) == Match("t", int(NOW // period), 0)


def test_a_hotp_app_that_reads_the_uri_goes_on_at_the_counter() -> None:
    token = Token("t", Kind.HOTP, SEED, counter=7)
    app = pyotp.parse_uri(present(token, "ACME", "alice").uri)
    assert isinstance(app, pyotp.HOTP)
    assert confirm(token, app.at(0).encode(), NOW, Windows()) == Match("t", 7, 0)


def test_a_secret_that_is_typed_in_makes_the_same_codes() -> None:
    token = begin(Form(), ascending)
    typed = base64.b32decode(present(token, "ACME", "alice").secret.replace(" ", ""))
    [code] = oathtool.codes(replace(token, key=typed), 47251645)
    assert confirm(token, code, NOW, Windows()) == Match(token.id, 47251645, 0)


@pytest.mark.parametrize("code", [b"432730", b"000000", b"06332", b""])
def test_a_wrong_first_code_confirms_nothing(code: bytes) -> None:
    assert confirm(Token("t", Kind.TOTP, SEED), code, NOW, Windows()) is None


def test_a_touch_confirms_a_yubikey_once() -> None:
    key = YubiKey("y", "vvccccbhkcjd", bytes(range(16)), bytes.fromhex("010203040506"))
    touch = b"vvccccbhkcjddvgtiblfkbgturecfllberrvkinnctnn"  # of Yubico's tables: use counter 1, session counter 1
    assert confirm(key, touch, NOW, Windows()) == Match("y", 1 << 8 | 1, 0)
    assert confirm(replace(key, counter=(1 << 8 | 1) + 1), touch, NOW, Windows()) is None
