"""Tokens out of a box, which the command line has imported: whoever holds one makes it theirs at the portal."""

import base64
import os
import re
from itertools import count
from pathlib import Path

from playwright.sync_api import Page, expect

from radius2fa.otp.token import YubiKey
from tests.end_to_end.people import Person, hotp_codes, new_seed, totp_code
from tests.end_to_end.portal.conftest import Visit
from tests.end_to_end.portal.office import Office
from tests.end_to_end.portal.steps import take_recovery_codes, type_password
from tests.otp.touched import LETTERS, touched

_numbers = count(4711)


def in_stock(office: Office, folder: Path, kind: str) -> tuple[str, bytes]:
    """Import a token, and return its serial number and its secret."""
    serial, seed = f"A{next(_numbers)}", new_seed()
    file = folder / "tokens.csv"
    file.write_text(f"{serial},{base64.b32encode(seed).decode()},{kind},6,{30 if kind == 'totp' else ''},0\n")
    office.house.program.run("token", "import", str(file))
    return serial, seed


def at_the_form(visit: Visit, person: Person) -> Page:
    page = visit()
    type_password(page, person)
    page.get_by_role("link", name="Hardware token").click()
    return page


def fill_in(page: Page, serial: str, code: bytes, second: bytes = b"") -> None:
    page.get_by_label("Serial number").fill(serial)
    page.get_by_label("Code from the token").fill(code.decode())
    page.get_by_label("The next code").fill(second.decode())
    page.get_by_role("button", name="Finish").click()


def test_a_token_with_a_button_is_enrolled_by_its_serial_number_and_two_codes(
    office: Office, visit: Visit, folder: Path
) -> None:
    serial, seed = in_stock(office, folder, "hotp")
    alice, codes = office.house.person(token=False), hotp_codes(seed)
    page = at_the_form(visit, alice)
    for wrong in ((serial, codes[5], codes[7]), (serial, codes[5], b""), (serial + "9", codes[5], codes[6])):
        fill_in(page, *wrong)
        expect(page.get_by_role("alert")).to_contain_text("This does not fit together")
    fill_in(page, serial.lower(), codes[5], codes[6])  # pressed a few times on its way
    take_recovery_codes(page)
    expect(page.get_by_role("cell", name=serial, exact=True)).to_be_visible()
    assert office.house.come_in("challenge", alice, codes[6]).name == "Access-Reject"
    assert office.house.come_in("challenge", alice, codes[7]).name == "Access-Accept"


def test_a_token_with_a_clock_is_enrolled_by_its_serial_number_and_one_code(
    office: Office, visit: Visit, folder: Path
) -> None:
    serial, seed = in_stock(office, folder, "totp")
    alice, bob = office.house.person(token=False), office.house.person(token=False)
    page = at_the_form(visit, alice)
    fill_in(page, serial, totp_code(seed))
    take_recovery_codes(page)
    later = totp_code(seed, "--now=30 seconds")
    other = at_the_form(visit, bob)
    fill_in(other, serial, later)
    expect(other.get_by_role("alert")).to_contain_text("This does not fit together")  # it is alice's
    assert office.house.come_in("appended", alice, later).name == "Access-Accept"


def test_a_yubikey_is_enrolled_by_a_touch(office: Office, visit: Visit, folder: Path) -> None:
    """It types its code, and then Return."""
    public = "".join(LETTERS[octet & 15] for octet in os.urandom(12))
    key = YubiKey("", public, os.urandom(16), os.urandom(6))
    file = folder / "yubikeys.csv"
    file.write_text(
        f"{next(_numbers)},{public},{key.private_id.hex()},{key.key.hex()},000000000000,2026-01-01T00:00:00,\n"
    )
    office.house.program.run("token", "import", str(file))
    alice, page = office.house.person(token=False), visit()
    type_password(page, alice)
    page.get_by_role("link", name=re.compile("^YubiKey")).click()
    expect(page.locator("input:focus")).to_have_count(1)  # the field has the focus by itself, once the page is there
    page.keyboard.type(touched(key, 1, 1).decode() + "\n")
    take_recovery_codes(page)
    assert office.house.come_in("challenge", alice, touched(key, 1, 1)).name == "Access-Reject"
    assert office.house.come_in("challenge", alice, touched(key, 1, 2)).name == "Access-Accept"
