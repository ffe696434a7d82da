"""How far the rollout is."""

import csv
import io
import re

import pytest

from radius2fa.otp.token import Kind, Token
from radius2fa.store.tokens import NewToken
from tests.portal.site import HELPDESK, PASSWORD, Site


def test_people_and_tokens_are_counted(site: Site) -> None:
    site.store.tokens.add(NewToken(Token("fob", Kind.HOTP, b"k" * 20), None, None, "", "17"), site.now)
    helen = site.signed_in("helen")
    helen.get("/rollout")
    assert "3 people have at least one active token." in helen.text
    rows = re.findall(r'<th scope="row">([^<]+)</th><td[^>]+>(\d+)</td><td[^>]+>(\d+)</td>', helen.html)
    assert rows == [("Token with changing codes", "3", "0"), ("Token with a button", "0", "1")]


def test_who_has_no_active_token_is_listed(site: Site) -> None:
    site.store.tokens.set_active("alices", False)  # noqa: FBT003 - the value that is set
    helen = site.signed_in("helen")
    helen.get("/rollout/without")
    assert "2 of 4 people have no active token." in helen.text
    assert {"/people?q=alice", "/people?q=bob"} <= set(helen.links)
    assert not {"/people?q=helen", "/people?q=ada"} & set(helen.links)


def test_the_list_can_be_of_one_group_and_a_file(site: Site) -> None:
    site.directory.add("=hans", PASSWORD, groups=[HELPDESK])
    helen = site.signed_in("helen")
    helen.get(f"/rollout/without?group={HELPDESK}")
    assert "1 of 2 people have no active token." in helen.text
    page = helen.get(f"/rollout/without.csv?group={HELPDESK}")
    (row,) = csv.DictReader(io.StringIO(page.get_data(as_text=True)))
    assert (row["name"], row["dn"]) == ("'=hans", "uid==hans,ou=people,dc=example,dc=org")


def test_a_directory_of_very_many_is_not_looked_at_to_its_end(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("radius2fa.portal.helpdesk.rollout.MOST_PEOPLE", 3)
    helen = site.signed_in("helen")
    helen.get("/rollout/without")
    assert "more people than could be looked at" in helen.text
    assert "1 of 3" in helen.text


def test_a_directory_that_is_down_is_told_of(site: Site) -> None:
    helen = site.signed_in("helen")
    site.directory.down = True
    assert helen.get("/rollout/without").status_code == 503
