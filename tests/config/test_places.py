from pathlib import Path

import pytest

from radius2fa.config.places import (
    CONFIG_ENVIRONMENT,
    CONFIG_FILE,
    DATABASE_FILE,
    KEY_FILE,
    STATE_FOLDER,
    shipped,
)

REPOSITORY = Path(__file__).parents[2]


def test_a_repository_has_its_folders_beside_the_package() -> None:
    assert shipped("dictionaries") == REPOSITORY / "dictionaries"


def test_an_installed_wheel_has_them_inside_and_they_win(tmp_path: Path) -> None:
    package = tmp_path / "site-packages" / "radius2fa"
    (package / "shipped" / "etc").mkdir(parents=True)
    (package.parent / "etc").mkdir()
    assert shipped("etc", package) == package / "shipped" / "etc"


def test_an_incomplete_installation_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"systemd: not found in .*shipped/systemd nor in .*: install"):
        shipped("systemd", tmp_path / "radius2fa")


def test_the_places_are_those_that_the_manual_names() -> None:
    assert CONFIG_ENVIRONMENT == "RADIUS2FA_CONFIG"
    places = (CONFIG_FILE, KEY_FILE, STATE_FOLDER, DATABASE_FILE)
    assert [str(place) for place in places] == [
        "/etc/radius2fa/radius2fa.toml",
        "/etc/radius2fa/master.key",
        "/var/lib/radius2fa",
        "/var/lib/radius2fa/radius2fa.db",
    ]
