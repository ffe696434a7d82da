import pytest

from radius2fa.otp.token import Kind, Token

SEED = b"12345678901234567890"


def test_a_token_never_shows_its_key() -> None:
    assert "1234567890" not in repr(Token("t", Kind.TOTP, SEED))


def test_a_hotp_token_has_no_use_for_a_period() -> None:
    assert Token("t", Kind.HOTP, SEED, period=0).period == 0


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("digits", {"digits": 7}),
        ("period", {"period": 45}),
        ("key", {"key": b""}),
        ("counter", {"counter": -1}),
    ],
)
def test_a_token_that_makes_no_codes_is_refused_by_the_field(field: str, values: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=rf"^{field}: "):
        Token(**{"id": "t", "kind": Kind.TOTP, "key": SEED, **values})  # type: ignore[arg-type]
