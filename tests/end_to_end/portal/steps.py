"""What people do at the portal, by what they read on it: labels and buttons, in English."""

import base64
import re
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, expect

from tests.end_to_end.people import Person, totp_code


def code_at(seed: bytes, when: float) -> bytes:
    """Return oathtool's code of a time (Unix seconds)."""
    return totp_code(seed, f"--now=@{when:.0f}")


def seed_of(uri: str) -> bytes:
    """Return the secret of an otpauth address."""
    (secret,) = parse_qs(urlsplit(uri).query)["secret"]
    return base64.b32decode(secret)


def type_password(page: Page, person: Person) -> None:
    """Type name and password on the first page."""
    page.get_by_label("User name").fill(person.uid)
    page.get_by_label("Password").fill(person.password.decode())
    page.get_by_role("button", name="Continue").click()


def sign_in(page: Page, person: Person, code: str | None = None) -> None:
    """Sign in by password and code; the code is the next of the person's token if none is given."""
    type_password(page, person)
    type_code(page, code or person.code().decode())
    expect(page.get_by_text(f"Signed in as {person.uid}")).to_be_visible()


def type_code(page: Page, code: str) -> None:
    """Type what is asked for after the password."""
    page.get_by_label("Code", exact=True).fill(code)
    page.get_by_role("button", name="Sign in", exact=True).click()


def sign_in_by_key(page: Page, person: Person) -> None:
    """Sign in by password and security key."""
    type_password(page, person)
    page.get_by_role("button", name="Use a security key or passkey").click()
    expect(page.get_by_text(f"Signed in as {person.uid}")).to_be_visible()


def sign_out(page: Page) -> None:
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You are signed out.")).to_be_visible()


def app_link(page: Page) -> str:
    """Return the address that opens an app on the same phone."""
    return page.get_by_role("link", name="Open in the app on this phone").get_attribute("href") or ""


def enrol_app(page: Page, when: float) -> bytes:
    """Enrol an app on the page that shows a QR code, by the code of a time, and return its secret."""
    seed = seed_of(app_link(page))
    page.get_by_label("Code from the app").fill(code_at(seed, when).decode())
    page.get_by_role("button", name="Finish").click()
    return seed


def take_recovery_codes(page: Page) -> list[str]:
    """Return the recovery codes that the page shows, and go on."""
    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    codes = page.locator("ul.codes li").all_inner_texts()
    assert len(codes) == len(set(codes)) == 10
    page.get_by_role("link", name="I have kept them").click()
    expect(page).to_have_url(re.compile("/tokens"))
    return codes
