"""Owns the portal that its tests visit."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.portal.site import Site


@pytest.fixture
def make_site(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Makes a portal with settings of its own, at most one."""
    made: list[Site] = []

    def make(**portal: Any) -> Site:
        made.append(Site(tmp_path, **portal))
        return made[-1]

    yield make
    for site in made:
        site.close()


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    return make_site()
