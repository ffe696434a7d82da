"""What the portal's tests share: one office, one Chromium; and for every test a browser window of its own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from types import TracebackType
from typing import Any, Self

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect

from tests.end_to_end.house import Ready
from tests.end_to_end.portal.office import Office, Staff
from tests.servers import browser
from tests.servers.slapd import Slapd
from tests.servers.tls import Authority, Certificate

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True, "device_scale_factor": 2}
LIMIT = 15_000  # milliseconds that anything in a page may take

expect.set_options(timeout=LIMIT)

_addresses = count(1)

Visit = Callable[..., Page]


@pytest.fixture(scope="session")
def certificate(authority: Authority) -> Certificate:
    return authority.issue("portal", ("localhost",))


@pytest.fixture(scope="session")
def chromium(playwright: Playwright, certificate: Certificate) -> Iterator[Browser]:
    with browser.chromium(playwright, certificate) as running:
        yield running


@pytest.fixture(scope="session")
def office(
    tmp_path_factory: pytest.TempPathFactory,
    slapd: Slapd,
    ready: Ready,
    authority: Authority,
    certificate: Certificate,
) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("office")
    groups = {"helpdesk_groups": [Staff.HELPDESK], "admin_groups": [Staff.ADMINS]}
    with Office(folder, slapd, ready, authority=authority, certificate=certificate, help="4711", **groups) as office:
        yield office


@pytest.fixture(scope="session")
def staff(office: Office) -> Staff:
    return Staff(office)


def an_address() -> str:
    """Return an address that nobody has visited the portal from yet."""
    number = next(_addresses)
    return f"198.18.{number >> 8}.{number & 0xFF}"


class Windows:
    """Opens windows, each of an address of its own. Use as a context manager.

    At the end it fails if any page wanted what its own policy forbids, or broke its script.
    """

    def __init__(self, chromium: Browser) -> None:
        self._chromium = chromium
        self._open = ExitStack()
        self._wrong: list[str] = []

    def open(self, path: str, at: str, **options: Any) -> Page:
        """Open one at a path of a portal, with options of Playwright's `new_context`."""
        context: BrowserContext = self._chromium.new_context(
            base_url=at, locale="en-GB", extra_http_headers={"X-Forwarded-For": an_address()}, **options
        )
        self._open.callback(context.close)
        context.set_default_timeout(LIMIT)
        context.on("console", lambda said: self._wrong.append(said.text) if "Security Policy" in said.text else None)
        context.on("weberror", lambda broken: self._wrong.append(str(broken.error)))
        page = context.new_page()
        page.goto(path)
        return page

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._open.close()
        assert self._wrong == []


@pytest.fixture
def visit(chromium: Browser, office: Office) -> Iterator[Visit]:
    """Opens a window at a path of the portal, or of another that is given `at` its address."""
    with Windows(chromium) as windows:

        def open_window(path: str = "/", at: str = office.portal.url, **options: Any) -> Page:
            return windows.open(path, at, **options)

        yield open_window
