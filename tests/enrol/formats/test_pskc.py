import base64
import re
from pathlib import Path

import pytest

from radius2fa.enrol.formats.rows import BadFile, Format
from radius2fa.otp import yubico
from radius2fa.otp.token import Algorithm, Kind, Token, YubiKey
from tests.enrol.formats.pskc_files import PLAIN, VECTORS, container, figure, package, pskctool, signer
from tests.enrol.formats.reading import NOW, SEED, read
from tests.otp import oathtool

RFC_KEY = bytes.fromhex("12345678901234567890123456789012")
RFC_TOKEN = Token("t1", Kind.HOTP, SEED, digits=8)
OWN_KEY, OWN_PASSWORD = bytes(range(32)), b"correct horse"


# The figures of RFC 6030


def test_figure_2_has_a_key_that_is_too_short() -> None:
    assert read(figure(2)).reason == "the seed has 4 octets; it needs at least 10"


def test_figure_3_has_a_key_with_a_serial_number_and_an_owner() -> None:
    outcome = read(figure(3))
    assert outcome.token == RFC_TOKEN
    [draft] = outcome.drafts
    assert (draft.serial, draft.owner, draft.label) == ("987654321", "jsmith", "Manufacturer")


def test_figure_4_has_a_key_that_is_derived_elsewhere() -> None:
    assert read(figure(4)).reason == "the Key has no Secret: one that is derived elsewhere cannot be imported"


def test_figure_5_has_a_key_whose_pin_stays_in_the_device_and_the_pin() -> None:
    outcome = read(figure(5))
    assert outcome.token == RFC_TOKEN
    assert outcome.reasons == [(36, "the Algorithm of the Key is not hotp or totp")]


def test_figure_6_opens_with_the_pre_shared_key() -> None:
    outcome = read(figure(6), key=RFC_KEY)
    assert outcome.token == RFC_TOKEN
    assert outcome.drafts[0].serial == "987654321"
    assert len(outcome.asked) == 1


def test_figure_7_opens_with_the_password() -> None:
    outcome = read(figure(7), password=b"qwerty")
    assert outcome.token == RFC_TOKEN
    assert len(outcome.asked) == 1


def test_figure_10_has_keys_for_a_while() -> None:
    outcome = read(figure(10))
    assert [draft.serial for draft in outcome.drafts] == ["654321", "123456", "9999999", "9999999"]
    assert [(draft.valid_from, draft.valid_until) for draft in outcome.drafts] == [
        (1146441600.0, 1149033600.0),  # 2006-05-01 and 2006-05-31, by date(1)
        (1146441600.0, 1149033600.0),
        (1141171200.0, 1143763200.0),
        (1143849600.0, 1146355200.0),
    ]


@pytest.mark.parametrize("number", [3, 10])
def test_pskctool_reads_the_same(number: int) -> None:
    told = pskctool("--info", content=figure(number))
    keys = [base64.b64decode(text) for text in re.findall(r"Key Secret \(base64\): (\S+)", told)]
    drafts = read(figure(number)).drafts
    assert [draft.token.key for draft in drafts] == keys
    assert [draft.serial for draft in drafts] == re.findall(r"SerialNo: (\S+)", told)


# Files of others


@pytest.mark.parametrize(("name", "secrets"), [("aes256", {"key": OWN_KEY}), ("pbkdf2", {"password": OWN_PASSWORD})])
def test_files_of_another_program_open(name: str, secrets: dict[str, bytes]) -> None:
    outcome = read((VECTORS / f"{name}.xml").read_bytes(), **secrets)
    first, second = (draft.token for draft in outcome.drafts)
    assert first == Token("t1", Kind.TOTP, SEED + b"123456789012", Algorithm.SHA256, 8, 60, drift=-4)
    assert second == Token("t2", Kind.HOTP, SEED, counter=42)
    assert outcome.rejected == []


def test_a_file_that_pskctool_has_written_is_read_and_its_codes_are_those_of_oathtool() -> None:
    told = pskctool("--info", "--verbose", content=figure(3))
    token = read(told[told.index("<?xml") :]).token
    assert token == RFC_TOKEN
    assert oathtool.codes(token, 0) == [b"84755224"]  # RFC 4226 appendix D: 1284755224


def test_a_signed_file_is_read_and_it_is_said_that_the_signature_was_not(tmp_path: Path) -> None:
    signed = pskctool("--sign", *signer(tmp_path), content=figure(3))
    assert "SignatureValue>" in signed
    outcome = read(signed)
    assert outcome.token == RFC_TOKEN
    assert outcome.reader.notes() == (
        "The file is signed. The signature was not verified: `pskctool --verify --verify-crt CERTIFICATE` does.",
    )
    assert read(figure(3)).reader.notes() == ()


def test_a_yubikey_of_the_personalisation_tool_comes_in() -> None:
    # The key is the one that Yubico publishes in libyubikey, with a code of it.
    secret = base64.b64encode(bytes.fromhex("c4422890653076cde73d449b191b416a")).decode()
    outcome = read(
        container(
            package(
                "10944003",
                algorithm="http://www.yubico.com/#yubikey-aes",
                parameters='<ResponseFormat Length="44" Encoding="ALPHANUMERIC"/>',
                data=f"<Secret><PlainValue>{secret}</PlainValue></Secret>",
                more="<UserId>CN=dteffuje, UID=33c69e7f249e</UserId>",
            )
        )
    )
    assert outcome.yubikey == YubiKey("t1", "dteffuje", base64.b64decode(secret), bytes.fromhex("33c69e7f249e"))
    assert (outcome.drafts[0].serial, outcome.drafts[0].owner) == ("10944003", None)
    assert yubico.read(outcome.yubikey, b"dteffujeiucvrkjiegbhidrcicvlgrcgkgurhjnj") == 256


def test_a_yubikey_without_its_key_is_rejected() -> None:
    text = package(
        algorithm="http://www.yubico.com/#yubikey-aes", data="", more="<UserId>CN=cccc, UID=33c69e7f249e</UserId>"
    )
    assert read(container(text)).reason == "the Secret is missing"


def test_a_yubikey_without_its_ids_is_rejected() -> None:
    text = container(package(algorithm="http://www.yubico.com/#yubikey-aes"))
    assert read(text).reason == (
        "the Key of a YubiKey has no UserId with its public id (CN) and its private id (UID), or no Data"
    )


# What is honoured


def data(**values: object) -> str:
    return PLAIN + "".join(f"<{name}><PlainValue>{value}</PlainValue></{name}>" for name, value in values.items())


def test_every_value_of_a_totp_key_is_honoured() -> None:
    text = container(
        package(
            parameters='<Suite>HMAC-SHA512</Suite><ResponseFormat Length="8" Encoding="DECIMAL"/>',
            data=data(Time=1000, TimeInterval=60, TimeDrift=-3),
            device="<Manufacturer>ACME</Manufacturer><Model>Card 7</Model>",
            more="<Policy><StartDate>2012-08-01T02:00:00+02:00</StartDate><ExpiryDate>2037-12-31T00:00:00</ExpiryDate>"
            "<KeyUsage>CR</KeyUsage><KeyUsage>OTP</KeyUsage></Policy>",
        )
    )
    outcome = read(text)
    assert outcome.token == Token("t1", Kind.TOTP, SEED, Algorithm.SHA512, 8, 60, 1000, -3)
    [draft] = outcome.drafts
    assert (draft.label, draft.valid_from, draft.valid_until) == ("ACME Card 7", 1343779200.0, 2145830400.0)


def test_what_is_left_out_is_usual() -> None:
    outcome = read(container(package()))
    assert outcome.token == Token("t1", Kind.TOTP, SEED, Algorithm.SHA1, 6, 30, 0, 0)
    [draft] = outcome.drafts
    assert (draft.owner, draft.label, draft.valid_from, draft.valid_until) == (None, "", None, None)


def test_a_hotp_key_has_a_counter() -> None:
    text = container(package(algorithm="urn:ietf:params:xml:ns:keyprov:pskc:hotp", data=data(Counter=7, Time=9)))
    assert read(text).token.counter == 7


@pytest.mark.parametrize(
    "name", ["urn:ietf:params:xml:ns:keyprov:pskc#totp", "http://www.ietf.org/keyprov/pskc#totp", "TOTP", " totp "]
)
def test_makers_write_the_algorithm_in_several_ways(name: str) -> None:
    assert read(container(package(algorithm=name))).token.kind is Kind.TOTP


def test_without_a_serial_number_the_id_of_the_key_stands_in() -> None:
    [draft] = read(container(package(""))).drafts
    assert draft.serial == "k-"


@pytest.mark.parametrize(
    ("user", "owner"),
    [("jsmith", "jsmith"), ("UID=jsmith,DC=example,DC=net", "jsmith"), ("cn = John Smith", "John Smith")],
)
def test_a_user_id_names_the_owner(user: str, owner: str) -> None:
    [draft] = read(container(package(more=f"<UserId>{user}</UserId>"))).drafts
    assert draft.owner == owner
    [draft] = read(container(package(device=f"<UserId>{user}</UserId>"))).drafts
    assert draft.owner == owner


@pytest.mark.parametrize("prefix", ["", "pskc:", "x-1:"])
def test_any_prefix_may_stand_for_the_namespace(prefix: str) -> None:
    text = container(package(), package("A2", data="<Secret/>"))
    if prefix:
        text = re.sub(r"<(/?)(?=[A-Z])", rf"<\1{prefix}", text).replace("xmlns=", f"xmlns:{prefix[:-1]}=")
    outcome = read(text)
    assert outcome.token.key == SEED
    assert outcome.reasons == [(4, "a value is neither plain nor encrypted")]
    assert read(outcome.leftovers).reasons == [(4, "a value is neither plain nor encrypted")]


# What is rejected

REJECTED = [
    ({"algorithm": "urn:ietf:params:xml:ns:keyprov:pskc:ocra"}, "the Algorithm of the Key is not hotp or totp"),
    ({"algorithm": ""}, "the Algorithm of the Key is not hotp or totp"),
    ({"data": ""}, "the Key has no Secret: one that is derived elsewhere cannot be imported"),
    ({"data": "<Secret><PlainValue>MTIz!</PlainValue></Secret>"}, "a value is not base64"),
    ({"data": "<Secret><PlainValue></PlainValue></Secret>"}, "the seed has 0 octets; it needs at least 10"),
    (
        {"parameters": '<ResponseFormat Length="7" Encoding="DECIMAL"/>'},
        "the length of the codes is not 6 or 8 digits",
    ),
    (
        {"parameters": '<ResponseFormat Length="x" Encoding="DECIMAL"/>'},
        "the Length of the ResponseFormat is not a whole number",
    ),
    (
        {"parameters": '<ResponseFormat Length="6" Encoding="HEXADECIMAL"/>'},
        "the Encoding of the ResponseFormat is not DECIMAL: codes are made of digits",
    ),
    (
        {"parameters": '<ResponseFormat Length="6" Encoding="DECIMAL" CheckDigits="true"/>'},
        "the ResponseFormat asks for CheckDigits, which are not possible here",
    ),
    ({"parameters": "<Suite>HMAC-MD5</Suite>"}, "the hash is not SHA1, SHA256 or SHA512"),
    ({"data": data(TimeInterval=45)}, "the TimeInterval is not 30 or 60 seconds"),
    ({"data": data(TimeInterval="x")}, "the TimeInterval is not a whole number"),
    ({"data": data(Time=int(NOW))}, "the Time lies in the future: it counts time steps since 1970 (0, mostly)"),
    ({"data": data(Time=-1)}, "the Time is below 0, or too large"),
    ({"data": data(TimeDrift=-10_001)}, "the TimeDrift is larger than 10000 time steps"),
    (
        {"more": "<Policy><KeyUsage>Encrypt</KeyUsage></Policy>"},
        "the KeyUsage of the Policy does not allow one-time passwords (OTP)",
    ),
    (
        {"more": '<Policy><PINPolicy PINUsageMode="Prepend"/></Policy>'},
        "the PINPolicy makes a PIN a part of the codes: only a PIN that the device asks for is possible",
    ),
    (
        {"more": "<Policy><NumberOfTransactions>9</NumberOfTransactions></Policy>"},
        "the Policy limits the key by more than dates: such a limit cannot be kept here",
    ),
    (
        {"more": "<Policy><ExpiryDate>31.12.2037</ExpiryDate></Policy>"},
        "the StartDate or ExpiryDate of the Policy is no date and time",
    ),
    (
        {"more": "<UserId>DC=example,DC=net</UserId>"},
        "the UserId names nobody: put a login name into it, or leave it out for the stock",
    ),
    (
        {"device": "</DeviceInfo><DeviceInfo><x/>", "serial": "1.00013E+12"},
        "a spreadsheet has rounded the serial number: make its column text, and enter it again",
    ),
]


@pytest.mark.parametrize(("parts", "reason"), REJECTED)
def test_a_key_that_cannot_be_used_is_rejected_and_the_others_come_in(parts: dict[str, str], reason: str) -> None:
    outcome = read(container(package("A0"), package(**parts), package("A2")))
    assert outcome.reasons == [(4, reason)]
    assert [draft.serial for draft in outcome.drafts] == ["A0", "A2"]


def test_a_package_has_one_key_and_is_of_the_namespace() -> None:
    text = container("<KeyPackage/>", '<x:KeyPackage xmlns:x="urn:x"/>')
    assert read(text).reasons == [
        (3, "the KeyPackage does not hold exactly one Key"),
        (4, "the KeyPackage is not in the namespace urn:ietf:params:xml:ns:keyprov:pskc"),
    ]


def test_rejected_packages_can_be_corrected_and_imported() -> None:
    first = read(container(package("A1"), package("A2", data=data(TimeInterval=45)), package("A3", data="")))
    assert first.leftovers.decode() == container(
        "<!-- the TimeInterval is not 30 or 60 seconds -->",
        package("A2", data=data(TimeInterval=45)),
        "<!-- the Key has no Secret: one that is derived elsewhere cannot be imported -->",
        package("A3", data=""),
    )
    assert pskctool("--validate", content=first.leftovers) == "OK\n"
    corrected = read(first.leftovers.replace(b">45<", b">60<"))
    assert corrected.token.period == 60
    assert [line for line, _ in corrected.reasons] == [6]


def test_rejected_packages_that_are_encrypted_stay_so() -> None:
    altered = figure(6).replace(b"DECIMAL", b"BASE64")
    first = read(altered, key=RFC_KEY)
    assert first.reason == "the Encoding of the ResponseFormat is not DECIMAL: codes are made of digits"
    second = read(first.leftovers.replace(b"BASE64", b"DECIMAL"), key=RFC_KEY)
    assert second.token == RFC_TOKEN


UNSEALED = (
    "the file is encrypted, and this Secret is not, nor has it a MAC, so that anybody may have put it there: "
    "ask the maker for the file anew"
)


def clear(text: bytes, name: str, plain: str) -> bytes:
    """The file with one value of each key in the clear, as whoever alters it would put it."""
    pattern = f"(<(?:[a-z]+:)?{name}>).*?(</(?:[a-z]+:)?{name}>)".encode()
    value = f"<pskc:PlainValue xmlns:pskc='urn:ietf:params:xml:ns:keyprov:pskc'>{plain}</pskc:PlainValue>"
    altered, count = re.subn(pattern, rb"\g<1>" + value.encode() + rb"\g<2>", text, flags=re.DOTALL)
    assert count
    return altered


@pytest.mark.parametrize(
    ("content", "secrets"),
    [
        (figure(6), {"key": RFC_KEY}),
        (figure(7), {"password": b"qwerty"}),
        (re.sub(rb"<MACMethod.*</MACMethod>", b"", figure(6), flags=re.DOTALL), {}),
        (re.sub(rb"<EncryptionKey.*</EncryptionKey>", b"", figure(6), flags=re.DOTALL), {"key": RFC_KEY}),
    ],
    ids=["key", "password", "without a MAC", "with a MAC only"],
)
def test_a_secret_in_the_clear_is_rejected_where_the_file_is_protected(
    content: bytes, secrets: dict[str, bytes]
) -> None:
    outcome = read(clear(content, "Secret", base64.b64encode(SEED).decode()), **secrets)
    assert outcome.reason == UNSEALED
    assert read(outcome.leftovers, **secrets).reason == UNSEALED


def test_the_key_of_a_yubikey_in_the_clear_is_rejected_too() -> None:
    secret = f"<Secret><PlainValue>{base64.b64encode(bytes(16)).decode()}</PlainValue></Secret>"
    yubikey = package(
        algorithm="http://www.yubico.com/#yubikey-aes",
        data=secret,
        more="<UserId>CN=dteffuje, UID=33c69e7f249e</UserId>",
    )
    named = "<EncryptionKey><KeyName>ours</KeyName></EncryptionKey>"
    assert read(container(yubikey)).rejected == []
    assert read(container(named, yubikey)).reason == UNSEALED


def test_only_the_secret_needs_to_be_encrypted() -> None:
    text = (VECTORS / "aes256.xml").read_bytes()
    outcome = read(clear(text, "Counter", "7"), key=OWN_KEY)
    assert [draft.token.counter for draft in outcome.drafts] == [0, 7]
    assert outcome.rejected == []


def test_no_reason_repeats_what_the_file_holds() -> None:
    secret = "c2VjcmV0c2VjcmV0c2VjcmV0"
    packages = [package(parameters=f"<Suite>{secret}</Suite>"), package(data=data(Counter=secret, TimeInterval=secret))]
    packages += [package(more=f"<Policy><{secret}/></Policy>"), package(algorithm=secret)]
    outcome = read(container(*packages))
    assert len(outcome.rejected) == 4
    assert not any(secret in one.reason + one.detail + repr(one) for one in outcome.rejected)


# What ends the reading

NEITHER = (
    "the file is encrypted neither under a key that was agreed upon nor under a password: ask its maker for one that is"
)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("<html><body/></html>", "line 1: the root element of the file is not KeyContainer"),
        (container(), "the file holds no KeyPackage"),
        (container("<Surprise/>"), "line 3: a child of KeyContainer is none that RFC 6030 knows"),
        (
            container(package(), "<EncryptionKey/>"),
            "line 4: EncryptionKey stands behind the first KeyPackage",
        ),
        (container("<EncryptionKey><X509Data/></EncryptionKey>"), f"line 3: {NEITHER}"),
        (container("<EncryptionKey><DerivedKey/><KeyName/></EncryptionKey>"), f"line 3: {NEITHER}"),
    ],
)
def test_what_is_no_pskc_file_is_refused(text: str, fault: str) -> None:
    assert read(text, Format.PSKC).fault == fault


def test_of_a_file_that_ends_too_early_the_whole_packages_come_in() -> None:
    outcome = read(container(package("A1"), package("A2"))[:-200])
    assert [draft.serial for draft in outcome.drafts] == ["A1"]
    assert isinstance(outcome.stopped, BadFile)
    assert outcome.fault == "line 4: the file ends too early: get the whole file, and import it again"
