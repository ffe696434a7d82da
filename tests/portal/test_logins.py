"""My logins: the journal as its subject sees it."""

import re
from dataclasses import replace

import pytest

from radius2fa.login.ports import Record, Result
from radius2fa.login.reason import Reason
from radius2fa.portal.words import LANGUAGES, texts_of
from tests.portal.site import Site


def record(site: Site, number: int = 0, **values: object) -> Record:
    plain = Record(
        f"a{number}", site.now + number, "vpn", "alice", f"192.0.2.{number % 250}", Result.REJECT, subject=site.alice
    )
    return replace(plain, **values)  # type: ignore[arg-type]


def write(site: Site, *records: Record) -> None:
    for each in records:
        site.store.ledger.refuse(each, None, None)


def test_a_login_tells_when_from_where_through_what_and_with_which_token(site: Site) -> None:
    browser = site.signed_in()
    write(
        site,
        record(site, 1, result=Result.ACCEPT, token="alices", factor="totp"),
        record(site, 2, result=Result.ACCEPT, token="gone", factor="yubikey", client="wlan"),
        record(site, 3, reason=Reason.WRONG_CODE),
        record(site, 4, result=Result.CHALLENGE, reason=Reason.NO_CODE),
    )
    browser.get("/logins")
    rows = [re.sub(r"<[^>]+>|\s+", " ", row) for row in re.findall(r"<tr>.*?</tr>", browser.html, re.DOTALL)[1:]]
    texts = [" ".join(row.split()) for row in rows]
    assert texts[0].endswith("vpn 192.0.2.4 – asked for a code")  # noqa: RUF001 - a dash
    assert texts[1].endswith("vpn 192.0.2.3 – refused wrong code")  # noqa: RUF001 - a dash
    assert texts[2].endswith("wlan 192.0.2.2 YubiKey signed in")
    assert texts[3].endswith("vpn 192.0.2.1 phone signed in")
    assert "these pages 198.51.100.7 phone signed in" in texts[4]


def test_only_ones_own_are_shown(site: Site) -> None:
    write(
        site, record(site, 1, subject=site.helen, client="of-helen"), record(site, 2, subject=None, client="of-nobody")
    )
    browser = site.signed_in()
    browser.get("/logins")
    assert "of-helen" not in browser.text
    assert "of-nobody" not in browser.text


def test_older_ones_are_a_page_further(site: Site) -> None:
    write(site, *(record(site, number, client=f"client-{number}.") for number in range(120)))
    browser = site.signed_in()  # two rows more
    seen: list[str] = []
    browser.get("/logins")
    while True:
        here = re.findall(r"client-(\d+)\.", browser.text)
        assert len(here) <= 50
        seen += here
        older = [link for link in browser.links if "before=" in link]
        if not older:
            break
        browser.get(older[0])
    assert seen == [str(number) for number in reversed(range(120))]
    assert "/logins" in browser.links


@pytest.mark.parametrize("before", ["-1", "x", "1e3", "\uff19", "1" * 19, ""])
def test_what_is_no_number_is_no_page(site: Site, before: str) -> None:
    browser = site.signed_in()
    assert (
        browser.client.get(
            "/logins", query_string={"before": before}, base_url="https://portal.example.org"
        ).status_code
        == 404
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_has_words_for_whom_it_happened_to(language: str) -> None:
    texts = {key: text for key, text in texts_of(language).items() if key.startswith("logins.reasons.")}
    assert set(texts) == {f"logins.reasons.{reason}" for reason in Reason}
    assert not any("radius2fa" in text for text in texts.values())  # the remedies are the helpdesk's
    assert all(texts.values())


def test_every_reason_can_be_shown(site: Site) -> None:
    browser = site.signed_in(language="de")
    write(site, *(record(site, number, reason=reason) for number, reason in enumerate(Reason)))
    browser.get("/logins")
    for reason in Reason:
        assert texts_of("de")[f"logins.reasons.{reason}"] in browser.text
