"""Showing a second factor again: a code or a key, and the way back, which never leads to another host."""

import json
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from radius2fa.login.reason import Reason
from radius2fa.portal.confirm import way_back
from tests.portal.authenticator import Authenticator, Lie, add_passkey, options_of
from tests.portal.site import CODES, STEP, Browser, Site, code_at

COOKIE = "__Host-radius2fa-session"


def stale(site: Site, name: str = "alice") -> Browser:
    """Return the browser of somebody who has shown their second factor a while ago."""
    browser = site.signed_in(name)
    site.now += site.settings.portal.fresh + 1
    return browser


def with_key(site: Site) -> tuple[Browser, Authenticator]:
    browser = site.signed_in()
    add_passkey(browser, key := Authenticator())
    site.now += site.settings.portal.fresh + 1
    return browser, key


def cookie(browser: Browser) -> str:
    found = browser.client.get_cookie(COOKIE, domain="portal.example.org")
    assert found is not None
    return str(found.value)


def latest(site: Site) -> Any:
    return site.store.accounts.recent(site.alice, 1)[0]


def test_whoever_shows_a_code_goes_on_where_they_were(site: Site) -> None:
    browser = stale(site)
    browser.get("/enrol/passkey")
    assert (browser.path, browser.status) == ("/confirm", 200)
    browser.submit("/confirm", code=code_at(site.now))
    assert (browser.path, browser.status) == ("/enrol/passkey", 200)
    assert (latest(site).client, latest(site).result, latest(site).factor) == ("portal", "accept", "totp")
    (session,) = site.store.sessions.of(site.alice, site.now)
    assert (session.proved, session.by_passkey) == (site.now, None)
    assert site.directory.binds == 1  # the one of the sign-in


def test_whoever_shows_a_key_goes_on_where_they_were(site: Site) -> None:
    browser, key = with_key(site)
    browser.get("/enrol/passkey")
    browser.submit("/confirm/passkey", response=key.get(options_of(browser, "/confirm/passkey")))
    assert (browser.path, browser.status) == ("/enrol/passkey", 200)
    assert latest(site).factor == "passkey"
    (session,) = site.store.sessions.of(site.alice, site.now)
    assert session.proved == session.by_passkey == site.now


def test_the_session_has_a_new_name_then_and_the_old_one_is_worth_nothing(site: Site) -> None:
    browser = stale(site)
    before = cookie(browser)
    browser.get("/confirm?back=/tokens")
    browser.submit("/confirm", code=code_at(site.now))
    assert cookie(browser) != before
    thief = site.browser()
    thief.client.set_cookie(COOKIE, before, domain="portal.example.org", secure=True)
    thief.get("/tokens")
    assert thief.path == "/signin"


def test_a_wrong_code_is_counted_and_the_page_stays(site: Site) -> None:
    browser = stale(site)
    browser.get("/confirm?back=/tokens")
    browser.submit("/confirm", code="000000")
    assert browser.status == 401
    assert "not accepted" in browser.text
    assert latest(site).reason is Reason.WRONG_CODE
    assert browser.page is not None
    assert "X-Radius2fa-Leave-At" in browser.page.headers
    browser.get("/enrol/passkey")
    assert browser.path == "/confirm"
    browser.submit("/confirm", code=code_at(site.now))
    assert browser.path == "/enrol/passkey"


def test_five_wrong_codes_lock_out_the_right_one_and_the_key(site: Site) -> None:
    browser, key = with_key(site)
    browser.get("/confirm")
    for number in range(5):
        browser.submit("/confirm", code=f"{number:06}")
    browser.submit("/confirm", code=code_at(site.now))
    assert (browser.status, latest(site).reason) == (401, Reason.LOCKED_OUT)
    browser.submit("/confirm/passkey", response=key.get(options_of(browser, "/confirm/passkey")))
    assert (browser.status, latest(site).reason) == (401, Reason.LOCKED_OUT)


def test_a_code_that_let_in_does_not_confirm(site: Site) -> None:
    browser = site.browser()
    browser.sign_in("alice", CODES[STEP])
    browser.get("/confirm")
    browser.submit("/confirm", code=CODES[STEP])
    assert (browser.status, latest(site).reason) == (401, Reason.CODE_ALREADY_USED)


def test_an_invitation_confirms_nothing_and_is_not_used_up(site: Site) -> None:
    browser = stale(site)
    code = site.store.codes.new_invitation(site.alice, "alice", until=site.now + 3600, when=site.now)
    browser.get("/confirm")
    browser.submit("/confirm", code=code)
    assert (browser.status, latest(site).reason) == (401, Reason.KIND_NOT_ALLOWED)
    assert site.store.codes.of(site.alice, site.now).invitation is not None


def test_a_login_code_confirms_but_is_no_passkey(site: Site) -> None:
    browser = stale(site)
    code = site.store.codes.new_login_code(site.alice, "alice", until=site.now + 120, when=site.now)
    browser.get("/confirm")
    browser.submit("/confirm", code=code)
    assert browser.path == "/tokens"
    (session,) = site.store.sessions.of(site.alice, site.now)
    assert (session.proved, session.by_passkey) == (site.now, None)


@pytest.mark.parametrize(
    "lie",
    [
        Lie(origin="https://evil.example"),
        Lie(rp_id="evil.example"),
        Lie(challenge=bytes(32)),
        Lie(type="webauthn.create"),
        Lie(spoil_signature=True),
    ],
    ids=["origin", "relying party", "challenge", "type", "signature"],
)
def test_a_key_that_lies_confirms_nothing(site: Site, lie: Lie) -> None:
    browser, key = with_key(site)
    browser.get("/confirm")
    browser.submit("/confirm/passkey", response=key.get(options_of(browser, "/confirm/passkey"), lie))
    assert browser.status == 401
    browser.get("/enrol/passkey")
    assert browser.path == "/confirm"


def test_what_a_key_has_signed_confirms_once(site: Site) -> None:
    add_passkey(browser := site.signed_in(), key := Authenticator(counts=False))
    browser.get("/confirm")
    response = key.get(options_of(browser, "/confirm/passkey"))
    browser.submit("/confirm/passkey", response=response)
    assert browser.path == "/tokens"
    site.now += 301
    browser.get("/confirm")
    browser.submit("/confirm/passkey", response=response)
    assert browser.status == 401


def test_what_was_signed_in_another_session_confirms_nothing_here(site: Site) -> None:
    browser, key = with_key(site)
    other = site.signed_in()
    other.get("/confirm")
    browser.get("/confirm")
    browser.submit("/confirm/passkey", response=key.get(options_of(other, "/confirm/passkey")))
    assert browser.status == 401


def test_only_their_own_keys_are_asked_for(site: Site) -> None:
    browser, key = with_key(site)
    browser.get("/confirm")
    asked = json.loads(options_of(browser, "/confirm/passkey"))
    assert len(asked["allowCredentials"]) == len(key.credentials) == 1
    other = stale(site, "helen")
    other.get("/confirm")
    assert [form.action for form in other.forms if form.data] == []


def test_whoever_has_still_to_enrol_has_nothing_to_confirm_with(site: Site) -> None:
    browser = site.browser()
    browser.sign_in("bob")
    browser.get("/confirm?back=/tokens")
    assert browser.path == "/enrol"
    stranger = site.browser()
    stranger.get("/confirm")
    assert stranger.path == "/signin"


def test_one_address_that_tries_too_often_is_told_to_wait(site: Site) -> None:
    browser = stale(site)
    browser.get("/confirm")
    fields = next(form.fields for form in browser.forms if form.action == "/confirm")
    assert [browser.post("/confirm", fields).status_code for _ in range(62)][-1] == 429


# The way back

ELSEWHERE = [
    "https://evil.example",
    "https://evil.example/tokens",
    "//evil.example",
    "//evil.example/tokens",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\\/evil.example",
    "/tokens\\..\\..\\evil.example",
    "/tokens/..//evil.example",
    "/.//evil.example",
    "/%2f/evil.example",
    "/%5cevil.example",
    "/%09/evil.example",
    "/\t/evil.example",
    "\t//evil.example",
    " //evil.example",
    "/tokens\r\nSet-Cookie: a=b",
    "/tokens\r\n\r\n<script>",
    "/tokens\0",
    "javascript:alert(1)",
    "data:text/html,x",
    "http:evil.example",
    "https:/evil.example",
    "tokens",
    "@evil.example",
    "/@evil.example",
    ".evil.example",
    "?back=//evil.example",
    "#//evil.example",
    "/\u2028evil.example",
    "\uff0f\uff0fevil.example",
    "/tokens" * 200,
    "/signout",
    "/signin",
    "/confirm",
    "/static/style.css",
    "/health",
    "/nowhere",
    "",
    "/",
]


def test_the_way_back_leads_nowhere_else(site: Site) -> None:
    browser = stale(site)
    for number, back in enumerate(ELSEWHERE):
        browser.address = f"198.18.0.{number}"
        browser.get("/confirm?back=" + quote(back))
        fields = {"code": code_at(site.now), "back": back, "form": browser.forms[-1].fields["form"]}
        answer = browser.post("/confirm", fields, follow=False)
        assert answer.status_code == 303
        assert answer.headers["Location"] in ("/", "/tokens"), back
        assert [name for name, value in answer.headers if name == "Set-Cookie" and value.startswith("a=")] == []
        site.now += 30


@pytest.mark.parametrize(
    ("path", "page"),
    [
        ("/tokens", "/tokens"),
        ("/tokens/abc", "/tokens/abc"),
        ("/tokens/abc/rename", "/tokens/abc"),
        ("/tokens/abc/no/such/thing", "/tokens/abc"),
        ("/tokens/ä b?c", "/tokens/%C3%A4%20b%3Fc"),
        ("/enrol/passkey", "/enrol/passkey"),
        ("/enrol/passkey/x", "/enrol/passkey"),
        ("/login-code/passkey", "/login-code"),
        ("/tokens/", "/tokens"),
    ],
)
def test_the_way_back_leads_to_the_nearest_page_that_can_be_looked_at(site: Site, path: str, page: str) -> None:
    with site.app.test_request_context():
        assert way_back(path) == page


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text("/\\.tokensevil:@?#%\t\r\n \u2028\uff0f", max_size=30) | st.text(max_size=30))
def test_whatever_the_way_back_is_it_stays_on_this_host(site: Site, text: str) -> None:
    with site.app.test_request_context():
        found = way_back(text)
    parts = urlsplit(found)
    assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == ("", "", "", "")
    assert found.startswith("/")
    assert found[1:2] not in ("/", "\\")
    assert found.isascii()
    assert found.isprintable()
