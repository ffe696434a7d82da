"""Finding people, and seeing what is wrong with them."""

import itertools
import tomllib
from importlib.resources import files

import pytest

from radius2fa.login.ports import Record, Result
from radius2fa.login.reason import Reason
from radius2fa.otp.token import Kind, Token
from radius2fa.store.acts import Deed
from radius2fa.store.tokens import NewToken
from tests.portal.site import HELPDESK, PASSWORD, Site

HOSTILE = "<script>alert(1)</script>\"'&\u202egnp.exe\n\x1b[2J"


def words(language: str, room: str) -> dict[str, object]:
    return tomllib.loads(files("radius2fa.portal").joinpath("words", language, f"{room}.toml").read_text("utf-8"))


def test_only_the_helpdesk_and_administrators_get_these_pages(site: Site) -> None:
    paths = ("/people", f"/people/{site.bob}", "/stock", "/rollout", "/rollout/without", "/audit", "/audit/acts")
    paths += ("/audit/charts", "/audit/logins.csv", "/audit/acts.jsonl", "/rollout/without.csv")
    alice, helen, ada, stranger = (
        site.signed_in("alice"),
        site.signed_in("helen"),
        site.signed_in("ada"),
        site.browser(),
    )
    for path in paths:
        known = path != f"/people/{site.bob}"  # whom nothing is known of yet
        assert alice.get(path).status_code == 403, path
        assert helen.get(path).status_code == (200 if known else 404), path
        assert ada.get(path).status_code == (200 if known else 404), path
        stranger.get(path)
        assert stranger.path == "/signin", path


def test_somebody_is_found_by_their_whole_name_in_the_directory(site: Site) -> None:
    helen = site.signed_in("helen")
    helen.get("/people?q=bob")
    assert f"/people/{site.bob}/as/bob" in helen.links
    helen.get(f"/people/{site.bob}/as/bob")
    assert "uid=bob,ou=people,dc=example,dc=org" in helen.text
    assert "No token." in helen.text


def test_who_is_known_here_is_found_by_a_part_of_the_name_also_after_leaving(site: Site) -> None:
    site.store.tokens.add(NewToken(Token("old", Kind.TOTP, b"k" * 20), "gone-1", "Gonzo Gone", "phone"), site.now)
    helen = site.signed_in("helen")
    helen.get("/people?q=zo+go")
    assert "/people/gone-1" in helen.links
    helen.get("/people/gone-1")
    assert "they have left the directory" in helen.text
    assert "only take things away" in helen.text


def test_who_is_not_found_is_told_with_the_reason(site: Site) -> None:
    site.directory.add("twin", PASSWORD)
    site.directory.add("Twin", PASSWORD)
    helen = site.signed_in("helen")
    helen.get("/people?q=nobody-such")
    assert "knows nobody called “nobody-such”" in helen.text
    helen.get("/people?q=twin")
    assert "knows several people called “twin”" in helen.text


def test_a_name_does_not_lead_to_somebody_elses_page(site: Site) -> None:
    helen = site.signed_in("helen")
    assert helen.get(f"/people/{site.bob}/as/alice").status_code == 404
    helen.get(f"/people/{site.alice}/as/bob")
    assert "uid=alice," in helen.text
    assert "uid=bob," not in helen.text


def test_the_page_tells_tokens_codes_locks_and_the_reason_with_its_remedy(site: Site) -> None:
    helen = site.signed_in("helen")
    for code in ("000000", "000001", "000002", "000003", "000004"):
        site.browser().sign_in("alice", code)
    site.store.codes.new_recovery(site.alice, "alice", site.now)
    site.store.codes.new_temporary(site.alice, "alice", until=site.now + 3600, uses=3, when=site.now)
    site.store.codes.new_invitation(site.alice, "alice", until=site.now + 3600, when=site.now)
    helen.get(f"/people/{site.alice}")
    assert "5 failures in a row; refused until" in helen.text
    assert "10 left" in helen.text
    assert "used 0 of 3 times" in helen.text
    assert "phone active" in helen.text
    assert "Wrong code" in helen.text
    assert "clock of the phone" in helen.text
    assert "Recovery codes made" in helen.text
    german = site.signed_in("ada", language="de")
    german.get(f"/people/{site.alice}")
    assert "Falscher Code" in german.text
    assert "Die Uhr des Telefons" in german.text


def test_who_is_kept_out_is_shown_before_anybody_is_looked_for(site: Site) -> None:
    helen = site.signed_in("helen")
    for code in ("000000", "000001", "000002", "000003", "000004"):
        site.browser().sign_in("alice", code)
    helen.get("/people")
    assert f"/people/{site.alice}" in helen.links


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_reason_has_a_text_and_a_remedy(language: str) -> None:
    reasons = words(language, "reasons")
    assert set(reasons) == {reason.value for reason in Reason}
    for reason, texts in reasons.items():
        assert isinstance(texts, dict)
        assert set(texts) == {"what", "remedy"}, reason
        assert "radius2fa" not in texts["remedy"]  # what is done on these pages, not by commands


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_deed_kind_and_result_has_a_text(language: str) -> None:
    audit = words(language, "audit")
    assert set(audit["deeds"]) == {deed.value for deed in Deed}  # type: ignore[call-overload]
    assert set(audit["results"]) == {result.value for result in Result}  # type: ignore[call-overload]
    assert {kind.value for kind in Kind} <= set(words(language, "kinds"))


def test_the_rooms_have_the_same_texts_in_both_languages() -> None:
    def flat(table: dict[str, object], above: str = "") -> dict[str, str]:
        pairs: dict[str, str] = {}
        for key, value in table.items():
            pairs |= flat(value, f"{above}{key}.") if isinstance(value, dict) else {above + key: str(value)}
        return pairs

    for room in ("people", "person", "stock", "rollout", "audit", "reasons"):
        english, german = flat(words("en", room)), flat(words("de", room))
        assert english.keys() == german.keys(), room
        for key, text in english.items():
            placeholders = sorted(part.partition("}")[0] for part in text.split("{")[1:])
            assert sorted(part.partition("}")[0] for part in german[key].split("{")[1:]) == placeholders, key


def test_what_strangers_write_is_shown_and_never_run(site: Site) -> None:
    """Names, labels, addresses and reasons of others come out as text, in which nothing turns or hides the rest."""
    subject = "x-1"
    site.store.tokens.add(NewToken(Token("evil", Kind.TOTP, b"k" * 20), subject, HOSTILE, HOSTILE, HOSTILE), site.now)
    site.store.tokens.add(NewToken(Token("spare", Kind.TOTP, b"j" * 20), None, None, HOSTILE, f"{HOSTILE}2"), site.now)
    site.store.by(HOSTILE, HOSTILE).accounts.unlock(subject)
    login = Record("r", site.now, HOSTILE, HOSTILE, HOSTILE, Result.REJECT, Reason.WRONG_CODE, subject)
    site.store.ledger.refuse(login, None, None)
    helen = site.signed_in("helen")
    paths = (f"/people/{subject}", "/people?q=script", "/stock", "/audit", "/audit/acts", "/audit/charts")
    for path in (*paths, "/people?q=%3Cscript%3Ealert(1)%3C/script%3E%E2%80%AE%0A", "/stock?q=%3Cscript%3E%22"):
        helen.get(path)
        assert helen.status == 200, path
        assert "<script>alert" not in helen.html, path
        assert not {"\u202e", "\x1b"} & set(helen.html), path
        assert "alert(1)" in helen.text or path.startswith("/stock?"), path


def test_nothing_shown_breaks_out_of_the_attribute_or_element_that_it_stands_in(site: Site) -> None:
    """Every kind of quote and bracket, in the two places where what was typed is put into an attribute again."""
    helen = site.signed_in("helen")
    for quote, close in itertools.product(("%22", "%27", "%60"), ("%3E", "%20onfocus=")):
        for path in (
            "/people?q=",
            "/stock?q=",
            "/audit?name=",
            "/audit?source=",
            "/audit/acts?who=",
            "/audit?subject=",
        ):
            helen.get(f"{path}{quote}{close}injected")
            assert helen.status == 200
            assert '">injected' not in helen.html
            assert "'>injected" not in helen.html
            assert '" onfocus=injected' not in helen.html
            assert "' onfocus=injected" not in helen.html.replace("&#39;", "")


def test_whoever_leaves_the_helpdesk_loses_the_pages_at_once(site: Site) -> None:
    site.directory.add("new", PASSWORD, groups=[HELPDESK])
    helen = site.signed_in("helen")
    assert helen.get("/people").status_code == 200
    site.directory._named("helen")[0].groups.clear()
    assert helen.get("/people").status_code == 403
