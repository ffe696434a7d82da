"""My tokens: what somebody may change about their own, and that nobody changes anything about another's."""

import re

import pytest

from radius2fa.login.reason import Reason
from radius2fa.otp.token import Kind, Token
from radius2fa.store.passkeys import NewPasskey
from radius2fa.store.tokens import MOST_ACTIVE, NewToken, TokenRow
from tests.portal.site import Browser, Site, code_at

# RFC 4226, appendix D
RFC4226_KEY = b"12345678901234567890"
RFC4226_CODES = {0: "755224", 1: "287082", 5: "254676", 7: "162583", 8: "399871"}
SPARE = b"another key of 20 oc"


@pytest.fixture
def browser(site: Site) -> Browser:
    """The browser of alice, who has just signed in with "phone", and has a spare token too."""
    site.give_token("alice", "spare", SPARE)
    return site.signed_in()


def row_of(site: Site, token: str) -> TokenRow:
    row = site.store.tokens.get(token)
    assert row is not None
    return row


def deeds(site: Site) -> list[tuple[str, str, str | None]]:
    return [(act.who, act.what.value, act.token) for act in site.store.acts.recent(site.alice, 9)]


def test_the_list_tells_name_kind_serial_and_last_use(site: Site) -> None:
    hard = Token("hard", Kind.HOTP, RFC4226_KEY)
    site.store.tokens.add(NewToken(hard, site.alice, "alice", serial="S-17", active=False), site.now)
    browser = site.signed_in()
    assert browser.path == "/tokens"
    for text in (
        "phone",
        "Token with a button S-17",
        "S-17",
        "never",
        "disabled",
        "active",
        "Unused recovery codes: 0.",
    ):
        assert text in browser.text
    assert len(re.findall(r"<th scope=.col.>", browser.html)) == 6


def test_another_persons_token_is_not_there(site: Site, browser: Browser) -> None:
    stock = NewToken(Token("stock", Kind.TOTP, b"s" * 20), serial="4711")
    site.store.tokens.add(stock, site.now)
    site.store.codes.new_recovery(site.alice, "alice", site.now)
    form = browser.forms[0].fields["form"]
    for token in ("helens", "stock", "4711", "nothing", "recovery-1"):
        assert browser.get(f"/tokens/{token}").status_code == 404
        for deed in ("rename", "try", "resync", "disable", "enable", "remove"):
            fields = {"form": form, "label": "mine now", "code": "000000", "second": "000000"}
            assert browser.post(f"/tokens/{token}/{deed}", fields).status_code == 404
    assert row_of(site, "helens").label == "phone"
    assert row_of(site, "helens").active


def test_a_token_gets_another_name(site: Site, browser: Browser) -> None:
    browser.get("/tokens/spare")
    browser.submit("/tokens/spare/rename", label="  Old  phone ")
    assert browser.path == "/tokens/spare"
    assert "The token has its new name." in browser.text
    assert row_of(site, "spare").label == "Old phone"
    assert deeds(site)[0] == ("portal:alice", "token-renamed", "spare")


def test_a_token_is_disabled_and_enabled_again(site: Site, browser: Browser) -> None:
    browser.get("/tokens/spare/disable")
    browser.submit("/tokens/spare/disable")
    assert not row_of(site, "spare").active
    assert "disabled" in browser.text
    browser.submit("/tokens/spare/enable")
    assert row_of(site, "spare").active
    assert [deed[:2] for deed in deeds(site)[:2]] == [
        ("portal:alice", "token-enabled"),
        ("portal:alice", "token-disabled"),
    ]


def test_a_token_is_removed(site: Site, browser: Browser) -> None:
    browser.get("/tokens/spare/remove")
    assert "cannot be undone" in browser.text
    browser.submit("/tokens/spare/remove")
    assert browser.path == "/tokens"
    assert site.store.tokens.get("spare") is None
    assert deeds(site)[0] == ("portal:alice", "token-removed", "spare")


def test_what_came_out_of_the_stock_goes_back_there(site: Site, browser: Browser) -> None:
    token = NewToken(Token("hard", Kind.TOTP, b"h" * 20), site.alice, "alice", serial="S-17")
    site.store.tokens.add(token, site.now)
    browser.get("/tokens/hard/remove")
    assert "back into the stock" in browser.text
    browser.submit("/tokens/hard/remove")
    row = row_of(site, "hard")
    assert (row.subject, row.active) == (None, True)


@pytest.mark.parametrize("deed", ["disable", "remove"])
def test_the_last_active_token_stays(site: Site, deed: str) -> None:
    site.give_token("alice", "spare", SPARE)
    site.store.tokens.set_active("spare", active=False)
    browser = site.signed_in()
    form = browser.forms[0].fields["form"]
    browser.get(f"/tokens/alices/{deed}")
    assert "Add another one first" in browser.text
    assert [form.action for form in browser.forms] == ["/signout"]
    browser.post(f"/tokens/alices/{deed}", {"form": form})
    assert browser.status == 422
    assert "Add another one first" in browser.text
    assert row_of(site, "alices").active


def test_an_expired_token_is_none_that_one_could_sign_in_with(site: Site) -> None:
    site.give_token("alice", "spare", SPARE)
    site.store.tokens.set_valid("spare", None, site.now - 1)
    browser = site.signed_in()
    form = browser.forms[0].fields["form"]
    assert browser.post("/tokens/alices/disable", {"form": form}).status_code == 422
    assert row_of(site, "alices").active


def test_a_disabled_token_is_not_removed_either_where_it_is_all_that_asks_for_a_code(site: Site) -> None:
    """Without any token of their own, the password alone might let somebody in."""
    site.store.tokens.set_active("alices", active=False)
    (code, *_) = site.store.codes.new_recovery(site.alice, "alice", site.now)
    browser = site.browser()
    browser.sign_in("alice", code)
    form = browser.forms[0].fields["form"]
    assert browser.post("/tokens/alices/remove", {"form": form}).status_code == 422
    assert row_of(site, "alices").subject == site.alice


def test_a_passkey_is_a_token_to_stay_with(site: Site) -> None:
    passkey = NewPasskey("key", site.alice, "alice", "Blue key", b"c" * 32, b"public")
    site.store.passkeys.add(passkey, site.now)
    browser = site.signed_in()
    browser.get("/tokens/key")
    actions = [form.action for form in browser.forms]
    assert "/tokens/key/try" not in actions
    assert "/tokens/key/resync" not in actions
    form = browser.forms[0].fields["form"]
    assert browser.post("/tokens/key/try", {"form": form, "code": "123456"}).status_code == 404
    assert browser.post("/tokens/key/resync", {"form": form}).status_code == 404
    browser.get("/tokens/alices/remove")
    browser.submit("/tokens/alices/remove")
    assert [row.id for row in site.store.tokens.list(site.alice)] == ["key"]


def test_two_tabs_that_take_away_the_last_two_tokens_at_once_leave_one(
    site: Site, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other tab's change comes between this one's look and its own change."""
    tokens = type(site.store.tokens)
    real = tokens.set_active

    def at_once(self: object, token_id: str, active: bool) -> bool:  # noqa: FBT001 - as there
        if token_id == "alices" and not active:
            real(site.store.tokens, "spare", active=False)
        return real(self, token_id, active)  # type: ignore[arg-type]

    monkeypatch.setattr(tokens, "set_active", at_once)
    form = browser.forms[0].fields["form"]
    assert browser.post("/tokens/alices/remove", {"form": form}).status_code == 422
    assert row_of(site, "alices").active


def test_a_ninth_active_token_is_not_enabled(site: Site, browser: Browser) -> None:
    site.store.tokens.set_active("spare", active=False)
    for number in range(MOST_ACTIVE - 1):
        site.give_token("alice", f"more{number}", bytes([number]) * 20)
    browser.get("/tokens/spare")
    browser.submit("/tokens/spare/enable")
    assert browser.status == 422
    assert "eight active tokens" in browser.text
    assert not row_of(site, "spare").active


@pytest.mark.parametrize("deed", ["rename", "try", "resync", "disable", "enable", "remove"])
def test_a_change_needs_a_second_factor_that_was_shown_lately(site: Site, browser: Browser, deed: str) -> None:
    form = browser.forms[0].fields["form"]
    site.now += site.settings.portal.fresh
    before = row_of(site, "spare")
    fields = {"form": form, "label": "new", "code": code_at(site.now, SPARE), "second": code_at(site.now + 30, SPARE)}
    browser.post(f"/tokens/spare/{deed}", fields, follow=False)
    assert browser.page is not None
    assert browser.page.headers["Location"] == f"/confirm?back=/tokens/spare/{deed}"
    assert row_of(site, "spare") == before
    browser.get(f"/confirm?back=/tokens/spare/{deed}")
    browser.submit("/confirm", code=code_at(site.now))
    assert browser.path in ("/tokens/spare", f"/tokens/spare/{deed}")
    assert browser.status == 200


def test_a_right_code_is_told_and_used_up(site: Site, browser: Browser) -> None:
    browser.get("/tokens/spare")
    browser.submit("/tokens/spare/try", code=code_at(site.now, SPARE))
    assert "the token works" in browser.text
    assert site.store.accounts.recent(site.alice, 1)[0].token == "spare"
    browser.submit("/tokens/spare/try", code=code_at(site.now, SPARE))
    assert browser.status == 422
    assert "used before" in browser.text


def test_wrong_codes_are_counted_and_lock(site: Site, browser: Browser) -> None:
    browser.get("/tokens/spare")
    for code in ("000001", "000002", "000003", "000004", "000005"):
        browser.submit("/tokens/spare/try", code=code)
        assert browser.status == 422
        assert "not right" in browser.text
    assert site.store.accounts.recent(site.alice, 1)[0].reason is Reason.WRONG_CODE
    browser.submit("/tokens/spare/try", code=code_at(site.now, SPARE))
    assert "too many wrong codes" in browser.text
    assert site.store.accounts.recent(site.alice, 1)[0].reason is Reason.LOCKED_OUT


def test_a_code_of_another_token_is_told_from_one_of_this(site: Site, browser: Browser) -> None:
    browser.get("/tokens/spare")
    browser.submit("/tokens/spare/try", code=code_at(site.now))
    assert browser.status == 422
    assert "another token of yours" in browser.text


def test_codes_of_a_disabled_token_and_of_one_out_of_step_are_told(site: Site, browser: Browser) -> None:
    browser.get("/tokens/spare")
    browser.submit("/tokens/spare/try", code=code_at(site.now + 300, SPARE))
    assert "far off" in browser.text
    site.store.tokens.set_active("spare", active=False)
    browser.submit("/tokens/spare/try", code=code_at(site.now, SPARE))
    assert "its token is disabled" in browser.text


def test_two_codes_in_sequence_bring_a_token_back_into_step(site: Site, browser: Browser) -> None:
    hours = 3 * 3600
    browser.get("/tokens/spare")
    browser.submit(
        "/tokens/spare/resync", code=code_at(site.now + hours, SPARE), second=code_at(site.now + hours + 30, SPARE)
    )
    assert "in step again" in browser.text
    assert row_of(site, "spare").drift == hours // 30 + 1
    site.now += 60
    browser.submit("/tokens/spare/try", code=code_at(site.now + hours, SPARE))
    assert "the token works" in browser.text


def test_two_codes_not_in_sequence_change_nothing(site: Site) -> None:
    token = Token("button", Kind.HOTP, RFC4226_KEY, counter=1)
    site.store.tokens.add(NewToken(token, site.alice, "alice", "button"), site.now)
    browser = site.signed_in()
    browser.get("/tokens/button")
    for first, second in ((5, 7), (0, 1), (8, 7)):
        browser.submit("/tokens/button/resync", code=RFC4226_CODES[first], second=RFC4226_CODES[second])
        assert browser.status == 422
        assert "not two codes of this token in sequence" in browser.text
    assert row_of(site, "button").counter == 1
    browser.submit("/tokens/button/resync", code=RFC4226_CODES[7], second=RFC4226_CODES[8])
    assert row_of(site, "button").counter == 9


def test_a_name_that_is_markup_is_shown_as_text(browser: Browser) -> None:
    browser.get("/tokens/spare")
    browser.submit("/tokens/spare/rename", label='<img src=x onerror=alert(1)>"{0}')
    for path in ("/tokens", "/tokens/spare", "/tokens/spare/remove", "/tokens/spare/disable", "/logins"):
        browser.get(path)
        assert browser.status == 200
        assert "<img" not in browser.html


def test_who_has_no_second_factor_yet_sees_no_token(site: Site) -> None:
    browser = site.browser()
    browser.sign_in("bob")
    for path in (
        "/tokens",
        "/tokens/alices",
        "/tokens/alices/remove",
        "/recovery",
        "/recovery/codes",
        "/sessions",
        "/logins",
    ):
        browser.get(path)
        assert browser.path == "/enrol"
    stranger = site.browser()
    for path in ("/tokens", "/tokens/alices", "/enrol", "/enrol/app", "/enrol/hardware", "/enrol/yubikey", "/logins"):
        stranger.get(path)
        assert stranger.path == "/signin"
