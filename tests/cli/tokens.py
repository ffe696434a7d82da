"""Tokens of the tests of commands, whose codes oathtool computes or Yubico's tables hold, and the adding of them."""

import re
import time
from collections.abc import Iterable

from radius2fa.otp.token import Kind, Token
from radius2fa.store.passkeys import NewPasskey
from tests.cli.helpdesk import Helpdesk
from tests.otp import oathtool

SEED = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
TOKEN = Token("t", Kind.TOTP, b"12345678901234567890")
BUTTON = Token("b", Kind.HOTP, b"12345678901234567890")

# Of the YubiKey: use counter 1, session counters 1 and 2, and use counter 4095.
YUBIKEY_SECRET = "010203040506 000102030405060708090a0b0c0d0e0f"
PUBLIC_ID = "vvccccbhkcjd"
TOUCH_1, TOUCH_2, TOUCH_LATER = (
    PUBLIC_ID + block
    for block in (
        "dvgtiblfkbgturecfllberrvkinnctnn",
        "rnibcnfhdninbrdebccrndfhjgnhftee",
        "iikkijbdknrrdhfdrjltvgrbkkjblcbh",
    )
)
YUBIKEY = ("--kind", "yubikey", "--public-id", PUBLIC_ID, "--seed-file", "-")


def codes_now(token: Token, *, ahead: int = 0, more: int = 0) -> list[str]:
    """What the token shows now, or some steps ahead."""
    return [code.decode() for code in oathtool.codes(token, int(time.time() // token.period) + ahead, more)]


def lines(codes: Iterable[str | bytes]) -> str:
    """What somebody types who types each code and Enter."""
    return "".join(f"{code if isinstance(code, str) else code.decode()}\n" for code in codes)


def id_in(output: str) -> str:
    """The id of the token that was added."""
    return re.findall(r"^Token ([a-z2-9]{8}) for ", output, re.MULTILINE)[0]


def add(desk: Helpdesk, *arguments: str, typed: str = "") -> str:
    """Add a token, and return its id."""
    return id_in(desk.says("token", "add", *arguments, typed=typed))


def add_seed(desk: Helpdesk, *arguments: str) -> str:
    """Add a token that has the seed of the RFCs, and return its id."""
    return add(desk, *arguments, "--seed-file", "-", typed=SEED + "\n")


def add_yubikey(desk: Helpdesk, *arguments: str) -> str:
    """Add the YubiKey, and return its id."""
    return add(desk, *arguments, *YUBIKEY, typed=YUBIKEY_SECRET + "\n")


def register(desk: Helpdesk, subject: str, name: str, passkey_id: str = "yellowkey") -> str:
    """Register a passkey as the portal does, and return its id."""
    with desk.store() as store:
        store.passkeys.add(
            NewPasskey(passkey_id, subject, name, "yellow", b"credential".ljust(32), b"COSE"), time.time()
        )
    return passkey_id
