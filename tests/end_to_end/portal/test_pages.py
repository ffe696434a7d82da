"""What holds for every page: nothing keeps anybody out, it fits a small screen, it is light. And the guide's pictures.

With RADIUS2FA_PICTURES set to a folder, a picture of every page in both themes is written there.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from axe_playwright_python.base import AXE_SCRIPT, AxeResults
from playwright.sync_api import Browser, Page

from tests.end_to_end.house import Ready
from tests.end_to_end.portal.conftest import Windows
from tests.end_to_end.portal.office import Office, Staff
from tests.end_to_end.portal.scenes import SCENES, Guide
from tests.servers.png import with_few_colours
from tests.servers.slapd import Slapd
from tests.servers.tls import Authority, Certificate

MOST_OCTETS = 60_000  # of a page with all that it brings, as it is before compression
MOST_PIXELS = 1400  # of a picture, from its top down
PICTURES = os.environ.get("RADIUS2FA_PICTURES", "")

# Structure and colours in every theme and width; what a theme cannot change is looked at once for each width.
EVERYTHING = {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}}
COLOURS = {
    "resultTypes": ["violations"],
    "runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]},
}
LOOKS = ((320, "light", EVERYTHING), (320, "dark", COLOURS), (1280, "dark", EVERYTHING), (1280, "light", COLOURS))

_WEIGHT = """() => performance.getEntriesByType("navigation").concat(performance.getEntriesByType("resource"))
    .reduce((sum, each) => sum + each.decodedBodySize, 0)"""
_WIDER = "() => document.scrollingElement.scrollWidth - innerWidth"


@pytest.fixture(scope="module")
def guide(
    tmp_path_factory: pytest.TempPathFactory,
    chromium: Browser,
    ready: Ready,
    authority: Authority,
    certificate: Certificate,
) -> Iterator[Guide]:
    folder = tmp_path_factory.mktemp("guide")
    groups = {"helpdesk_groups": [Staff.HELPDESK], "admin_groups": [Staff.ADMINS]}
    with ExitStack() as stack:
        slapd = stack.enter_context(Slapd())
        office = Office(
            folder,
            slapd,
            ready,
            authority=authority,
            certificate=certificate,
            help="4711 or helpdesk@example.org",
            **groups,
        )
        stack.enter_context(office)
        windows = stack.enter_context(Windows(chromium))
        yield Guide(office, lambda: windows.open("/", office.portal.url), tmp_path_factory.mktemp("box"))


def picture(page: Page, name: str) -> None:
    """Take the pictures of a page as its guide shows them: as wide as a phone held across, or as a laptop."""
    width = 600 if page.locator("main.narrow").count() else 1100
    for theme in ("light", "dark"):
        page.set_viewport_size({"width": width, "height": 400})
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
        height = min(page.evaluate("() => document.scrollingElement.scrollHeight"), MOST_PIXELS)
        page.set_viewport_size({"width": width, "height": height})
        file = Path(PICTURES) / f"{name}{'' if theme == 'light' else '.dark'}.png"
        file.write_bytes(with_few_colours(page.screenshot()))


@pytest.mark.parametrize("scene", SCENES)
def test_a_page_keeps_nobody_out_and_fits_and_is_light(scene: str, guide: Guide) -> None:
    page = SCENES[scene](guide)
    if PICTURES:
        picture(page, scene)
    assert page.evaluate(_WEIGHT) < MOST_OCTETS
    page.evaluate(AXE_SCRIPT)
    for width, theme, options in LOOKS:
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
        found = AxeResults(page.evaluate("options => axe.run(options)", options))
        assert found.violations_count == 0, f"{width} px, {theme}: {found.generate_report()}"
        assert page.evaluate(_WIDER) <= 0, f"{width} px: wider than the screen"
