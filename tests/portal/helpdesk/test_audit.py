"""The audit: what a filter asks for, page by page, and as files that no spreadsheet computes."""

import csv
import io
import json
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radius2fa.login.ports import Record, Result
from radius2fa.login.reason import Reason
from radius2fa.portal.helpdesk.table import csv_lines, safe
from tests.portal.site import NOW, Browser, Site


def day(when: float) -> str:
    return datetime.fromtimestamp(when).astimezone().date().isoformat()


def write(site: Site, number: int, **values: object) -> None:
    usual = {"when": site.now - number, "client": "vpn", "name": f"user{number}", "source": "198.51.100.7"}
    record = Record(id=f"r{number}", **{"result": Result.REJECT, **usual, **values})  # type: ignore[arg-type]
    site.store.ledger.refuse(record, None, None)


def names(browser: Browser, path: str) -> set[str]:
    page = browser.get(path)
    return {json.loads(line)["name"] for line in page.get_data(as_text=True).splitlines()} - {"helen"}


@pytest.fixture
def helen(site: Site) -> Browser:
    write(site, 1, client="vpn", reason=Reason.WRONG_CODE)
    write(site, 2, client="wlan", reason=Reason.NO_TOKEN, source="203.0.113.9")
    write(site, 3, client="wlan", result=Result.ACCEPT, factor="totp", subject="x-3")
    write(site, 90000, reason=Reason.WRONG_CODE)
    return site.signed_in("helen")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("", {"user1", "user2", "user3", "user90000"}),
        ("client=wlan", {"user2", "user3"}),
        ("result=accept", {"user3"}),
        ("reason=wrong-code", {"user1", "user90000"}),
        ("reason=wrong-code&client=wlan", set()),
        ("name=SER9", {"user90000"}),
        ("source=203.0.113.", {"user2"}),
        ("subject=x-3", {"user3"}),
        ("result=nonsense&reason=&since=yesterday&until=9999-12-31", {"user1", "user2", "user3", "user90000"}),
        (f"until={day(NOW - 90000)}", {"user90000"}),
        (f"since={day(NOW)}", {"user1", "user2", "user3"}),
    ],
)
def test_a_filter_finds_what_it_says_on_the_page_and_in_the_file(helen: Browser, asked: str, found: set[str]) -> None:
    assert names(helen, f"/audit/logins.jsonl?{asked}") == found
    helen.get(f"/audit?{asked}")
    assert {name for name in ("user1", "user2", "user3", "user90000") if f">{name}<" in helen.html} == found


def test_older_logins_stand_on_further_pages_which_keep_the_filter(site: Site) -> None:
    for number in range(60):
        write(site, number, client="wlan" if number % 6 else "vpn")
    helen = site.signed_in("helen")
    helen.get("/audit?client=wlan")
    assert not [link for link in helen.links if "before=" in link]
    helen.get("/audit?result=reject")
    (older,) = [link for link in helen.links if "before=" in link]
    first = {name for name in (f"user{n}" for n in range(60)) if f">{name}<" in helen.html}
    helen.get(older)
    second = {name for name in (f"user{n}" for n in range(60)) if f">{name}<" in helen.html}
    assert len(first) == 50
    assert len(second) == 10
    assert not first & second
    assert "result=reject" in older


def test_a_file_holds_more_than_is_read_at_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(25):
        write(site, number)
    monkeypatch.setattr("radius2fa.portal.helpdesk.audit.MOST", 10)
    helen = site.signed_in("helen")
    assert names(helen, "/audit/logins.jsonl?client=vpn") == {f"user{n}" for n in range(25)}
    monkeypatch.setattr("radius2fa.portal.helpdesk.audit.MOST_SENT", 13)
    assert len(names(helen, "/audit/logins.jsonl?client=vpn")) == 13


def test_acts_are_found_by_who_did_what(site: Site) -> None:
    site.store.by("portal:helen", "=cmd|' /C calc'!A0").tokens.set_active("alices", False)  # noqa: FBT003
    helen = site.signed_in("helen")
    helen.get("/audit/acts?who=portal:helen&what=token-disabled")
    assert "Token disabled" in helen.text
    assert "1 Dec" not in helen.text
    page = helen.get("/audit/acts.csv?who=portal:helen")
    (row,) = csv.DictReader(io.StringIO(page.get_data(as_text=True)))
    assert row["why"] == "'=cmd|' /C calc'!A0"
    assert (row["who"], row["what"], row["token"], row["name"]) == ("portal:helen", "token-disabled", "alices", "alice")
    assert page.headers["Content-Disposition"] == "attachment; filename=acts.csv"
    assert page.headers["Content-Type"] == "text/csv; charset=utf-8"


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\uff1d1+1"])
def test_no_cell_is_a_formula(site: Site, name: str) -> None:
    write(site, 1, name=name)
    page = site.signed_in("helen").get("/audit/logins.csv?client=vpn")
    (row,) = csv.DictReader(io.StringIO(page.get_data(as_text=True), newline=""))
    assert row["name"] == f"'{name}"


@pytest.mark.parametrize("name", ["x;=1+1;", "x\t@SUM(A1)", "x\r\n-1", 'x; "=1+1"', "a;b;+1", "\t=1", "\r=1"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_no_part_of_a_cell_is_a_formula_where_something_else_parts_the_cells(name: str, separator: str) -> None:
    text = "".join(csv_lines(["when", "name", "end"], [{"when": "1", "name": name, "end": "2"}]))
    for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE):
        found = csv.reader(io.StringIO(text, newline=""), delimiter=separator, quoting=quoting)
        cells = [cell.strip().lstrip('"') for row in found for cell in row]
        assert [cell for cell in cells if cell[:1] and cell[0] in "=+-@"] == []


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=4))
def test_whatever_stands_in_a_cell_it_is_one_cell_and_no_formula(values: list[str]) -> None:
    titles = [str(number) for number in range(len(values))]
    text = "".join(csv_lines(titles, [dict(zip(titles, values, strict=True))]))
    (_, cells) = csv.reader(io.StringIO(text, newline=""))
    assert cells == [safe(value) for value in values]
    assert not [cell for cell in cells if cell[:1] and cell[0] in "=+-@\t\r\n"]


def test_there_are_no_files_of_other_forms(helen: Browser) -> None:
    for path in ("/audit/logins.html", "/audit/acts.exe", "/audit/passwords.csv"):
        assert helen.get(path).status_code == 404


def test_logins_are_counted_by_hour_result_and_client(site: Site) -> None:
    for number, client in enumerate(("vpn", "vpn", "wlan")):
        write(site, number, client=client)
    write(site, 5, client="wlan", result=Result.ACCEPT)
    write(site, 2 * 86400, client="old")
    helen = site.signed_in("helen")
    site.now += 1
    helen.get("/audit/charts")
    assert '<th scope="row">vpn</th><td class="number">0</td><td class="number">2</td>' in helen.html
    assert '<th scope="row">wlan</th><td class="number">1</td><td class="number">1</td>' in helen.html
    assert "old" not in helen.text.split()
    helen.get("/audit/charts?period=week")
    assert '<th scope="row">old</th><td class="number">0</td><td class="number">1</td>' in helen.html
    for period in ("month", "nonsense", ""):
        assert helen.get(f"/audit/charts?period={period}").status_code == 200
