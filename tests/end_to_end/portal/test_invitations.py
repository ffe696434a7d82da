"""A portal where nobody enrols by a password alone: it takes an invitation from the helpdesk."""

import json
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.end_to_end.house import Ready
from tests.end_to_end.portal.conftest import Visit
from tests.end_to_end.portal.office import Office
from tests.end_to_end.portal.steps import enrol_app, sign_out, take_recovery_codes, type_code, type_password
from tests.servers.slapd import Slapd
from tests.servers.tls import Authority, Certificate


@pytest.fixture(scope="module")
def strict(
    tmp_path_factory: pytest.TempPathFactory, slapd: Slapd, ready: Ready, authority: Authority, certificate: Certificate
) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("strict")
    with Office(folder, slapd, ready, authority=authority, certificate=certificate, enrolment="invitation") as office:
        yield office


def test_only_who_is_invited_enrols_and_once(strict: Office, visit: Visit) -> None:
    house, alice = strict.house, strict.house.person(token=False)
    page = visit(at=strict.portal.url)
    type_password(page, alice)
    expect(page.get_by_role("heading", name="Your second factor")).to_be_visible()  # as for everybody
    type_code(page, "000000")
    expect(page.get_by_text("You could not be signed in.")).to_be_visible()

    code = str(json.loads(house.program.run("token", "invite", alice.uid, "--json").stdout)["code"])
    assert house.come_in("challenge", alice, code.encode()).name == "Access-Reject"  # it is good for the portal alone
    page.goto("/signin")
    type_password(page, alice)
    type_code(page, code)
    page.get_by_role("link", name="Authenticator app").click()
    enrol_app(page, time.time())
    take_recovery_codes(page)
    sign_out(page)

    type_password(page, alice)
    type_code(page, code)
    expect(page.get_by_text("You could not be signed in.")).to_be_visible()
