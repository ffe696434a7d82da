"""New recovery codes: the old list ends, the new one is shown once."""

import re
from pathlib import Path

from tests.portal.site import URL, Browser, Site, code_at


def codes_of(browser: Browser) -> list[str]:
    return re.findall(r"<li>([a-z0-9]{5}-[a-z0-9]{5})</li>", browser.html)


def test_a_new_list_takes_the_place_of_the_old_one(site: Site) -> None:
    old = site.store.codes.new_recovery(site.alice, "alice", site.now)
    browser = site.signed_in()
    browser.get("/recovery")
    assert "Unused recovery codes: 10. The old list ends" in browser.text
    browser.submit("/recovery")
    new = codes_of(browser)
    assert len(set(new)) == 10
    assert not set(new) & set(old)
    assert site.browser().sign_in("alice", old[0]).status_code == 401
    assert site.browser().sign_in("alice", new[0]).status_code == 200


def test_a_list_that_was_shown_is_not_shown_again_and_is_not_made_anew_by_loading_the_page(site: Site) -> None:
    browser = site.signed_in()
    browser.get("/recovery")
    browser.submit("/recovery")
    new = codes_of(browser)
    browser.get("/recovery/codes")
    assert browser.path == "/recovery"
    assert codes_of(browser) == []
    assert site.browser().sign_in("alice", new[9]).status_code == 200


def test_a_new_list_needs_a_second_factor_that_was_shown_lately(site: Site) -> None:
    browser = site.signed_in()
    browser.get("/recovery")
    site.now += site.settings.portal.fresh + 1
    browser.submit("/recovery")
    assert browser.path == "/confirm"
    assert site.store.codes.of(site.alice, site.now).recovery_left == 0
    browser.submit("/confirm", code=code_at(site.now))
    assert browser.path == "/recovery"
    browser.submit("/recovery")
    assert len(codes_of(browser)) == 10


def test_the_codes_wait_sealed(site: Site) -> None:
    """Between the form and the page they are in the database, where nobody can read them."""
    browser = site.signed_in()
    browser.get("/recovery")
    browser.submit("/recovery", follow=False)
    database = Path(site.settings.store.url.removeprefix("sqlite:///"))
    files = b"".join(file.read_bytes() for file in database.parent.glob(f"{database.name}*"))
    browser.get("/recovery/codes")
    new = codes_of(browser)
    assert len(new) == 10
    assert not any(code.encode() in files for code in new)


def test_looking_at_the_head_of_the_page_uses_no_list_up(site: Site) -> None:
    browser = site.signed_in()
    browser.get("/recovery")
    browser.submit("/recovery", follow=False)
    browser.client.head("/recovery/codes", base_url=URL)
    browser.get("/recovery/codes")
    assert len(codes_of(browser)) == 10
