"""Owns the names of attributes: reads the dictionaries, and turns a policy's names and values into reply attributes."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pyrad import dictionary as pyrad_dictionary
from pyrad import tools

from radius2fa.radius.attributes import MICROSOFT, TAG_MOST, ReplyAttribute

_NUMBERS: Final = frozenset({"integer", "integer64", "short", "byte", "signed", "date"})
_TAGGED_NUMBER_MOST: Final = 0xFFFFFF  # RFC 2868 section 3.1: the tag takes the first octet of an integer
_SALTED: Final = 2  # pyrad's number for the encryption of RFC 2868 section 3.5
_HEX: Final = "0x"

# What a policy must not set. Most of it stands only in requests and in accounting, by the tables of RFC 2865 section
# 5.44, RFC 2866 section 5.13, RFC 2869 section 5.19 and RFC 3162 section 3; State, Proxy-State, Prompt, EAP-Message and
# Message-Authenticator are the protocol's own; a raw Vendor-Specific is written by the vendor attribute's name.
_NOT_TO_BE_SET: Final = frozenset(
    {
        *(2, 3, 4, 5, 24, 26, 30, 31, 32, 33, 60, 61),  # RFC 2865
        *range(40, 52),  # RFC 2866
        *(52, 53, 55, 70, 73, 74, 75, 76, 77, 79, 80, 87),  # RFC 2869
        95,  # RFC 3162
    }
)
# Microsoft's, by the table of RFC 2548 section 3: answers and password changes of MS-CHAP and ARAP, accounting.
_NOT_TO_BE_SET_MICROSOFT: Final = frozenset({1, 2, 3, 4, 5, 6, 9, 11, 12, 18, 19, 20, 21, 23, 24, 25, 26, 27, 34, 35})


@dataclass(frozen=True, slots=True)
class _Definition:
    """One attribute of the dictionaries; `values` are the names of an enumeration."""

    name: str
    type: int
    vendor: int | None
    kind: str
    tagged: bool
    salted: bool
    values: Mapping[str, int]

    @property
    def may_be_set(self) -> bool:
        if self.vendor is None:
            return self.type not in _NOT_TO_BE_SET
        return not (self.vendor == MICROSOFT and self.type in _NOT_TO_BE_SET_MICROSOFT)


@dataclass(frozen=True, slots=True)
class Dictionary:
    """The attributes that are known by name; case does not matter in their names."""

    _definitions: Mapping[str, _Definition]

    @classmethod
    def load(cls, folder: Path) -> "Dictionary":
        """Return what the files in a folder define.

        Raises:
            ValueError: there is none, or one cannot be read as a dictionary.

        """
        files = sorted(str(path) for path in folder.glob("[!.]*"))
        if not files:
            raise ValueError(f"{folder}: no dictionaries here")
        try:
            read = pyrad_dictionary.Dictionary(*files)
        except pyrad_dictionary.ParseError as error:
            raise ValueError(str(error)) from None
        return cls({name.lower(): _definition(read, name) for name in read.attributes})

    def encode(self, name: str, value: str | int) -> ReplyAttribute:
        """Return a reply attribute by its name, with a tag behind a colon where it takes one (`Tunnel-Type:1`).

        A number may be given by its name in the dictionary, octets in hexadecimal behind `0x`.

        Raises:
            ValueError: what is wrong with the name or the value, and what would be right.

        """
        plain, colon, tag = name.partition(":")
        definition = self._find(plain)
        if not definition.may_be_set:
            raise ValueError(f"{definition.name} is not for a policy to set: it has no place in a reply, or is ours")
        octets = _octets(definition, value)
        number = _tag(definition, octets, tag if colon else None)
        if definition.tagged and definition.kind in _NUMBERS:
            octets = octets[1:]
        return ReplyAttribute(definition.name, definition.type, octets, definition.vendor, number, definition.salted)

    def _find(self, name: str) -> _Definition:
        definition = self._definitions.get(name.lower())
        if definition is None:
            settable = {lower: each.name for lower, each in self._definitions.items() if each.may_be_set}
            meant = " or ".join(settable[each] for each in difflib.get_close_matches(name.lower(), settable))
            raise ValueError(f"no dictionary knows {name!r}" + (f": is it {meant}?" if meant else ""))
        return definition


def _definition(read: pyrad_dictionary.Dictionary, name: str) -> _Definition:
    attribute = read.attributes[name]
    named = attribute.values.forward.items()
    return _Definition(
        name=name,
        type=attribute.code,
        vendor=read.vendors.GetForward(attribute.vendor) or None,
        kind=attribute.type,
        tagged=attribute.has_tag,
        salted=attribute.encrypt == _SALTED,
        values={value: tools.DecodeAttr(attribute.type, octets) for value, octets in named},
    )


def _tag(definition: _Definition, octets: bytes, given: str | None) -> int | None:
    """Return the tag octet: what was given, 0 where there must be one, None for none.

    RFC 2868 section 3: the tag of a number and of Tunnel-Password is not optional, and a text that begins with an octet
    up to 0x1F would be read as one with a tag.
    """
    if given is None:
        needed = definition.salted or definition.kind in _NUMBERS or octets[:1] <= bytes((TAG_MOST,))
        return 0 if definition.tagged and needed else None
    if not definition.tagged:
        raise ValueError(f"{definition.name} takes no tag")
    number = _decimal(given)
    if number is None or number > TAG_MOST:
        raise ValueError(f"{definition.name}: {given!r} is no tag from 0 to {TAG_MOST}")
    return number


def _octets(definition: _Definition, value: str | int) -> bytes:
    """Return the value's octets; what does not fit its type is named, unless it is a secret."""
    try:
        if definition.kind in _NUMBERS:
            return bytes(tools.EncodeAttr(definition.kind, _number(definition, value)))
        return _text(definition.kind, value)
    except (ValueError, TypeError):
        shown = "the value" if definition.salted else repr(value)
        named = f"; it may be one of {', '.join(definition.values)}" if definition.values else ""
        raise ValueError(f"{definition.name}: {shown} does not fit the type {definition.kind}{named}") from None


def _number(definition: _Definition, value: str | int) -> int:
    if isinstance(value, str):
        names = {name.lower(): number for name, number in definition.values.items()}
        number = names.get(value.lower(), _decimal(value))
    else:
        number = None if isinstance(value, bool) else value
    if number is None or (definition.tagged and number > _TAGGED_NUMBER_MOST):
        raise ValueError
    return number


def _text(kind: str, value: str | int) -> bytes:
    """Return a text, or what a text stands for.

    pyrad would make numbers of octets that look like digits, so those are encoded here.
    """
    if not isinstance(value, str):
        raise TypeError
    if kind == "octets" and value.startswith(_HEX):
        return bytes.fromhex(value.removeprefix(_HEX))
    if kind in {"string", "octets"}:
        return value.encode()
    return bytes(tools.EncodeAttr(kind, value))


def _decimal(digits: str) -> int | None:
    return int(digits) if digits.isascii() and digits.isdecimal() else None
