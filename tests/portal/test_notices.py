"""Mail to people about what has changed."""

import base64
import re
from collections.abc import Callable

import pytest

from radius2fa.config.model import Mail
from radius2fa.otp.token import Kind, Token
from radius2fa.portal.letter import Letter
from radius2fa.portal.words import LANGUAGES, texts_of
from radius2fa.store.tokens import NewToken
from tests.portal.site import KEY, Browser, Site, code_at
from tests.portal.test_enrol import secret_of

SPARE = b"another key of 20 oc"


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    made = make_site(mail=Mail(server="mail.example.org", sender="radius2fa@example.org"), help="Call 4711.")
    made.give_token("alice", "spare", SPARE)
    return made


def last(site: Site) -> Letter:
    return site.letters[-1]


def change(browser: Browser, path: str, action: str, **fields: str) -> None:
    browser.get(path)
    browser.submit(action, **fields)


def test_each_change_is_told(site: Site) -> None:
    browser = site.signed_in()
    assert site.letters == []
    change(browser, "/tokens/spare", "/tokens/spare/rename", label="Tablet")
    assert "“spare”" not in last(site).text
    assert "“phone” is called “Tablet”" in last(site).text
    change(browser, "/tokens/spare/disable", "/tokens/spare/disable")
    assert "“Tablet” is not accepted" in last(site).text
    change(browser, "/tokens/spare", "/tokens/spare/enable")
    assert "“Tablet” is accepted again" in last(site).text
    change(
        browser,
        "/tokens/spare",
        "/tokens/spare/resync",
        code=code_at(site.now + 90, SPARE),
        second=code_at(site.now + 120, SPARE),
    )
    assert "two of its codes" in last(site).text
    change(browser, "/tokens/spare/remove", "/tokens/spare/remove")
    assert "“Tablet” was removed" in last(site).text
    change(browser, "/recovery", "/recovery")
    assert "new list of recovery codes" in last(site).text
    browser.get("/enrol/app")
    change(browser, "/enrol/app", "/enrol/app", code=code_at(site.now, secret_of(browser)), label="Watch")
    assert "“Watch”" in last(site).text
    other = site.browser()
    other.sign_in("alice", code_at(site.now))
    browser.get("/sessions")
    browser.post("/sessions", {"form": browser.forms[0].fields["form"]})
    assert "Sessions" in last(site).text
    assert len(site.letters) == 8
    assert {letter.to for letter in site.letters} == {"alice@example.org"}


def test_a_letter_says_when_from_where_and_what_to_do(site: Site) -> None:
    browser = site.signed_in()
    change(browser, "/tokens/spare/disable", "/tokens/spare/disable")
    letter = last(site)
    assert letter.subject == "Example Corp: A token was disabled"
    assert letter.text.startswith("Hello alice,\n\n")
    for text in ("From the address: 198.51.100.7", "When: 2014", "If not, tell your helpdesk", "Call 4711."):
        assert text in letter.text


def test_nothing_secret_is_in_a_letter(site: Site) -> None:
    browser = site.signed_in()
    browser.get("/enrol/app")
    key = secret_of(browser)
    change(browser, "/enrol/app", "/enrol/app", code=code_at(site.now, key))
    change(browser, "/recovery", "/recovery")
    codes = re.findall(r"<li>([a-z0-9]{5}-[a-z0-9]{5})</li>", browser.html)
    assert len(codes) == 10
    texts = "".join(letter.subject + letter.text for letter in site.letters)
    for secret in (*codes, base64.b32encode(key).decode(), base64.b32encode(KEY).decode()):
        assert secret not in texts


def test_what_changes_nothing_is_not_told(site: Site) -> None:
    browser = site.signed_in()
    change(browser, "/tokens/spare", "/tokens/spare/rename", label="phone")
    change(browser, "/tokens/spare", "/tokens/spare/try", code=code_at(site.now, SPARE))
    form = browser.forms[0].fields["form"]
    browser.post("/sessions", {"form": form})
    browser.post("/tokens/spare/enable", {"form": form})
    assert site.letters == []


def test_whoever_has_no_address_is_enrolled_all_the_same(site: Site) -> None:
    browser = site.browser()
    browser.sign_in("bob")
    browser.get("/enrol/app")
    browser.submit("/enrol/app", code=code_at(site.now, secret_of(browser)))
    assert browser.path == "/recovery/codes"
    assert site.letters == []
    assert any(event["event"] == "no mail: no address" for event in site.log)


def test_a_change_stands_where_the_directory_fails_when_the_letter_is_to_be_written(site: Site) -> None:
    browser = site.signed_in()
    browser.get("/tokens/spare/disable")
    site.directory.down = True
    browser.submit("/tokens/spare/disable", follow=False)
    assert browser.status == 303
    row = site.store.tokens.get("spare")
    assert row is not None
    assert not row.active


@pytest.mark.parametrize("address", ["", "nobody", "a@b\r\nBcc: all@example.org", "a@b c@d"])
def test_what_is_no_address_gets_no_letter(site: Site, address: str) -> None:
    carol = site.directory.add("carol", "correct horse", attributes={"mail": [address]})
    for token, key in (("one", KEY), ("two", SPARE)):
        site.store.tokens.add(NewToken(Token(token, Kind.TOTP, key), carol, "carol", token), site.now)
    browser = site.signed_in("carol")
    change(browser, "/tokens/two/disable", "/tokens/two/disable")
    assert "disabled" in browser.text
    assert site.letters == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_letter_has_a_subject_and_a_text(language: str) -> None:
    texts = texts_of(language)
    parts = [key.split(".") for key in texts if key.startswith("mail.") and key.count(".") == 2]
    subjects = {key[1] for key in parts if key[2] == "subject"}
    assert subjects == {key[1] for key in parts if key[2] == "text"}
    assert subjects
