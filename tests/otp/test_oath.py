import base64
import hashlib

import pyotp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radius2fa.otp.oath import code_at, step
from radius2fa.otp.token import DIGITS, OATH, PERIODS, Algorithm, Kind, Token
from tests.otp import oathtool

SEED = b"12345678901234567890"
LONG_SEEDS = {
    Algorithm.SHA1: SEED,
    Algorithm.SHA256: b"12345678901234567890123456789012",
    Algorithm.SHA512: b"1234567890123456789012345678901234567890123456789012345678901234",
}
DIGESTS = {Algorithm.SHA1: hashlib.sha1, Algorithm.SHA256: hashlib.sha256, Algorithm.SHA512: hashlib.sha512}


def test_rfc_4226_appendix_d() -> None:
    token = Token("t", Kind.HOTP, SEED)
    assert [code_at(token, counter) for counter in range(10)] == [
        b"755224",
        b"287082",
        b"359152",
        b"969429",
        b"338314",
        b"254676",
        b"287922",
        b"162583",
        b"399871",
        b"520489",
    ]


def test_hotp_codes_beyond_the_appendix() -> None:
    token = Token("t", Kind.HOTP, SEED)
    assert [code_at(token, counter) for counter in range(10, 14)] == [b"403154", b"481090", b"868912", b"736127"]


RFC_6238_APPENDIX_B = [
    (59, "94287082", "46119246", "90693936"),
    (1111111109, "07081804", "68084774", "25091201"),
    (1111111111, "14050471", "67062674", "99943326"),
    (1234567890, "89005924", "91819424", "93441116"),
    (2000000000, "69279037", "90698825", "38618901"),
    (20000000000, "65353130", "77737706", "47863826"),
]


@pytest.mark.parametrize(("when", "sha1", "sha256", "sha512"), RFC_6238_APPENDIX_B)
def test_rfc_6238_appendix_b(when: int, sha1: str, sha256: str, sha512: str) -> None:
    for algorithm, code in zip(Algorithm, (sha1, sha256, sha512), strict=True):
        token = Token("t", Kind.TOTP, LONG_SEEDS[algorithm], algorithm, digits=8)
        assert code_at(token, step(token, when)) == code.encode()


TOTP_CODES = {
    47251640: b"166325",
    47251641: b"432730",
    47251644: b"942826",
    47251645: b"063321",
    47251646: b"306773",
    47251647: b"722053",
    47251648: b"032819",
    47251649: b"705493",
    47251650: b"589836",
}


def test_totp_codes_of_our_days() -> None:
    token = Token("t", Kind.TOTP, SEED)
    assert {counter: code_at(token, counter) for counter in TOTP_CODES} == TOTP_CODES


@pytest.mark.parametrize(
    ("when", "period", "expected"), [(0.0, 30, 0), (29.999, 30, 0), (30.0, 30, 1), (59.999, 60, 0), (60.0, 60, 1)]
)
def test_a_step_lasts_one_period(when: float, period: int, expected: int) -> None:
    assert step(Token("t", Kind.TOTP, SEED, period=period), when) == expected


@given(
    key=st.binary(min_size=14, max_size=200),
    algorithm=st.sampled_from(Algorithm),
    digits=st.sampled_from(DIGITS),
    counter=st.integers(0, 2**63),
)
def test_pyotp_computes_the_same_hotp_codes(key: bytes, algorithm: Algorithm, digits: int, counter: int) -> None:
    oracle = pyotp.HOTP(base64.b32encode(key).decode(), digits=digits, digest=DIGESTS[algorithm])
    token = Token("t", Kind.HOTP, key, algorithm, digits)
    assert code_at(token, counter) == oracle.at(counter).encode()


@given(
    key=st.binary(min_size=14, max_size=200),
    algorithm=st.sampled_from(Algorithm),
    period=st.sampled_from(PERIODS),
    when=st.integers(0, 2**37),
)
def test_pyotp_computes_the_same_totp_codes(key: bytes, algorithm: Algorithm, period: int, when: int) -> None:
    oracle = pyotp.TOTP(base64.b32encode(key).decode(), digest=DIGESTS[algorithm], interval=period)
    token = Token("t", Kind.TOTP, key, algorithm, period=period)
    assert code_at(token, step(token, when)) == oracle.at(when).encode()


TOKENS = st.builds(
    Token,
    id=st.just("t"),
    kind=st.sampled_from(OATH),
    key=st.binary(min_size=1, max_size=200),
    algorithm=st.sampled_from(Algorithm),
    digits=st.sampled_from(DIGITS),
    period=st.sampled_from(PERIODS),
)


@settings(max_examples=40, deadline=None)  # each starts a process
@given(token=TOKENS, counter=st.integers(0, 2**31))
def test_oathtool_computes_the_same_codes(token: Token, counter: int) -> None:
    if token.kind is Kind.HOTP and token.algorithm is not Algorithm.SHA1:
        token = Token("t", Kind.HOTP, token.key, digits=token.digits)  # oathtool knows HOTP by SHA-1 only
    expected = oathtool.codes(token, counter, more=2)
    assert [code_at(token, counter + ahead) for ahead in range(3)] == expected
