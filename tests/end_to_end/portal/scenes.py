"""Every page of the portal, and the way to it: for what has to hold for all of them, and for the guide's pictures."""

import base64
import re
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from playwright.sync_api import Page, expect

from radius2fa.otp.token import Kind, Token
from radius2fa.store.tokens import NewToken
from tests.end_to_end.house import House
from tests.end_to_end.people import new_seed
from tests.end_to_end.portal.office import Office, Staff
from tests.end_to_end.portal.steps import sign_in, sign_in_by_key, type_password
from tests.servers.browser import SecurityKey

DAY = 86400  # seconds
_COLUMNS = "attempt, client, name, subject, source, result, reason, token, policy, factor"
_EARLIER = f"""INSERT INTO journal (number, at, {_COLUMNS})
    SELECT number - ?, at - ?, {_COLUMNS} FROM journal WHERE number > 0 AND number % ? = 0"""  # noqa: S608


class Guide:
    """An office with some life in it, and a window for each who shows their pages; all have signed in but the first.

    Amelie has an app, a token with a display and a passkey. Bruno has none yet. Helen is of the helpdesk, Ada
    administrates.
    """

    def __init__(self, office: Office, open_window: Callable[[], Page], folder: Path) -> None:
        house, self.staff, self.folder = office.house, Staff(office), folder
        self.office = office
        self.amelie, self.bruno = house.person("amelie"), house.person("bruno", token=False)
        self.colleagues = [house.person(name) for name in ("chiara", "dmitri", "emre", "farah")]
        for name in ("gustav", "hanna", "ivo"):
            house.person(name, token=False)
        self._furnish(house)
        self.stranger, self.newcomer, self.user, self.helpdesk, self.admin = (open_window() for _ in range(5))
        type_password(self.newcomer, self.bruno)
        expect(self.newcomer).to_have_url(re.compile("/enrol$"))
        sign_in(self.helpdesk, self.staff.helen)
        sign_in(self.admin, self.staff.ada)
        self._give_passkey()
        self._live(house)

    def _furnish(self, house: House) -> None:
        house.store.tokens.rename(self.amelie.token, "Key fob")
        phone = Token("amelies-phone", Kind.TOTP, new_seed())
        house.store.tokens.add(NewToken(phone, self.amelie.subject, self.amelie.uid, "Phone"), time.time() - 90 * DAY)
        file = self.folder / "box.csv"
        lines = [f"A{4712 + number},{base64.b32encode(new_seed()).decode()},totp,6,30,0" for number in range(-1, 8)]
        file.write_text("\n".join(lines) + "\n")
        house.program.run("token", "import", str(file))
        house.program.run("token", "assign", "A4711", "amelie")

    def _give_passkey(self) -> None:
        SecurityKey(self.user)
        sign_in(self.user, self.amelie)
        self.user.goto("/enrol/passkey")
        self.user.get_by_label("Name").fill("Work laptop")
        self.user.get_by_role("button", name="Set up").click()
        expect(self.user).to_have_url(re.compile("/tokens"))
        sign_in_again(self)

    def _live(self, house: House) -> None:
        """Have people log in, by radclient, and have done so for a day."""
        for person in (self.amelie, *self.colleagues):
            house.come_in("appended", person, person.code())
            house.come_in("either", person, person.wrong_code())
        house.come_in("challenge", self.colleagues[0], self.colleagues[0].code())
        for wrong in self.colleagues[3].wrong_codes(5):
            house.come_in("appended", self.colleagues[3], wrong)
        with closing(sqlite3.connect(house.program.database, timeout=10)) as database, database:
            for hour in range(1, 23):
                database.execute(_EARLIER, (hour * 1000, hour * 3600, 2 + (hour - 8) ** 2 // 9))


def sign_in_again(guide: Guide) -> None:
    guide.user.get_by_role("button", name="Sign out").click()
    guide.user.goto("/signin")
    sign_in_by_key(guide.user, guide.amelie)


Scene = Callable[[Guide], Page]
SCENES: dict[str, Scene] = {}


def scene(lead: Scene) -> Scene:
    """Enter a page under the name of what leads to it."""
    SCENES[lead.__name__.replace("_", "-")] = lead
    return lead


def at(page: Page, path: str) -> Page:
    page.goto(path)
    return page


def clicked(page: Page, button: str) -> Page:
    page.locator("main").get_by_role("button", name=button, exact=True).click()
    page.wait_for_load_state()
    return page


# ---- on the way in


@scene
def sign_in_page(guide: Guide) -> Page:
    return at(guide.stranger, "/signin")


@scene
def code(guide: Guide) -> Page:
    type_password(sign_in_page(guide), guide.amelie)
    expect(guide.stranger).to_have_url(re.compile("/signin/code$"))
    return guide.stranger


@scene
def refused(guide: Guide) -> Page:
    code(guide).get_by_label("Code", exact=True).fill("000000")
    return clicked(guide.stranger, "Sign in")


@scene
def no_such_page(guide: Guide) -> Page:
    return at(guide.stranger, "/nothing/here")


# ---- the first time


@scene
def enrol(guide: Guide) -> Page:
    return at(guide.newcomer, "/enrol")


@scene
def enrol_app(guide: Guide) -> Page:
    return at(guide.newcomer, "/enrol/app")


@scene
def enrol_app_wrong_code(guide: Guide) -> Page:
    enrol_app(guide).get_by_label("Code from the app").fill("000000")
    return clicked(guide.newcomer, "Finish")


@scene
def enrol_passkey(guide: Guide) -> Page:
    return at(guide.newcomer, "/enrol/passkey")


@scene
def enrol_hardware(guide: Guide) -> Page:
    return at(guide.newcomer, "/enrol/hardware")


@scene
def enrol_hardware_no_fit(guide: Guide) -> Page:
    enrol_hardware(guide).get_by_label("Serial number").fill("A4710")
    guide.newcomer.get_by_label("Code from the token").fill("123456")
    return clicked(guide.newcomer, "Finish")


@scene
def enrol_yubikey(guide: Guide) -> Page:
    return at(guide.newcomer, "/enrol/yubikey")


# ---- one's own


@scene
def recovery(guide: Guide) -> Page:
    return at(guide.user, "/recovery")


@scene
def recovery_codes(guide: Guide) -> Page:
    return clicked(recovery(guide), "Make new recovery codes")


@scene
def tokens(guide: Guide) -> Page:
    return at(guide.user, "/tokens")


@scene
def token(guide: Guide) -> Page:
    tokens(guide).get_by_role("link", name="Phone").click()
    expect(guide.user.get_by_role("heading", name="Phone")).to_be_visible()
    return guide.user


@scene
def token_try_wrong(guide: Guide) -> Page:
    token(guide).get_by_label("Code", exact=True).fill("000000")
    return clicked(guide.user, "Try it")


@scene
def token_remove(guide: Guide) -> Page:
    at(guide.user, "/tokens/amelies-phone").get_by_role("link", name="Remove").click()
    return guide.user


@scene
def enrol_another(guide: Guide) -> Page:
    return at(guide.user, "/enrol")


@scene
def sessions(guide: Guide) -> Page:
    return at(guide.user, "/sessions")


@scene
def logins(guide: Guide) -> Page:
    return at(guide.user, "/logins")


@scene
def login_code(guide: Guide) -> Page:
    return at(guide.user, "/login-code")


@scene
def login_code_shown(guide: Guide) -> Page:
    return clicked(login_code(guide), "Show a login code")


@scene
def login_code_without_passkey(guide: Guide) -> Page:
    return at(guide.helpdesk, "/login-code")


@scene
def confirm(guide: Guide) -> Page:
    return at(guide.user, "/confirm?back=/tokens")


# ---- the helpdesk and the administrators


@scene
def people(guide: Guide) -> Page:
    return at(guide.helpdesk, "/people")


@scene
def people_found(guide: Guide) -> Page:
    return at(guide.helpdesk, "/people?q=ar")


@scene
def people_unknown(guide: Guide) -> Page:
    return at(guide.helpdesk, "/people?q=zebedee")


@scene
def person(guide: Guide) -> Page:
    return at(guide.helpdesk, f"/people/{guide.colleagues[3].subject}")


@scene
def person_temporary_code(guide: Guide) -> Page:
    return _done(person(guide), "Temporary code", "phone at home, called back")


@scene
def person_invitation(guide: Guide) -> Page:
    at(guide.helpdesk, "/people?q=bruno").get_by_role("link", name="bruno", exact=True).click()
    return _done(guide.helpdesk, "Invitation", "starts on Monday")


@scene
def person_of_the_staff(guide: Guide) -> Page:
    return at(guide.helpdesk, f"/people/{guide.staff.ada.subject}")


@scene
def not_allowed(guide: Guide) -> Page:
    return at(guide.user, "/people")


@scene
def stock(guide: Guide) -> Page:
    return at(guide.admin, "/stock")


@scene
def stock_dry_run(guide: Guide) -> Page:
    seeds = [base64.b32encode(new_seed()).decode() for _ in range(6)]
    text = (
        "".join(f"B{100 + number},{seed},totp,6,30,0\n" for number, seed in enumerate(seeds))
        + "B107,short,totp,6,30,0\n"
    )
    file = {"name": "box.csv", "mimeType": "text/csv", "buffer": text.encode()}
    at(guide.admin, "/stock").get_by_label("File", exact=True).set_input_files(file)  # type: ignore[arg-type]
    return clicked(guide.admin, "Look at it first")


@scene
def stock_imported(guide: Guide) -> Page:
    stock_dry_run(guide).get_by_label("Why?").fill("delivery of November")
    return clicked(guide.admin, "Import 6")


@scene
def rollout(guide: Guide) -> Page:
    return at(guide.helpdesk, "/rollout")


@scene
def rollout_without(guide: Guide) -> Page:
    return at(guide.helpdesk, "/rollout/without")


@scene
def audit(guide: Guide) -> Page:
    return at(guide.helpdesk, "/audit")


@scene
def audit_changes(guide: Guide) -> Page:
    return at(guide.helpdesk, "/audit/acts")


@scene
def audit_charts(guide: Guide) -> Page:
    return at(guide.helpdesk, "/audit/charts")


def _done(page: Page, deed: str, why: str) -> Page:
    part = page.locator("details", has=page.locator("summary", has_text=re.compile(f"^{deed}$")))
    part.locator("summary").click()
    part.get_by_label("Why?").fill(why)
    part.get_by_role("button", name=deed, exact=True).click()
    page.wait_for_load_state()
    return page
