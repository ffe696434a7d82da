"""Owns the configuration as strangers may see it: known keys with their values, and nothing else that was written.

What is kept is named, not what is left out: a secret under a misspelt key, or in a comment, does not pass.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from radius2fa.config.credentials import SECRETS
from radius2fa.config.words import BY_LANGUAGE, SECTIONS, known_keys

REMOVED = "(removed)"
_PEOPLE = "users"  # the key that holds people's names
_REPLY = "reply"  # its keys are anybody's, and its values may be the password of a service


def censored(path: Path, *, with_names: bool) -> Mapping[str, Any]:
    """Return the configuration of a file without secrets, and without the names of people unless `with_names`.

    Raises:
        OSError: it cannot be read.

    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return {"unreadable": "it is not TOML"}
    return {name: _section(name, value, with_names=with_names) for name, value in document.items()}


def _section(name: str, value: object, *, with_names: bool) -> object:
    if name not in SECTIONS:
        return REMOVED
    match value:
        case list():
            return [_section(name, each, with_names=with_names) for each in value]
        case dict() if name == BY_LANGUAGE:
            return {tag: _keys(name, each, with_names=with_names) for tag, each in value.items()}
        case _:
            return _keys(name, value, with_names=with_names)


def _keys(section: str, table: object, *, with_names: bool) -> object:
    if not isinstance(table, dict):
        return REMOVED
    plain = {*known_keys(section)} - {SECRETS.get(section), *(() if with_names else (_PEOPLE,))}
    told: dict[str, object] = {}
    for key, value in table.items():
        if f"{section}.{key}" in SECTIONS:
            told[key] = _section(f"{section}.{key}", value, with_names=with_names)
        elif key == _REPLY and isinstance(value, dict):
            told[key] = dict.fromkeys(value, REMOVED)
        else:
            told[key] = _plain(value) if key in plain else REMOVED
    return told


def _plain(value: object) -> object:
    match value:
        case dict():
            return REMOVED
        case list():
            return [_plain(each) for each in value]
        case bool() | int() | float():
            return value
        case _:
            return _without_password(str(value))


def _without_password(text: str) -> str:
    """Return a text without what may be a password in a URL: before its host, and behind a question mark."""
    scheme, between, rest = text.partition("://")
    if not between:
        return text
    place, asks, _ = rest.partition("?")
    before, at, host = place.rpartition("@")
    return f"{scheme}://{before.partition(':')[0]}{at}{host}{asks and '?' + REMOVED}"
