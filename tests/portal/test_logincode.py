"""The login code: made for whoever has just shown a key, good once, for two minutes, wherever a code is asked for."""

import re
from dataclasses import replace
from datetime import datetime

import pytest

from radius2fa.login.attempt import Accept, Attempt, Challenge, ClientRules, CodeMode, Reject
from radius2fa.login.authenticate import authenticate
from radius2fa.login.policy import Rules
from radius2fa.login.reason import Reason
from radius2fa.store.acts import Deed
from tests.portal.authenticator import Authenticator, Lie, add_passkey, options_of, sign_in_by_key
from tests.portal.site import PASSWORD, Browser, Site


@pytest.fixture
def key(site: Site) -> Authenticator:
    """The key that alice has enrolled."""
    add_passkey(site.signed_in(), key := Authenticator())
    return key


def by_key(site: Site, key: Authenticator) -> Browser:
    browser = site.browser()
    sign_in_by_key(browser, "alice", key)
    browser.get("/login-code")
    assert browser.status == 200
    return browser


def code_on(browser: Browser) -> str:
    found = re.search(r'id="login-code"><span>(\d{4})</span><span>(\d{4})</span>', browser.html)
    assert found is not None
    return found[1] + found[2]


def made(site: Site, key: Authenticator) -> str:
    browser = by_key(site, key)
    browser.submit("/login-code")
    return code_on(browser)


def radius(site: Site, typed: str, mode: CodeMode, state: bytes | None = None) -> object:
    """Return what a RADIUS server on the same database answers to alice."""
    client = ClientRules("vpn", mode)
    house = replace(site.world.house, policies=Rules.of([]))
    return authenticate(Attempt("a", client, "alice", typed.encode(), state, "", None, site.now, 1e9), house)


def test_a_login_code_is_accepted_behind_the_password_once(site: Site, key: Authenticator) -> None:
    code = made(site, key)
    accepted = radius(site, PASSWORD + code, CodeMode.APPENDED)
    assert isinstance(accepted, Accept)
    assert accepted.factor == "passkey"
    assert radius(site, PASSWORD + code, CodeMode.APPENDED) == Reject(Reason.CODE_ALREADY_USED)


def test_a_login_code_is_accepted_as_the_answer_to_a_challenge(site: Site, key: Authenticator) -> None:
    code = made(site, key)
    asked = radius(site, PASSWORD, CodeMode.CHALLENGE)
    assert isinstance(asked, Challenge)
    assert isinstance(radius(site, code, CodeMode.CHALLENGE, asked.state), Accept)


def test_a_login_code_is_over_after_two_minutes(site: Site, key: Authenticator) -> None:
    code = made(site, key)
    site.now += 119
    asked = radius(site, PASSWORD, CodeMode.CHALLENGE)
    assert isinstance(asked, Challenge)
    site.now += 1
    assert isinstance(radius(site, code, CodeMode.CHALLENGE, asked.state), Reject)


def test_a_new_code_ends_the_one_before(site: Site, key: Authenticator) -> None:
    browser = by_key(site, key)
    browser.submit("/login-code")
    first = code_on(browser)
    browser.submit("/login-code")
    second = code_on(browser)
    assert isinstance(radius(site, PASSWORD + first, CodeMode.APPENDED), Reject)
    assert isinstance(radius(site, PASSWORD + second, CodeMode.APPENDED), Accept)


def test_the_page_tells_until_when_and_is_kept_nowhere(site: Site, key: Authenticator) -> None:
    browser = by_key(site, key)
    browser.submit("/login-code")
    assert browser.page is not None
    assert browser.page.headers["Cache-Control"] == "no-store"
    found = re.search(r'<time datetime="([^"]+)">(\d\d:\d\d:\d\d)</time>', browser.html)
    assert found is not None
    assert datetime.fromisoformat(found[1]).timestamp() == int(site.now + 120)


def test_it_is_written_down_who_asked_for_a_code(site: Site, key: Authenticator) -> None:
    made(site, key)
    act, by_sign_in = [act for act in site.store.acts.recent(site.alice, 9) if act.what is Deed.LOGIN_CODE]
    assert (act.who, act.name, act.why) == ("portal:alice", "alice", "")
    assert (by_sign_in.who, by_sign_in.why) == ("portal", "in place of a security key")


def test_five_minutes_after_the_key_it_is_asked_for_again(site: Site, key: Authenticator) -> None:
    browser = by_key(site, key)
    stale = next(form.fields for form in browser.forms if form.action == "/login-code")
    site.now += 301
    browser.post("/login-code", stale)
    assert browser.path == "/login-code"
    assert "once more" in browser.text
    assert 'login-code"><span>' not in browser.html
    browser.submit("/login-code/passkey", response=key.get(options_of(browser, "/login-code/passkey")))
    assert browser.status == 200
    code = code_on(browser)
    browser.submit("/login-code")  # by the session's new name
    assert code_on(browser) != code
    assert isinstance(radius(site, PASSWORD + code_on(browser), CodeMode.APPENDED), Accept)


@pytest.mark.parametrize("lie", [Lie(challenge=bytes(32)), Lie(spoil_signature=True)], ids=["challenge", "signature"])
def test_a_key_that_lies_gets_no_code(site: Site, key: Authenticator, lie: Lie) -> None:
    browser = by_key(site, key)
    site.now += 301
    browser.get("/login-code")
    browser.submit("/login-code/passkey", response=key.get(options_of(browser, "/login-code/passkey"), lie))
    assert browser.status == 401
    assert "not accepted" in browser.text
    assert 'login-code"><span>' not in browser.html


def test_whoever_came_in_by_a_code_has_to_show_the_key_first(site: Site, key: Authenticator) -> None:
    browser = site.signed_in()
    browser.get("/login-code")
    assert [form.action for form in browser.forms if form.action.startswith("/login-code")] == ["/login-code/passkey"]
    browser.submit("/login-code/passkey", response=key.get(options_of(browser, "/login-code/passkey")))
    assert code_on(browser)


def test_a_login_code_does_not_lead_to_another(site: Site, key: Authenticator) -> None:
    code = made(site, key)
    browser = site.browser()
    browser.sign_in("alice", code)
    browser.get("/login-code")
    fields = next(form.fields for form in browser.forms if form.action == "/login-code/passkey")
    assert browser.post("/login-code", {"form": fields["form"]}, follow=False).headers["Location"] == "/login-code"
    assert len([act for act in site.store.acts.recent(site.alice, 20) if act.what is Deed.LOGIN_CODE]) == 2


def test_a_key_that_was_disabled_meanwhile_gets_no_code(site: Site, key: Authenticator) -> None:
    browser = by_key(site, key)
    (passkey,) = site.store.passkeys.of(site.alice)
    site.store.tokens.set_active(passkey.id, active=False)
    browser.submit("/login-code")
    assert "You have no passkey yet" in browser.text


def test_who_has_no_passkey_learns_how_to_get_one(site: Site) -> None:
    browser = site.signed_in()
    browser.get("/login-code")
    assert "/enrol/passkey" in browser.links
    assert [form for form in browser.forms if form.action.startswith("/login-code")] == []


def test_who_has_not_signed_in_gets_no_code(site: Site) -> None:
    browser = site.browser()
    browser.get("/login-code")
    assert browser.path == "/signin"
