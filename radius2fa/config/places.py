"""Owns where files live: the fixed places of an installation, and the folders that are shipped with the program."""

from pathlib import Path
from typing import Final, Literal

CONFIG_ENVIRONMENT: Final = "RADIUS2FA_CONFIG"  # names another configuration file
CONFIG_FILE: Final = Path("/etc/radius2fa/radius2fa.toml")
KEY_FILE: Final = Path("/etc/radius2fa/master.key")
STATE_FOLDER: Final = Path("/var/lib/radius2fa")
DATABASE_FILE: Final = STATE_FOLDER / "radius2fa.db"
STATUS_SOCKET: Final = Path("/run/radius2fa/status.sock")

_PACKAGE: Final = Path(__file__).resolve().parents[1]


def shipped(name: Literal["dictionaries", "etc", "systemd"], package: Path = _PACKAGE) -> Path:
    """Return a folder that is shipped with the program.

    In an installed wheel it lies inside `package`, in `shipped/`; in an editable install beside it, in the repository.

    Raises:
        FileNotFoundError: it is in neither place, so the installation is incomplete.

    """
    places = (package / "shipped" / name, package.parent / name)
    for place in places:
        if place.is_dir():
            return place
    raise FileNotFoundError(f"{name}: not found in {places[0]} nor in {places[1]}: install radius2fa again")
