"""Owns what differs between two configurations, and what of it a running server takes by a reload.

Secrets are compared by keyed digests: whoever sees a difference learns that there is one, and nothing of the secret.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from pydantic import BaseModel, SecretBytes

from radius2fa.config.model import Listen, Settings
from radius2fa.config.rules import listen_text

Values = Mapping[str, Any]
"""A configuration fit for JSON: by section, then, where sections have names, by name, then by key."""

Digest = Callable[[str, bytes], str]
"""Returns what recognises a secret again at a place, and tells nothing else of it."""

_NAMED: Final = ("directory", "client", "policy")
_ORDERED: Final = (("directory",), ("policy",))  # where the first one counts
_DIGEST: Final = "digest"


class Fate(StrEnum):
    """What becomes of a changed key. Whatever is not known to be taken by a reload needs a restart."""

    RELOAD = "by reload"
    RESTART = "by restart"
    PORTAL = "by restart of the portal"


_SECTIONS: Final = frozenset({*_NAMED, "lockout", "codes", "text"})
_KEYS: Final = {
    "server": frozenset(
        {
            "listen",
            "accounting_listen",
            "backlog",
            "client_backlog",
            "patience",
            "reject_delay",
            "reject_jitter",
            "challenge_seconds",
            "language",
            "send_class",
            "dictionaries",
        }
    ),
    "store": frozenset({"key_file", "keep_days"}),
    "log": frozenset({"level", "format"}),
}


class What(StrEnum):
    """What happened to a key or section; of sections in which the first one counts, also to their order."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    ORDER = "other order"


@dataclass(frozen=True, slots=True)
class Difference:
    """One key, or whole section, that is not the same; `before` and `after` are None where they are secret."""

    key: str
    what: What
    fate: Fate
    before: Any = None
    after: Any = None


def taken(running: Settings, read: Settings) -> Settings:
    """Return what is in force after a reload: the configuration that was read, but for what needs a restart."""
    kept = {
        name: section if name not in _KEYS else section.model_copy(update=_taken_keys(name, read))
        for name, section in ((name, getattr(running, name)) for name in Settings.model_fields)
        if fate(name) is Fate.RESTART
    }
    return read.model_copy(update=kept)


def _taken_keys(name: str, read: Settings) -> dict[str, Any]:
    section = getattr(read, name)
    return {key: getattr(section, key) for key in _KEYS[name]}


def fate(section: str, key: str = "") -> Fate:
    """Return what becomes of a change there."""
    if section == "portal":
        return Fate.PORTAL
    return Fate.RELOAD if section in _SECTIONS or key in _KEYS.get(section, ()) else Fate.RESTART


def values(settings: Settings, digest: Digest) -> Values:
    """Return a configuration without secrets: their digests stand in their place."""
    return {
        name: {each.name: _section((name, each.name), each, digest) for each in getattr(settings, name)}
        if name in _NAMED
        else _plain((name,), getattr(settings, name), digest)
        for name in Settings.model_fields
    }


def differences(before: Values, after: Values) -> tuple[Difference, ...]:
    """Return all differences, in the order of the sections."""
    return tuple(_differences((), before, after))


def _section(path: tuple[str, ...], section: BaseModel, digest: Digest) -> dict[str, Any]:
    return {key: _plain((*path, key), getattr(section, key), digest) for key in type(section).model_fields}


def _plain(path: tuple[str, ...], value: object, digest: Digest) -> Any:  # noqa: ANN401 - what JSON has
    match value:
        case SecretBytes():
            return {_DIGEST: digest(".".join(path), value.get_secret_value())}
        case Listen(host=host, port=port):
            return listen_text(host, port)
        case dict():
            # An attribute of a reply may be the password of some service.
            each_of = _hidden if path[-1] == "reply" else _plain
            return {key: each_of((*path, key), each, digest) for key, each in value.items()}
        case BaseModel():
            return _section(path, value, digest)
        case list() | tuple():
            return [_plain(path, each, digest) for each in value]
        case _:
            return value if isinstance(value, bool | int | float | str | None) else str(value)


def _hidden(path: tuple[str, ...], value: object, digest: Digest) -> Any:  # noqa: ANN401 - what JSON has
    return {_DIGEST: digest(".".join(path), repr(_plain(("",), value, digest)).encode())}


def _differences(path: tuple[str, ...], before: Any, after: Any) -> Iterator[Difference]:  # noqa: ANN401 - what JSON has
    if not (_is_table(before) and _is_table(after)):
        if before != after:
            yield _difference(path, What.CHANGED, before, after)
        return
    for key in {**before, **after}:
        inner = (*path, key)
        if key not in before:
            yield _difference(inner, What.ADDED, None, after[key])
        elif key not in after:
            yield _difference(inner, What.REMOVED, before[key], None)
        else:
            yield from _differences(inner, before[key], after[key])
    if path in _ORDERED and [key for key in before if key in after] != [key for key in after if key in before]:
        yield Difference(path[0], What.ORDER, fate(*path), list(before), list(after))


def _difference(path: tuple[str, ...], what: What, before: object, after: object) -> Difference:
    fated = fate(*path[:2])
    secret = _is_secret(before) or _is_secret(after)
    # Of a whole section its name is enough.
    shown = () if secret or isinstance(before, dict) or isinstance(after, dict) else (before, after)
    return Difference(".".join(path), what, fated, *shown)


def _is_table(value: object) -> bool:
    return isinstance(value, dict) and not _is_secret(value)


def _is_secret(value: object) -> bool:
    return isinstance(value, dict) and list(value) == [_DIGEST]
