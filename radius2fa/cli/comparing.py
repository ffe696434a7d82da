"""Owns `radius2fa check --diff`: what is other in the file than in the server that is running here.

Imported where it is needed: pydantic is heavy.
"""

from dataclasses import asdict, dataclass
from typing import Any

import typer

from radius2fa.cli.opening import MISCONFIGURED, UNAVAILABLE, fail
from radius2fa.cli.running import NoAnswer, ask
from radius2fa.cli.showing import print_section
from radius2fa.config.differences import Difference, Fate, Values, What, differences, values
from radius2fa.config.model import Settings
from radius2fa.server.setup import censored
from radius2fa.store.seal import BadKeyFile, KeyRing

_FATES = {
    Fate.RELOAD: "systemctl reload radius2fa",
    Fate.RESTART: "systemctl restart radius2fa",
    Fate.PORTAL: "systemctl restart radius2fa-portal",
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """The differences; `note` says what could not be compared, "" where all could be."""

    differences: tuple[Difference, ...]
    note: str

    def described(self) -> dict[str, object]:
        """Return it as JSON has it; `before` and `after` are null where they are secret, or a whole section."""
        return {"differences": [asdict(each) for each in self.differences], "note": self.note}

    def print(self) -> None:
        """Print it for people."""
        if self.note:
            typer.echo(self.note)
        if not self.differences:
            typer.echo("The running server has this configuration; nothing would change.")
            return
        rows = [(each.key, each.what, *_shown(each), _FATES[each.fate]) for each in self.differences]
        print_section("What the running server has otherwise", ("Key", "", "Running", "File", "Taken by"), rows)


def compare(settings: Settings) -> Comparison:
    """Compare checked settings with those of the running server.

    The program ends with 69 where none answers, and with 78 where the master key cannot be read.
    """
    running = ask(settings.server.status_socket)
    if isinstance(running, NoAnswer):
        fail(UNAVAILABLE, running.why)
    configuration, names = running.answer.configuration, running.answer.master_keys
    if configuration is None or not names:
        fail(UNAVAILABLE, "the running server does not tell its configuration: it is of another version")
    try:
        keys = KeyRing.read(settings.store.key_file)
    except BadKeyFile as wrong:
        fail(MISCONFIGURED, str(wrong))
    found = () if keys.names == names else (_of_keys(names, keys.names),)
    if names[0] in keys.names:
        return Comparison((*found, *differences(configuration, censored(settings, keys, names[0]))), "")
    # Digests of different keys never are the same: without them, only what is no secret is compared.
    note = f"The server's master key {names[0]} is not in the file: secrets were not compared."
    without = differences(_blank(configuration), values(settings, lambda _place, _secret: ""))
    return Comparison((*found, *without), note)


def _of_keys(before: tuple[str, ...], after: tuple[str, ...]) -> Difference:
    return Difference("(master keys)", What.CHANGED, Fate.RELOAD, list(before), list(after))


def _blank(told: Values) -> dict[str, Any]:
    """Return a configuration with nothing in its digests."""
    return {
        key: {"digest": ""}
        if isinstance(value, dict) and list(value) == ["digest"]
        else _blank(value)
        if isinstance(value, dict)
        else value
        for key, value in told.items()
    }


def _shown(one: Difference) -> tuple[str, str]:
    if one.before is None and one.after is None:
        return ("", "")
    return _written(one.before), _written(one.after)


def _written(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return str(value).lower()
        case list():
            return ", ".join(map(str, value))
        case _:
            return str(value)
