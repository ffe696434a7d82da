"""Enrolling a passkey: what the browser is asked for, what is refused, and which models are admitted."""

import json
import uuid
from collections.abc import Callable
from pathlib import Path

import cbor2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from radius2fa.store.acts import Deed
from tests.portal.authenticator import (
    AAGUID,
    ATTESTED,
    BACKED_UP,
    USER_PRESENT,
    USER_VERIFIED,
    Authenticator,
    Lie,
    Maker,
    add_passkey,
    octets,
    options_of,
    sign_in_by_key,
    text,
)
from tests.portal.site import Browser, Site


def ready(site: Site, name: str = "alice") -> Browser:
    browser = site.signed_in(name)
    browser.get("/enrol/passkey")
    assert browser.status == 200
    return browser


def send(browser: Browser, response: str, label: str = "blue key") -> None:
    browser.submit("/enrol/passkey", label=label, response=response)


def why(site: Site) -> str:
    return str([line["why"] for line in site.log if line["event"] == "security key not enrolled"][-1])


def test_a_passkey_is_enrolled_with_its_name(site: Site) -> None:
    key = Authenticator(backed_up=True)
    browser = site.signed_in()
    add_passkey(browser, key, "  blue   key ")
    assert browser.path == "/tokens"
    assert "The passkey is set up" in browser.text
    assert "blue key" in browser.text
    (passkey,) = site.store.passkeys.of(site.alice)
    assert passkey.label == "blue key"
    assert passkey.aaguid == AAGUID
    assert (passkey.sign_count, passkey.transports, passkey.backed_up) == (1, ("usb",), True)
    assert {passkey.credential_id} == set(key.credentials)
    (act,) = [act for act in site.store.acts.recent(site.alice, 9) if act.token == passkey.id]
    assert (act.who, act.what) == ("portal:alice", Deed.ADDED)


def test_a_passkey_may_be_the_first_token_of_somebody(site: Site) -> None:
    browser = site.browser()
    browser.sign_in("bob")
    assert browser.path == "/enrol"
    key = Authenticator()
    add_passkey(browser, key)
    assert browser.path == "/recovery/codes"
    browser.get("/tokens")
    assert browser.path == "/tokens"
    again = site.browser()
    sign_in_by_key(again, "bob", key)
    assert "Signed in as bob" in again.text


def test_several_passkeys_serve_one_person(site: Site) -> None:
    browser = site.signed_in()
    keys = [Authenticator(), Authenticator()]
    for key in keys:
        add_passkey(browser, key)
    for key in keys:
        again = site.browser()
        sign_in_by_key(again, "alice", key)
        assert again.status == 200


def test_a_browser_is_asked_for_what_the_settings_say(make_site: Callable[..., Site]) -> None:
    site = make_site(rp_id="example.org", user_verification="required", attestation="direct")
    browser = ready(site)
    asked = json.loads(options_of(browser, "/enrol/passkey"))
    assert asked["rp"] == {"id": "example.org", "name": "Example Corp"}
    assert asked["user"]["name"] == "alice"
    assert asked["attestation"] == "direct"
    assert asked["authenticatorSelection"]["userVerification"] == "required"
    assert asked["excludeCredentials"] == []
    assert len(octets(asked["challenge"])) == 32
    assert site.alice.encode() not in octets(asked["user"]["id"])
    key = Authenticator(rp_id="example.org")
    send(browser, key.create(options_of(browser, "/enrol/passkey"), Lie(flags=USER_VERIFIED)))
    assert browser.status == 422
    add_passkey(browser, key)
    assert browser.path == "/tokens"


def test_a_key_that_is_enrolled_is_not_asked_again(site: Site) -> None:
    browser = site.signed_in()
    key = Authenticator()
    add_passkey(browser, key)
    browser.get("/enrol/passkey")
    with pytest.raises(AssertionError, match="InvalidStateError"):
        key.create(options_of(browser, "/enrol/passkey"))


def test_a_challenge_serves_once(site: Site) -> None:
    browser = ready(site)
    response = Authenticator().create(options_of(browser, "/enrol/passkey"))
    fields = next(form.fields for form in browser.forms if form.action == "/enrol/passkey")
    assert browser.post("/enrol/passkey", {**fields, "response": "{}"}, follow=False).status_code == 422
    assert browser.post("/enrol/passkey", {**fields, "response": response}, follow=False).status_code == 422
    assert site.store.passkeys.of(site.alice) == ()
    assert "another key" in browser.text  # and there is a new one on that page
    add_passkey(browser, Authenticator())
    assert len(site.store.passkeys.of(site.alice)) == 1


def test_a_challenge_is_over_after_ten_minutes(site: Site) -> None:
    browser = site.browser()
    browser.sign_in("bob")
    browser.get("/enrol/passkey")
    response = Authenticator().create(options_of(browser, "/enrol/passkey"))
    site.now += 601
    send(browser, response)
    assert browser.status == 422
    assert "open for too long" in browser.text


def test_a_page_in_a_second_window_does_not_spoil_the_first(site: Site) -> None:
    browser = ready(site)
    first = options_of(browser, "/enrol/passkey")
    browser.get("/enrol/passkey")
    assert options_of(browser, "/enrol/passkey") == first


WRONG = {
    "another origin": Lie(origin="https://evil.example"),
    "another port": Lie(origin="https://portal.example.org:8443"),
    "another relying party": Lie(rp_id="evil.example"),
    "another challenge": Lie(challenge=bytes(32)),
    "nobody there": Lie(flags=USER_PRESENT),
    "no credential": Lie(flags=ATTESTED),
    "a copy of what can have none": Lie(add_flags=BACKED_UP),
    "the type of a sign-in": Lie(type="webauthn.get"),
    "an id that is too short": Lie(credential_id=b"x" * 15),
}


@pytest.mark.parametrize("lie", WRONG.values(), ids=WRONG)
def test_what_was_not_made_for_this_page_and_this_time_is_refused(site: Site, lie: Lie) -> None:
    browser = ready(site)
    send(browser, Authenticator().create(options_of(browser, "/enrol/passkey"), lie))
    assert browser.status == 422
    assert "could not be used" in browser.text
    assert 'value="blue key"' in browser.html
    assert site.store.passkeys.of(site.alice) == ()
    assert why(site).startswith("not-registered")


def test_a_key_that_is_no_key_is_refused(site: Site) -> None:
    """A point that is not on its curve: nothing could ever be verified by it."""
    browser = ready(site)
    made = json.loads(Authenticator().create(options_of(browser, "/enrol/passkey")))
    inner = cbor2.loads(octets(made["response"]["attestationObject"]))
    inner["authData"] = inner["authData"][:-1] + bytes([inner["authData"][-1] ^ 1])
    made["response"]["attestationObject"] = text(cbor2.dumps(inner))
    send(browser, json.dumps(made))
    assert browser.status == 422
    assert site.store.passkeys.of(site.alice) == ()


def test_a_credential_of_somebody_else_is_not_taken_over(site: Site) -> None:
    add_passkey(site.signed_in("helen"), key := Authenticator())
    (hers,) = key.credentials
    browser = ready(site)
    send(browser, Authenticator().create(options_of(browser, "/enrol/passkey"), Lie(credential_id=hers)))
    assert browser.status == 422
    assert site.store.passkeys.of(site.alice) == ()
    (passkey,) = site.store.passkeys.of(site.helen)
    again = site.browser()
    sign_in_by_key(again, "helen", key)
    assert again.status == 200
    assert passkey.name == "helen"


def test_a_sign_in_is_no_registration(site: Site) -> None:
    add_passkey(browser := site.signed_in(), key := Authenticator())
    browser.get("/enrol/passkey")
    challenge = json.loads(options_of(browser, "/enrol/passkey"))["challenge"]
    (mine,) = key.credentials
    shown = key.get(json.dumps({"challenge": challenge, "allowCredentials": [{"id": text(mine)}]}))
    send(browser, shown)
    assert browser.status == 422
    assert why(site).startswith("not-registered")


def test_nine_tokens_are_too_many(site: Site) -> None:
    browser = site.signed_in()
    for number in range(7):
        add_passkey(browser, Authenticator(), f"key {number}")
    assert len(site.store.passkeys.of(site.alice)) == 7
    browser.get("/enrol/passkey")
    assert browser.path == "/enrol"


def test_where_passkeys_are_not_offered_there_is_no_such_page(make_site: Callable[..., Site]) -> None:
    browser = make_site(offer=("app",)).signed_in()
    browser.get("/enrol/passkey")
    assert browser.status == 404


def test_a_second_factor_must_have_been_shown_lately(site: Site) -> None:
    browser = site.signed_in()
    site.now += 301
    browser.get("/enrol/passkey")
    assert browser.path == "/confirm"


# Models


@pytest.fixture
def maker() -> Maker:
    return Maker()


@pytest.fixture
def strict(make_site: Callable[..., Site], tmp_path: Path, maker: Maker) -> Site:
    """A portal where one model of one maker is admitted."""
    (tmp_path / "roots.pem").write_bytes(b"Some other root\n" + Maker().root_pem + b"\nThe maker's\n" + maker.root_pem)
    return make_site(attestation="direct", aaguids=(AAGUID,), attestation_roots=(tmp_path / "roots.pem",))


def test_a_model_whose_maker_vouches_for_it_is_admitted(strict: Site, maker: Maker) -> None:
    add_passkey(browser := strict.signed_in(), Authenticator(attests="packed", maker=maker))
    assert browser.path == "/tokens"
    add_passkey(browser, Authenticator(attests="packed", maker=Maker(None, root_key=maker.root_key)))
    assert len(strict.store.passkeys.of(strict.alice)) == 2  # a certificate for several models names none


OTHER = str(uuid.UUID(int=7))


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (lambda _: Authenticator(attests="none"), "not proven by an attestation of the format 'none'"),
        (lambda _: Authenticator(attests="self"), "it vouches for itself"),
        (lambda _: Authenticator(attests="packed", maker=Maker()), "not-registered: InvalidRegistrationResponse"),
        (lambda maker: Authenticator(attests="u2f", maker=maker, aaguid=str(uuid.UUID(int=0))), "not one of those"),
        (lambda maker: Authenticator(attests="packed", maker=maker, aaguid=OTHER), "not one of those"),
        (
            lambda maker: Authenticator(attests="packed", maker=Maker(OTHER, root_key=maker.root_key)),
            "its certificate is another model's",
        ),
        (
            lambda maker: Authenticator(attests="packed", maker=Maker(unit="Web Servers", root_key=maker.root_key)),
            "its certificate is not one for attestation",
        ),
        (
            lambda maker: Authenticator(attests="packed", maker=Maker(is_authority=True, root_key=maker.root_key)),
            "its certificate is not one for attestation",
        ),
    ],
    ids=["none", "self", "a maker unknown", "U2F", "another model", "a certificate of another", "a server's", "a CA's"],
)
def test_a_model_that_is_not_proven_is_refused(
    strict: Site, maker: Maker, key: Callable[[Maker], Authenticator], reason: str
) -> None:
    add_passkey(browser := strict.signed_in(), key(maker))
    assert browser.status == 422
    assert reason in why(strict)
    assert strict.store.passkeys.of(strict.alice) == ()


def test_a_model_is_not_believed_without_roots(make_site: Callable[..., Site]) -> None:
    """Settings like these are refused when they are read; here too, they admit nobody."""
    site = make_site(attestation="direct", aaguids=(AAGUID,))
    add_passkey(browser := site.signed_in(), Authenticator(attests="packed"))
    assert browser.status == 422


def test_without_a_list_every_model_is_admitted(make_site: Callable[..., Site]) -> None:
    browser = make_site(attestation="direct").signed_in()
    for attests in ("none", "self", "packed"):
        add_passkey(browser, Authenticator(attests=attests))
        assert browser.path == "/tokens"


def test_an_attestation_with_a_wrong_signature_is_refused_even_so(make_site: Callable[..., Site]) -> None:
    site = make_site(attestation="direct")
    browser = ready(site)
    made = json.loads(Authenticator(attests="packed").create(options_of(browser, "/enrol/passkey")))
    inner = cbor2.loads(octets(made["response"]["attestationObject"]))
    inner["attStmt"]["sig"] = inner["attStmt"]["sig"][:-1] + bytes([inner["attStmt"]["sig"][-1] ^ 1])
    made["response"]["attestationObject"] = text(cbor2.dumps(inner))
    send(browser, json.dumps(made))
    assert browser.status == 422


def test_roots_that_cannot_be_read_are_no_refusal(strict: Site, maker: Maker, tmp_path: Path) -> None:
    (tmp_path / "roots.pem").unlink()
    add_passkey(browser := strict.signed_in(), Authenticator(attests="packed", maker=maker))
    assert browser.status == 503


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 9999), bit=st.integers(0, 7))
def test_an_attested_registration_with_any_bit_wrong_is_refused(
    strict: Site, maker: Maker, place: int, bit: int
) -> None:
    browser = strict.__dict__.get("kept") or ready(strict)
    strict.__dict__["kept"] = browser
    made = json.loads(Authenticator(attests="packed", maker=maker).create(options_of(browser, "/enrol/passkey")))
    spoiled = bytearray(octets(made["response"]["attestationObject"]))
    spoiled[place % len(spoiled)] ^= 1 << bit
    made["response"]["attestationObject"] = text(bytes(spoiled))
    send(browser, json.dumps(made))
    assert browser.status == 422
    assert [line for line in strict.log if line["event"] == "internal error"] == []
