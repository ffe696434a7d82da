"""Signing in: the decision that RADIUS logins go through, and pages that tell strangers nothing."""

from radius2fa.login.reason import Reason
from tests.portal.site import CODES, NOW, PASSWORD, STEP, Site, code_at


def test_who_has_a_token_signs_in_with_password_and_code(site: Site) -> None:
    browser = site.browser()
    browser.sign_in("alice", CODES[STEP])
    assert browser.status == 200
    assert "Signed in as alice" in browser.text
    (record,) = site.store.accounts.recent(site.alice, 1)
    assert (record.client, record.result, record.factor, record.token) == ("portal", "accept", "totp", "alices")


def test_a_code_works_once(site: Site) -> None:
    site.browser().sign_in("alice", CODES[STEP])
    again = site.browser()
    again.sign_in("alice", CODES[STEP])
    assert again.status == 401
    assert site.store.accounts.recent(site.alice, 1)[0].reason is Reason.CODE_ALREADY_USED


def test_the_first_step_is_the_same_for_everybody_who_is_not_let_in(site: Site) -> None:
    pages = {}
    for name, password in (("alice", PASSWORD), ("alice", "wrong"), ("bob", "wrong"), ("nobody", "wrong")):
        browser = site.browser()
        browser.sign_in(name, password=password)
        assert (browser.status, browser.path) == (200, "/signin/code")
        pages[name, password] = browser.text.replace(name, "NAME")
    assert len(set(pages.values())) == 1
    assert site.directory.binds == 1  # bob's, who is not enrolled; nobody else's password was looked at


def test_who_is_not_enrolled_comes_in_by_the_password_and_no_further_than_to_enrol(site: Site) -> None:
    browser = site.browser()
    browser.sign_in("bob")
    assert browser.path == "/enrol"
    browser.get("/tokens")
    assert browser.path == "/enrol"


def test_a_wrong_code_is_counted_and_the_page_does_not_say_so(site: Site) -> None:
    browser = site.browser()
    browser.sign_in("alice", "000000")
    assert browser.status == 401
    assert "could not be signed in" in browser.text
    assert site.store.accounts.recent(site.alice, 1)[0].reason is Reason.WRONG_CODE
    assert browser.held_back == 1.125  # reject_delay and half of reject_jitter


def test_five_wrong_codes_lock_the_right_one_out(site: Site) -> None:
    for code in ("000000", "000001", "000002", "000003", "000004"):
        site.browser().sign_in("alice", code)
    browser = site.browser()
    browser.sign_in("alice", CODES[STEP])
    assert browser.status == 401
    assert site.store.accounts.recent(site.alice, 1)[0].reason is Reason.LOCKED_OUT


def test_a_session_ends_when_idle_and_at_its_time(site: Site) -> None:
    browser = site.browser()
    browser.sign_in("alice", CODES[STEP])
    site.now = NOW + site.settings.portal.idle + 61
    browser.get("/")
    assert browser.path == "/signin"


def test_signing_in_gives_a_new_cookie_whatever_was_there_before(site: Site) -> None:
    browser = site.browser()
    browser.client.set_cookie("__Host-radius2fa-session", "A" * 43, domain="portal.example.org")
    browser.sign_in("alice", CODES[STEP])
    cookie = browser.client.get_cookie("__Host-radius2fa-session", domain="portal.example.org")
    assert cookie is not None
    assert cookie.value != "A" * 43
    assert (cookie.secure, cookie.http_only, cookie.same_site, cookie.path) == (True, True, "Strict", "/")


def test_a_form_from_elsewhere_is_refused(site: Site) -> None:
    browser = site.browser()
    browser.get("/signin")
    good = browser.forms[0].fields
    typed = {**good, "name": "alice", "password": PASSWORD}
    for fields, headers in (
        ({**typed, "form": ""}, {}),
        ({**typed, "form": "0" * 64}, {}),
        (typed, {"Origin": "https://evil.example"}),
        (typed, {"Origin": "null"}),
        (typed, {"Sec-Fetch-Site": "cross-site"}),
    ):
        assert browser.post("/signin", fields, headers=headers).status_code == 403
    assert site.browser().post("/signin", typed).status_code == 403  # without the cookie that the field belongs to
    assert site.store.accounts.recent(site.alice, 9) == ()
    assert browser.post("/signin", typed, follow=False).status_code == 303


def test_one_address_that_tries_too_often_is_told_to_wait(site: Site) -> None:
    browser = site.browser()
    answers = []
    for _ in range(62):
        browser.get("/signin")
        answers.append(browser.submit("/signin", follow=False, name="nobody", password="x").status_code)
    assert answers[:60] == [303] * 60
    assert answers[-1] == 429
    other = site.browser(address="203.0.113.9")
    other.sign_in("alice", code_at(site.now))
    assert other.status == 200


def test_every_page_forbids_foreign_content_frames_and_caches(site: Site) -> None:
    page = site.browser().get("/signin")
    assert page.headers["Content-Security-Policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    )
    assert page.headers["X-Frame-Options"] == "DENY"
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Strict-Transport-Security"] == "max-age=31536000"


def test_the_pages_speak_the_browsers_language(site: Site) -> None:
    german = site.browser("de-AT,de;q=0.9,en;q=0.5")
    german.get("/signin")
    assert 'lang="de"' in german.html
    assert "Benutzername" in german.text
    other = site.browser("fr")
    other.get("/signin")
    assert 'lang="en"' in other.html


def test_a_directory_that_is_down_is_no_refusal(site: Site) -> None:
    site.directory.down = True
    browser = site.browser()
    browser.get("/signin")
    browser.submit("/signin", name="alice", password=PASSWORD)
    assert browser.status == 503
    assert "Nothing is lost" in browser.text
