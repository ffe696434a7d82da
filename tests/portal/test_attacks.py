"""Attacks on the portal that would have worked once, or would if somebody took a safeguard away."""

import base64
import time
from collections.abc import Callable
from urllib.parse import urlencode

import pytest

from radius2fa.login.reason import Reason
from tests.portal.site import HELPDESK, PASSWORD, URL, Browser, Site, code_at

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


def test_all_addresses_of_one_machine_have_the_tries_of_one(site: Site) -> None:
    answers = []
    for number in range(25):
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
    (person,) = site.directory._named(name)  # noqa: SLF001 - a fake
    person.groups.clear()


def test_a_name_that_leads_to_somebody_else_by_now_gives_none_of_their_rights(site: Site) -> None:
    browser = site.signed_in("alice")
    site.directory.rename("alice", "alice.old")
    site.directory.add("alice", PASSWORD, groups=[HELPDESK])
    browser.get("/people")
    assert browser.status == 403


_ = (Callable, Browser)
