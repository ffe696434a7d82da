"""Owns `radius2fa init`: the first configuration, the master key and an empty database."""

import base64
import json
import os
import pwd
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from radius2fa.cli.opening import CONFIG, NO, fail
from radius2fa.cli.service_account import service_account
from radius2fa.config.places import CONFIG_FILE, DATABASE_FILE, KEY_FILE, STATE_FOLDER, shipped

SECRET_OCTETS = 24
Random = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Places:
    """Where the three files go."""

    config: Path
    key: Path
    database: Path

    def existing(self) -> list[Path]:
        """Return those that are there already."""
        return [path for path in (self.config, self.key, self.database) if os.path.lexists(path)]


def init(
    state: Annotated[Path, typer.Option(metavar="DIR", help="The folder for the database.")] = STATE_FOLDER,
    key_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The master key; by default master.key beside the configuration."),
    ] = None,
) -> None:
    """Write a commented configuration, a master key and an empty database. Nothing is ever overwritten.

    The configuration goes to /etc/radius2fa/radius2fa.toml, or to what --config names.
    """
    config = CONFIG.get().absolute()
    key = key_file.absolute() if key_file else config.parent / KEY_FILE.name
    places = Places(config, key, state.absolute() / DATABASE_FILE.name)
    if existing := places.existing():
        fail(NO, f"already there: {', '.join(map(str, existing))}; nothing was written")
    try:
        with _all_or_nothing() as written:
            _write(places, service_account(), written)
    except OSError as wrong:
        fail(NO, f"{wrong.filename}: {wrong.strerror}; nothing was written")
    _show(places)


def configuration(sample: str, places: Places, random: Random) -> str:
    """Return the sample with a random shared secret, and with the places where they are not the usual ones."""
    secret = base64.b64encode(random(SECRET_OCTETS)).decode()
    text = sample.replace('\nsecret = ""\n', f'\nsecret = "{secret}"\n', 1)
    if places.database != DATABASE_FILE:
        text = text.replace(
            f'\n#url = "sqlite:///{DATABASE_FILE}"\n', f"\nurl = {_quoted(f'sqlite:///{places.database}')}\n"
        )
    if places.key != KEY_FILE:
        text = text.replace(f'\n#key_file = "{KEY_FILE}"\n', f"\nkey_file = {_quoted(str(places.key))}\n")
    return text


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # TOML's basic strings have the same escapes


@contextmanager
def _all_or_nothing() -> Iterator[list[Path]]:
    """Give a list to note new files in; if not all could be written, they are taken back."""
    written: list[Path] = []
    try:
        yield written
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        raise


def _write(places: Places, account: pwd.struct_passwd | None, written: list[Path]) -> None:
    from radius2fa.config.model import Store  # noqa: PLC0415 - heavy
    from radius2fa.store.seal import new_key_text  # noqa: PLC0415 - heavy
    from radius2fa.store.upgrade import upgrade  # noqa: PLC0415 - heavy

    sample = (shipped("etc") / "radius2fa.toml").read_text(encoding="utf-8")
    _folder(places.config.parent, 0o755)
    _folder(places.key.parent, 0o755)
    if _folder(places.database.parent, 0o700) and account:
        os.chown(places.database.parent, account.pw_uid, account.pw_gid)
    _file(places.key, new_key_text(os.urandom), 0o400, written)
    _file(places.config, configuration(sample, places, os.urandom), 0o640 if account else 0o600, written)
    _file(places.database, "", 0o600, written)
    upgrade(Store(url=f"sqlite:///{places.database}"), lambda *_: None)
    if account:
        os.chown(places.config, -1, account.pw_gid)  # the service reads it, and cannot change it
        for path in (places.key, places.database):
            os.chown(path, account.pw_uid, account.pw_gid)


def _folder(path: Path, mode: int) -> bool:
    """Make a folder and those above it, and tell whether it was made; one that exists is left as it is."""
    if path.is_dir():
        return False
    path.mkdir(parents=True)
    path.chmod(mode)
    return True


def _file(path: Path, text: str, mode: int, written: list[Path]) -> None:
    """Write a new file that is never readable by others, and durable when this returns."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
    written.append(path)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    path.chmod(mode)


def _show(places: Places) -> None:
    from rich.console import Console  # noqa: PLC0415 - heavy
    from rich.panel import Panel  # noqa: PLC0415 - heavy
    from rich.text import Text  # noqa: PLC0415 - heavy

    option = "" if places.config == CONFIG_FILE else f" --config {shlex.quote(str(places.config))}"
    start = "radius2fa serve" + option if option else "systemctl enable --now radius2fa"
    again = "start it again" if option else "systemctl reload radius2fa"
    written = (
        (places.config, "the configuration, with a random shared secret for this machine"),
        (places.key, "the master key: keep a copy of it apart from the database's backups"),
        (places.database, "the database, without tokens yet"),
    )
    steps = (
        "Name your directory in the configuration: section [[directory]].",
        f"radius2fa check{option}",
        f"radius2fa token add{option} USER",
        start,
        f"Add your VPN or firewall to the configuration: section [[client]]. Then: {again}",
    )
    text = Text("Written\n", "bold")
    for path, what in written:
        text.append(f"{path}\n", "not bold").append(f"  {what}\n", "not bold dim")
    text.append("\nNext")
    for number, step in enumerate(steps, 1):
        text.append(f"\n{number}. {step}", "not bold")
    Console(highlight=False).print(Panel(text, title="radius2fa", title_align="left"))
