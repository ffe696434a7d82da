import base64

import pytest

from radius2fa.enrol.formats.rows import Format
from radius2fa.otp.token import Kind, Token
from tests.enrol.formats.reading import SEED, SEED_BASE32, SEED_HEX, read

HEADER = "upn,serial number,secret key,time interval,manufacturer,model\n"


def test_a_row_is_a_totp_token_of_somebody_or_of_the_stock() -> None:
    text = (
        f"{HEADER}Helga@contoso.com,1234567,{SEED_BASE32},60,Contoso,HardwareKey\n,1234568,{SEED_BASE32.lower()},30,,\n"
    )
    outcome = read(text)
    assert outcome.reader.format is Format.ENTRA
    assert [draft.token for draft in outcome.drafts] == [
        Token("t1", Kind.TOTP, SEED, period=60),
        Token("t2", Kind.TOTP, SEED, period=30),
    ]
    assert [(draft.owner, draft.serial, draft.label) for draft in outcome.drafts] == [
        ("Helga@contoso.com", "1234567", "Contoso HardwareKey"),
        (None, "1234568", ""),
    ]


def test_a_secret_key_of_letters_that_are_hexadecimal_too_is_base32_all_the_same() -> None:
    text = "ABCDEF234567" * 2
    assert read(f"{HEADER},1,{text},30,,\n").token.key == base64.b32decode(text)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (f"a@b,,{SEED_BASE32},30,,", "the serial number is missing"),
        (f"a@b,1,{SEED_HEX},30,,", "the seed is not base32 (the letters A to Z and the digits 2 to 7)"),
        ("a@b,1,GEZDGNBV,30,,", "the seed has 5 octets; it needs at least 10"),
        (f"a@b,1,{SEED_BASE32},15,,", "the time interval is not 30 or 60 seconds"),
    ],
)
def test_a_bad_row_is_rejected_with_what_is_wrong(row: str, reason: str) -> None:
    assert read(f"{HEADER}{row}\n").reasons == [(2, reason)]


def test_without_its_header_the_order_of_the_columns_counts() -> None:
    outcome = read(f",1234567,{SEED_BASE32},60,Contoso,HardwareKey\n")
    assert outcome.reader.format is Format.ENTRA
    assert outcome.token.period == 60
