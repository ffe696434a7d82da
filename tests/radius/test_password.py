from hypothesis import given
from hypothesis import strategies as st
from pyrad.packet import AuthPacket

from radius2fa.radius.password import reveal, salted
from tests.radius.wire import hide, uncover_salted, vectors

RA = bytes(range(16))


def test_the_passwords_of_rfc_2865_section_7_are_revealed() -> None:
    examples = [each for each in vectors("rfc2865").values() if "password" in each]
    assert len(examples) == 3
    for example in examples:
        octets = bytes.fromhex(example["request"])
        hidden = octets[29 if example["name"] == "mopsy" else 28 :][:16]
        assert reveal(hidden, example["secret"].encode(), octets[4:20]) == example["password"].encode()


@given(st.binary(max_size=128), st.binary(min_size=1, max_size=64), st.binary(min_size=16, max_size=16))
def test_any_password_of_up_to_128_octets_is_revealed(password: bytes, secret: bytes, authenticator: bytes) -> None:
    assert reveal(hide(password, secret, authenticator), secret, authenticator) == password.rstrip(b"\0")


@given(st.text(max_size=32))
def test_a_password_hidden_by_pyrad_is_revealed(password: str) -> None:
    sent = AuthPacket(secret=b"secret", authenticator=RA)
    assert reveal(sent.PwCrypt(password), b"secret", RA) == password.encode().rstrip(b"\0")


def test_only_trailing_nuls_are_stripped() -> None:
    assert reveal(hide(b"\0 pa\0ss \0\0", b"s", RA), b"s", RA) == b"\0 pa\0ss "


def test_no_octets_hide_an_empty_password() -> None:
    assert reveal(b"", b"s", RA) == b""
    assert reveal(hide(b"", b"s", RA), b"s", RA) == b""


def test_octets_that_are_no_text_are_kept() -> None:
    assert reveal(hide(b"pa\xffss", b"s", RA), b"s", RA) == b"pa\xffss"


def test_a_wrong_secret_gives_another_password() -> None:
    assert reveal(hide(b"opensesame", b"one", RA), b"other", RA) != b"opensesame"


@given(st.binary(max_size=239), st.binary(min_size=1, max_size=64))
def test_a_salted_value_is_uncovered_by_the_client(value: bytes, secret: bytes) -> None:
    octets = salted(value, secret, RA, b"\x80\x01")
    assert octets[:2] == b"\x80\x01"
    assert uncover_salted(octets, secret, RA) == value


def test_a_salted_value_is_uncovered_by_pyrad() -> None:
    client = AuthPacket(secret=b"secret", authenticator=RA)
    client.request_authenticator = RA
    assert client.SaltDecrypt(salted(b"a key of 32 octets, or two blocks", b"secret", RA, b"\xfe\x01")) == (
        b"a key of 32 octets, or two blocks"
    )
