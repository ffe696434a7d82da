"""A first enrolment as its user makes it: in a browser, by what is to be seen there, and then a login by RADIUS."""

import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.end_to_end.portal.conftest import PHONE, Visit
from tests.end_to_end.portal.office import Office
from tests.end_to_end.portal.steps import (
    app_link,
    code_at,
    enrol_app,
    seed_of,
    sign_out,
    take_recovery_codes,
    type_password,
)
from tests.servers.browser import qr_codes


def seen_seed(page: Page, name: str) -> bytes:
    """Return the secret of the QR code that is to be seen, which an app would call by the issuer and the name."""
    page.locator("svg.qr").scroll_into_view_if_needed()
    (uri,) = qr_codes(page.screenshot(scale="css"))
    parts, query = urlsplit(uri), parse_qs(urlsplit(uri).query)
    assert (parts.scheme, parts.netloc, unquote(parts.path)) == ("otpauth", "totp", f"/Example Corp:{name}")
    assert query["issuer"] == ["Example Corp"]
    assert app_link(page) == uri  # for whoever reads this on their phone
    return seed_of(uri)


SCREENS: Mapping[str, Mapping[str, Any]] = {
    "phone": PHONE,
    "phone in the dark": PHONE | {"color_scheme": "dark"},
    "laptop without JavaScript": {"viewport": {"width": 1024, "height": 768}, "java_script_enabled": False},
}


@pytest.mark.parametrize("screen", SCREENS)
def test_a_first_enrolment_by_the_qr_code_and_then_a_login_by_radius(screen: str, office: Office, visit: Visit) -> None:
    alice, page = office.house.person(token=False), visit(**SCREENS[screen])
    assert office.house.come_in("challenge", alice, b"000000").name == "Access-Reject"
    type_password(page, alice)
    expect(page.get_by_role("heading", name="Set up your second factor")).to_be_visible()
    page.goto("/tokens")
    expect(page).to_have_url(re.compile("/enrol$"))  # nothing else is to be had by a password alone

    page.get_by_role("link", name="Authenticator app").click()
    seed = seen_seed(page, alice.uid)
    uri = app_link(page)
    page.reload()
    assert app_link(page) == uri  # the page that is loaded again does not spoil what was scanned
    now = time.time()
    page.get_by_label("Code from the app").fill("000000")
    page.get_by_role("button", name="Finish").click()
    expect(page.get_by_role("alert")).to_contain_text("This code is not right")
    page.get_by_label("Code from the app").fill(code_at(seed, now).decode())
    page.get_by_role("button", name="Finish").click()

    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    first, *_ = take_recovery_codes(page)
    expect(page.get_by_role("link", name="Phone")).to_be_visible()
    page.goto("/recovery/codes")
    expect(page.get_by_text(first)).to_have_count(0)
    page.go_back()
    page.go_back()
    expect(page.get_by_text(first)).to_have_count(0)

    login = office.house.come_in
    assert login("challenge", alice, code_at(seed, now)).name == "Access-Reject"  # it was used up by the enrolment
    assert login("challenge", alice, code_at(seed, now + 30)).name == "Access-Accept"
    assert login("appended", alice, first.encode()).name == "Access-Accept"
    assert login("challenge", alice, first.encode()).name == "Access-Reject"


def test_a_password_alone_enrols_nobody_who_has_a_token_by_now(office: Office, visit: Visit) -> None:
    """Two windows: who came in by the password first has no say any more when the other has enrolled."""
    alice, thief, page = office.house.person(token=False), visit(), visit()
    for each in (thief, page):
        type_password(each, alice)
        expect(each).to_have_url(re.compile("/enrol$"))
        each.goto("/enrol/app")
    assert enrol_app(page, time.time()) != enrol_app(thief, time.time())
    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    expect(thief.get_by_role("heading", name="There is a second factor already")).to_be_visible()
    devices = "SELECT id FROM token WHERE subject = ? AND kind = 'totp'"
    assert len(office.house.query(devices, alice.subject)) == 1


def test_a_session_has_another_cookie_once_it_has_a_second_factor(office: Office, visit: Visit) -> None:
    """Whoever has seen the cookie that the password alone has brought gets no further with it."""
    alice, page = office.house.person(token=False), visit()
    type_password(page, alice)
    expect(page).to_have_url(re.compile("/enrol$"))
    weak = page.context.cookies()
    page.goto("/enrol/app")
    enrol_app(page, time.time())
    take_recovery_codes(page)
    other = visit()
    other.context.add_cookies(weak)  # type: ignore[arg-type]
    other.goto("/tokens")
    expect(other).to_have_url(re.compile("/signin$"))
    sign_out(page)
