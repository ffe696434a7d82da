"""Owns the portal's texts: one folder for each language, one file for each room, all of them read at the start."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from markupsafe import Markup, escape

LANGUAGES = ("en", "de")

Texts = Mapping[str, str]


@cache
def texts_of(language: str) -> Texts:
    """Return the texts of a language by "room.key"."""
    found: dict[str, str] = {}
    for file in files("radius2fa.portal").joinpath("words", language).iterdir():
        room, _, kind = file.name.partition(".")
        if kind == "toml":
            found |= {f"{room}.{key}": text for key, text in _flat(tomllib.loads(file.read_text("utf-8")))}
    return found


def text(language: str, key: str, **values: object) -> str:
    """Return a text with its {placeholders} filled in.

    Values are escaped where they are no Markup; the text itself is ours, and may hold tags.
    """
    pattern = texts_of(language)[key]
    if not values and "{" not in pattern:
        return Markup(pattern)  # noqa: S704 - a file of the program's own
    return Markup(pattern).format(**{name: escape(value) for name, value in values.items()})  # noqa: S704 - as above


def _flat(table: Mapping[str, object], above: str = "") -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for key, value in table.items():
        if isinstance(value, Mapping):
            pairs += _flat(value, f"{above}{key}.")
        else:
            pairs.append((above + key, str(value)))
    return pairs
