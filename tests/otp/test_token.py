import pytest

from radius2fa.otp.token import DEVICES, ISSUED, IssuedCode, Kind, Token, YubiKey

SEED = b"12345678901234567890"
AES = b"0123456789abcdef"
PRIVATE = b"secret"


def test_no_token_ever_shows_what_is_secret_in_it() -> None:
    assert "1234567890" not in repr(Token("t", Kind.TOTP, SEED))
    assert repr(YubiKey("t", "cccb", AES, PRIVATE)) == "YubiKey(id='t', public_id='cccb', counter=0)"
    assert "secret" not in repr(IssuedCode("t", Kind.RECOVERY, b"secret key", b"secret digest"))


def test_a_hotp_token_has_no_use_for_a_period() -> None:
    assert Token("t", Kind.HOTP, SEED, period=0).period == 0


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("kind", {"kind": Kind.YUBIKEY}),
        ("kind", {"kind": Kind.RECOVERY}),
        ("kind", {"kind": Kind.WEBAUTHN}),
        ("digits", {"digits": 7}),
        ("period", {"period": 45}),
        ("key", {"key": b""}),
        ("counter", {"counter": -1}),
    ],
)
def test_a_token_that_makes_no_codes_is_refused_by_the_field(field: str, values: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=rf"^{field}: "):
        Token(**{"id": "t", "kind": Kind.TOTP, "key": SEED, **values})  # type: ignore[arg-type]


@pytest.mark.parametrize("public_id", ["", "cc", "ccccccccccbd", "vvvvvvvvvvvvvvvv"])
def test_a_public_id_has_up_to_eight_octets(public_id: str) -> None:
    assert YubiKey("t", public_id, AES, PRIVATE).kind is Kind.YUBIKEY


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("public_id", {"public_id": "c"}),
        ("public_id", {"public_id": "c" * 18}),
        ("public_id", {"public_id": "CCCC"}),
        ("public_id", {"public_id": "ccca"}),
        ("key", {"key": AES[:-1]}),
        ("key", {"key": AES + b"0"}),
        ("private_id", {"private_id": PRIVATE[:-1]}),
        ("private_id", {"private_id": PRIVATE + b"0"}),
        ("counter", {"counter": -1}),
    ],
)
def test_a_yubikey_that_no_code_can_be_read_with_is_refused_by_the_field(field: str, values: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=rf"^{field}: "):
        YubiKey(**{"id": "t", "public_id": "cccb", "key": AES, "private_id": PRIVATE, **values})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("kind", {"kind": Kind.TOTP}),
        ("kind", {"kind": Kind.YUBIKEY}),
        ("kind", {"kind": Kind.WEBAUTHN}),
        ("uses", {"uses": 0}),
        ("counter", {"counter": -1}),
    ],
)
def test_a_code_that_could_never_be_used_is_refused_by_the_field(field: str, values: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=rf"^{field}: "):
        IssuedCode(**{"id": "t", "kind": Kind.TEMPORARY, "key": AES, "digest": AES, **values})  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ISSUED)
def test_a_code_of_each_kind_that_is_handed_out_can_be(kind: Kind) -> None:
    assert IssuedCode("t", kind, AES, AES).kind is kind


def test_every_kind_is_a_device_or_handed_out_and_none_is_both() -> None:
    assert sorted([*DEVICES, *ISSUED]) == sorted(Kind)
