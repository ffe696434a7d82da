"""The documentation's site: made strictly, and its reference is that of the program."""

import re
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from radius2fa.config.words import SECTIONS
from tests.docs.pages import DOCS, ROOT


@pytest.fixture(scope="module")
def making() -> ModuleType:
    spec = spec_from_file_location("making", DOCS / "making.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules["making"] = module  # where its dataclass looks for itself
    spec.loader.exec_module(module)
    return module


def test_the_site_is_made_without_a_doubt(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-d", tmp_path / "trees"]
    made = subprocess.run(
        [*command, "-c", DOCS, ROOT, tmp_path / "site"], capture_output=True, text=True, timeout=120, check=False
    )
    assert (made.stderr, made.returncode) == ("", 0)
    front = (tmp_path / "site/index.html").read_text()
    (leads_to,) = re.findall(r'href="([^"]+)"', front)
    assert "A second factor for everything that speaks RADIUS" in (tmp_path / "site" / leads_to).read_text()


@pytest.mark.parametrize("page", ["configuration.md", "commands.md"])
def test_the_reference_is_of_this_program(making: ModuleType, page: str) -> None:
    """Run `python docs/making.py` after a change of the sample or of a command."""
    assert (DOCS / "reference" / page).read_text() == making.PAGES[page]()


def test_every_key_is_in_the_reference(making: ModuleType) -> None:
    page = making.configuration()
    for name, section in SECTIONS.items():
        part = re.split(rf"^## `\[+{re.escape(name.replace('text', 'text.en'))}\]+`$", page, flags=re.MULTILINE)[1]
        part = part.partition("\n## ")[0]
        keys = set(re.findall(r"^- \*\*`(\w+)`\*\*", part, re.MULTILINE))
        keys |= {re.sub(r"_(file|credential)$", "", key) for key in keys}
        assert set(section.model_fields) - keys - {"mail", "syslog"} == set(), name


def test_values_defaults_and_what_all_commands_take_are_told(making: ModuleType) -> None:
    page = making.commands()
    assert "| `--config FILE` | The configuration file. Or the environment's `RADIUS2FA_CONFIG`. |" in page
    assert "| `--result` | How the login ended. One of `accept`, `reject`, `challenge`. |  |" in page
    assert "| `--directory-port` | The embedded directory's TCP port; 0 takes a free one. | `0` |" in page
    assert "``" not in page.replace("```", "")


def test_limits_are_told(making: ModuleType) -> None:
    page = making.configuration()
    assert "- **`threads`** = `16` (1 to 256)" in page
    assert '- **`enrolment`** = `"open"` (one of "open", "invitation", "closed")' in page
