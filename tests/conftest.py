"""Owns what there can be only one of in a test run."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Playwright, sync_playwright


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """What drives every browser: it has an event loop, of which a thread has one at most."""
    with sync_playwright() as driving:
        yield driving
