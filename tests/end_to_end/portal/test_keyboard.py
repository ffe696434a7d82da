"""The portal by the keyboard alone: whoever has no mouse gets everywhere, and sees where they are."""

import re
import time

from playwright.sync_api import Page, expect

from tests.end_to_end.portal.conftest import Visit
from tests.end_to_end.portal.office import Office
from tests.end_to_end.portal.steps import app_link, code_at, seed_of

_STOPS = 40  # presses of Tab, at most, from one end of a page to the other

# What has the focus: its text or label, and whether the outline around it can be seen.
_FOCUS = """() => {
    const here = document.activeElement, style = getComputedStyle(here), box = here.getBoundingClientRect();
    const label = here.labels?.[0]?.innerText ?? here.innerText;
    return {
        name: label.trim(),
        outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
        inSight: box.width > 0 && box.left >= 0 && box.right <= innerWidth && box.top >= 0 && box.bottom <= innerHeight,
    };
}"""


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the focus is on what has this name; it has to be seen all the way."""
    passed = []
    for _ in range(_STOPS):
        page.keyboard.press("Tab")
        focus = page.evaluate(_FOCUS)
        if focus["name"] != "" or passed:
            assert focus["outlined"], focus
            assert focus["inSight"], focus
        passed.append(focus["name"])
        if focus["name"].startswith(name):
            return
    raise AssertionError(f"no way to {name!r}: {passed}")


def test_a_first_enrolment_by_the_keyboard_alone(office: Office, visit: Visit) -> None:
    alice, page = office.house.person(token=False), visit()
    keys = page.keyboard
    keys.type(alice.uid)  # the first field has the focus
    tab_to(page, "Password")
    keys.type(alice.password.decode() + "\n")

    expect(page.get_by_role("heading", name="Set up your second factor")).to_be_visible()
    tab_to(page, "Authenticator app")
    keys.press("Enter")
    expect(page.get_by_role("heading", name="Authenticator app", exact=True)).to_be_visible()
    tab_to(page, "The app cannot scan it?")
    keys.press("Enter")
    secret = page.locator(".secret")
    expect(secret).to_be_visible()
    assert re.fullmatch(r"([A-Z2-7]{4} ){7}[A-Z2-7]{4}", secret.inner_text())
    seed = seed_of(app_link(page))
    tab_to(page, "Code from the app")
    keys.type("000000\n")
    expect(page.get_by_label("Code from the app")).to_be_focused()  # where the error is said, and mended
    keys.type(code_at(seed, time.time()).decode())
    tab_to(page, "Finish")
    keys.press("Space")

    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    tab_to(page, "I have kept them")
    keys.press("Enter")
    expect(page.get_by_role("link", name="Phone")).to_be_visible()
    tab_to(page, "Sign out")
    keys.press("Enter")
    expect(page.get_by_text("You are signed out.")).to_be_visible()


def test_the_first_press_of_tab_offers_to_skip_the_menu(office: Office, visit: Visit) -> None:
    alice, page = office.house.person(), visit()
    expect(page.get_by_label("User name")).to_be_focused()
    page.keyboard.type(alice.uid)
    tab_to(page, "Password")
    page.keyboard.type(alice.password.decode() + "\n")
    expect(page.get_by_role("heading", name="Your second factor")).to_be_visible()
    expect(page.locator("input:focus")).to_have_count(1)
    page.keyboard.type(alice.code().decode() + "\n")
    expect(page.get_by_role("heading", name="My tokens")).to_be_visible()
    tab_to(page, "Skip to the contents")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("#main$"))
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.querySelector('main').contains(document.activeElement)")
