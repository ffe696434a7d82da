import pytest

from radius2fa.enrol.formats.rows import BadFile, Format
from tests.enrol.formats.reading import SEED_BASE32, SEED_HEX, read

ENTRA = f"upn,serial number,secret key,time interval,manufacturer,model\n,1,{SEED_BASE32},30,a,b\n"
YUBICO = "1,cccccccccccb,cf46705d9473,66acacc07fceac543ded99699ab9e881,4897018f8753,2021-05-07T17:03:27,\n"
OATH = f"1,{SEED_HEX},totp\n"
PSKC = '<KeyContainer Version="1.0" xmlns="urn:ietf:params:xml:ns:keyprov:pskc"><KeyPackage/></KeyContainer>'


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (ENTRA, Format.ENTRA),
        (YUBICO, Format.YUBICO),
        (OATH, Format.OATH),
        (PSKC, Format.PSKC),
        ("\ufeff\n" + PSKC, Format.PSKC),
    ],
)
def test_a_file_is_recognised_by_what_is_in_it(text: str, found: Format) -> None:
    assert read(text).reader.format is found


def test_a_wanted_format_wins() -> None:
    outcome = read(ENTRA, Format.OATH)
    assert outcome.reader.format is Format.OATH
    assert outcome.reason == "the kind is not totp or hotp"


@pytest.mark.parametrize(
    ("content", "wanted", "reason"),
    [
        (b"", None, "^the file is empty$"),
        (b"\r\n \n", None, "^the file is empty$"),
        (OATH.encode("utf-16"), None, "^the file is UTF-16: save it as UTF-8$"),
        (b"-----BEGIN PGP MESSAGE-----\n", None, "^the file is encrypted by PGP: decrypt it first"),
        (
            b"Dear customer,\nthe tokens are on their way.\n",
            None,
            r"^the file is not of a known format; looked for: PSKC .*; Entra ID CSV, .*; Yubico CSV, .*; OATH CSV, ",
        ),
        (OATH.encode(), Format.ENTRA, "^the file is not of a known format; looked for: Entra ID CSV, [^;]*$"),
        (PSKC.encode(), Format.OATH, "^the file is not of a known format; looked for: OATH CSV, [^;]*$"),
        (b"\xff\x00\x12" * 100, None, "^the file is not of a known format"),
        (b"name,colour\n" * 30, None, "^the file is not of a known format"),
        (f",{SEED_HEX},totp\n".encode(), None, "^the file is not of a known format"),
        (b"serial,seed\n\x00\n", Format.YUBICO, "^the file is not of a known format"),
    ],
)
def test_an_unknown_file_is_refused_with_what_was_looked_for(
    content: bytes, wanted: Format | None, reason: str
) -> None:
    with pytest.raises(BadFile, match=reason):
        read(content, wanted)
