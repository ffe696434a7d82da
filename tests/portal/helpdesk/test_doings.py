"""What the helpdesk does for others, and what nobody may do."""

import re
from collections.abc import Callable

import pytest

from radius2fa.config.model import Mail
from radius2fa.login.lockout import LockoutRules
from radius2fa.login.ports import Failure, Record, Result
from radius2fa.otp.token import Kind, Token
from radius2fa.store.acts import Act, Deed
from radius2fa.store.tokens import NewToken
from tests.portal.site import ADMINS, HELPDESK, PASSWORD, URL, Browser, Site, code_at

WHY = "The phone is broken; called back."
RFC_4226 = ("755224", "287082", "359152", "969429")  # HOTP of KEY from counter 0 on (RFC 4226 appendix D)
KEY = b"12345678901234567890"


def last_act(site: Site, subject: str) -> Act:
    return site.store.acts.recent(subject, 1)[0]


def sent(browser: Browser, path: str, **fields: str) -> int:
    """Send what no form of the page may offer, with the right value against other sites; return the status."""
    form = next(form.fields["form"] for form in browser.forms if "form" in form.fields)
    headers = {"Origin": URL, "Sec-Fetch-Site": "same-origin"}
    return browser.post(path, {"form": form, "why": WHY, **fields}, follow=False, headers=headers).status_code


def lock_alice(site: Site) -> None:
    for number in range(6):
        failure = Failure(site.alice, "alice", bytes([number]), LockoutRules())
        site.store.ledger.refuse(
            Record(str(number), site.now, "vpn", "alice", "", Result.REJECT, subject=site.alice), failure, None
        )


def test_an_unlock_is_written_down_with_who_and_why(site: Site) -> None:
    lock_alice(site)
    helen = site.signed_in("helen")
    helen.get(f"/people/{site.alice}")
    helen.submit(f"/people/{site.alice}/unlock", why=f"  {WHY}\t")
    assert (helen.status, helen.path) == (200, f"/people/{site.alice}")
    assert "Unlocked." in helen.text
    act = last_act(site, site.alice)
    assert (act.who, act.what, act.why, act.name) == ("portal:helen", Deed.UNLOCKED, WHY, "alice")
    assert site.signed_in("alice").path == "/tokens"


@pytest.mark.parametrize("why", ["", "  x ", "no", "x" * 201])
def test_without_a_reason_nothing_is_done(site: Site, why: str) -> None:
    lock_alice(site)
    helen = site.signed_in("helen")
    helen.get(f"/people/{site.alice}")
    helen.submit(f"/people/{site.alice}/unlock", why=why)
    assert helen.status == 422
    assert "Say why" in helen.text
    assert site.store.acts.recent(site.alice, 9)[0].what is Deed.ADDED


def test_a_temporary_code_is_shown_once_and_lets_them_in(site: Site) -> None:
    helen = site.signed_in("helen")
    helen.get(f"/people/{site.alice}")
    helen.submit(f"/people/{site.alice}/code", why=WHY, valid="28800", uses="2")
    (code,) = re.findall(r'id="given">([^<]+)<', helen.html)
    helen.get(f"/people/{site.alice}")
    assert code not in helen.html
    assert "used 0 of 2 times" in helen.text
    alice = site.browser()
    alice.sign_in("alice", code)
    assert "Signed in as alice" in alice.text
    site.now += 28800
    late = site.browser()
    late.sign_in("alice", code)
    assert late.status == 401


@pytest.mark.parametrize(("valid", "uses"), [("999999999", "1"), ("3600", "0"), ("3600", "21"), ("", "1"), ("٣", "1")])
def test_codes_are_good_for_no_longer_and_no_more_often_than_is_offered(site: Site, valid: str, uses: str) -> None:
    helen = site.signed_in("helen")
    helen.get(f"/people/{site.alice}")
    assert sent(helen, f"/people/{site.alice}/code", valid=valid, uses=uses) == 422
    assert site.store.codes.of(site.alice, site.now).temporary == ()


def test_an_invitation_lets_somebody_new_in_to_enrol(make_site: Callable[..., Site]) -> None:
    site = make_site(enrolment="invitation")
    helen = site.signed_in("helen")
    helen.get(f"/people/{site.bob}/as/bob")
    helen.submit(f"/people/{site.bob}/invite", why=WHY, valid="86400")
    (code,) = re.findall(r'id="given">([^<]+)<', helen.html)
    assert URL in helen.text
    bob = site.browser()
    bob.sign_in("bob", code)
    assert bob.path == "/enrol"


def test_a_token_of_the_stock_is_assigned_unseen(site: Site) -> None:
    site.store.tokens.add(NewToken(Token("fob", Kind.HOTP, KEY), None, None, "fob", "2026-17"), site.now)
    helen = site.signed_in("helen")
    helen.get(f"/people/{site.bob}/as/bob")
    helen.submit(f"/people/{site.bob}/assign", why=WHY, serial=" 2026-17 ")
    assert "The token is assigned." in helen.text
    (row,) = site.store.tokens.list(site.bob)
    assert (row.id, row.counter) == ("fob", 0)


def test_a_token_is_assigned_with_codes_that_are_used_up_by_it(site: Site) -> None:
    site.store.tokens.add(NewToken(Token("fob", Kind.HOTP, KEY), None, None, "fob", "17"), site.now)
    site.store.tokens.add(NewToken(Token("watch", Kind.TOTP, b"w" * 20), None, None, "", "18"), site.now)
    helen = site.signed_in("helen")
    for serial, code, second, text in (
        ("17", RFC_4226[1], "", "needs two codes"),
        ("17", RFC_4226[1], RFC_4226[3], "not a code of this token"),
        ("18", "000000", "", "not a code of this token"),
        ("19", "", "", "no token with this serial number"),
    ):
        helen.get(f"/people/{site.bob}/as/bob")
        helen.submit(f"/people/{site.bob}/assign", why=WHY, serial=serial, code=code, second=second)
        assert helen.status == 422
        assert text in helen.text
        assert site.store.tokens.list(site.bob) == ()
    helen.submit(f"/people/{site.bob}/assign", why=WHY, serial="17", code=RFC_4226[1], second=RFC_4226[2])
    helen.submit(f"/people/{site.bob}/assign", why=WHY, serial="18", code=code_at(site.now, b"w" * 20), second="")
    rows = {row.id: row.counter for row in site.store.tokens.list(site.bob)}
    assert rows == {"fob": 3, "watch": int(site.now) // 30 + 1}


def test_a_token_that_is_somebodys_is_not_taken_from_them(site: Site) -> None:
    site.store.tokens.add(NewToken(Token("fob", Kind.HOTP, KEY), site.alice, "alice", "", "17"), site.now)
    helen = site.signed_in("helen")
    helen.get(f"/people/{site.bob}/as/bob")
    helen.submit(f"/people/{site.bob}/assign", why=WHY, serial="17")
    assert "belongs to somebody else" in helen.text
    assert site.store.tokens.list(site.bob) == ()


def test_a_token_is_disabled_enabled_and_put_back_into_the_stock(site: Site) -> None:
    helen, path = site.signed_in("helen"), f"/people/{site.alice}/token/alices"
    helen.get(f"/people/{site.alice}")
    for change, deed in (("disable", Deed.DISABLED), ("enable", Deed.ENABLED), ("unassign", Deed.UNASSIGNED)):
        helen.submit(path, why=WHY, change=change)
        assert (last_act(site, site.alice).what, last_act(site, site.alice).why) == (deed, WHY)
    assert site.store.tokens.list(site.alice) == ()


def test_only_administrators_remove_tokens_and_bypass_the_second_factor(site: Site) -> None:
    helen = site.signed_in("helen")
    helen.get(f"/people/{site.alice}")
    assert "Remove for good" not in helen.text
    assert "Bypass" not in helen.text
    assert sent(helen, f"/people/{site.alice}/token/alices", change="remove") == 403
    helen.get(f"/people/{site.alice}")
    assert sent(helen, f"/people/{site.alice}/bypass", valid="3600") == 403
    ada = site.signed_in("ada")
    ada.get(f"/people/{site.alice}")
    ada.submit(f"/people/{site.alice}/bypass", why=WHY, valid="3600")
    assert "The password alone is enough for now." in ada.text
    account = site.store.accounts.get(site.alice)
    assert account is not None
    assert account.bypass_until == site.now + 3600
    ada.submit(f"/people/{site.alice}/end-bypass", why=WHY)
    ada.submit(f"/people/{site.alice}/token/alices", why=WHY, change="remove")
    assert site.store.tokens.list(site.alice) == ()


@pytest.mark.parametrize("name", ["helen", "ada"])
def test_nobody_acts_on_themselves(site: Site, name: str) -> None:
    own: str = getattr(site, name)
    browser = site.signed_in(name)
    browser.get(f"/people/{own}")
    assert "This is you." in browser.text
    for doing in ("unlock", "code", "invite", "assign", "end-sessions", "end-codes", "bypass", "end-bypass"):
        assert sent(browser, f"/people/{own}/{doing}", valid="3600", uses="1", serial="17") == 403
        browser.get(f"/people/{own}")
    for change in ("disable", "enable", "unassign", "remove"):
        assert sent(browser, f"/people/{own}/token/{name}s", change=change) == 403
        browser.get(f"/people/{own}")


@pytest.mark.parametrize("group", [HELPDESK, ADMINS, ADMINS.upper().replace("CN=", "CN =")])
def test_the_helpdesk_acts_on_nobody_who_has_rights_here(site: Site, group: str) -> None:
    site.carl = site.directory.add("carl", PASSWORD, groups=[group])  # type: ignore[attr-defined]
    site.give_token("carl")
    carl: str = site.carl  # type: ignore[attr-defined]
    helen = site.signed_in("helen")
    helen.get(f"/people/{carl}")
    assert "Only administrators can change something here." in helen.text
    for path, fields in (
        (f"/people/{carl}/code", {"valid": "3600", "uses": "1"}),
        (f"/people/{carl}/invite", {"valid": "86400"}),
        (f"/people/{carl}/unlock", {}),
        (f"/people/{carl}/end-sessions", {}),
        (f"/people/{carl}/token/carls", {"change": "disable"}),
    ):
        assert sent(helen, path, **fields) == 403
        assert sent(helen, path, name="nobody", **fields) == 403
        helen.get(f"/people/{carl}")
    ada = site.signed_in("ada")
    ada.get(f"/people/{carl}")
    ada.submit(f"/people/{carl}/code", why=WHY, valid="3600", uses="1")
    assert ada.status == 200


def test_whose_groups_are_unknown_is_given_nothing_by_the_helpdesk(site: Site) -> None:
    """Somebody who is called otherwise in the directory now may have any rights."""
    site.directory.rename("ada", "ada.lovelace")
    helen = site.signed_in("helen")
    helen.get(f"/people/{site.ada}")
    for path, fields in (
        (f"/people/{site.ada}/code", {"valid": "3600", "uses": "1"}),
        (f"/people/{site.ada}/invite", {"valid": "86400"}),
        (f"/people/{site.ada}/unlock", {}),
        (f"/people/{site.ada}/token/adas", {"change": "unassign"}),
        (f"/people/{site.ada}/token/adas", {"change": "enable"}),
    ):
        assert sent(helen, path, **fields) == 403
        helen.get(f"/people/{site.ada}")


def test_the_tokens_of_those_who_have_left_can_be_disabled(site: Site) -> None:
    site.store.tokens.add(NewToken(Token("old", Kind.TOTP, b"k" * 20), "gone-1", "gone", "phone"), site.now)
    helen = site.signed_in("helen")
    helen.get("/people/gone-1")
    helen.submit("/people/gone-1/token/old", why=WHY, change="disable")
    (row,) = site.store.tokens.list("gone-1")
    assert not row.active


def test_a_form_for_one_person_changes_no_token_of_another(site: Site) -> None:
    """Or the check of whom it is about could be passed by by naming a token of somebody else."""
    helen = site.signed_in("helen")
    helen.get(f"/people/{site.alice}")
    assert sent(helen, f"/people/{site.alice}/token/adas", change="disable") == 422
    assert sent(helen, f"/people/{site.alice}/disable", token="adas") == 422
    (row,) = site.store.tokens.list(site.ada)
    assert row.active


def test_all_sessions_of_somebody_are_ended(site: Site) -> None:
    alice, helen = site.signed_in("alice"), site.signed_in("helen")
    helen.get(f"/people/{site.alice}")
    helen.submit(f"/people/{site.alice}/end-sessions", why=WHY)
    assert "All sessions are ended." in helen.text
    alice.get("/tokens")
    assert alice.path == "/signin"


def test_what_was_given_is_taken_back(site: Site) -> None:
    helen = site.signed_in("helen")
    site.store.codes.new_temporary(site.alice, "alice", until=site.now + 3600, uses=1, when=site.now)
    site.store.codes.new_invitation(site.alice, "alice", until=site.now + 3600, when=site.now)
    helen.get(f"/people/{site.alice}")
    helen.submit(f"/people/{site.alice}/end-codes", why=WHY)
    helen.submit(f"/people/{site.alice}/end-invitation", why=WHY)
    codes = site.store.codes.of(site.alice, site.now)
    assert codes.invitation is None
    assert sent(helen, f"/people/{site.alice}/end-codes") == 422


def test_a_change_needs_a_second_factor_that_was_shown_lately(site: Site) -> None:
    helen = site.signed_in("helen")
    helen.get(f"/people/{site.alice}")
    site.now += site.settings.portal.fresh + 1
    assert sent(helen, f"/people/{site.alice}/code", valid="3600", uses="1") == 303
    assert site.store.codes.of(site.alice, site.now).temporary == ()
    helen.get(f"/people/{site.alice}")
    assert "show your second factor again" in helen.text
    assert not [form for form in helen.forms if form.action.startswith("/people/")]


def test_after_the_second_factor_one_is_back_at_the_person(site: Site) -> None:
    helen = site.signed_in("helen")
    helen.get(f"/people/{site.alice}")
    site.now += site.settings.portal.fresh + 1
    form = next(form.fields["form"] for form in helen.forms if form.action == f"/people/{site.alice}/code")
    headers = {"Origin": URL, "Sec-Fetch-Site": "same-origin"}
    helen.post(f"/people/{site.alice}/code", {"form": form, "why": WHY}, headers=headers)
    assert helen.path == "/confirm"
    helen.submit("/confirm", code=code_at(site.now))
    assert (helen.status, helen.path) == (200, f"/people/{site.alice}")
    assert f"/people/{site.alice}/code" in [form.action for form in helen.forms]


def test_who_is_known_by_a_session_only_can_be_signed_out(site: Site) -> None:
    bob, helen = site.browser(), site.signed_in("helen")
    bob.sign_in("bob")
    helen.get(f"/people/{site.bob}/as/bob")
    helen.submit(f"/people/{site.bob}/end-sessions", why=WHY)
    assert (helen.status, helen.path) == (200, f"/people/{site.bob}/as/bob")
    bob.get("/enrol")
    assert bob.path == "/signin"


def test_what_nobody_has_heard_of_is_forbidden(site: Site) -> None:
    ada = site.signed_in("ada")
    ada.get(f"/people/{site.alice}")
    assert sent(ada, f"/people/{site.alice}/-") == 403
    assert sent(ada, f"/people/{site.alice}/token/alices", change="explode") == 403


@pytest.mark.parametrize(
    ("path", "fields", "subject"),
    [
        ("unlock", {}, "You can sign in again"),
        ("code", {"valid": "3600", "uses": "1"}, "A temporary code was made"),
        ("invite", {"valid": "86400"}, "An invitation was made"),
        ("assign", {"serial": "17"}, "A token was added"),
        ("end-codes", {}, "Temporary codes have ended"),
        ("end-invitation", {}, "An invitation has ended"),
        ("end-sessions", {}, "Sessions were ended"),
        ("token/alices", {"change": "disable"}, "A token was disabled"),
        ("token/alices", {"change": "enable"}, "A token was enabled"),
        ("token/alices", {"change": "unassign"}, "A token was removed"),
        ("token/alices", {"change": "remove"}, "A token was removed"),
        ("bypass", {"valid": "3600"}, "Your second factor is bypassed"),
        ("end-bypass", {}, "Your second factor is asked for again"),
    ],
)
def test_whom_it_was_done_to_is_told_by_mail(
    make_site: Callable[..., Site], path: str, fields: dict[str, str], subject: str
) -> None:
    site = make_site(mail=Mail(server="mail.example.org", sender="radius2fa@example.org"))
    site.store.tokens.add(NewToken(Token("fob", Kind.HOTP, KEY), None, None, "fob", "17"), site.now)
    site.signed_in("alice")
    site.store.codes.new_temporary(site.alice, "alice", until=site.now + 3600, uses=1, when=site.now)
    site.store.codes.new_invitation(site.alice, "alice", until=site.now + 3600, when=site.now)
    site.store.accounts.bypass(site.alice, "alice", site.now + 3600, site.now)
    ada = site.signed_in("ada")
    ada.get(f"/people/{site.alice}")
    assert sent(ada, f"/people/{site.alice}/{path}", **fields) in (200, 303)
    (letter,) = site.letters
    assert (letter.to, letter.subject) == ("alice@example.org", f"Example Corp: {subject}")
    assert "{" not in letter.text
    assert "From the address" not in letter.text  # that would be the helpdesk's
    if "change" in fields:
        assert "“phone”" in letter.text
    for given in re.findall(r'id="given">([^<]+)<', ada.html):
        assert given not in letter.text


def test_what_was_refused_is_told_to_nobody(make_site: Callable[..., Site]) -> None:
    site = make_site(mail=Mail(server="mail.example.org", sender="radius2fa@example.org"))
    helen = site.signed_in("helen")
    helen.get(f"/people/{site.alice}")
    assert sent(helen, f"/people/{site.alice}/assign", serial="none") == 422
    assert sent(helen, f"/people/{site.alice}/bypass", valid="3600") == 403
    assert site.letters == []
