"""Attacks on the portal that would have worked once, or would if somebody took a safeguard away."""

import base64
import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib import import_module
from threading import Thread
from typing import Any
from urllib.parse import urlencode

import pytest
from pyotp import TOTP

from radius2fa.directory.names import bare_user
from radius2fa.login.reason import Reason
from radius2fa.otp.token import Kind, Token
from radius2fa.portal.world import settle
from radius2fa.store.records import LoginFilter
from radius2fa.store.tokens import NewToken
from tests.portal.authenticator import Authenticator, add_passkey, options_of
from tests.portal.site import HELPDESK, KEY, PASSWORD, URL, Browser, Site, code_at

DOMAIN = "portal.example.org"
STEP_COOKIE = "__Host-radius2fa-step"


def _step_cookie(name: str, state: str = "0" * 32) -> str:
    return state + base64.urlsafe_b64encode(name.encode()).decode().rstrip("=")


# A password, and nothing else


def test_a_bypass_for_the_vpn_opens_nothing_at_the_portal(site: Site) -> None:
    for name, subject in (("alice", site.alice), ("ada", site.ada)):
        site.store.accounts.bypass(subject, name, site.now + 3600, site.now)
        thief = site.browser()
        thief.sign_in(name)
        assert thief.path == "/signin/code"
        thief.get("/enrol/app")
        assert thief.path == "/signin"
    owner = site.signed_in("alice")
    assert owner.path == "/tokens"


def test_who_has_no_token_comes_no_further_with_a_bypass_than_without(site: Site) -> None:
    site.store.accounts.bypass(site.bob, "bob", site.now + 3600, site.now)
    browser = site.browser()
    browser.sign_in("bob")
    assert browser.path == "/enrol"
    browser.get("/tokens")
    assert browser.path == "/enrol"


# Two who enrol at once


def _app_code(site: Site, browser: Browser) -> str:
    (secret,) = set(re.findall(r"secret=([A-Z2-7]+)", browser.html))
    return TOTP(secret).at(int(site.now))


def _meanwhile(monkeypatch: pytest.MonkeyPatch, where: str, act: Callable[[], object]) -> None:
    """Have something done in another thread, in the middle of the next request that comes by `where`."""
    module, _, name = where.rpartition(".")
    original = getattr(import_module(module), name)

    def interrupted(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.undo()
        other = Thread(target=act)
        other.start()
        other.join()
        return original(*args, **kwargs)

    monkeypatch.setattr(where, interrupted)


def test_of_two_who_enrol_an_app_with_one_password_at_once_one_does(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    thief, owner = site.browser(), site.browser()
    for browser in (thief, owner):
        browser.sign_in("bob")
        browser.get("/enrol/app")
    codes = [_app_code(site, browser) for browser in (thief, owner)]
    _meanwhile(monkeypatch, "radius2fa.portal.authenticator.confirm", lambda: owner.submit("/enrol/app", code=codes[1]))
    thief.submit("/enrol/app", code=codes[0])
    assert (owner.status, owner.path) == (200, "/recovery/codes")
    assert thief.status == 403
    assert len(site.store.tokens.list(site.bob)) == 1
    thief.get("/")
    assert thief.path == "/signin"


def test_of_two_who_enrol_a_key_and_a_token_at_once_one_does(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    token = Token("h1", Kind.TOTP, KEY)
    site.store.tokens.add(NewToken(token, serial="S1"), site.now)
    thief, owner, key = site.browser(), site.browser(), Authenticator()
    for browser, path in ((thief, "/enrol/passkey"), (owner, "/enrol/hardware")):
        browser.sign_in("bob")
        browser.get(path)
    made = key.create(options_of(thief, "/enrol/passkey"))
    _meanwhile(
        monkeypatch,
        "radius2fa.portal.ceremonies.registered",
        lambda: owner.submit("/enrol/hardware", serial="S1", code=code_at(site.now)),
    )
    thief.submit("/enrol/passkey", label="mine", response=made)
    assert thief.status == 403
    assert [row.serial for row in site.store.tokens.list(site.bob)] == ["S1"]


def test_of_two_who_enrol_a_token_and_an_app_at_once_one_does(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.store.tokens.add(NewToken(Token("h1", Kind.TOTP, KEY), serial="S1"), site.now)
    thief, owner = site.browser(), site.browser()
    for browser, path in ((thief, "/enrol/hardware"), (owner, "/enrol/app")):
        browser.sign_in("bob")
        browser.get(path)
    code = _app_code(site, owner)
    _meanwhile(monkeypatch, "radius2fa.portal.hardware.confirm", lambda: owner.submit("/enrol/app", code=code))
    thief.submit("/enrol/hardware", serial="S1", code=code_at(site.now))
    assert thief.status == 403
    assert [row.serial for row in site.store.tokens.list(site.bob)] == [None]


# What was right once


def test_of_one_signature_that_is_sent_several_times_at_once_no_more_than_one_counts(site: Site) -> None:
    key = Authenticator(counts=False)  # so that the signature itself could be used again
    add_passkey(site.signed_in("alice"), key)
    first = site.browser()
    first.sign_in("alice")
    response = key.get(options_of(first, "/signin/passkey"))
    (form,) = [form for form in first.forms if form.action == "/signin/passkey"]
    copies = [_copy(site, first) for _ in range(6)]
    _at_once(
        [partial(copy.post, "/signin/passkey", {**form.fields, "response": response}, follow=False) for copy in copies]
    )
    statuses = sorted(copy.status for copy in copies)
    assert statuses in ([303, 401, 401, 401, 401, 401], [401] * 6)  # they may also end one another


def test_of_one_code_or_invitation_that_is_typed_in_several_windows_at_once_one_counts(site: Site) -> None:
    invitation = site.store.codes.new_invitation(site.bob, "bob", until=site.now + 3600, when=site.now)
    site.give_token("bob")
    for name, code in (("alice", code_at(site.now)), ("bob", invitation)):
        windows = [site.browser(address=f"198.51.100.{number}") for number in range(6)]
        for window in windows:
            window.sign_in(name)
        _at_once([partial(window.submit, "/signin/code", code=code, follow=False) for window in windows])
        assert sorted(window.status for window in windows) == [303, 401, 401, 401, 401, 401]


def _copy(site: Site, browser: Browser) -> Browser:
    copy = site.browser()
    for name in ("step", "form"):
        cookie = browser.client.get_cookie(f"__Host-radius2fa-{name}", domain=DOMAIN)
        assert cookie is not None
        copy.client.set_cookie(cookie.key, cookie.value, domain=DOMAIN)
    return copy


def _at_once(acts: list[Callable[[], object]]) -> None:
    threads = [Thread(target=act) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# Strangers, and what they cost


def test_a_first_leg_that_somebody_made_up_looks_nobody_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    find = site.directory.find
    monkeypatch.setattr(site.directory, "find", lambda name, until: asked.append(name) or find(name, until))
    browser = site.browser()
    browser.client.set_cookie(STEP_COOKIE, _step_cookie("alice"), domain=DOMAIN)
    browser.get("/signin/code")
    assert browser.path == "/signin"
    assert asked == []


def test_no_form_of_a_name_tells_which_of_the_keys_that_are_asked_for_are_real(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_passkey(site.signed_in("alice"), Authenticator())
    realms, domains, find = ("corp.example",), ("CORP",), site.directory.find
    section = site.settings.directory[0].model_copy(update={"realms": realms, "domains": domains})
    settings = site.settings.model_copy(update={"directory": (section,)})
    settle(site.app.extensions, replace(site.world, settings=settings))
    monkeypatch.setattr(site.directory, "find", lambda name, until: find(bare_user(name, realms, domains), until))
    for name in ("alice", "nobody"):
        forms = (name, name.upper(), f"CORP\\{name}", f"{name}@Corp.example", f"{name}@elsewhere.example")
        *ours, elsewhere = [_keys_asked_for(site, form) for form in forms]
        assert ours == [ours[0]] * 4
        assert len(ours[0]) == 8
        assert ours[0].isdisjoint(elsewhere)


def _keys_asked_for(site: Site, name: str) -> set[str]:
    browser = site.browser()
    browser.sign_in(name, password="wrong")
    return {each["id"] for each in json.loads(options_of(browser, "/signin/passkey"))["allowCredentials"]}


def test_the_journal_keeps_no_more_of_a_name_than_a_name_may_have(site: Site) -> None:
    browser = site.browser()
    browser.get("/signin")
    browser.submit("/signin", name="x" * 60_000, password="y")
    assert browser.status == 401
    ((_, record),) = site.store.records.logins(LoginFilter(), None, 9)
    assert (record.reason, record.name) == (Reason.BAD_NAME, "x" * 253)


def test_all_addresses_of_one_machine_have_the_tries_of_one(site: Site) -> None:
    answers = []
    for number in range(62):
        browser = site.browser(address=f"2001:db8::{number + 1:x}")
        browser.get("/signin")
        answers.append(browser.submit("/signin", follow=False, name="nobody", password="x").status_code)
    assert answers[:20] == [303] * 20
    assert answers[-1] == 429


@pytest.mark.parametrize("path", ["/signin", "/stock/upload"])
def test_a_stranger_cannot_send_more_than_a_form_holds(site: Site, path: str) -> None:
    browser = site.browser()
    browser.get("/signin")
    (form,) = browser.forms
    before = time.process_time()
    page = browser.client.post(
        path,
        data=urlencode(form.fields) + "&a=" * 500_000,
        content_type="application/x-www-form-urlencoded",
        base_url=URL,
    )
    assert page.status_code == 413
    assert time.process_time() - before < 1.0  # such a form takes seconds to be read


# Somebody whom the directory has lost meanwhile


def test_who_was_taken_out_of_the_group_is_of_the_helpdesk_no_more(site: Site) -> None:
    helen = site.signed_in("helen")
    helen.get("/people")
    assert helen.status == 200
    _leave(site, "helen")
    for path in ("/people", f"/people/{site.alice}", "/stock", "/rollout", "/audit", "/audit/logins.csv"):
        helen.get(path)
        assert helen.status == 403
    assert "/people" not in helen.links


def test_who_has_left_the_directory_can_change_nothing_once_a_code_is_asked_for_again(site: Site) -> None:
    browser = site.signed_in("alice")
    site.directory.rename("alice", "somebody else")
    site.now += site.settings.portal.fresh
    browser.get("/enrol/app")
    assert browser.path == "/confirm"
    browser.submit("/confirm", code=code_at(site.now))
    assert browser.status == 401
    assert site.store.accounts.recent(site.alice, 1)[0].reason is not Reason.NO_SUCH_USER  # nothing against alice


def _leave(site: Site, name: str) -> None:
    (person,) = site.directory._named(name)
    person.groups.clear()


def test_a_name_that_leads_to_somebody_else_by_now_gives_none_of_their_rights(site: Site) -> None:
    browser = site.signed_in("alice")
    site.directory.rename("alice", "alice.old")
    site.directory.add("alice", PASSWORD, groups=[HELPDESK])
    browser.get("/people")
    assert browser.status == 403
