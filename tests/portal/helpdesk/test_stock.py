"""The stock, and how more of it comes in: looked at first, imported once."""

import io
import re
import sqlite3
from pathlib import Path

import pytest

from radius2fa.otp.token import Kind, Token
from radius2fa.store.acts import Deed
from radius2fa.store.tokens import NewToken
from tests.portal.site import URL, Browser, Site

WHY = "the delivery of May"
SEED = "3132333435363738393031323334353637383930"  # the key of RFC 6238
CSV = f"serial,seed,kind,digits,period\n1001,{SEED},totp,6,30\n1002,{SEED[:-2]}31,hotp,6,\nbad,zz,totp,6,30\n"

# RFC 6030 section 6.2 (figure 7): encrypted under a password, with the MAC of the value
PSKC = Path(__file__).parents[2] / "vectors" / "pskc"


def upload(browser: Browser, content: bytes | str, name: str = "tokens.csv", **fields: str) -> int:
    """Send the form of the stock's page as a browser does (RFC 7578), and return the status."""
    browser.get("/stock")
    (form,) = [form for form in browser.forms if form.action == "/stock/upload"]
    parts = [
        f'--limit\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'
        for field, value in {**form.fields, **fields}.items()
        if field != "file"
    ]
    head = f'--limit\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    octets = content.encode() if isinstance(content, str) else content
    browser.page = browser.client.post(
        "/stock/upload",
        base_url=URL,
        input_stream=io.BytesIO("".join((*parts, head)).encode() + octets + b"\r\n--limit--\r\n"),
        content_type="multipart/form-data; boundary=limit",
        headers={**browser.headers, "Origin": URL, "Sec-Fetch-Site": "same-origin"},
        content_length=len("".join((*parts, head)).encode()) + len(octets) + len(b"\r\n--limit--\r\n"),
        follow_redirects=True,
    )
    return browser.status


def told(browser: Browser) -> dict[str, str]:
    """Return what the page tells of the file, by its words."""
    return dict(re.findall(r"<dt>([^<]+)</dt><dd>(?:<strong>)?([^<]+)<", browser.html))


def serials(site: Site) -> set[str | None]:
    return {row.serial for row in site.store.tokens.list(unassigned=True)}


def test_the_stock_is_listed_by_serial_number_page_by_page_and_searched(site: Site) -> None:
    new = [NewToken(Token(f"t{n}", Kind.TOTP, bytes([n]) * 20), None, None, "fob", f"A{n:03}") for n in range(60)]
    site.store.tokens.add_many(new, site.now)
    helen = site.signed_in("helen")
    helen.get("/stock")
    assert "A000" in helen.text
    assert "A024" in helen.text
    assert "A025" not in helen.text
    helen.get("/stock?page=3")
    assert "A050" in helen.text
    assert "A049" not in helen.text
    assert "/stock?page=2" in helen.links
    assert "/stock?page=4" not in helen.links
    helen.get("/stock?q=a05")
    assert "A059" in helen.text
    assert "A049" not in helen.text
    for odd in ("0", "-1", "x", "99999999999999999999", "٣"):
        assert helen.get(f"/stock?page={odd}").status_code == 200


def test_a_file_is_looked_at_before_anything_comes_in(site: Site) -> None:
    ada = site.signed_in("ada")
    upload(ada, CSV)
    assert (ada.status, ada.path) == (200, "/stock/upload")
    assert told(ada) == {"Format": "OATH", "Would come in": "2", "There already": "0", "Rejected": "1"}
    assert '<td data-title="Serial number">1001</td>' in ada.html
    assert '<td data-title="Lines">4</td>' in ada.html
    assert serials(site) == set()


def test_an_import_comes_in_once_however_often_it_is_sent(site: Site) -> None:
    ada = site.signed_in("ada")
    upload(ada, CSV)
    form = next(form for form in ada.forms if form.action == "/stock/import")
    headers = {"Origin": URL, "Sec-Fetch-Site": "same-origin"}
    for _ in range(3):
        ada.post("/stock/import", {**form.fields, "why": WHY}, headers=headers)
        assert (ada.status, ada.path) == (200, "/stock/upload")
        assert told(ada)["Came in"] == "2"
    ada.get("/stock/upload")  # reloaded
    assert told(ada)["Came in"] == "2"
    assert serials(site) == {"1001", "1002"}
    imports = [act for act in site.store.acts.recent(None, 9) if act.what is Deed.IMPORTED]
    assert [(act.who, act.why) for act in imports] == [("portal:ada", WHY)]
    upload(ada, CSV)
    assert (told(ada)["Would come in"], told(ada)["There already"]) == ("0", "2")
    assert "/stock/import" not in [form.action for form in ada.forms]


def test_what_is_rejected_is_given_back_with_the_reason(site: Site) -> None:
    ada = site.signed_in("ada")
    upload(ada, CSV, name="../../secret dir/June's.csv")
    for _ in range(2):
        page = ada.get("/stock/rejected")
        assert page.headers["Content-Disposition"] == "attachment; filename=Junes.csv.rejected.csv"
        lines = page.get_data(as_text=True).splitlines()
        assert lines[0] == "serial,seed,kind,digits,period,reason"
        assert len(lines) == 2
        assert lines[1].startswith("bad,zz,totp,6,30,")
        ada.get("/stock/upload")
        if "/stock/import" in [form.action for form in ada.forms]:
            ada.submit("/stock/import", why=WHY)


def test_a_file_that_waits_is_in_clear_nowhere(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in the database, with what belongs to it, nor in a temporary file while it is sent."""
    monkeypatch.setattr("werkzeug.formparser.SpooledTemporaryFile", None)
    monkeypatch.setattr("werkzeug.formparser.TemporaryFile", None, raising=False)
    ada = site.signed_in("ada")
    many = "".join(f"{n},{n:040x},totp,6,30\n" for n in range(10**6, 10**6 + 4000)) + "#" * 600_000 + "\n"
    assert len(many) > 700_000
    assert upload(ada, many) == 200
    assert told(ada)["Would come in"] == "4000"
    with sqlite3.connect(tmp_path / "portal.db") as database:
        (held,) = database.execute("select held from session order by length(held) desc").fetchone()
    assert len(held) > 10_000
    for file in tmp_path.glob("portal.db*"):
        assert b"%040x" % (10**6 + 17) not in file.read_bytes()


def test_a_file_is_thrown_away(site: Site) -> None:
    ada = site.signed_in("ada")
    upload(ada, CSV)
    ada.submit("/stock/forget")
    assert ada.path == "/stock"
    for path in ("/stock/upload", "/stock/rejected"):
        ada.get(path)
        assert ada.path == "/stock"
    assert serials(site) == set()


def test_without_a_reason_nothing_comes_in(site: Site) -> None:
    ada = site.signed_in("ada")
    upload(ada, CSV)
    ada.submit("/stock/import", why=" ")
    assert ada.status == 422
    assert serials(site) == set()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("", "not empty"),
        ("hello\n", "not of a known format"),
        (b"\xff\xfes\0", "UTF-16"),
        ("x" * (3 << 19) + "y", "larger than 1.5 MB"),
        ("serial,seed,kind\n" + "".join(f"{n},{n:040x},totp\n" for n in range(5001)), "more than 5000 tokens"),
    ],
    ids=["empty", "text", "utf-16", "large", "many"],
)
def test_a_file_that_cannot_be_read_is_told_of(site: Site, content: bytes | str, text: str) -> None:
    ada = site.signed_in("ada")
    assert upload(ada, content) == 422
    assert text in ada.text
    ada.get("/stock/upload")
    assert ada.path == "/stock"


def test_a_file_of_more_than_two_megabytes_is_not_taken(site: Site) -> None:
    assert upload(site.signed_in("ada"), "x" * (2 << 20)) == 413


def test_an_encrypted_file_asks_for_what_opens_it(site: Site) -> None:
    file = (PSKC / "figure7.xml").read_bytes()
    ada = site.signed_in("ada")
    assert upload(ada, file, name="t.xml") == 422
    assert "type it below the file" in ada.text
    assert upload(ada, file, name="t.xml", password="qwerty") == 200
    assert told(ada)["Would come in"] == "1"
    ada.submit("/stock/import", why=WHY)
    assert serials(site) == {"987654321"}


def test_a_token_comes_in_for_its_owner(site: Site) -> None:
    ada = site.signed_in("ada")
    upload(ada, f"upn,serial number,secret key,time interval,manufacturer,model\nbob,77,{'GEZDGNBV' * 4},30,Acme,A1\n")
    assert "bob" in ada.text
    ada.submit("/stock/import", why=WHY)
    assert [row.serial for row in site.store.tokens.list(site.bob)] == ["77"]


def test_the_helpdesk_uploads_nothing(site: Site) -> None:
    helen = site.signed_in("helen")
    helen.get("/stock")
    assert [form.action for form in helen.forms if form.action.startswith("/stock/")] == []
    form = next(form.fields["form"] for form in helen.forms if "form" in form.fields)
    headers = {"Origin": URL, "Sec-Fetch-Site": "same-origin"}
    for path in ("/stock/upload", "/stock/import", "/stock/forget"):
        fields = {"form": form, "why": WHY, "file": (io.BytesIO(CSV.encode()), "t.csv")}
        assert helen.post(path, fields, headers=headers).status_code == 403
        helen.get("/stock")
    for path in ("/stock/upload", "/stock/rejected"):
        assert helen.get(path).status_code == 403


def test_nobody_sees_the_file_of_another_session(site: Site) -> None:
    upload(site.signed_in("ada"), CSV)
    other = site.signed_in("ada")
    other.get("/stock/upload")
    assert other.path == "/stock"


def test_what_is_rejected_needs_a_second_factor_that_was_shown_lately(site: Site) -> None:
    """It holds the secrets of tokens."""
    ada = site.signed_in("ada")
    upload(ada, CSV)
    site.now += site.settings.portal.fresh + 1
    ada.get("/stock/rejected")
    assert ada.path == "/confirm"
    assert "zz" not in ada.text
    ada.get("/stock/upload")
    assert [form.action for form in ada.forms if form.action.startswith("/stock/")] == []
