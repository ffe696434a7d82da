import pytest

from radius2fa.enrol.formats.rows import Format
from radius2fa.otp import yubico
from radius2fa.otp.token import YubiKey
from tests.enrol.formats.reading import SEED_HEX, read

# The keys and codes are those that Yubico publishes in the test of its library for PHP, and in libyubikey.
KEY, PRIVATE = "c4422890653076cde73d449b191b416a", "33c69e7f249e"
CODE = "iucvrkjiegbhidrcicvlgrcgkgurhjnj"
TRADITIONAL = f"Yubico OTP,12/11/2013 11:10,1,dteffuje,{PRIVATE},{KEY},,,0,0,0,0,0,0,0,0,0,0"
FLAT = f"508326,dteffuje,{PRIVATE},{KEY},000000000000,2013-12-12T08:43:17,"


@pytest.mark.parametrize(
    ("text", "serial"),
    [
        (f"LOGGING START,12/11/2013 11:09\n{TRADITIONAL}\n", None),
        (TRADITIONAL.replace("12/11/2013 11:10", "12/11/13, 11:10 AM") + "\n", None),
        (TRADITIONAL.replace(",", ";") + "\n", None),
        (FLAT + "\n", "508326"),
        (
            f"# ykksm 1\n# serialnr,identity,internaluid,aeskey,lockpw,created,accessed\n{FLAT}\n# the end\n",
            "508326",
        ),
        (FLAT + ",0\n", "508326"),
        (f"Serial,Public ID,Private ID,Secret Key\n508326,DTEFFUJE,{PRIVATE.upper()},{KEY.upper()}\n", "508326"),
    ],
)
def test_a_yubikey_comes_in_from_each_log_and_its_code_is_read(text: str, serial: str | None) -> None:
    outcome = read(text)
    assert outcome.reader.format is Format.YUBICO
    assert outcome.rejected == []
    assert outcome.yubikey == YubiKey("t1", "dteffuje", bytes.fromhex(KEY), bytes.fromhex(PRIVATE))
    assert outcome.drafts[0].serial == serial
    assert yubico.read(outcome.yubikey, b"dteffuje" + CODE.encode()) == 256


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (
            f"OATH-HOTP,11.12.13 18:55,1,cccccccccccc,,{SEED_HEX},,,0,0,0,6,0,0,0,0,0,0",
            "the slot was not programmed with Yubico OTP (one with OATH-HOTP comes in by an OATH CSV)",
        ),
        (
            TRADITIONAL.replace("dteffuje", ""),
            "the public id is missing: without one the YubiKey cannot be told from others",
        ),
        (
            TRADITIONAL.replace("dteffuje", "dteffuj"),
            "the public id is not made of an even number of up to 16 modhex characters",
        ),
        (
            TRADITIONAL.replace("dteffuje", "aaaaaaaa"),
            "the public id is not made of an even number of up to 16 modhex characters",
        ),
        (TRADITIONAL.replace(PRIVATE, PRIVATE[:-2]), "the private id is not made of 12 hexadecimal digits"),
        (TRADITIONAL.replace(KEY, KEY[:-1] + "g"), "the AES key is not made of 32 hexadecimal digits"),
        (TRADITIONAL.replace(KEY, KEY + "00"), "the AES key is not made of 32 hexadecimal digits"),
    ],
)
def test_a_bad_row_is_rejected_with_what_is_wrong(row: str, reason: str) -> None:
    assert read(f"{TRADITIONAL}\n{row}\n").reasons == [(2, reason)]
