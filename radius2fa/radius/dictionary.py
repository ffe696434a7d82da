"""Owns the names of attributes: what policies may set by which name."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from radius2fa.radius.attributes import TAG_MOST, ReplyAttribute
from radius2fa.radius.definition import DECIMAL, Attribute
from radius2fa.radius.dictionary_file import Reading


@dataclass(frozen=True, slots=True)
class Dictionary:
    """The attributes that are known by name; case does not matter in their names."""

    _attributes: Mapping[str, Attribute]

    @classmethod
    def load(cls, folder: Path, *more: Path) -> "Dictionary":
        """Return what the files in a folder define, and `more` files, which may be dictionaries of FreeRADIUS 3.

        What is defined twice with the same number stays as it was defined first: a file of a site cannot take the
        encryption from a shipped attribute.

        Raises:
            ValueError: there is no file, or what is wrong in which line of which.

        """
        files = sorted(folder.glob("[!.]*"))
        if not files:
            raise ValueError(f"{folder}: no dictionaries here")
        reading = Reading()
        for path in (*files, *more):
            reading.file(path)
        return cls(reading.complete())

    def attribute(self, name: str) -> Attribute:
        """Return an attribute that a policy may set, with a tag behind a colon where it takes one (`Tunnel-Type:1`).

        Raises:
            ValueError: what is wrong with the name or the tag, and what would be right.

        """
        plain, colon, tag = name.partition(":")
        found = self._attributes.get(plain.lower())
        if found is None:
            raise ValueError(self._unknown(plain))
        if found.refusal:
            raise ValueError(f"{found.name} {found.refusal}")
        return replace(found, tag=_tag(found, tag)) if colon else found

    def encode(self, name: str, value: str | int) -> ReplyAttribute:
        """Return a reply attribute by its name and value: `attribute(name).encode(value)`.

        Raises:
            ValueError: what is wrong with the name, the tag or the value.

        """
        return self.attribute(name).encode(value)

    def _unknown(self, name: str) -> str:
        settable = {lower: each.name for lower, each in self._attributes.items() if not each.refusal}
        meant = " or ".join(settable[each] for each in difflib.get_close_matches(name.lower(), settable))
        return f"no dictionary knows {name!r}" + (f": is it {meant}?" if meant else "")


def _tag(attribute: Attribute, given: str) -> int:
    if not attribute.tagged:
        raise ValueError(f"{attribute.name} takes no tag")
    number = int(given) if DECIMAL.fullmatch(given) else -1
    if not 0 <= number <= TAG_MOST:
        raise ValueError(f"{attribute.name}: {given!r} is no tag from 0 to {TAG_MOST}")
    return number
