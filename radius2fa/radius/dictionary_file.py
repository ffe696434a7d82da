"""Owns the reading of dictionary files, in the format of FreeRADIUS 3."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from radius2fa.radius.definition import NUMBERS, Attribute
from radius2fa.radius.refusal import TYPES_NOT_SENT, refusal

_TYPES: Final = NUMBERS | {"string", "octets", "ipaddr", "ipv6addr", "ipv6prefix", "ifid", "ether", "abinary"}
_ALIASES: Final = {"uint8": "byte", "uint16": "short", "uint32": "integer", "uint64": "integer64"}
_FLAGS: Final = frozenset({"has_tag", "encrypt=1", "encrypt=2", "encrypt=3", "concat", "secret", "virtual", "array"})
_SALTED: Final = "encrypt=2"  # RFC 2868 section 3.5
_FORMAT: Final = re.compile(r"format=[124],[012](,c)?")
_PLAIN: Final = "format=1,1"  # RFC 2865 section 5.26: one octet of type, one of length
_VENDOR_MOST: Final = 0xFFFFFF  # RFC 2865 section 5.26: the high octet of Vendor-Id is 0


@dataclass(frozen=True, slots=True)
class _Vendor:
    number: int
    plain: bool  # whether its attributes have the format of RFC 2865 section 5.26


@dataclass(slots=True)
class _Block:
    """What is open at a line of a file: a vendor, and how many attributes that hold others (TLVs)."""

    vendor: _Vendor | None = None
    tlvs: int = 0


@dataclass(slots=True)
class Reading:
    """What has been read so far, by names in lower case: case does not matter to FreeRADIUS either.

    pyrad's own reader is too kind for files of a site: it passes over lines that it does not know, lets a later line
    change an attribute's number or encryption, and gives what lies in a TLV a number of its own.
    """

    attributes: dict[str, Attribute] = field(default_factory=dict)
    vendors: dict[str, _Vendor] = field(default_factory=dict)
    values: list[tuple[str, str, str, int]] = field(default_factory=list)  # place, attribute, name, number

    def file(self, path: Path, outer: tuple[Path, ...] = (), asked: str = "") -> None:
        """Read a file, which the last of the `outer` ones may include; `asked` is the place in there."""
        if path.resolve() in outer:
            raise ValueError(f"{asked}{path} includes itself")
        block = _Block()
        for place, words in _lines(path, asked):
            keyword = words[0].upper()
            if keyword in {"$INCLUDE", "$INCLUDE-"}:
                inner = path.parent / " ".join(words[1:])
                if keyword == "$INCLUDE" or inner.exists():
                    self.file(inner, (*outer, path.resolve()), f"{place}: ")
                continue
            try:
                self._line(block, keyword, words[1:], place)
            except ValueError as fault:
                raise ValueError(f"{place}: {fault}") from None

    def _line(self, block: _Block, keyword: str, words: list[str], place: str) -> None:
        match keyword, words:
            case "ATTRIBUTE", [_, _, _] | [_, _, _, _]:
                self._attribute(block, words, place)
            case "VALUE", [name, value, number]:
                self.values.append((place, name, value, _integer(number)))
            case "VENDOR", [name, number] | [name, number, _]:
                self._vendor(name, _integer(number), "".join(words[2:]).lower() or _PLAIN)
            case "BEGIN-VENDOR", [name] | [name, _] if block.vendor is None:
                vendor = self._known(name)
                block.vendor = replace(vendor, plain=vendor.plain and len(words) == 1)
            case "END-VENDOR", [name] if block.vendor and block.vendor.number == self._known(name).number:
                block.vendor = None
            case "BEGIN-TLV", [_]:
                block.tlvs += 1
            case "END-TLV", [_] if block.tlvs:
                block.tlvs -= 1
            case _:
                raise ValueError(
                    f"{' '.join((keyword, *words))!r} is no line of a FreeRADIUS 3 dictionary, or not here"
                )

    def _known(self, name: str) -> _Vendor:
        vendor = self.vendors.get(name.lower())
        if vendor is None:
            raise ValueError(f"no line before this one defines the vendor {name!r}")
        return vendor

    def _vendor(self, name: str, number: int, form: str) -> None:
        if not 0 < number <= _VENDOR_MOST:
            raise ValueError(f"{number} is no number of a vendor")
        if not _FORMAT.fullmatch(form):
            raise ValueError(f"{form!r} is no format of a vendor's attributes")
        before = self.vendors.get(name.lower())
        if before and before.number != number:
            raise ValueError(f"the vendor {name} has the number {number} here, but {before.number} before")
        self.vendors[name.lower()] = _Vendor(number, plain=form == _PLAIN)

    def _attribute(self, block: _Block, words: list[str], place: str) -> None:
        name, number, kind, *rest = words
        vendor, flags = block.vendor, "".join(rest).lower()
        if flags in self.vendors:
            vendor, flags = self.vendors[flags], ""  # the old form, without BEGIN-VENDOR
        elif flags and not _FLAGS.issuperset(flags.split(",")):
            raise ValueError(f"{flags!r} is neither flags nor a vendor that a line before this one defines")
        kind = kind.lower().partition("[")[0]
        kind = _ALIASES.get(kind, kind)
        if kind not in _TYPES | TYPES_NOT_SENT:
            raise ValueError(f"no type is called {kind!r}")
        nested = block.tlvs > 0 or "." in number
        found = Attribute(
            name=name,
            type=0 if nested else _integer(number),
            vendor=vendor.number if vendor else None,
            kind=kind,
            tagged="has_tag" in flags,
            salted=_SALTED in flags,
            place=place,
        )
        against = refusal(found, flags, nested=nested, plain=vendor is None or vendor.plain)
        before = self.attributes.setdefault(name.lower(), replace(found, refusal=against))
        if _numbered(before) != _numbered(found):
            raise ValueError(f"{name} is {_numbered(found)} here, but {_numbered(before)} at {before.place}")

    def complete(self) -> Mapping[str, Attribute]:
        """Return the attributes with their named values, whose lines may stand before the attribute's."""
        named: dict[str, dict[str, tuple[str, int]]] = {}
        for place, attribute, name, number in self.values:
            found = self.attributes.get(attribute.lower())
            if found is None:
                raise ValueError(f"{place}: no dictionary knows {attribute!r}")
            if found.kind not in NUMBERS:
                continue  # FreeRADIUS gives names to addresses too, for logs
            _, before = named.setdefault(attribute.lower(), {}).setdefault(name.lower(), (name, number))
            if before != number:
                raise ValueError(f"{place}: {attribute} {name} is {number} here, but {before} before")
        for lower, values in named.items():
            names, numbers = tuple(name for name, _ in values.values()), {each: values[each][1] for each in values}
            self.attributes[lower] = replace(self.attributes[lower], names=names, numbers=numbers)
        return self.attributes


def _lines(path: Path, asked: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the words of each line that has some, with its place; a byte order mark is none of them."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as fault:
        raise ValueError(f"{asked}{path}: it cannot be read: {fault.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{asked}{path}: it is not text in UTF-8") from None
    for number, line in enumerate(text.split("\n"), 1):
        words = line.partition("#")[0].split()
        if words:
            yield f"{path}:{number}", words


def _integer(digits: str) -> int:
    """Return a number of a dictionary, decimal or in hexadecimal behind `0x`."""
    try:
        return int(digits, 0)
    except ValueError:
        raise ValueError(f"{digits!r} is no number") from None


def _numbered(attribute: Attribute) -> str:
    of = "" if attribute.vendor is None else f" of vendor {attribute.vendor}"
    return f"number {attribute.type}{of}"
