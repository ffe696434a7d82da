import pytest

from radius2fa.enrol.formats.rows import Format
from radius2fa.otp.token import Algorithm, Kind, Token
from tests.enrol.formats.reading import SEED, SEED_BASE32, SEED_HEX, read

SEED_32 = b"12345678901234567890123456789012"


def test_a_row_is_serial_seed_kind_digits_period_and_counter() -> None:
    outcome = read(f"A1,{SEED_HEX},totp,8,60,0\nA2,{SEED_BASE32},hotp,6,,42\n")
    assert [draft.serial for draft in outcome.drafts] == ["A1", "A2"]
    assert [draft.token for draft in outcome.drafts] == [
        Token("t1", Kind.TOTP, SEED, digits=8, period=60),
        Token("t2", Kind.HOTP, SEED, counter=42),
    ]
    assert {draft.owner for draft in outcome.drafts} == {None}


@pytest.mark.parametrize("row", [f"A1,{SEED_HEX},totp", f"A1,{SEED_HEX},TOTP,,,", f"A1,{SEED_HEX},Time,6,30"])
def test_what_is_left_out_is_usual(row: str) -> None:
    assert read(row + "\n").token == Token("t1", Kind.TOTP, SEED, Algorithm.SHA1, 6, 30, 0)


def test_the_fifth_and_last_field_of_a_hotp_token_is_its_counter() -> None:
    assert read(f"A1,{SEED_HEX},hotp,6,1000\n").token.counter == 1000


def test_a_header_names_the_columns_in_any_order_and_case() -> None:
    titles = "Type;OTP Length;Secret_Key;Serial-Number;User;Hash;Manufacturer;Model"
    outcome = read(f"{titles}\nTOTP;8;{SEED_32.hex()};77;alice;SHA256;ACME;Card\n")
    [draft] = outcome.drafts
    assert draft.token == Token("t1", Kind.TOTP, SEED_32, Algorithm.SHA256, 8)
    assert (draft.serial, draft.owner, draft.label) == ("77", "alice", "ACME Card")


def test_a_title_that_means_nothing_is_refused_with_those_that_do() -> None:
    with pytest.raises(Exception, match=r"^column 3 has a title that is not known: .* known are algorithm, counter, "):
        read(f"serial,seed,colour\nA1,{SEED_HEX},red\n")


def test_two_columns_of_one_meaning_are_refused() -> None:
    with pytest.raises(Exception, match=r"^several columns are the seed: remove all but one$"):
        read(f"serial,seed,secret\nA1,{SEED_HEX},{SEED_HEX}\n")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (f",{SEED_HEX},totp", "the serial number is missing"),
        ("A1,GEZDGNBVGY3TQOJQ1,totp", "the seed is neither hexadecimal nor base32"),
        ("A1,31323,totp", "the seed is neither hexadecimal nor base32"),
        ("A1,,totp", "the seed has 0 octets; it needs at least 10"),
        (f"A1,{'00' * 129},totp", "the seed has 129 octets; it may have 128 at most"),
        (f"A1,{SEED_HEX}", "the kind is not totp or hotp"),
        (f"A1,{SEED_HEX},ocra", "the kind is not totp or hotp"),
        (f"A1,{SEED_HEX},totp,7", "the length of the codes is not 6 or 8 digits"),
        (f"A1,{SEED_HEX},totp,six", "the length of the codes is not a whole number"),
        (f"A1,{SEED_HEX},totp,6,45", "the time interval is not 30 or 60 seconds"),
        (f"A1,{SEED_HEX},hotp,6,30,-1", "the counter is not a whole number"),
        (f"A1,{SEED_HEX},totp,6,30,0,x", "the row has 7 fields, and the file 6 columns"),
    ],
)
def test_a_bad_row_is_rejected_with_what_is_wrong(row: str, reason: str) -> None:
    outcome = read(f"A0,{SEED_HEX},totp,6,30,0\n{row}\nA2,{SEED_HEX},totp,6,30,0\n", Format.OATH)
    assert outcome.reasons == [(2, reason)]
    assert [draft.serial for draft in outcome.drafts] == ["A0", "A2"]


def test_a_file_of_serial_numbers_and_seeds_alone_lacks_the_kinds() -> None:
    assert read(f"A1,{SEED_BASE32}\n").reason == "the kind is not totp or hotp"


def test_a_broken_first_row_does_not_hide_what_the_file_is() -> None:
    outcome = read(f"A1,oops!\nA2,{SEED_HEX},totp\n")
    assert outcome.reader.format is Format.OATH
    assert outcome.reasons == [(1, "the seed is neither hexadecimal nor base32")]
    assert [draft.serial for draft in outcome.drafts] == ["A2"]
