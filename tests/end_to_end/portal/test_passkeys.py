"""Security keys and passkeys in a real browser, and the login codes that take them to where no passkey is known."""

import re

from playwright.sync_api import Page, expect

from tests.end_to_end.people import Person
from tests.end_to_end.portal.conftest import Visit
from tests.end_to_end.portal.office import Office
from tests.end_to_end.portal.steps import sign_in, sign_in_by_key, sign_out, take_recovery_codes, type_password
from tests.servers.browser import SecurityKey


def set_up(page: Page, name: str) -> None:
    """Give the page's visitor a key."""
    page.goto("/enrol/passkey")
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Set up").click()


def urlsafe(text: str) -> str:
    """Return base64 as base64url, as the pages have it."""
    return text.rstrip("=").translate(str.maketrans("+/", "-_"))


def login_code(page: Page) -> bytes:
    """Ask for a login code, and return what the page shows."""
    page.goto("/login-code")
    page.get_by_role("button", name=re.compile("show a (login )?code", re.IGNORECASE)).click()
    shown = page.locator("#login-code")
    expect(shown).to_have_text(re.compile(r"^\d{8}$"))
    return shown.inner_text().encode()


def with_key(office: Office, visit: Visit) -> tuple[Page, Person, SecurityKey]:
    """Return somebody who has enrolled a security key as their first device, and is signed out."""
    person, page = office.house.person(token=False), visit()
    key = SecurityKey(page)
    type_password(page, person)
    expect(page).to_have_url(re.compile("/enrol$"))
    set_up(page, "blue key")
    take_recovery_codes(page)
    expect(page.get_by_role("link", name="blue key")).to_be_visible()
    sign_out(page)
    return page, person, key


def test_a_passkey_lets_its_owner_into_a_vpn_that_has_never_heard_of_it(office: Office, visit: Visit) -> None:
    """As the first device: registered, used to sign in, and good for codes, each of which works once."""
    page, alice, key = with_key(office, visit)
    (credential,) = key.credentials
    assert credential["rpId"] == "localhost"

    sign_in_by_key(page, alice)
    assert office.house.last(alice.uid)[:3] == ("accept", None, "passkey")
    (again,) = key.credentials
    assert again["signCount"] > credential["signCount"]

    code = login_code(page)
    assert office.house.radclient("appended", alice.uid, alice.password + code).name == "Access-Accept"
    assert office.house.last(alice.uid)[:3] == ("accept", None, "passkey")
    assert office.house.radclient("appended", alice.uid, alice.password + code).name == "Access-Reject"

    old, new = login_code(page), login_code(page)
    assert office.house.come_in("challenge", alice, old).name == "Access-Reject"
    assert office.house.come_in("challenge", alice, new).name == "Access-Accept"
    assert office.house.come_in("challenge", alice, new).name == "Access-Reject"


def test_a_key_that_is_somebody_elses_is_no_second_factor(office: Office, visit: Visit) -> None:
    """Neither as the page asks for keys, nor where its owner has it sign what Alice's was asked to."""
    _, alice, _ = with_key(office, visit)
    page, _, key = with_key(office, visit)
    type_password(page, alice)
    page.get_by_role("button", name="Use a security key or passkey").click()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page).to_have_url(re.compile("/signin/code$"))
    page.evaluate(
        """(id) => {
            const form = document.querySelector("[data-options]");
            const options = JSON.parse(form.dataset.options);
            options.allowCredentials = [{ ...options.allowCredentials[0], id }];
            form.dataset.options = JSON.stringify(options);
        }""",
        urlsafe(key.credentials[0]["credentialId"]),
    )
    page.get_by_role("button", name="Use a security key or passkey").click()
    expect(page.get_by_text("You could not be signed in.")).to_be_visible()
    assert office.house.last(alice.uid)[0] == "reject"


def test_a_copy_of_a_key_is_found_out_by_its_counter(office: Office, visit: Visit) -> None:
    page, alice, key = with_key(office, visit)
    (copied,) = key.credentials
    sign_in_by_key(page, alice)
    thief = visit()
    SecurityKey(thief).take(copied)
    type_password(thief, alice)
    thief.get_by_role("button", name="Use a security key or passkey").click()
    expect(thief.get_by_text("You could not be signed in.")).to_be_visible()
    assert office.house.last(alice.uid)[0] == "reject"


def test_one_who_has_a_token_adds_a_key_and_takes_the_same_one_once(office: Office, visit: Visit) -> None:
    alice, page = office.house.person(), visit()
    SecurityKey(page)
    sign_in(page, alice)
    set_up(page, "work laptop")
    expect(page).to_have_url(re.compile("/tokens"))
    expect(page.get_by_role("link", name="work laptop")).to_be_visible()
    set_up(page, "the same again")
    expect(page.get_by_role("alert")).to_be_visible()
    page.goto("/tokens")
    expect(page.get_by_role("link", name="the same again")).to_have_count(0)


def test_no_login_code_for_a_mere_code(office: Office, visit: Visit) -> None:
    """Whoever has signed in by an app is asked for the key first: the code is worth as much as that."""
    page, alice, key = with_key(office, visit)
    assert key
    alice.token = ""
    office.house.enrol([alice])
    sign_in(page, alice)
    page.goto("/login-code")
    expect(page.get_by_role("button", name="Show a login code")).to_have_count(0)
    code = login_code(page)  # by the key, which this page asks for
    assert office.house.come_in("either", alice, code).name == "Access-Accept"
