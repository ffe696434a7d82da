"""Signing in with a passkey, against a security key in software that can lie."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from radius2fa.login.reason import Reason
from radius2fa.store.acts import Deed
from radius2fa.store.records import LoginFilter
from tests.portal.authenticator import (
    BACKED_UP,
    USER_PRESENT,
    USER_VERIFIED,
    Authenticator,
    Lie,
    add_passkey,
    options_of,
    sign_in_by_key,
)
from tests.portal.site import PASSWORD, Site, code_at


@pytest.fixture
def key(site: Site) -> Authenticator:
    """The key that alice has enrolled."""
    return enrolled(site)


def enrolled(site: Site, name: str = "alice", **more: Any) -> Authenticator:
    key = Authenticator(**more)
    add_passkey(site.signed_in(name), key)
    assert len(site.store.passkeys.of(getattr(site, name))) == 1
    return key


def latest(site: Site) -> Any:
    return site.store.accounts.recent(site.alice, 1)[0]


def logged(site: Site, event: str) -> list[Any]:
    return [line for line in site.log if line["event"] == event]


def whys(site: Site) -> list[str]:
    return [line["why"] for line in logged(site, "security key refused")]


# The way in


def test_who_has_a_passkey_signs_in_with_password_and_key(site: Site, key: Authenticator) -> None:
    browser = site.browser()
    sign_in_by_key(browser, "alice", key)
    assert browser.status == 200
    assert "Signed in as alice" in browser.text
    assert (latest(site).client, latest(site).result, latest(site).factor) == ("portal", "accept", "passkey")
    (passkey,) = site.store.passkeys.of(site.alice)
    assert (passkey.sign_count, passkey.last_used) == (2, site.now)
    (session,) = [one for one in site.store.sessions.of(site.alice, site.now) if one.factor == "passkey"]
    assert session.by_passkey == session.proved == site.now


def test_a_key_without_the_password_is_not_enough(site: Site, key: Authenticator) -> None:
    browser = site.browser()
    sign_in_by_key(browser, "alice", key, password="wrong")
    assert browser.status == 401
    assert latest(site).reason is Reason.WRONG_PASSWORD


def test_somebody_who_is_locked_out_is_so_with_their_key_too(site: Site, key: Authenticator) -> None:
    for number in range(5):
        site.browser().sign_in("alice", f"{number:06}")
    browser = site.browser(address="203.0.113.9")
    sign_in_by_key(browser, "alice", key)
    assert browser.status == 401
    assert latest(site).reason is Reason.LOCKED_OUT


def test_a_login_code_that_was_typed_is_no_passkey(site: Site) -> None:
    """Or whoever has got hold of one could make another with it, and so on, without ever having the key."""
    enrolled(site)
    code = site.store.codes.new_login_code(site.alice, "alice", until=site.now + 120, when=site.now)
    browser = site.browser()
    browser.sign_in("alice", code)
    assert latest(site).factor == "passkey"
    assert "Signed in as alice" in browser.text
    (session,) = [one for one in site.store.sessions.of(site.alice, site.now) if one.factor == "passkey"]
    assert session.by_passkey is None


# Lies

WRONG = {
    "another origin": Lie(origin="https://evil.example"),
    "a page beside ours": Lie(origin="https://portal.example.org:8443"),
    "a page of a host below ours": Lie(origin="https://evil.portal.example.org"),
    "no https": Lie(origin="http://portal.example.org"),
    "another relying party": Lie(rp_id="example.org"),
    "another challenge": Lie(challenge=bytes(32)),
    "no challenge": Lie(challenge=b""),
    "nobody there": Lie(flags=USER_PRESENT),
    "a copy of what can have none": Lie(add_flags=BACKED_UP),
    "the type of a registration": Lie(type="webauthn.create"),
    "a signature with one bit wrong": Lie(spoil_signature=True),
}


@pytest.mark.parametrize("lie", WRONG.values(), ids=WRONG)
def test_what_is_not_signed_for_this_page_and_this_time_is_refused(site: Site, key: Authenticator, lie: Lie) -> None:
    browser = site.browser()
    sign_in_by_key(browser, "alice", key, lie)
    assert browser.status == 401
    assert latest(site).reason is Reason.NO_CODE
    assert whys(site)[-1].startswith("not-signed")
    (passkey,) = site.store.passkeys.of(site.alice)
    assert passkey.last_used is None
    assert all(act.what is not Deed.LOGIN_CODE for act in site.store.acts.recent(site.alice, 9))


def test_a_key_must_be_unlocked_where_the_settings_ask_for_it(make_site: Callable[..., Site]) -> None:
    site = make_site(user_verification="required")
    key = enrolled(site)
    browser = site.browser()
    sign_in_by_key(browser, "alice", key, Lie(flags=USER_VERIFIED))
    assert browser.status == 401
    sign_in_by_key(browser, "alice", key)
    assert browser.status == 200
    assert json.loads(options_of(fresh_step(site), "/signin/passkey"))["userVerification"] == "required"


def test_a_key_need_not_be_unlocked_otherwise(site: Site, key: Authenticator) -> None:
    browser = site.browser()
    sign_in_by_key(browser, "alice", key, Lie(flags=USER_VERIFIED))
    assert browser.status == 200


def fresh_step(site: Site, name: str = "alice") -> Any:
    browser = site.browser()
    browser.sign_in(name)
    assert browser.path == "/signin/code"
    return browser


@pytest.mark.parametrize("counts", [True, False], ids=["a key that counts", "a key that does not count"])
def test_what_was_signed_once_lets_in_once(site: Site, counts: bool) -> None:  # noqa: FBT001 - cases
    key = enrolled(site, counts=counts)
    browser = fresh_step(site)
    step = browser.client.get_cookie("__Host-radius2fa-step", domain="portal.example.org")
    response = key.get(options_of(browser, "/signin/passkey"))
    browser.submit("/signin/passkey", response=response)
    assert browser.status == 200
    thief = site.browser()
    thief.sign_in("alice")
    thief.client.set_cookie("__Host-radius2fa-step", step.value, domain="portal.example.org", secure=True)
    thief.submit("/signin/passkey", response=response)
    assert thief.status == 401
    ((_, record),) = site.store.records.logins(LoginFilter(), None, 1)
    assert record.reason is Reason.STATE_UNKNOWN
    made = [act for act in site.store.acts.recent(site.alice, 9) if act.what is Deed.LOGIN_CODE]
    assert len(made) == 1  # no second code was even made


def test_what_was_signed_for_one_sign_in_is_worth_nothing_in_another(site: Site, key: Authenticator) -> None:
    response = key.get(options_of(fresh_step(site), "/signin/passkey"))
    other = fresh_step(site)
    other.submit("/signin/passkey", response=response)
    assert other.status == 401


def test_what_was_signed_in_time_comes_too_late_after_two_minutes(site: Site, key: Authenticator) -> None:
    browser = fresh_step(site)
    response = key.get(options_of(browser, "/signin/passkey"))
    site.now += 121
    browser.submit("/signin/passkey", response=response)
    assert browser.status == 401


def test_a_key_of_somebody_else_is_none(site: Site, key: Authenticator) -> None:
    browser = fresh_step(site, "helen")
    (mine,) = key.credentials
    browser.submit("/signin/passkey", response=key.get(options_of(browser, "/signin/passkey"), Lie(credential_id=mine)))
    assert browser.status == 401
    assert whys(site)[-1] == "unknown-key"


def test_somebody_elses_key_does_not_pass_under_the_name_of_mine(site: Site, key: Authenticator) -> None:
    """The id of alice's credential, with the signature of another key."""
    (mine,) = key.credentials
    forger = Authenticator()
    forger.credentials[mine] = replace(key.only, key=Authenticator().maker.root_key, count=100)
    browser = site.browser()
    sign_in_by_key(browser, "alice", forger)
    assert browser.status == 401
    assert whys(site)[-1].startswith("not-signed")
    assert logged(site, "signature counter went back: probably there is a copy of this security key") == []


def test_a_key_that_is_disabled_is_not_asked_for_and_lets_nobody_in(site: Site, key: Authenticator) -> None:
    browser = fresh_step(site)
    response = key.get(options_of(browser, "/signin/passkey"))
    (passkey,) = site.store.passkeys.of(site.alice)
    site.store.tokens.set_active(passkey.id, active=False)
    browser.submit("/signin/passkey", response=response)
    assert browser.status == 401
    assert whys(site)[-1].startswith("disabled-key")
    with pytest.raises(AssertionError, match="NotAllowedError"):
        key.get(options_of(fresh_step(site), "/signin/passkey"))


def test_what_a_registration_brings_is_no_sign_in(site: Site, key: Authenticator) -> None:
    browser = site.signed_in("helen")
    browser.get("/enrol/passkey")
    (mine,) = key.credentials
    made = Authenticator(attests="self").create(options_of(browser, "/enrol/passkey"), Lie(credential_id=mine))
    step = fresh_step(site)
    step.submit("/signin/passkey", response=made)
    assert step.status == 401
    assert whys(site)[-1].startswith("not-signed: InvalidJSONStructure")


# The counter (section 6.1.1, and section 7.2 step 21)


@pytest.mark.parametrize("told", [0, 1, 2], ids=["none", "one before", "the same"])
def test_a_counter_that_does_not_move_up_betrays_a_copy(site: Site, key: Authenticator, told: int) -> None:
    sign_in_by_key(site.browser(), "alice", key)  # the second signature: the first was the registration
    key.only.count = told - 1
    browser = site.browser()
    sign_in_by_key(browser, "alice", key, Lie()) if told else sign_in_by_key(browser, "alice", not_counting(key))
    assert browser.status == 401
    (line,) = logged(site, "signature counter went back: probably there is a copy of this security key")
    assert (line["level"], line["user"], line["counter"]) == ("warning", "alice", told)
    (passkey,) = site.store.passkeys.of(site.alice)
    assert passkey.sign_count == 2


def not_counting(key: Authenticator) -> Authenticator:
    key.only.count, key.counts = 0, False
    return key


def test_a_counter_may_leap(site: Site, key: Authenticator) -> None:
    key.only.count = 2**32 - 2
    browser = site.browser()
    sign_in_by_key(browser, "alice", key)
    assert browser.status == 200
    assert site.store.passkeys.of(site.alice)[0].sign_count == 2**32 - 1


def test_a_key_that_never_counts_is_as_good(site: Site) -> None:
    key = enrolled(site, counts=False, backed_up=True)
    for _ in range(3):
        browser = site.browser()
        sign_in_by_key(browser, "alice", key)
        assert browser.status == 200
    (passkey,) = site.store.passkeys.of(site.alice)
    assert (passkey.sign_count, passkey.backed_up) == (0, True)


# What strangers learn


@pytest.mark.usefixtures("key")
def test_everybody_is_asked_for_eight_keys_and_always_for_the_same(site: Site) -> None:
    asked = {}
    for name in ("alice", "helen", "nobody"):
        first, second = (json.loads(options_of(fresh_step(site, name), "/signin/passkey")) for _ in range(2))
        assert first.keys() == second.keys()
        assert first["allowCredentials"] == second["allowCredentials"]
        assert first["challenge"] != second["challenge"]
        asked[name] = first
    for options in asked.values():
        assert len({one["id"] for one in options["allowCredentials"]}) == 8
        assert {tuple(one) for one in options["allowCredentials"]} == {("id", "type")}
    assert len({tuple(sorted(options)) for options in asked.values()}) == 1
    decoys = {one["id"] for one in asked["helen"]["allowCredentials"]}
    assert decoys.isdisjoint(one["id"] for one in asked["nobody"]["allowCredentials"])


def test_decoys_are_as_long_as_what_keys_make(site: Site) -> None:
    lengths = set()
    for number in range(10):
        options = json.loads(options_of(fresh_step(site, f"nobody{number}"), "/signin/passkey"))
        lengths |= {len(one["id"]) * 3 // 4 for one in options["allowCredentials"]}
    assert lengths == {16, 20, 32, 48, 64}


@pytest.mark.usefixtures("key")
def test_the_page_that_asks_for_a_key_leaves_at_the_same_time_for_everybody(site: Site) -> None:
    times = set()
    for name in ("alice", "helen", "nobody"):
        browser = site.browser()
        browser.sign_in(name)
        assert browser.page is not None
        times.add(browser.page.headers["X-Radius2fa-Leave-At"])
    assert len(times) == 1


@pytest.mark.usefixtures("key")
def test_every_refusal_of_a_key_looks_the_same(site: Site) -> None:
    pages = set()
    for name, response in (("alice", "{}"), ("helen", "{}"), ("nobody", "{}"), ("nobody", "")):
        browser = fresh_step(site, name)
        browser.submit("/signin/passkey", response=response)
        assert browser.page is not None
        pages.add((browser.status, browser.text.replace(name, "NAME"), browser.page.headers["X-Radius2fa-Leave-At"]))
    assert len(pages) == 1


def test_one_address_that_shows_keys_too_often_is_told_to_wait(site: Site) -> None:
    browser = fresh_step(site)
    fields = next(form.fields for form in browser.forms if form.action == "/signin/passkey")
    assert [browser.post("/signin/passkey", fields).status_code for _ in range(62)][-1] == 429


# Garbage

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
parts = ("clientDataJSON", "authenticatorData", "signature", "userHandle", "attestationObject", "transports")
shaped = st.fixed_dictionaries(
    {},
    optional={
        "id": values,
        "rawId": values | st.text("abcdefgh_-=", max_size=30),
        "type": values | st.just("public-key"),
        "response": values | st.dictionaries(st.sampled_from(parts), values | st.text("abcdefgh_-=", max_size=40)),
    },
)
octets_as_text = st.binary(max_size=60).map(lambda octets: octets.decode("latin-1"))
ROOMS = {
    "signin": ("/signin/passkey", 401),
    "confirm": ("/confirm/passkey", 401),
    "login code": ("/login-code/passkey", 401),
    "registration": ("/enrol/passkey", 422),
}


@pytest.mark.parametrize("room", ROOMS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    response=shaped.map(json.dumps) | st.text(max_size=60) | st.binary(max_size=60).map(lambda x: x.decode("latin-1"))
)
@example(response="[" * 20000)
@example(response='{"rawId":' * 3000)
@example(response="x" * 50_000)
@example(response='{"rawId": "é"}')
@example(response="1" * 5000)
@example(response="\ud800".encode("utf-8", "surrogatepass").decode("latin-1"))
def test_garbage_is_refused_and_breaks_nothing(site: Site, room: str, response: str) -> None:
    address, status = ROOMS[room]
    browser = garbled(site, room)
    answer = browser.post(address, {"response": response, "form": form_of(browser)}, follow=False)
    assert answer.status_code == status
    assert logged(site, "internal error") == []


def form_of(browser: Any) -> str:
    (value, *_) = {form.fields["form"] for form in browser.forms if "form" in form.fields}
    return str(value)


def garbled(site: Site, room: str) -> Any:
    """A browser that may send something to that room, from an address of its own each time."""
    serial = site.__dict__.setdefault("serial", iter(range(1, 250 * 250)))
    number = next(serial)
    address = f"198.18.{number // 250}.{number % 250 + 1}"
    if room == "signin":
        browser = site.browser(address=address)
        browser.sign_in("alice")
        return browser
    kept = site.__dict__.get("kept")
    if kept is None:
        site.store.sessions.end_all(site.alice)
        kept = site.__dict__["kept"] = site.signed_in("alice")
    kept.address = address
    kept.get("/enrol/passkey")
    return kept


@pytest.mark.parametrize("part", ["clientDataJSON", "authenticatorData", "signature", "userHandle"])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 999), letter=st.integers(0, 999))
def test_a_good_response_with_any_octet_changed_is_refused(
    site: Site, key: Authenticator, part: str, place: int, letter: int
) -> None:
    site.now += 31
    browser = garbled(site, "signin")
    response = json.loads(key.get(options_of(browser, "/signin/passkey")))
    letters = response["response"][part]
    at = place % (len(letters) - 1)  # bits of the last letter may say nothing
    others = sorted(set("ABab01-_") - {letters[at]})
    response["response"][part] = letters[:at] + others[letter % len(others)] + letters[at + 1 :]
    browser.submit("/signin/passkey", response=json.dumps(response))
    assert browser.status == (200 if part == "userHandle" else 401)  # which is not signed, and not asked for
    assert logged(site, "internal error") == []


@pytest.mark.usefixtures("key")
def test_a_code_still_lets_in_who_has_a_passkey_too(site: Site) -> None:
    browser = site.browser()
    browser.sign_in("alice", code_at(site.now), PASSWORD)
    assert browser.status == 200
