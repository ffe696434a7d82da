"""What breaks beside the portal, or the portal itself, in the middle of an enrolment: nobody loses anything by it."""

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Page, expect

from tests.end_to_end.house import Ready
from tests.end_to_end.portal.conftest import Visit
from tests.end_to_end.portal.office import Office
from tests.end_to_end.portal.steps import (
    app_link,
    code_at,
    enrol_app,
    seed_of,
    sign_in,
    take_recovery_codes,
    type_password,
)
from tests.servers.slapd import Slapd
from tests.servers.tls import Authority, Certificate


@pytest.fixture(scope="module")
def frail(
    tmp_path_factory: pytest.TempPathFactory, ready: Ready, authority: Authority, certificate: Certificate
) -> Iterator[Office]:
    """One that may be broken, with a directory of its own."""
    folder = tmp_path_factory.mktemp("frail")
    with Slapd() as slapd, Office(folder, slapd, ready, authority=authority, certificate=certificate) as office:
        yield office


def expect_patience(page: Page) -> None:
    """Expect the page that says that it is not the visitor's fault, and that nothing is lost."""
    expect(page.get_by_role("heading", name="Not at the moment")).to_be_visible()
    expect(page.get_by_text("Nothing is lost")).to_be_visible()


def test_a_portal_that_is_killed_in_the_middle_of_an_enrolment_loses_nothing(frail: Office, visit: Visit) -> None:
    alice, page = frail.house.person(token=False), visit(at=frail.portal.url)
    type_password(page, alice)
    page.get_by_role("link", name="Authenticator app").click()
    scanned = app_link(page)

    frail.portal.kill()
    frail.portal.start()
    now = time.time()
    enrol_app(page, now)  # by the form that was there before
    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()

    frail.portal.kill()
    frail.portal.start()
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_role("link", name="Phone")).to_be_visible()
    assert frail.house.come_in("challenge", alice, code_at(seed_of(scanned), now + 30)).name == "Access-Accept"


def test_a_database_that_takes_nothing_is_no_refusal(frail: Office, visit: Visit) -> None:
    alice, bob = frail.house.person(token=False), frail.house.person()
    page, other = visit(at=frail.portal.url), visit(at=frail.portal.url)
    type_password(page, alice)
    page.get_by_role("link", name="Authenticator app").click()
    type_password(other, bob)
    seed, code = seed_of(app_link(page)), bob.code().decode()
    page.get_by_label("Code from the app").fill(code_at(seed, time.time()).decode())
    other.get_by_label("Code", exact=True).fill(code)
    with closing(sqlite3.connect(frail.house.program.database, isolation_level=None)) as busy:
        busy.execute("BEGIN IMMEDIATE")
        page.get_by_role("button", name="Finish").click()
        expect_patience(page)
        other.get_by_role("button", name="Sign in", exact=True).click()
        expect_patience(other)
        busy.execute("ROLLBACK")
    page.go_back()
    assert enrol_app(page, time.time()) == seed
    take_recovery_codes(page)
    other.goto("/")
    sign_in(other, bob, code)  # neither used up nor counted
    assert frail.house.failures(bob) == 0


def test_a_directory_that_is_down_is_no_refusal(frail: Office, visit: Visit) -> None:
    alice, page = frail.house.person(), visit(at=frail.portal.url)
    type_password(page, alice)
    expect(page).to_have_url(re.compile("/signin/code$"))
    code = alice.code().decode()
    page.get_by_label("Code", exact=True).fill(code)
    frail.house.slapd.stop()
    try:
        page.get_by_role("button", name="Sign in", exact=True).click()
        expect_patience(page)
        stranger = visit(at=frail.portal.url)
        type_password(stranger, alice)
        expect_patience(stranger)
    finally:
        frail.house.slapd.start()
    page.goto("/")
    sign_in(page, alice, code)
    assert frail.house.failures(alice) == 0
