"""Passkeys in a real browser: its WebAuthn, our script, the Content-Security-Policy, and the server together."""

import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Browser, CDPSession, Page, Playwright, expect
from werkzeug.serving import make_server

from radius2fa.login.attempt import Accept, Attempt, ClientRules, CodeMode, Reject
from radius2fa.login.authenticate import authenticate
from tests.portal.site import PASSWORD, Site, code_at
from tests.servers import browser


@dataclass
class Visit:
    """A page in Chromium at a portal that listens on this machine, and Chromium's virtual security key."""

    site: Site
    page: Page
    devtools: CDPSession
    key: str
    complaints: list[str]

    def go(self, path: str) -> None:
        self.page.goto(f"{self.site.settings.portal.url}{path}")

    def type_password(self, name: str) -> None:
        self.go("/signin")
        self.page.get_by_label("User name").fill(name)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Continue").click()

    def sign_in(self, name: str = "alice") -> None:
        self.type_password(name)
        self.page.get_by_label("Code").fill(code_at(self.site.now))
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page).to_have_url(re.compile("/tokens$"))
        self.site.now += 30

    def sign_out(self) -> None:
        self.page.get_by_role("button", name="Sign out").click()
        expect(self.page).to_have_url(re.compile("/signin"))

    def enrol(self, label: str = "blue key") -> None:
        self.go("/enrol/passkey")
        self.page.get_by_label("Name").fill(label)
        self.page.get_by_role("button", name="Set up").click()


@pytest.fixture(scope="module")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    with browser.chromium(playwright) as running:
        yield running


@pytest.fixture
def visit(make_site: Callable[..., Site], chromium: Browser) -> Iterator[Visit]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        site = make_site(url=f"http://localhost:{port}")
        server = make_server("127.0.0.1", port, site.app, threaded=True, fd=listening.fileno())
        thread = Thread(target=server.serve_forever)
        thread.start()
        context = chromium.new_context(locale="en-GB")
        page = context.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        devtools = context.new_cdp_session(page)
        devtools.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "transport": "usb",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        key = devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]
        yield Visit(site, page, devtools, key, complaints)
        context.close()
        server.shutdown()
        thread.join()
        server.server_close()


def radius(site: Site, typed: str) -> object:
    client = ClientRules("vpn", CodeMode.APPENDED)
    return authenticate(Attempt("a", client, "alice", typed.encode(), None, "", None, site.now, 1e9), site.world.house)


def test_a_passkey_is_enrolled_signs_in_and_gives_a_login_code(visit: Visit) -> None:
    visit.sign_in()
    visit.enrol()
    expect(visit.page).to_have_url(re.compile("/tokens"))
    (passkey,) = visit.site.store.passkeys.of(visit.site.alice)
    assert passkey.label == "blue key"
    visit.sign_out()

    visit.type_password("alice")
    visit.page.get_by_role("button", name="Use a security key").click()
    expect(visit.page.get_by_text("Signed in as alice")).to_be_visible()
    assert visit.site.store.accounts.recent(visit.site.alice, 1)[0].factor == "passkey"

    visit.page.get_by_role("link", name="Login code").click()
    visit.page.get_by_role("button", name="Show a login code").click()
    code = visit.page.locator("#login-code").inner_text().replace("\n", "").replace(" ", "")
    assert re.fullmatch(r"\d{8}", code)
    assert isinstance(radius(visit.site, PASSWORD + code), Accept)
    assert isinstance(radius(visit.site, PASSWORD + code), Reject)

    visit.site.now += 301
    visit.go("/login-code")
    visit.page.get_by_role("button", name="Use the key and show a code").click()
    expect(visit.page.locator("#login-code")).to_be_visible()
    (passkey,) = visit.site.store.passkeys.of(visit.site.alice)
    assert passkey.sign_count > 2
    assert visit.complaints == []


def test_a_passkey_can_be_the_first_token(visit: Visit) -> None:
    visit.type_password("bob")
    expect(visit.page).to_have_url(re.compile("/enrol$"))
    visit.enrol()
    expect(visit.page).to_have_url(re.compile("/recovery/codes"))
    assert len(visit.site.store.passkeys.of(visit.site.bob)) == 1


def test_a_change_is_confirmed_by_a_passkey(visit: Visit) -> None:
    visit.sign_in()
    visit.enrol()
    expect(visit.page).to_have_url(re.compile("/tokens"))
    visit.site.now += 301
    visit.go("/enrol/passkey")
    expect(visit.page).to_have_url(re.compile("/confirm"))
    visit.page.get_by_role("button", name="Use a security key").click()
    expect(visit.page).to_have_url(re.compile("/enrol/passkey$"))


def test_a_key_that_is_enrolled_says_so(visit: Visit) -> None:
    visit.sign_in()
    visit.enrol()
    expect(visit.page).to_have_url(re.compile("/tokens"))
    visit.enrol("the same once more")
    expect(visit.page.get_by_role("alert")).to_contain_text("set up here already")
    expect(visit.page.get_by_role("button", name="Set up")).to_be_enabled()
    assert len(visit.site.store.passkeys.of(visit.site.alice)) == 1


def test_while_the_browser_asks_the_page_says_so_and_asks_once(visit: Visit) -> None:
    visit.sign_in()
    visit.go("/enrol/passkey")
    visit.page.evaluate(
        "() => { window.asked = 0; navigator.credentials.create = () => new Promise(() => { window.asked += 1; }); }"
    )
    visit.page.get_by_role("button", name="Set up").dblclick()
    expect(visit.page.get_by_role("status")).to_contain_text("touch it")
    expect(visit.page.get_by_role("button", name="Set up")).to_be_disabled()
    expect(visit.page.locator("form[data-passkey]")).to_have_attribute("aria-busy", "true")
    visit.page.get_by_label("Name").press("Enter")
    assert visit.page.evaluate("window.asked") == 1
    assert visit.complaints == []


def test_what_the_user_takes_back_can_be_tried_again(visit: Visit) -> None:
    visit.sign_in()
    visit.go("/enrol/passkey")
    visit.page.evaluate(
        "() => { window.create = navigator.credentials.create.bind(navigator.credentials);"
        " navigator.credentials.create = () => Promise.reject(new DOMException('', 'NotAllowedError')); }"
    )
    visit.page.get_by_role("button", name="Set up").click()
    expect(visit.page.get_by_role("alert")).to_contain_text("No passkey was made")
    expect(visit.page.get_by_role("button", name="Set up")).to_be_focused()
    expect(visit.page.locator("form[data-passkey]")).to_have_attribute("aria-busy", "false")
    visit.page.evaluate("() => { navigator.credentials.create = window.create; }")
    visit.page.get_by_role("button", name="Set up").click()
    expect(visit.page).to_have_url(re.compile("/tokens"))


def test_a_browser_that_knows_no_passkeys_says_so_and_takes_codes(visit: Visit) -> None:
    visit.page.add_init_script("delete window.PublicKeyCredential")
    visit.type_password("alice")
    expect(visit.page.get_by_text("does not know security keys")).to_be_visible()
    expect(visit.page.get_by_role("button", name="Use a security key")).to_be_hidden()
    visit.page.get_by_label("Code").fill(code_at(visit.site.now))
    visit.page.get_by_role("button", name="Sign in").click()
    expect(visit.page.get_by_text("Signed in as alice")).to_be_visible()


def test_without_a_script_a_code_signs_in(visit: Visit, chromium: Any) -> None:
    context = chromium.new_context(java_script_enabled=False, locale="en-GB")
    plain = Visit(visit.site, context.new_page(), visit.devtools, visit.key, [])
    plain.type_password("alice")
    expect(plain.page.get_by_text("Security keys need JavaScript")).to_be_visible()
    plain.page.get_by_label("Code").fill(code_at(visit.site.now))
    plain.page.get_by_role("button", name="Sign in").click()
    expect(plain.page.get_by_text("Signed in as alice")).to_be_visible()
    context.close()
