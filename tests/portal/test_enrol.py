"""The first second factor, and further ones: an app by QR code, tokens of the stock by serial number or touch."""

import base64
import re
from collections.abc import Callable

import pyotp
import pytest

from radius2fa.otp.token import Kind, Token, YubiKey
from radius2fa.store.tokens import MOST_ACTIVE, NewToken
from tests.portal.site import Browser, Site, code_at

# RFC 4226, appendix D: the first codes of KEY, which is the ASCII string 12345678901234567890.
RFC4226_KEY = b"12345678901234567890"
RFC4226_CODES = ("755224", "287082", "359152", "969429", "338314")
# One of Yubico's test vectors, with six letters of a public id in front.
YUBIKEY = YubiKey("yubi", "cccccb", bytes.fromhex("000102030405060708090a0b0c0d0e0f"), bytes.fromhex("010203040506"))
TOUCH = "cccccbdvgtiblfkbgturecfllberrvkinnctnn"


def secret_of(page: Browser) -> bytes:
    """Return the key that the page shows for typing."""
    (shown,) = re.findall(r'<p class="secret">([A-Z2-7 ]+)</p>', page.html)
    return base64.b32decode(shown.replace(" ", ""))


def enrolling(site: Site, name: str = "bob", **more: str) -> Browser:
    browser = site.browser(**more)
    browser.sign_in(name)
    assert browser.path == "/enrol"
    return browser


def with_app(site: Site, browser: Browser, **fields: str) -> bytes:
    """Enrol an app, and return its key."""
    browser.get("/enrol/app")
    key = secret_of(browser)
    browser.submit("/enrol/app", code=code_at(site.now, key), **fields)
    assert browser.status == 200
    return key


def test_somebody_new_is_enrolled_with_an_app_and_signs_in_with_it(site: Site) -> None:
    browser = enrolling(site)
    key = with_app(site, browser, label="My phone")
    (row,) = site.store.tokens.list(site.bob)
    assert (row.kind, row.label, row.name, row.active) == (Kind.TOTP, "My phone", "bob", True)
    site.now += 30
    again = site.browser()
    again.sign_in("bob", code_at(site.now, key))
    assert again.path == "/tokens"
    assert "My phone" in again.text
    (act, *_) = (act for act in site.store.acts.recent(site.bob, 9) if act.token == row.id)
    assert (act.who, act.what) == ("portal:bob", "token-added")


def test_the_qr_code_and_the_link_for_phones_hold_what_apps_need(site: Site) -> None:
    browser = enrolling(site)
    browser.get("/enrol/app")
    (link,) = [link for link in browser.links if link.startswith("otpauth:")]
    parsed = pyotp.parse_uri(link)
    assert isinstance(parsed, pyotp.TOTP)
    assert (parsed.name, parsed.issuer, parsed.digits, parsed.interval) == ("bob", "Example Corp", 6, 30)
    assert base64.b32decode(parsed.secret) == secret_of(browser)
    assert "<svg" in browser.html
    assert all(len(group) == 4 for group in re.findall(r'class="secret">([^<]+)<', browser.html)[0].split())
    assert "Aegis" in browser.text


def test_the_code_that_confirms_is_used_up(site: Site) -> None:
    key = with_app(site, enrolling(site))
    again = site.browser()
    again.sign_in("bob", code_at(site.now, key))
    assert again.status == 401


def test_a_page_that_is_loaded_again_shows_the_same_key_and_nothing_is_stored_before_the_code(site: Site) -> None:
    browser = enrolling(site)
    browser.get("/enrol/app")
    first = secret_of(browser)
    browser.get("/enrol/app")
    assert secret_of(browser) == first
    assert site.store.tokens.list(site.bob) == ()
    other = enrolling(site)
    other.get("/enrol/app")
    assert secret_of(other) != first


def test_the_key_is_gone_when_the_token_is_there(site: Site) -> None:
    browser = enrolling(site)
    key = with_app(site, browser)
    browser.get("/enrol/app")
    assert secret_of(browser) != key


def test_a_wrong_code_keeps_the_key_and_the_name_and_says_what_may_help(site: Site) -> None:
    browser = enrolling(site)
    browser.get("/enrol/app")
    first = secret_of(browser)
    right = code_at(site.now, first)
    browser.submit("/enrol/app", code="000000" if right != "000000" else "111111", label="Blue one")
    assert browser.status == 422
    assert "set its clock" in browser.text
    assert secret_of(browser) == first
    browser.submit("/enrol/app", code=right)
    assert [row.label for row in site.store.tokens.list(site.bob)] == ["Blue one"]


def test_after_ten_wrong_codes_there_is_a_new_key(site: Site) -> None:
    browser = enrolling(site)
    browser.get("/enrol/app")
    first = secret_of(browser)
    for _ in range(9):
        browser.submit("/enrol/app", code="12345")
        assert secret_of(browser) == first
    browser.submit("/enrol/app", code="12345")
    assert secret_of(browser) != first
    assert "new QR code" in browser.text
    browser.submit("/enrol/app", code=code_at(site.now, first))
    assert browser.status == 422
    assert site.store.tokens.list(site.bob) == ()


def test_a_phone_whose_clock_is_five_minutes_slow_is_taken_and_its_drift_is_learned(site: Site) -> None:
    browser = enrolling(site)
    browser.get("/enrol/app")
    key = secret_of(browser)
    browser.submit("/enrol/app", code=code_at(site.now - 300, key))
    (row,) = site.store.tokens.list(site.bob)
    assert row.drift == -10
    site.now += 30
    again = site.browser()
    again.sign_in("bob", code_at(site.now - 300, key))
    assert again.path == "/tokens"


def test_with_the_first_token_the_session_gets_a_new_cookie_and_the_old_one_is_worth_nothing(site: Site) -> None:
    browser = enrolling(site)
    name, domain = "__Host-radius2fa-session", "portal.example.org"
    before = browser.client.get_cookie(name, domain=domain)
    with_app(site, browser)
    after = browser.client.get_cookie(name, domain=domain)
    assert before is not None
    assert after is not None
    assert after.value != before.value
    thief = site.browser()
    thief.client.set_cookie(name, before.value, domain=domain)
    thief.get("/tokens")
    assert thief.path == "/signin"
    browser.get("/tokens")
    assert browser.path == "/tokens"


def test_with_the_first_token_come_ten_recovery_codes_which_are_shown_once_and_work(site: Site) -> None:
    browser = enrolling(site)
    with_app(site, browser)
    assert browser.path == "/recovery/codes"
    codes = re.findall(r"<li>([a-z0-9]{5}-[a-z0-9]{5})</li>", browser.html)
    assert len(set(codes)) == 10
    browser.get("/recovery/codes")
    assert browser.path == "/recovery"
    assert not any(code in browser.html for code in codes)
    again = site.browser()
    again.sign_in("bob", codes[3])
    assert again.path == "/tokens"
    assert "Unused recovery codes: 9." in again.text


def test_whoever_has_recovery_codes_already_keeps_them(site: Site) -> None:
    kept = site.store.codes.new_recovery(site.bob, "bob", site.now)
    browser = enrolling(site)
    with_app(site, browser)
    assert browser.path == "/tokens"
    again = site.browser()
    again.sign_in("bob", kept[0])
    assert again.path == "/tokens"


def test_a_session_by_the_password_alone_ends_where_a_token_has_come_meanwhile(site: Site) -> None:
    """Whoever has stolen the password cannot wait beside the owner's enrolment and add a token of their own."""
    thief, owner = enrolling(site, address="203.0.113.9"), enrolling(site)
    thief.get("/enrol/app")
    key = secret_of(thief)
    with_app(site, owner)
    thief.submit("/enrol/app", code=code_at(site.now, key))
    assert thief.status == 403
    assert "second factor already" in thief.text
    assert len(site.store.tokens.list(site.bob)) == 1
    thief.get("/enrol")
    assert thief.path == "/signin"
    owner.get("/tokens")
    assert owner.path == "/tokens"


def test_an_invitation_lets_somebody_set_up_a_new_token_whose_old_one_is_lost(site: Site) -> None:
    code = site.store.codes.new_invitation(site.alice, "alice", until=site.now + 3600, when=site.now)
    browser = site.browser()
    browser.sign_in("alice", code)
    assert browser.path == "/enrol"
    with_app(site, browser)
    assert len(site.store.tokens.list(site.alice)) == 2


def test_two_tabs_with_one_key_make_one_token(site: Site) -> None:
    browser = enrolling(site)
    browser.get("/enrol/app")
    key = secret_of(browser)
    fields = {**browser.forms[-1].fields, "code": code_at(site.now, key)}
    browser.submit("/enrol/app", code=fields["code"])
    assert browser.post("/enrol/app", fields).status_code == 403  # the form of the session's earlier name
    assert len(site.store.tokens.list(site.bob)) == 1


def test_a_further_token_needs_a_second_factor_that_was_shown_lately(site: Site) -> None:
    browser = site.signed_in()
    browser.get("/enrol/app")
    key = secret_of(browser)
    fields = {**browser.forms[-1].fields, "code": code_at(site.now, key), "label": "Tablet"}
    site.now += site.settings.portal.fresh + 1
    browser.post("/enrol/app", fields, follow=False)
    assert browser.page is not None
    assert browser.page.headers["Location"] == "/confirm?back=/enrol/app"
    browser.get("/enrol/app")
    assert browser.path == "/confirm"
    assert len(site.store.tokens.list(site.alice)) == 1
    browser.submit("/confirm", code=code_at(site.now))
    assert browser.path == "/enrol/app"
    assert secret_of(browser) == key
    site.now += 30
    browser.submit("/enrol/app", code=code_at(site.now, key), label="Tablet")
    assert browser.path == "/tokens"
    assert {row.label for row in site.store.tokens.list(site.alice)} == {"phone", "Tablet"}


def test_nobody_gets_more_tokens_than_eight(site: Site) -> None:
    browser = site.signed_in()
    browser.get("/enrol/app")
    key = secret_of(browser)
    for number in range(MOST_ACTIVE - 1):
        site.give_token("alice", f"more{number}", bytes([number]) * 20)
    browser.submit("/enrol/app", code=code_at(site.now, key))
    assert browser.path == "/enrol"
    assert "eight active tokens" in browser.text
    assert len(site.store.tokens.list(site.alice)) == MOST_ACTIVE
    browser.get("/enrol/hardware")
    assert browser.path == "/enrol"


def test_whoever_has_eight_and_comes_by_an_invitation_is_told_whom_to_ask(site: Site) -> None:
    for number in range(MOST_ACTIVE - 1):
        site.give_token("alice", f"more{number}", bytes([number]) * 20)
    code = site.store.codes.new_invitation(site.alice, "alice", until=site.now + 3600, when=site.now)
    browser = site.browser()
    browser.sign_in("alice", code)
    assert "Ask your helpdesk to remove one" in browser.text
    assert not any(link.startswith("/enrol/") for link in browser.links)


@pytest.mark.parametrize("way", ["app", "hardware", "yubikey"])
def test_what_is_not_offered_is_not_there(make_site: Callable[..., Site], way: str) -> None:
    offer = tuple(each for each in ("app", "hardware", "yubikey", "passkey") if each != way)
    browser = enrolling(make_site(offer=offer))
    assert f"/enrol/{way}" not in browser.links
    assert set(browser.links) >= {f"/enrol/{each}" for each in offer}
    assert browser.get(f"/enrol/{way}").status_code == 404


def test_a_token_with_a_clock_is_taken_out_of_the_stock_by_serial_number_and_code(site: Site) -> None:
    site.store.tokens.add(NewToken(Token("hard", Kind.TOTP, b"h" * 20), serial="AB-4711"), site.now)
    browser = enrolling(site)
    browser.get("/enrol/hardware")
    code = code_at(site.now, b"h" * 20)
    browser.submit("/enrol/hardware", serial=" ab-4711 ", code=f"{code[:3]} {code[3:]}")
    assert browser.path == "/recovery/codes"
    row = site.store.tokens.get("hard")
    assert row is not None
    assert (row.subject, row.name) == (site.bob, "bob")
    again = site.browser()
    again.sign_in("bob", code)
    assert again.status == 401  # it was used up


def test_a_token_with_a_button_needs_two_codes_in_sequence(site: Site) -> None:
    site.store.tokens.add(NewToken(Token("button", Kind.HOTP, RFC4226_KEY), serial="88"), site.now)
    browser = enrolling(site)
    browser.get("/enrol/hardware")
    for code, second in ((RFC4226_CODES[0], ""), (RFC4226_CODES[0], RFC4226_CODES[2])):
        browser.submit("/enrol/hardware", serial="88", code=code, second=second)
        assert browser.status == 422
    browser.submit("/enrol/hardware", serial="88", code=RFC4226_CODES[2], second=RFC4226_CODES[3])
    row = site.store.tokens.get("button")
    assert row is not None
    assert (row.subject, row.counter) == (site.bob, 4)


def test_what_does_not_fit_says_nothing_about_who_has_which_token(site: Site) -> None:
    """An unknown serial number, somebody else's token with its right code, and a wrong code look alike."""
    key = b"s" * 20
    alices = NewToken(Token("alices-hard", Kind.TOTP, b"h" * 20), site.alice, "alice", serial="1001")
    disabled = NewToken(Token("disabled", Kind.TOTP, b"d" * 20), serial="1003", active=False)
    stock = NewToken(Token("stock", Kind.TOTP, key), serial="1002")
    site.store.tokens.add_many([alices, disabled, stock], site.now)
    wrong = "000000" if code_at(site.now, key) != "000000" else "111111"
    tries = {
        "unknown": ("9999", code_at(site.now, key)),
        "alice's": ("1001", code_at(site.now, b"h" * 20)),
        "by its id": ("stock", code_at(site.now, key)),
        "disabled": ("1003", code_at(site.now, b"d" * 20)),
        "wrong": ("1002", wrong),
    }
    pages = set()
    for serial, code in tries.values():
        browser = enrolling(site)
        browser.get("/enrol/hardware")
        answer = browser.submit("/enrol/hardware", serial=serial, code=code)
        pages.add((answer.status_code, browser.text))
        assert f'value="{serial}"' in browser.html
    assert len(pages) == 1
    assert site.store.tokens.list(site.bob) == ()
    assert {row.counter for row in site.store.tokens.list() if row.serial} == {0}  # nobody's code was used up


def test_whose_token_it_is_already_is_told_so(site: Site) -> None:
    token = Token("mine", Kind.TOTP, b"h" * 20)
    site.store.tokens.add(NewToken(token, site.alice, "alice", serial="1001"), site.now)
    browser = site.signed_in()
    browser.get("/enrol/hardware")
    browser.submit("/enrol/hardware", serial="1001", code="000000")
    assert "yours already" in browser.text


def test_guessing_at_serial_numbers_ends_after_some_tries(site: Site) -> None:
    browser = enrolling(site)
    answers = []
    for number in range(22):
        browser.get("/enrol/hardware")
        answers.append(browser.submit("/enrol/hardware", serial=str(number), code="123456").status_code)
    assert answers == [422] * 20 + [429] * 2


def test_a_yubikey_of_the_stock_belongs_to_whoever_touches_it_first(site: Site) -> None:
    site.store.tokens.add(NewToken(YUBIKEY, serial="7001"), site.now)
    browser, late = enrolling(site), site.signed_in()
    browser.get("/enrol/yubikey")
    browser.submit("/enrol/yubikey", code=TOUCH)
    assert browser.path == "/recovery/codes"
    row = site.store.tokens.get("yubi")
    assert row is not None
    assert (row.subject, row.active) == (site.bob, True)
    late.get("/enrol/yubikey")
    late.submit("/enrol/yubikey", code=TOUCH)
    assert late.status == 422
    again = site.browser()
    again.sign_in("bob", TOUCH)
    assert again.status == 401  # used up


@pytest.mark.parametrize("typed", ["", "cccccb", TOUCH[:-1] + "c", "x" * 64, "\0", TOUCH[:6] + TOUCH])
def test_what_is_no_touch_of_a_yubikey_gives_nothing(site: Site, typed: str) -> None:
    site.store.tokens.add(NewToken(YUBIKEY), site.now)
    browser = enrolling(site)
    browser.get("/enrol/yubikey")
    browser.submit("/enrol/yubikey", code=typed)
    assert browser.status == 422
    assert site.store.tokens.list(site.bob) == ()


def test_whatever_is_typed_as_a_name_is_kept_in_one_line_and_shown_as_text(site: Site) -> None:
    browser = enrolling(site)
    key = with_app(site, browser, label=" <b>a\tb\n\x07" + "c" * 99)
    (row,) = site.store.tokens.list(site.bob)
    assert row.label == "<b>a b " + "c" * 53
    browser.get("/tokens")
    assert "<b>" not in browser.html
    assert key


def test_nothing_of_the_key_gets_into_the_log(site: Site) -> None:
    browser = enrolling(site)
    key = with_app(site, browser)
    texts = (base64.b32encode(key).decode(), key.hex(), repr(key))
    assert not any(text in str(site.log) for text in texts)


def test_what_waits_for_one_way_does_not_push_out_what_waits_for_another(site: Site) -> None:
    browser = enrolling(site)
    browser.get("/enrol/app")
    first = secret_of(browser)
    browser.get("/enrol/passkey")
    browser.get("/enrol/app")
    assert secret_of(browser) == first
