"""Owns a portal for its tests: the real application over a real database, a directory in memory, and a browser.

Time stands still until a test moves it. The browser keeps cookies, and fills in forms as people do: what a page does
not hold cannot be sent.
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from html.parser import HTMLParser
from ipaddress import ip_network
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import structlog
from flask.testing import FlaskClient
from pydantic import SecretBytes
from pyotp import TOTP
from werkzeug.test import TestResponse

from radius2fa.config.model import Client, Codes, Directory, Portal, Settings
from radius2fa.config.model import Store as StoreSettings
from radius2fa.otp.token import Kind, Token
from radius2fa.portal import hour
from radius2fa.portal.app import make_app
from radius2fa.portal.letter import Letter
from radius2fa.portal.world import Clock, world_of
from radius2fa.store.tokens import NewToken
from radius2fa.store.upgrade import upgrade
from tests.fakes.directory import FakeDirectory, ForAnyClient
from tests.store.opening import opened, quiet

URL = "https://portal.example.org"
KEY = bytes.fromhex("3132333435363738393031323334353637383930")
# TOTP of KEY, 30 s, 6 digits: step to code (the table in tests/login/world.py, and `oathtool --totp`)
CODES = {47251640: "166325", 47251645: "063321", 47251646: "306773", 47251649: "705493", 47251650: "589836"}
STEP = 47251645
NOW = STEP * 30.0 + 7
PASSWORD = "correct horse"
HELPDESK = "cn=helpdesk,ou=groups,dc=example,dc=org"
ADMINS = "cn=admins,ou=groups,dc=example,dc=org"


def settings_at(folder: Path, **portal: Any) -> Settings:
    """Return settings with a new SQLite database in the folder."""
    store = StoreSettings(url=f"sqlite:///{folder}/portal.db", timeout=5.0)
    Path(f"{folder}/portal.db").write_bytes(_empty_database())
    network = ip_network("192.0.2.10/32")
    return Settings(
        store=store,
        directory=(Directory(urls=("ldap://127.0.0.1",), base="dc=example,dc=org"),),
        client=(Client(name="vpn", addresses=(network,), secret=SecretBytes(b"a secret of the tests")),),
        codes=Codes(issuer="Example Corp"),
        portal=Portal(**{"url": URL, "helpdesk_groups": (HELPDESK,), "admin_groups": (ADMINS,)} | portal),
    )


@cache
def _empty_database() -> bytes:
    """Return a database at HEAD, made once: the migrations take most of the time of a short test."""
    with TemporaryDirectory() as folder:
        upgrade(StoreSettings(url=f"sqlite:///{folder}/empty.db"), quiet)
        return Path(f"{folder}/empty.db").read_bytes()


class Site:
    """The portal at `NOW`: alice has a TOTP token of KEY, bob has none, helen is of the helpdesk, ada administrates.

    `letters` are the mails that were sent, `now` may be set.
    """

    def __init__(self, folder: Path, **portal: Any) -> None:
        self.now = NOW
        self.letters: list[Letter] = []
        self.log: list[Mapping[str, Any]] = []
        self.directory = FakeDirectory()
        self.settings = settings_at(folder, **portal)
        self.store = opened(self.settings.store, actor="portal")
        clock = replace(Clock(), now=lambda: self.now, monotonic=lambda: 0.0, jitter=lambda: 0.5)
        log = structlog.wrap_logger(None, processors=[self._note], wrapper_class=structlog.BoundLogger)
        self.world = world_of(
            self.settings,
            self.store,
            ForAnyClient(self.directory),
            post=self.letters.append,
            log=log,
            clock=clock,
        )
        self.app = make_app(self.world)
        mail = {"mail": ["alice@example.org"]}
        self.alice = self.directory.add("alice", PASSWORD, attributes=mail)
        self.bob = self.directory.add("bob", PASSWORD)
        self.helen = self.directory.add("helen", PASSWORD, groups=[HELPDESK])
        self.ada = self.directory.add("ada", PASSWORD, groups=[ADMINS])
        for name in ("alice", "helen", "ada"):
            self.give_token(name)

    def give_token(self, name: str, token_id: str | None = None, key: bytes = KEY) -> str:
        """Give somebody a TOTP token of KEY, and return its id."""
        token = Token(token_id or f"{name}s", Kind.TOTP, key)
        subject: str = getattr(self, name)
        self.store.tokens.add(NewToken(token, subject, name, "phone"), self.now - 86400)
        return token.id

    def browser(self, language: str = "en", address: str = "198.51.100.7") -> "Browser":
        """Return a new browser, without any cookie."""
        return Browser(self, language, address)

    def signed_in(self, name: str = "alice", **more: Any) -> "Browser":
        """Return the browser of somebody who has just signed in with a code of KEY; the clock moves on by 30 s."""
        browser = self.browser(**more)
        browser.sign_in(name, code_at(self.now))
        self.now += 30
        return browser

    def close(self) -> None:
        self.store.close()

    def _note(self, _: object, method: str, event: dict[str, Any]) -> Mapping[str, Any]:
        self.log.append({"level": method, **event})
        raise structlog.DropEvent


def code_at(when: float, key: bytes = KEY) -> str:
    """Return the TOTP code at a time, by pyotp: another implementation than ours."""
    return TOTP(base64.b32encode(key).decode()).at(int(when))


@dataclass(frozen=True)
class Form:
    """A form of a page: where it goes, and what its fields hold."""

    action: str
    method: str
    fields: Mapping[str, str]
    data: Mapping[str, str]  # its data- attributes


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.text = ""
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            data = {name.removeprefix("data-"): value for name, value in found.items() if name.startswith("data-")}
            self.forms.append(Form(found.get("action", ""), found.get("method", "get").lower(), {}, data))
        elif tag in ("input", "select", "textarea", "button") and self.forms and "name" in found:
            checked = found.get("type") not in ("checkbox", "radio") or "checked" in found
            if checked and tag != "button":
                self.forms[-1].fields[found["name"]] = found.get("value", "")  # type: ignore[index]
        elif tag == "a" and "href" in found:
            self.links.append(found["href"])
        elif tag in ("script", "style"):
            self._silent += 1

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._silent -= 1

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.text += data


class Browser:
    """Fetches pages and sends their forms, following redirects. `page` is the last answer."""

    def __init__(self, site: Site, language: str, address: str) -> None:
        self.site = site
        self.client: FlaskClient = site.app.test_client()
        self.address = address
        self.headers = {"Accept-Language": language}
        self.page: TestResponse | None = None

    @property
    def status(self) -> int:
        assert self.page is not None
        return self.page.status_code

    @property
    def held_back(self) -> float:
        """For how many seconds the web server keeps the answer."""
        assert self.page is not None
        return float(self.page.headers.get(hour.NAME, 0.0))

    @property
    def html(self) -> str:
        assert self.page is not None
        return self.page.get_data(as_text=True)

    @property
    def path(self) -> str:
        assert self.page is not None
        return self.page.request.path

    @property
    def text(self) -> str:
        """The words of the page, with single spaces."""
        return re.sub(r"\s+", " ", self._parsed().text)

    @property
    def forms(self) -> list[Form]:
        return self._parsed().forms

    @property
    def links(self) -> list[str]:
        return self._parsed().links

    def get(self, path: str, *, follow: bool = True, headers: Mapping[str, str] | None = None) -> TestResponse:
        return self._open("GET", path, None, headers, follow=follow)

    def post(
        self, path: str, fields: Mapping[str, Any], *, follow: bool = True, headers: Mapping[str, str] | None = None
    ) -> TestResponse:
        """Send these fields as they are, as a page of another site could make a browser do."""
        return self._open("POST", path, fields, headers, follow=follow)

    def submit(self, action: str, *, follow: bool = True, **fields: Any) -> TestResponse:
        """Send the form of the last page that goes to `action`, with these fields filled in."""
        (form,) = [form for form in self.forms if form.action.partition("?")[0] == action]
        for name in fields:
            assert name in form.fields, f"the form has no field {name}: {sorted(form.fields)}"
        sent = {**form.fields, **fields}
        if form.method == "get":
            return self.get(form.action + "?" + "&".join(f"{name}={value}" for name, value in sent.items()))
        return self.post(form.action, sent, follow=follow, headers={"Origin": URL, "Sec-Fetch-Site": "same-origin"})

    def sign_in(self, name: str = "alice", code: str | None = None, password: str = PASSWORD) -> TestResponse:
        """Type name and password, and the code if there is one."""
        self.get("/signin")
        self.submit("/signin", name=name, password=password)
        if code is not None:
            self.submit("/signin/code", code=code)
        assert self.page is not None
        return self.page

    def _open(
        self,
        method: str,
        path: str,
        fields: Mapping[str, Any] | None,
        headers: Mapping[str, str] | None,
        *,
        follow: bool,
    ) -> TestResponse:
        self.page = self.client.open(
            path,
            method=method,
            data=fields,
            base_url=URL,
            headers={**self.headers, **(headers or {})},
            environ_overrides={"REMOTE_ADDR": self.address},
            follow_redirects=follow,
        )
        return self.page

    def _parsed(self) -> _Page:
        page = _Page()
        page.feed(self.html)
        return page
