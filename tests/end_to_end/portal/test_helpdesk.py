"""The helpdesk at work: from the call of somebody who is kept out to the login that succeeds."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.end_to_end.portal.conftest import Visit
from tests.end_to_end.portal.office import Office, Staff
from tests.end_to_end.portal.steps import sign_in


def find(page: Page, name: str) -> None:
    """Look somebody up by their whole name, and go to their page."""
    page.goto("/people")
    page.get_by_label("User name").fill(name)
    page.get_by_role("button", name="Find").click()
    page.get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()


def opened(page: Page, deed: str) -> Locator:
    """Open what can be done for somebody, and return its part of the page."""
    part = page.locator("details", has=page.locator("summary", has_text=re.compile(f"^{deed}$")))
    if part.get_attribute("open") is None:
        part.locator("summary").click()
    return part


def do(page: Page, deed: str, why: str) -> None:
    part = opened(page, deed)
    part.get_by_label("Why?").fill(why)
    part.get_by_role("button", name=deed).click()


@pytest.mark.parametrize("script", [True, False], ids=["as usual", "without JavaScript"])
def test_who_is_kept_out_by_wrong_codes_is_found_unlocked_and_given_a_code_for_today(
    script: bool,  # noqa: FBT001 - whether pages may run one
    office: Office,
    staff: Staff,
    visit: Visit,
) -> None:
    house, alice = office.house, office.house.person()
    for wrong in alice.wrong_codes(5):
        house.come_in("appended", alice, wrong)
    assert house.come_in("appended", alice, alice.code()).name == "Access-Reject"

    page = visit(java_script_enabled=script)
    sign_in(page, staff.helen)
    find(page, alice.uid)
    expect(page.get_by_text("Refused for now")).to_be_visible()
    attempts = page.get_by_role("table", name="The newest first")
    expect(attempts.get_by_text("Wrong code", exact=True)).to_have_count(5)
    expect(attempts.get_by_text("Have the clock of the phone set automatically").first).to_be_visible()

    do(page, "Unlock", "ticket 4711: mistyped, called back")
    expect(page.get_by_text("No failures")).to_be_visible()
    assert house.come_in("challenge", alice, alice.code()).name == "Access-Accept"

    do(page, "Temporary code", "ticket 4712: phone at home")
    code = page.locator("#given").inner_text().encode()
    assert house.come_in("challenge", alice, code).name == "Access-Accept"
    assert house.last(alice.uid)[:3] == ("accept", None, "temporary")
    assert house.come_in("challenge", alice, code).name == "Access-Reject"
    page.get_by_role("link", name="I have passed it on").click()
    expect(page.get_by_text(code.decode())).to_have_count(0)
    changes = page.get_by_role("table", name="What this person and others changed, the newest first")
    for why in ("ticket 4711: mistyped, called back", "ticket 4712: phone at home"):
        row = changes.get_by_role("row", name=why)
        expect(row.get_by_text("portal:helen")).to_be_visible()


def test_nothing_is_done_without_a_reason(office: Office, staff: Staff, visit: Visit) -> None:
    alice, page = office.house.person(), visit()
    sign_in(page, staff.helen)
    find(page, alice.uid)
    do(page, "Temporary code", "  ")
    expect(page.get_by_role("heading", name=alice.uid, exact=True)).to_be_visible()
    assert office.house.query("SELECT id FROM token WHERE subject = ? AND kind = 'temporary'", alice.subject) == []


def test_the_helpdesk_has_no_say_over_itself_and_over_administrators(
    office: Office, staff: Staff, visit: Visit
) -> None:
    assert office.house
    page = visit()
    sign_in(page, staff.helen)
    for name, why in ((staff.helen.uid, "This is you."), (staff.ada.uid, "Only administrators")):
        find(page, name)
        expect(page.get_by_text(why)).to_be_visible()
        expect(page.locator("summary", has_text="Temporary code")).to_have_count(0)


def test_nobody_else_gets_at_the_pages_of_the_helpdesk(office: Office, staff: Staff, visit: Visit) -> None:
    alice, page = office.house.person(), visit()
    sign_in(page, alice)
    expect(page.get_by_role("link", name="People")).to_have_count(0)
    for path in ("/people", f"/people/{staff.helen.subject}", "/stock", "/rollout", "/audit"):
        assert (answer := page.goto(path)) is not None
        assert answer.status == 403, path
    fields = {"form": page.locator("input[name=form]").first.get_attribute("value") or ""}
    fields |= {"name": alice.uid, "why": "because I can", "valid": "3600", "uses": "20"}
    with office.portal.caller() as caller:
        caller.cookies |= {each["name"]: each["value"] for each in page.context.cookies()}  # type: ignore[typeddict-item]
        for subject in (alice.subject, staff.helen.subject):
            assert caller.post(f"/people/{subject}/code", fields).status == 403
        assert caller.get("/tokens").status == 200
    assert office.house.query("SELECT id FROM token WHERE subject = ? AND kind = 'temporary'", alice.subject) == []
